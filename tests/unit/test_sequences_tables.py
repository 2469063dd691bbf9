"""CSV and TSV: columns found or named, with labels or without."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from dnalm.alphabet import decode
from dnalm.sequences import read_any, read_labelled

WANTED = [("a", "ACGTACGTAA", "yes"), ("b", "TTTTACGTNN", "no")]


def found(path: Path, reader=read_labelled, **options) -> list[tuple[str, str, str | None]]:
    return [(item.id, decode(item.codes), item.label) for item in reader(path, **options)]


@pytest.mark.parametrize(
    "text",
    [
        "id,sequence,label\na,ACGTACGTAA,yes\nb,TTTTACGTNN,no\n",
        "ID\tSeq\tClass\r\na\tacgtacgtaa\tyes\r\n\r\nb\tUUUUacgunn\tno\r\n",
        "label;name;dna\nyes;a;ACGTACGTAA\nno;b;TTTTACGTNN",
        '\ufefflabel,size,id,sequence\nyes,1,"a","ACGTACGTAA"\nno,"1,5",b,TTTTACGTNN\n',
        "id\tbases\tlabel\na\tACGTACGTAA\tyes\nb\tTTTTACGTNN\tno\n",
    ],
)
def test_columns_are_found(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text, newline="")
    assert found(path) == WANTED
    assert found(path, read_any) == WANTED


def test_columns_are_named_or_numbered(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text(
        "key\tleft\tright\tclass\ttype\na\tACGTACGTAA\tCCCCCCCCCC\t1\tyes\nb\tTTTTACGTNN\tGGGGGGGGGG\t0\tno\n"
    )
    assert found(path, sequence="left", label="type", id="key") == WANTED
    assert found(path, sequence="2", label="5", id="1") == WANTED


def test_a_table_without_a_header(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("ACGTACGTAA\tyes\nTTTTACGTNN\tno\n")
    assert found(path) == [("row_1", "ACGTACGTAA", "yes"), ("row_2", "TTTTACGTNN", "no")]


def test_the_only_other_column_is_the_label(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("seq,expressed\nACGTACGTAA,yes\nTTTTACGTNN,no\n")
    assert [item.label for item in read_labelled(path)] == ["yes", "no"]


def test_labels_are_optional_where_they_are_not_needed(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("id,seq\na,ACGTACGTAA\nb,TTTTACGTNN\n")
    assert found(path, require_labels=False) == [(name, bases, None) for name, bases, _ in WANTED]
    assert found(path, read_any) == [(name, bases, None) for name, bases, _ in WANTED]
    path.write_text("sequence\nACGTACGTAA\nTTTTACGTNN\n")
    assert [item.id for item in read_any(path)] == ["row_1", "row_2"]


def test_a_transcript_of_a_million_bases_fits_in_a_cell(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("seq,label\n" + "ACGT" * 250_000 + ",1\nACGTACGT,0\n")
    assert [len(item.codes) for item in read_labelled(path)] == [1_000_000, 8]


def test_compressed_tables(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(gzip.compress(b"id,seq,label\na,ACGTACGTAA,yes\nb,TTTTACGTNN,no\n"))
    assert found(path) == WANTED


def test_published_tables(mirror):
    human = list(read_labelled(mirror / "promoters/human_nontata_251bp.tsv.gz"))
    assert (len(human), {len(item.codes) for item in human}) == (9_034, {251})
    assert len(Counter(item.label for item in human)) == 2
    enhancers = list(read_labelled(mirror / "enhancers/human_cohn_500bp.tsv.gz"))
    assert (len(enhancers), {len(item.codes) for item in enhancers}) == (6_948, {500})
