"""Bad input gets one sentence that names the file, the record, the line and the reason."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from pathlib import Path

import numpy as np
import pytest

from dnalm.errors import InputError
from dnalm.sequences import read_any, read_labelled, read_records

GENBANK = "LOCUS       TINY    8 bp    DNA     linear BCT 01-JAN-2000\nORIGIN\n        1 acgtacgt\n//\n"
CASES = {
    "empty": (b"", r"x\.fa is empty"),
    "blank": (b"\n  \n\n", r"x\.fa is empty"),
    "protein": (
        b">ok\nACGT\n>p53\nMKVA\nMEEPQ\n",
        r"record 'p53', line 5: 'E' is no nucleotide; this looks like protein",
    ),
    "peptide in IUPAC letters": (b">a\nMKVRSDWHYKMKVRSDWHYK\n", r"record 'a', line 1: \d+ of 20 letters are ambiguity"),
    "a number in it": (b">a\nACGT\nAC7GT\n", r"record 'a', line 3: '7' is no nucleotide"),
    "a letter outside ASCII": (">a\nACGé\n".encode(), r"record 'a', line 2: the byte 0xc3 is no nucleotide"),
    "header inside a line": (b">a\nAC>b\nGT\n", r"record 'a', line 2: there is a '>' inside"),
    "binary": (bytes(range(256)) * 8, r"is binary"),
    "binary in a record": (b">a\nAC\x01GT\n" + b"ACGT" * 99, r"record 'a', line 2: there is a byte 0x01"),
    "random bytes": (np.random.default_rng(1).bytes(4096), r"is binary"),
    "zip": (b"PK\x03\x04rest", r"is a zip archive"),
    "utf-16": (">a\nAC\n".encode("utf-16"), r"is UTF-16 text"),
    "duplicate": (b">a\nAC\n>b\nAC\n>a x\nGT\n", r"record 'a', line 5: line 1 has the same id"),
    "two without a name that clash": (b">record_2\nAC\n>\nGT\n", r"record 'record_2', line 3: line 1 has"),
    "no header": (b"\nACGT\n>a\nAC\n", r"line 2: there is sequence before the first header"),
    "no header at all": (b"ACGTACGT\nACGTAC\n", r"line 1: there is sequence before the first header"),
    "after a comment": (b";c\n\nACGT\n>a\nAC\n", r"line 3: there is sequence before the first header"),
    "no bases": (b">a\nAC\n>b\n\n>c\nGT\n", r"record 'b', line 3: it has a header and no bases"),
    "no bases at the end": (b">a\nAC\n>b", r"record 'b', line 3: it has a header and no bases"),
    "fastq": (b"@r1\nACGT\n+\nIIII\n", r"line 1: this is FASTQ"),
    "table": (b"seq,label\nACGTACGTAC,1\n", r"is a table"),
    "gff": (b"##gff-version 3\n", r"annotation file"),
    "prose": (b"Dear all\n\nhere is my sequence\n", r"line 1: 'Dear all' begins"),
    "web page": (b"<!DOCTYPE html>\n<html>", r"line 1: this is a web page"),
    "genbank cut off": (GENBANK[:-4].encode(), r"record 'TINY': the file ends inside the record"),
    "genbank cut off early": (GENBANK[:60].encode(), r"record 'TINY': the file ends before its ORIGIN"),
    "genbank of other length": (GENBANK.replace(" 8 bp", " 9 bp").encode(), r"LOCUS says 9 bases, 8 are there"),
    "genbank without bases": (b"LOCUS  X  8 bp DNA linear\nCONTIG  join(Y:1..8)\n//\n", r"has no ORIGIN"),
    "genbank of a protein": (b"LOCUS  X  8 aa linear\nORIGIN\n 1 mkv\n//\n", r"record 'X' is a protein"),
    "genbank with a foreign letter": (GENBANK.replace("gt\n", "gt\n       9 aj\n").encode(), r"'TINY', line 4: 'j' is"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path, case):
    content, message = CASES[case]
    path = tmp_path / "x.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        list(read_records(path))
    text = str(raised.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert text.endswith(".")
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_truncated_archive_says_so(tmp_path, pack):
    rng = np.random.default_rng(0)
    packed = pack(b">a\n" + rng.choice(np.frombuffer(b"ACGT", np.uint8), 400_000).tobytes())
    for cut in (len(packed) // 2, len(packed) - 3):
        path = tmp_path / "x.fa.gz"
        path.write_bytes(packed[:cut])
        with pytest.raises(InputError, match=r"x\.fa\.gz is truncated"):
            list(read_records(path))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_archive_says_so(tmp_path, pack):
    rng = np.random.default_rng(0)
    packed = bytearray(pack(b">a\n" + rng.choice(np.frombuffer(b"ACGT", np.uint8), 400_000).tobytes()))
    packed[len(packed) // 2 :] = rng.bytes(len(packed) - len(packed) // 2)
    path = tmp_path / "x.fa.gz"
    path.write_bytes(packed)
    with pytest.raises(InputError, match=r"x\.fa\.gz"):
        list(read_records(path))


def test_a_compressed_empty_file_is_empty(tmp_path):
    path = tmp_path / "x.fa.gz"
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(InputError, match="is empty"):
        list(read_records(path))


def test_files_that_cannot_be_opened(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such file"):
        list(read_records(tmp_path / "none.fa"))
    with pytest.raises(InputError, match="is a folder"):
        list(read_records(tmp_path))

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"cannot be opened: Permission denied"):
        list(read_records(tmp_path / "secret.fa"))


TABLES = {
    "labels missing": ("seq,gc,size\nACGTACGT,1,2\n", {}, r"no column is called 'label'; the columns are 'seq', 'gc'"),
    "one label missing": ("seq,label\nACGTACGT,1\nACGTACGA,\n", {}, r"record 'row_2', line 3: the label is missing"),
    "single class": ("seq,label\nACGTACGT,1\nACGTACGA,1\n", {}, r"all 2 rows have the label '1'; two classes"),
    "ragged": ("seq,label\nACGTACGT,1\nACGTACGA\n", {}, r"line 3: it has 1 columns, the first row has 2"),
    "foreign letter": ("id,seq,label\na,ACGTACGT,1\nb,ACQT,0\n", {}, r"record 'b', line 3: 'Q' is no nucleotide"),
    "no sequence": ("id,seq,label\na,ACGT,1\nb,,0\n", {}, r"record 'b', line 3: the sequence is missing"),
    "no sequences": ("a,b\n1,2\n", {}, r"no column holds sequences of bases"),
    "two of them": ("a,b,label\nACGTACGT,ACGTACGT,1\n", {}, r"several columns hold sequences"),
    "duplicates": ("id,seq,label\na,ACGT,1\na,ACGA,0\n", {}, r"record 'a', line 3: line 2 has the same id"),
    "wrong name": ("seq,label\nACGT,1\n", {"label": "klass"}, r"there is no column 'klass'; the columns are 'seq'"),
    "header alone": ("seq,label\n", {}, r"has a header and no rows"),
    "FASTA": (">a\nACGT\n", {}, r"is FASTA, which has no labels"),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_that_cannot_be_used(tmp_path, case):
    text, options, message = TABLES[case]
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        list(read_labelled(path, **options))
    assert str(raised.value).startswith(str(path))


def test_naming_columns_of_fasta_is_an_error(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGT\n")
    with pytest.raises(InputError, match="has no columns"):
        list(read_any(path, sequence="seq"))


def test_an_error_late_in_the_file_has_the_right_line(tmp_path):
    lines = [">a"] + ["ACGTACGTAC"] * 300_000 + ["ACGTEACGTA"] + ["ACGT"] * 5
    path = tmp_path / "x.fa"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=re.escape("line 300002: 'E'")):
        list(read_records(path))
