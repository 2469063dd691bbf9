"""Checksums of a data file at three levels, so that a repacked or re-wrapped copy can still be trusted.

`file`: the bytes as they lie there. `content`: the bytes after decompression (gzip, bzip2, xz), the same for
a file that was only packed anew. `sequences`: the letters of a FASTA file alone, whatever the headers, the
line length, the case or the order of its records.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from dnalm.errors import InputError

LEVELS = ("file", "content", "sequences")
CHUNK = 1 << 20
_SPACE = b" \t\r\n"


def _open(path: Path) -> BinaryIO:
    """The file's content, decompressed by what its first bytes say."""
    with path.open("rb") as stream:
        magic = stream.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.open(path, "rb"))
    if magic.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, lzma.open(path, "rb"))
    return path.open("rb")


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _sequences(path: Path) -> str:
    """Checksum of the sorted checksums of the records' upper-case letters."""
    records: list[str] = []
    current = None
    with _open(path) as stream:
        for line in stream:
            if line.startswith(b">"):
                if current is not None:
                    records.append(current.hexdigest())
                current = hashlib.sha256()
            elif current is not None:
                current.update(line.translate(None, _SPACE).upper())
    if current is not None:
        records.append(current.hexdigest())
    return hashlib.sha256("\n".join(sorted(records)).encode()).hexdigest()


def checksum(path: Path, level: str = "file") -> str:
    """SHA-256 of a file at one of `LEVELS`, in hexadecimal.

    Raises:
        InputError: the compressed data is damaged.
    """
    try:
        if level == "sequences":
            return _sequences(path)
        digest = hashlib.sha256()
        with _open(path) if level == "content" else path.open("rb") as stream:
            for chunk in _chunks(stream):
                digest.update(chunk)
        return digest.hexdigest()
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged: it cannot be decompressed ({error})") from error
