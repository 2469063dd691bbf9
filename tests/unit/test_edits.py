"""Edits as people write them: what is read, written, applied and refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnalm.alphabet import decode, encode
from dnalm.errors import InputError
from dnalm.interpret.edits import (
    Edit,
    apply_edits,
    deletions,
    edited,
    insertions,
    parse_edit,
    parse_edits,
    read_vcf,
    vcf_edits,
)


def test_positions_count_from_the_site_without_a_zero_or_from_the_first_base():
    assert parse_edit("-12T>A", 60) == Edit(48, "T", "A")
    assert parse_edit("+1a>g", 60) == Edit(60, "A", "G")
    assert parse_edit("−1U>C", 60) == Edit(59, "T", "C")
    assert parse_edit("45T>A", 60) == Edit(44, "T", "A")
    assert parse_edit("-12TA>-", 60) == Edit(48, "TA", "")
    assert parse_edit("-12->GG", 60) == Edit(48, "", "GG")
    assert parse_edits("-12T>A, +3C>G;7A>T", 20) == [Edit(8, "T", "A"), Edit(22, "C", "G"), Edit(6, "A", "T")]


@given(st.integers(0, 200), st.one_of(st.none(), st.integers(0, 200)), st.text("ACGT", max_size=3))
def test_what_is_written_is_read_again(position, anchor, ref):
    edit = Edit(position, ref, "ACGTA")
    assert parse_edit(edit.written(anchor), anchor) == edit


@pytest.mark.parametrize(
    ("text", "anchor", "sentence"),
    [
        ("-12T", 60, "is no change"),
        ("T-12A", 60, "is no change"),
        ("-12T>A", None, "counts from a start site"),
        ("+0T>A", 60, "no base 0"),
        ("-62T>A", 60, "before the sequence's first base"),
        ("5T>T", 60, "is no change"),
    ],
)
def test_what_cannot_be_read_is_said(text, anchor, sentence):
    with pytest.raises(InputError, match=sentence):
        parse_edit(text, anchor)


def test_edits_are_applied_together_by_the_positions_of_the_sequence_as_it_was():
    codes = encode("ACGTACGT")
    edits = parse_edits("3G>TT 1A>- 8T>A")
    assert decode(apply_edits(codes, edits)) == "CTTTACGA"
    assert decode(apply_edits(codes, [Edit(8, "", "GG")])) == "ACGTACGTGG"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("3T>A", "base 3 is G, not T"), ("3G>A,3G>T", "another change"), ("9T>A", "beyond the sequence's last base, 8")],
)
def test_what_an_edit_replaces_must_be_there(text, sentence):
    with pytest.raises(InputError, match=sentence):
        apply_edits(encode("ACGTACGT"), parse_edits(text))


def test_a_model_of_one_length_keeps_its_site_in_place():
    codes = encode("AAAACCCCG" + "TTTT")  # the site is the G
    before = edited(codes, [Edit(2, "A", "")], length=13, anchor=8)
    assert decode(before) == "NAAACCCCGTTTT"
    after = edited(codes, [Edit(10, "", "GG")], length=13, anchor=8)
    assert decode(after) == "AAAACCCCGTGGT"
    longer = edited(codes, [Edit(0, "", "GG")], length=13, anchor=8)
    assert decode(longer) == "AAAACCCCGTTTT"
    assert decode(edited(codes, [Edit(2, "A", "")], length=None, anchor=None)) == "AAACCCCGTTTT"


def test_deletions_and_insertions_cover_every_place():
    codes = encode("ACGT")
    assert [decode(apply_edits(codes, [one])) for one in deletions(codes, 2)] == ["GT", "AT", "AC"]
    assert [decode(apply_edits(codes, [one])) for one in insertions(codes, "T")] == ["TACGT", "ATCGT", "ACTGT", "ACGTT"]


VCF = """##fileformat=VCFv4.3
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr\t3\trs1\tG\tA,T\t.\t.\t.
chr\t5\t.\tAC\tA\t.\t.\t.
"""


def test_a_vcf_file_gives_each_alternative_allele(tmp_path):
    path = tmp_path / "variants.vcf.gz"
    path.write_bytes(gzip.compress(VCF.encode()))
    found = list(read_vcf(str(path)))
    assert [(one.record, one.id, one.edit) for one in found] == [
        ("chr", "rs1", Edit(2, "G", "A")),
        ("chr", "rs1", Edit(2, "G", "T")),
        ("chr", ".", Edit(4, "AC", "A")),
    ]
    assert found == vcf_edits(VCF)
    assert decode(apply_edits(encode("ACGTACGT"), [found[2].edit])) == "ACGTAGT"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("chr\t3\t.\tG", "line 1: 4 columns"),
        ("chr\t0\t.\tG\tA", "POS is '0'"),
        ("chr\t3\t.\tG\t<DEL>", "wanted as bases"),
    ],
)
def test_a_line_that_is_no_vcf_is_named(line, sentence):
    with pytest.raises(InputError, match=sentence):
        vcf_edits(line)


def test_codes_stay_what_they_were():
    codes = encode("ACGT")
    apply_edits(codes, [Edit(0, "A", "T")])
    np.testing.assert_array_equal(codes, encode("ACGT"))
