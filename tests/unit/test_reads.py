"""Simulated reads: primers found where they were put, errors at the stated rate, reads of the genes they name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.datasets import Dataset, catalog
from dnalm.datasets.audit import audit
from dnalm.datasets.profile import profile
from dnalm.datasets.reads import (
    FORWARD_PRIMER,
    READ_LENGTH,
    READS_PER_GENE,
    amplicon_of,
    amplicon_reads,
    primer_site,
    shotgun_reads,
    with_errors,
)
from dnalm.datasets.recipes import RECIPES, build
from dnalm.errors import InputError
from dnalm.sequences import read_records

BEHIND = "ACTCAAATGAATTGACGG"
"""The reverse complement of the second primer, one of its spellings."""


def random_bases(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, count).astype(np.uint8)


def gene(seed: int = 0, between: int = 400) -> np.ndarray:
    parts = (random_bases(60, seed), encode(FORWARD_PRIMER), random_bases(between, seed + 1), encode(BEHIND))
    return np.concatenate([*parts, random_bases(50, seed + 2)])


@pytest.mark.parametrize(("primer", "site", "missed"), [("ACGT", 3, 0), ("AYGT", 3, 0), ("ACGA", 3, 1), ("NNNN", 0, 0)])
def test_a_primer_is_found_where_it_fits_best(primer: str, site: int, missed: int) -> None:
    assert primer_site(encode("TTTACGTCCC"), primer) == (site, missed)


def test_a_primer_wants_a_sequence_that_holds_it() -> None:
    with pytest.raises(InputError, match="a primer of 4 bases cannot lie on a sequence of 2"):
        primer_site(encode("AC"), "ACGT")


def test_an_amplicon_lies_between_the_primers() -> None:
    codes = gene()
    assert amplicon_of(codes) == (60 + len(FORWARD_PRIMER), 60 + len(FORWARD_PRIMER) + 400)
    assert amplicon_of(reverse_complement(codes)) is None
    assert amplicon_of(gene(between=READ_LENGTH - 1)) is None


@given(st.integers(0, 2**31), st.integers(20, 80))
def test_a_read_without_errors_is_the_template(seed: int, length: int) -> None:
    template = random_bases(100, seed)
    read = with_errors(template, length, np.random.default_rng(seed), rate=0.0)
    np.testing.assert_array_equal(read, template[:length])


def test_errors_come_at_their_rate_and_are_of_each_kind() -> None:
    template, generator = np.zeros(200_000, dtype=np.uint8), np.random.default_rng(1)
    read = with_errors(template, 10**9, generator, rate=0.1)
    # Of A alone: 8 % substitutions by another base, 1 % of the bases left out, before 1 % another base, A by chance.
    assert (read != 0).sum() / len(template) == pytest.approx(0.08 + 0.01 * 3 / 4, abs=0.003)
    assert len(read) / len(template) == pytest.approx(1.0, abs=0.002)
    again = with_errors(template, 10**9, np.random.default_rng(1), rate=0.1)
    np.testing.assert_array_equal(read, again)


def test_an_unknown_base_stays_unknown() -> None:
    assert decode(with_errors(encode("N" * 50), 50, np.random.default_rng(0), rate=0.5)).count("N") > 30


@pytest.fixture
def genes(tmp_path: Path) -> Path:
    text = "".join(
        f">g{number} Class Order Family Genus{number % 3}\n{decode(gene(number * 5))}\n" for number in range(12)
    )
    path = tmp_path / "genes.fa"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_genes_reads_come_from_it_and_form_one_group(genes: Path) -> None:
    sequences = {record.id: decode(record.codes) for record in read_records(genes)}
    for make in (amplicon_reads, shotgun_reads):
        built = make({"genes": genes}, np.random.default_rng(0))
        assert len(built.table) == 12 * READS_PER_GENE
        assert built.groups is not None
        assert np.bincount(built.groups).tolist() == [READS_PER_GENE] * 12
        strands = set()
        for row in built.table.itertuples():
            record, _, place = row.source.rpartition(":")
            whole, strand = sequences[record], place[-2]
            strands.add(strand)
            codes = encode(row.sequence)
            of_strand = decode(reverse_complement(codes) if strand == "-" else codes)
            # Some twenty bases in a row without an error are found in the gene, on the strand that the source names.
            assert any(of_strand[at : at + 20] in whole for at in range(0, READ_LENGTH - 20, 20))
        assert strands == ({"+"} if make is amplicon_reads else {"+", "-"})


def test_the_split_keeps_genes_whole_and_the_audit_counts_genes(genes: Path) -> None:
    # Four genes of each genus, so that one of them is a fourth.
    recipe = replace(RECIPES["16s-amplicon"], valid=0.25, test=0.25)
    for split, leaks in (("grouped", False), ("random", True)):
        dataset = build(recipe, {"genes": genes}, seed=0, split=split)
        assert dataset.labels == ["Genus0", "Genus1", "Genus2"]
        assert dataset.positive is None
        assert len(np.unique(dataset.groups())) == 12
        found = audit(dataset)
        assert found["shared_stretches"]["test"]["of"] == 84
        assert bool(found["shared_stretches"]["test"]["shared"]) is leaks
        # Dealt at random, nearly all reads would have one of their gene to be known by.
        assert profile(dataset).random_leak["test"]["share"] > 0.9
        assert any("come from a gene of which training sequences come too" in one for one in found["warnings"]) is leaks


def test_a_gene_without_a_genus_is_named(tmp_path: Path) -> None:
    path = tmp_path / "genes.fa"
    path.write_text(f">g1\n{decode(gene())}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"g1 has .* a header that ends in the genus"):
        shotgun_reads({"genes": path}, np.random.default_rng(0))


def test_the_primers_fit_nearly_all_real_genes(mirror: Path) -> None:
    records = list(read_records(catalog.fetch("16s-1000")))
    found = [amplicon_of(record.codes) for record in records]
    lengths = [last - first for first, last in filter(None, found)]
    assert len(lengths) == 984
    # V3 to V4 is some 550 bases in bacteria.
    assert 525 <= np.median(lengths) <= 560


def test_groups_of_a_set_without_a_word_of_them_are_shared_stretches() -> None:
    one = "ACGTTGCATTGACCATGGTACA"
    rows = [
        {"id": str(i), "sequence": text, "label": "x", "split": "train", "source": "s", "in_demo_region": False}
        for i, text in enumerate((one, decode(reverse_complement(encode(one))), "A" * 22))
    ]
    import pandas as pd

    groups = Dataset(pd.DataFrame(rows)).groups()
    assert groups[0] == groups[1] != groups[2]
