"""Uploads: checked, kept under the hash of their content, bad ones leave nothing behind."""

from __future__ import annotations

import gzip

import pytest

from dashboard import uploads
from dnalm.errors import InputError

FASTA = b">one\nACGTACGTAC\n>two\nGGGG\n"


def test_the_same_content_is_one_upload_whatever_its_name(home):
    first = uploads.keep(FASTA, "../../etc/My <b>genome</b>.fa")
    assert first.path.read_bytes() == FASTA
    assert first.path.parent.parent == home / "cache" / "uploads"
    assert first.name == "b_.fa"
    assert uploads.keep(FASTA, "other.fa").key == first.key
    assert [upload.key for upload in uploads.known()] == [first.key]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"ACGT\n", "mine.fa"),
        (b">p\nMKLVVEFPQ\n", "mine.fa"),
        (gzip.compress(FASTA * 1000, mtime=0)[:60], "mine.fa"),
    ],
)
def test_a_bad_file_gets_a_sentence_with_its_own_name_and_leaves_nothing(home, content, words):
    with pytest.raises(InputError, match=words) as caught:
        uploads.keep(content, "mine.fa")
    assert str(home) not in str(caught.value)
    assert uploads.known() == []
    assert list((home / "cache" / "uploads").iterdir()) == []


def test_what_unpacks_to_too_much_or_holds_too_many_records_is_refused(home, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST_TEXT", 2 << 20)
    bomb = gzip.compress(b">a\n" + b"A" * (3 << 20), mtime=0)
    with pytest.raises(InputError, match=r"bomb\.gz unpacks to more than 2 MB"):
        uploads.keep(bomb, "bomb.gz")
    monkeypatch.setattr(uploads, "MOST_RECORDS", 1)
    with pytest.raises(InputError, match="more than 1 records"):
        uploads.keep(FASTA, "many.fa")


def test_the_longest_unused_go_when_the_store_is_full(home, monkeypatch):
    first = uploads.keep(FASTA, "first.fa")
    monkeypatch.setattr(uploads, "LARGEST_STORE", len(FASTA) + 4)
    second = uploads.keep(b">three\nACGTTTTTT\n", "second.fa")
    assert [upload.key for upload in uploads.known()] == [second.key]
    assert not first.path.exists()
