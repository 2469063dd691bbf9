"""Tell what kind of sequence file a stream holds, from its first bytes."""

from __future__ import annotations

import io

from dnalm.errors import InputError
from dnalm.sequences.fasta import NO_HEADER

_HEAD = 1 << 16
_LETTERS = b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv-.*"
_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\x1a\x1b")


def sniff(stream: io.BufferedReader) -> str:
    """The format of a stream, which is left at its start: 'fasta', 'genbank' or 'table'.

    Raises:
        InputError: the stream is empty, binary, or of another format.
    """
    name = stream.name
    head = stream.peek(_HEAD)[:_HEAD].removeprefix(b"\xef\xbb\xbf")
    text = head.lstrip()
    if not text:
        raise InputError(f"{name} is empty.")
    if b"\x00" in head or len(head.translate(None, _CONTROL)) < 0.99 * len(head):
        raise InputError(f"{name} is binary, text is wanted: FASTA, GenBank, CSV or TSV.")
    line = head.count(b"\n", 0, len(head) - len(text)) + 1
    first = text.split(b"\n", 1)[0].split(b"\r", 1)[0].rstrip()
    if text[:1] in b">;":
        return "fasta"
    if text.startswith(b"LOCUS ") or b"\nLOCUS " in text:
        return "genbank"
    if kind := _other_format(text, first):
        raise InputError(f"{name}, line {line}: this is {kind}; FASTA, GenBank, CSV or TSV is wanted.")
    if any(mark in first for mark in b"\t,;") or _is_column(text):
        return "table"
    if not first.replace(b" ", b"").translate(None, _LETTERS):
        raise InputError(f"{name}, line {line}: {NO_HEADER}")
    shown = first[:40].decode("utf-8", "replace")
    raise InputError(f"{name}, line {line}: {shown!r} begins no format read here: FASTA, GenBank, CSV or TSV.")


def _other_format(text: bytes, first: bytes) -> str:
    """The name of a well-known format that is not read here, or nothing."""
    if text.startswith(b"@") and b"\n+" in text:
        return "FASTQ (reads with qualities; `seqtk seq -A` turns it into FASTA)"
    if text.startswith(b"ID   "):
        return "EMBL"
    if text.startswith(b"##gff") or first.count(b"\t") == 8:
        return "an annotation file (GFF)"
    if text.startswith(b"CLUSTAL"):
        return "a Clustal alignment"
    if text.startswith((b"<?xml", b"<!DOCTYPE", b"<html", b"<HTML")):
        return "a web page or XML, perhaps an error page saved by a download"
    return "JSON" if text[:1] in b"{[" else ""


def _is_column(text: bytes) -> bool:
    """Whether this is a table of one column: a name alone, then sequences."""
    lines = text.split(b"\n", 2)
    first, second = lines[0].strip(), lines[1].strip() if len(lines) > 1 else b""
    return bool(first.translate(None, _LETTERS)) and bool(second) and not second.translate(None, _LETTERS)
