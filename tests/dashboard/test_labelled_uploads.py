"""Files for a labelled set: received under caps, kept for one person, shown as what a set would hold."""

from __future__ import annotations

import gzip
import io
import os

import pytest
import streamlit as st

from dashboard import guard, labelled_uploads
from dnalm.errors import InputError

TABLE = b"name,dna,kind\n" + b"".join(
    b"r%d,%s,%s\n" % (n, (b"ACGTTGCA", b"GGATCCAA", b"TTTAACCG", b"CATGCATT")[n % 4] * (2 + n), (b"a", b"b")[n % 2])
    for n in range(8)
)


@pytest.fixture(autouse=True)
def fresh_cache():
    st.cache_data.clear()


def keep(content: bytes, name: str = "mine.csv", owner: str = "local"):
    return labelled_uploads.keep(io.BytesIO(content), name, owner)


def left(home) -> list[str]:
    return [path.name for path in (home / "cache" / "labelled" / "local").iterdir()]


def test_a_table_is_kept_for_its_person_alone_and_found_by_its_key(home):
    kept = keep(TABLE, "../../My <b>table</b>.csv")
    assert kept.name == "b_.csv"
    assert kept.kind == "table"
    assert kept.path.read_bytes() == TABLE
    assert labelled_uploads.find(kept.key, "local") == kept
    assert keep(TABLE, "again.csv").key == kept.key
    assert left(home) == [kept.key]
    with pytest.raises(InputError, match="upload it again"):
        labelled_uploads.find(kept.key, "anna")


def test_a_persons_files_are_listed_the_last_used_first(home):
    assert labelled_uploads.listed("local") == []
    first, second = keep(TABLE), keep(b">a\nACGTACGTACGT\n", "a.fa")
    keep(TABLE, owner="anna")
    os.utime(first.path.parent, (1, 1))
    assert labelled_uploads.listed("local") == [second, first]
    labelled_uploads.forget(second.key, "local")
    assert labelled_uploads.listed("local") == [first]
    assert len(labelled_uploads.listed("anna")) == 1


@pytest.mark.parametrize("key", ["upload-0000000000000000", "../local", "", "upload-*"])
def test_a_key_that_names_nothing_here_is_refused(home, key):
    keep(TABLE)
    with pytest.raises(InputError, match="not kept here any more"):
        labelled_uploads.find(key, "local")


@pytest.mark.parametrize("owner", ["..", "a/b", ""])
def test_an_owner_cannot_leave_the_store(home, owner):
    with pytest.raises(InputError, match="cannot be a folder's name"):
        keep(TABLE, owner=owner)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "mine.csv is empty"),
        (b"\x00\x01\x02" * 50, "mine.csv is binary"),
        (b"PK\x03\x04rest", "mine.csv is a zip archive"),
        (gzip.compress(TABLE * 2000, mtime=0)[:900], "mine.csv is truncated"),
        (gzip.compress(TABLE * 99, mtime=0)[:-12] + b"\xff" * 12, "mine.csv"),
    ],
    ids=["empty", "binary", "zip", "truncated gzip", "damaged gzip"],
)
def test_a_bad_file_gets_a_sentence_with_its_own_name_and_leaves_nothing(home, content, words):
    with pytest.raises(InputError, match=words) as caught:
        keep(content)
    assert str(home) not in str(caught.value)
    assert left(home) == []


def test_bombs_are_refused_by_size_ratio_and_line(home, monkeypatch):
    monkeypatch.setattr(labelled_uploads, "LARGEST_FILE", 2 << 20)
    with pytest.raises(InputError, match=r"big\.csv is larger than 2 MB; make the set with `dnalm data make`"):
        keep(b"a,b\n" + b"A" * (3 << 20), "big.csv")
    # 18 MB of one letter pack into 20 kB: refused long before the cap of its size.
    with pytest.raises(InputError, match="unpacks to more than 100 times its size"):
        keep(gzip.compress(b">a\n" + (b"A" * 60 + b"\n") * 300_000, mtime=0), "bomb.fa.gz")
    monkeypatch.setattr(labelled_uploads, "LARGEST_TEXT", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more than 1 MB"):
        keep(gzip.compress(b">a\n" + b"ACGT" * (1 << 19), mtime=0), "bomb.fa.gz")
    assert left(home) == []


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_are_measured_over_the_pieces_they_come_in(tmp_path, end):
    caps = guard.Caps(1 << 30, 1 << 30, line=2 << 20)
    path = tmp_path / "f.fa"
    path.write_bytes(b">a" + end + (b"A" * ((1 << 20) + 7) + end) * 4)
    guard.check_text(path, "f.fa", caps)
    path.write_bytes(b">a" + end + b"A" * ((2 << 20) + 7) + end)
    with pytest.raises(InputError, match=r"f\.fa has a line of over 2 MB"):
        guard.check_text(path, "f.fa", caps)


def test_the_longest_unused_go_when_the_persons_room_is_full(home, monkeypatch):
    first = keep(TABLE)
    monkeypatch.setattr(labelled_uploads, "LARGEST_STORE", len(TABLE) + 4)
    second = keep(TABLE.replace(b"r0", b"s0"))
    assert left(home) == [second.key]
    assert not first.path.exists()


def test_a_preview_says_what_a_set_would_hold_and_what_it_leaves_out(home):
    bad = b"x,MKLVVEFPQMKL,a\ny,,b\nz,ACGTTGCAACGTTGCA,a\n"
    kept = keep(TABLE + bad)
    assert labelled_uploads.columns_of(kept).names == ("name", "dna", "kind")
    assert labelled_uploads.columns_of(kept).sequence == "dna"
    shown = labelled_uploads.preview((kept,))
    assert (shown.read, shown.kept) == (11, 8)
    assert shown.labels == {"a": 4, "b": 4}
    assert shown.positive is None
    assert shown.dropped == {
        "a letter that is no nucleotide": 1,
        "no sequence": 1,
        "a copy of an earlier sequence, on either strand": 1,
    }
    assert shown.examples["no sequence"] == "mine.csv, record 'y', line 11: the sequence is missing."
    assert (shown.shortest, shown.longest) == (16, 72)
    assert shown.first[0] == {"Name": "r0", "Label": "a", "Bases": 16, "GC (%)": 50.0, "Sequence": "ACGTTGCA" * 2}
    assert shown.first[-1]["Sequence"].endswith("…")


def test_columns_that_cannot_be_found_are_named_by_the_person(home):
    rows = b"".join(b"%s,%s,x%d\n" % (b"ACGTTGCA" * (2 + n), b"CCGGTTAA" * (2 + n), n % 2) for n in range(4))
    kept = keep(b"left,right,group\n" + rows)
    assert labelled_uploads.columns_of(kept).sequence is None
    with pytest.raises(InputError, match=r"mine\.csv: several columns hold sequences"):
        labelled_uploads.preview((kept,))
    shown = labelled_uploads.preview((kept,), columns=("right", "group", None))
    assert shown.labels == {"x0": 2, "x1": 2}


def test_a_protein_fasta_is_refused_with_the_line_and_a_repeated_id_is_numbered(home):
    protein = keep(b">p\nACGT\n>q\nMKLVVEFPQ\n", "p.fa")
    assert protein.kind == "fasta"
    with pytest.raises(InputError, match=r"p\.fa, record 'q', line 4: 'L' is no nucleotide; this looks like protein"):
        labelled_uploads.preview((protein,))
    yes, no = keep(b">s\nACGTTGCAACG\n>s\nGGGTTGCAACG\n", "yes.fa"), keep(b">s\nTTTTTGCAACG\n", "no.fa")
    shown = labelled_uploads.preview((yes, no), labels=("yes", "no"))
    assert [row["Name"] for row in shown.first] == ["s", "s#2", "no:s"]
    assert "1 sequence has an id" in shown.notes[0]
    assert shown.positive == "yes"


def test_too_many_sequences_are_refused(home, monkeypatch):
    monkeypatch.setattr(labelled_uploads, "MOST_RECORDS", 5)
    kept = keep(TABLE)
    with pytest.raises(InputError, match=r"mine\.csv holds more than 5 sequences"):
        labelled_uploads.preview((kept,))
