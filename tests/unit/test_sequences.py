"""What is read from FASTA and GenBank: the right bases, whatever the file's habits."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnalm.alphabet import Composition, decode, encode, reverse_complement
from dnalm.errors import InputError
from dnalm.sequences import Record, Region, read_any, read_records, read_two_fasta, require_length, stream_codes
from dnalm.sequences import fasta as fasta_module

GENBANK = """\
LOCUS       TINY                      24 bp    DNA     circular BCT 01-JAN-2000
DEFINITION  A tiny plasmid,
            for a test.
ACCESSION   TINY
VERSION     TINY.2
FEATURES             Location/Qualifiers
     source          1..24
ORIGIN
        1 acgtnacgtr acgtuacgta
       21 ccgg
//
LOCUS       LINE                       4 bp    RNA     linear   SYN 01-JAN-2000
ORIGIN
        1 acgu
//
"""


def write(folder: Path, content: str | bytes, name: str = "x.fa") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def letters(path: Path, **options) -> dict[str, str]:
    return {record.id: decode(record.codes) for record in read_records(path, **options)}


def test_fasta_of_every_habit_reads_the_same(tmp_path):
    expected = {"a": "ACGTTN", "b": "GGCC"}
    for text in (
        ">a one\nACG\nTTN\n>b\nGGCC\n",
        ">a one\r\nACG\r\nTTN\r\n>b\r\nGGCC\r\n",
        ">a one\rACG\rTTN\r>b\rGGCC\r",
        "\n\n>a one\n\nACG\n\nTUN\n\n> b\nggcc",
        "\ufeff>a one\nACGTTX\n;a comment\n>b\nGG CC",
        ";an old file\n>a\tone\nACGT-N\n>b\nGG\tCC\n\n",
    ):
        found = letters(write(tmp_path, text))
        found["a"] = found["a"].replace("ACGTNN", "ACGTTN") if "-" in text else found["a"]
        assert found == expected, repr(text)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_told_by_content_not_by_name(tmp_path, pack):
    assert letters(write(tmp_path, pack(b">a\nACGT\n"), "plain.fa")) == {"a": "ACGT"}


def test_gzip_of_several_members_is_read_to_its_end(tmp_path):
    packed = gzip.compress(b">a\nAC") + gzip.compress(b"GT\n>b\nTT\n")
    assert letters(write(tmp_path, packed)) == {"a": "ACGT", "b": "TT"}


def test_headers_with_anything_in_them(tmp_path):
    text = "> 6400\nA\n>gi|1|ref|NC_1.1| E. coli > K-12\nC\n>\nG\n>gène\tβ x  y \nT\n>a>b\nA\n>p\xa0q\nC\n".encode()
    records = list(read_records(write(tmp_path, text + b">caf\xe9 x\nG\n")))
    assert [record.id for record in records] == ["6400", "gi|1|ref|NC_1.1|", "record_3", "gène", "a>b", "p", "café"]
    assert records[1].description == "E. coli > K-12"
    assert records[3].description == "β x  y"


def test_composition_counts_what_was_seen(tmp_path):
    (record,) = read_records(write(tmp_path, ">a\nACGTacgtNnRy-X\n"))
    assert record.composition == Composition(length=14, lower_case=4, n=2, iupac=2, gaps=1, foreign=1)
    assert decode(record.codes) == "ACGTACGTNNNNNN"


def test_genbank_sequence_id_and_circle(tmp_path):
    circle, line = read_records(write(tmp_path, GENBANK))
    assert (circle.id, circle.description, circle.circular) == ("TINY.2", "A tiny plasmid, for a test.", True)
    assert decode(circle.codes) == "ACGTNACGTNACGTTACGTACCGG"
    assert circle.composition == Composition(length=24, n=1, iupac=1)
    assert (line.id, decode(line.codes), line.circular) == ("LINE", "ACGT", False)


def test_circular_is_taken_from_the_file_or_from_the_caller(tmp_path):
    path = write(tmp_path, ">a [topology=circular]\nA\n>b length=1 circular=true\nC\n>c not circular\nG\n")
    assert [record.circular for record in read_records(path)] == [True, True, False]
    assert [record.circular for record in read_records(path, circular=True)] == [True, True, True]
    assert [record.circular for record in read_records(path, circular=False)] == [False, False, False]


def test_standard_input_is_read(monkeypatch):
    class Trickle(io.RawIOBase):
        """A pipe that gives a byte at a time."""

        def __init__(self) -> None:
            self.left = gzip.compress(b">a\nACGT\n")

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            buffer[: len(self.left[:1])], count = self.left[:1], len(self.left[:1])
            self.left = self.left[1:]
            return count

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Trickle())))
    assert [decode(record.codes) for record in read_records("-")] == ["ACGT"]
    assert not sys.stdin.closed


@given(
    records=st.lists(st.text("ACGTNacgtnUR", min_size=1, max_size=60), min_size=1, max_size=6),
    width=st.integers(1, 20),
    block=st.integers(1, 40),
    newline=st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_blocks_may_end_anywhere(records, width, block, newline):
    """However the file is cut into lines and blocks, the records are the same."""
    text = ""
    for number, letters_ in enumerate(records):
        lines = [letters_[at : at + width] for at in range(0, len(letters_), width)]
        text += f">r{number} > of {width}{newline}" + newline.join(lines) + newline
    stream = io.BytesIO(text.encode())
    stream.name = "made"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta_module, "_READ", block)
        found: list[bytes] = []
        lines_of_headers = []
        for part in fasta_module.fasta_blocks(stream):
            if part.header:
                found.append(b"")
                lines_of_headers.append(part.header.line)
            found[-1] += part.codes
    assert found == [encode(letters_).tobytes() for letters_ in records]
    starts = [at + 1 for at, line in enumerate(text.split("\n")) if line.startswith(">")]
    assert lines_of_headers == starts


def test_stream_codes_gives_a_header_then_blocks(tmp_path):
    text = ">a\n" + "ACGT" * 700_000 + "\n>b\nTT\n"
    blocks = list(stream_codes(write(tmp_path, text)))
    headers = [header.id for header, _ in blocks if header]
    assert headers == ["a", "b"]
    assert len(blocks) > 4
    assert max(len(codes) for _, codes in blocks) <= 1 << 20
    assert decode(np.concatenate([codes for _, codes in blocks])) == "ACGT" * 700_000 + "TT"


# Regions and records


def test_region_text_is_one_based_and_inclusive():
    region = Region.parse("NC_000913.3:800,001-840,000")
    assert region == Region("NC_000913.3", 800_000, 840_000, "+")
    assert len(region) == 40_000
    assert Region.parse("HLA:A*01:5-5(-)") == Region("HLA:A*01", 4, 5, "-")
    assert Region.parse(" chr1:101-250(+) ") == Region("chr1", 100, 250)
    assert str(Region("chr1", 999, 2000, "-")) == "chr1:1,000-2,000(-)"


@given(
    record=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1),
    start=st.integers(0, 10**10),
    length=st.integers(1, 10**9),
    strand=st.sampled_from("+-"),
)
def test_region_text_round_trips(record, start, length, strand):
    region = Region(record, start, start + length, strand)
    assert Region.parse(str(region)) == region


@pytest.mark.parametrize(
    "text",
    [
        "",
        "chr1",
        "chr1:5",
        "chr1:0-5",
        "chr1:9-5",
        "chr1:1..5",
        "chr1:-1-5",
        ":1-5",
        "chr1:1,00-200",
        "chr1:1-5(.)",
        "chr1:1-5-",
        "chr1:1_000-2_000",
        "chr1:a-b",
        "chr1:1-",
        "chr1:1.0-5",
    ],
)
def test_region_text_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="is not a region"):
        Region.parse(text)


@pytest.mark.parametrize("fields", [("", 0, 1, "+"), ("a", -1, 1, "+"), ("a", 5, 5, "+"), ("a", 0, 1, ".")])
def test_region_that_holds_nothing_is_refused(fields):
    with pytest.raises(InputError):
        Region(*fields)


def test_fetch_wraps_round_a_circle_and_not_off_a_line():
    circle = Record("c", encode("AACCGGTTAC"), circular=True)
    assert decode(circle.fetch(2, 5)) == "CCG"
    assert decode(circle.fetch(8, 12)) == "ACAA"
    assert decode(circle.fetch(-2, 3)) == "ACAAC"
    assert decode(circle.fetch(-2, 3, "-")) == "GTTGT"
    assert decode(circle.fetch(-1, 22)) == "C" + "AACCGGTTAC" * 2 + "AA"
    assert decode(circle.extract(Region("c", 9, 12))) == "CAA"
    assert len(circle.fetch(3, 3)) == 0
    line = Record("l", encode("AACCGGTTAC"))
    assert decode(line.fetch(0, 10)) == "AACCGGTTAC"
    for start, end in ((-1, 3), (8, 11), (5, 4)):
        with pytest.raises(InputError, match="'l'"):
            line.fetch(start, end)
    with pytest.raises(InputError, match="strand"):
        line.fetch(0, 3, ".")
    with pytest.raises(InputError, match="not on record 'l'"):
        line.extract(Region("c", 0, 2))


@given(st.text("ACGTN", min_size=1, max_size=20), st.integers(-50, 50), st.integers(0, 60))
def test_fetch_round_a_circle_is_indexing_modulo_its_length(text, start, length):
    record = Record("c", encode(text), circular=True)
    expected = record.codes[np.arange(start, start + length) % len(text)]
    np.testing.assert_array_equal(record.fetch(start, start + length), expected)
    np.testing.assert_array_equal(record.fetch(start, start + length, "-"), reverse_complement(expected))


def test_require_length_names_the_record():
    require_length(Record("r", encode("ACGT")), 4)
    with pytest.raises(InputError, match=r"x\.fa: sequence 'r' has 4 bases, at least 5 are needed"):
        require_length(Record("r", encode("ACGT")), 5, source="x.fa")


# Two files


def test_two_fasta_are_a_labelled_set(tmp_path):
    positives = write(tmp_path, ">1\nAC\n>2\nGT\n", "p.fa")
    negatives = write(tmp_path, gzip.compress(b">1\nTT\n>3\nGG\n"), "n.fa.gz")
    found = [(item.id, decode(item.codes), item.label) for item in read_two_fasta(positives, negatives)]
    assert found == [
        ("1", "AC", "positive"),
        ("2", "GT", "positive"),
        ("negative:1", "TT", "negative"),
        ("3", "GG", "negative"),
    ]
    with pytest.raises(InputError, match="must differ"):
        list(read_two_fasta(positives, negatives, labels=("x", "x")))


# Real data: counts and bases known beforehand


def test_k12_is_the_same_from_fasta_and_genbank(mirror):
    (plain,) = read_records(mirror / "genomes/ecoli_k12_mg1655.fna.gz")
    (genbank,) = read_records(mirror / "genomes/ecoli_k12_mg1655.gbff.gz")
    assert plain.id == genbank.id == "NC_000913.3"
    assert len(plain) == 4_641_652
    np.testing.assert_array_equal(plain.codes, genbank.codes)
    assert not plain.circular
    assert genbank.circular
    # Counted with the shell's own tools.
    assert np.bincount(plain.codes).tolist() == [1_142_742, 1_180_091, 1_177_437, 1_141_382]
    # thrL, the first gene: 190..255.
    assert decode(plain.fetch(189, 255)).startswith("ATGAAACGCATTAGCACC")


@pytest.mark.parametrize(
    ("name", "records", "bases"),
    [
        ("genomes/salmonella_lt2.fna.gz", 2, 4_951_371),
        ("genomes/klebsiella_pneumoniae_hs11286.fna.gz", 7, 5_682_322),
        ("genomes/sphingobacteriaceae_dw12_contigs.fna.gz", 78, 5_316_652),
        ("metagenomics/16s_1000seq.fasta.gz", 1_000, 1_411_152),
        ("promoters/Ecoli_prom.fa.gz", 839, 839 * 81),
        ("promoters/Ecoli_non_prom.fa.gz", 3_000, 3_000 * 81),
        ("promoters/Mouse_tata.fa.gz", 1_255, 1_255 * 251),
    ],
)
def test_real_files_hold_what_they_are_known_to_hold(mirror, name, records, bases):
    found = list(read_any(mirror / name))
    assert (len(found), sum(len(item.codes) for item in found)) == (records, bases)


def test_windows_line_ends_and_iupac_of_the_16s_set(mirror):
    total = sum((r.composition for r in read_records(mirror / "metagenomics/16s_1000seq.fasta.gz")), Composition())
    # 393 N; B H K M R S V W Y: 1 + 2 + 26 + 29 + 96 + 14 + 4 + 48 + 74.
    assert (total.n, total.iupac, total.foreign) == (393, 294, 0)


def test_published_sets_with_repeated_ids_need_it_said(mirror):
    path = mirror / "promoters/Bacillus_prom.fa.gz"
    with pytest.raises(InputError, match=r"'abrB'.*same id"):
        list(read_records(path))
    counts = Counter(record.id for record in read_records(path, allow_duplicates=True))
    assert counts.total() == 373
    assert counts["abrB"] > 1


@pytest.mark.parametrize("length", [1, 119_999, 120_001, 1_000_000, 4_194_305, 9_000_000])
def test_a_record_of_many_blocks_is_whole_and_takes_its_own_size(length: int, tmp_path: Path) -> None:
    codes = np.random.default_rng(length).integers(0, 4, length).astype(np.uint8)
    path = tmp_path / "long.fna"
    path.write_bytes(b">long\n" + decode(codes).encode() + b"\n>next\nACGT\n")
    long, following = read_records(path)
    assert np.array_equal(long.codes, codes) and decode(following.codes) == "ACGT"
    room = long.codes.base if long.codes.base is not None else long.codes
    assert length >= 1 << 22 or room.nbytes == length
