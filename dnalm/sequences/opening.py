"""Open a file for reading, decompressed by what it holds and not by its name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from isal import igzip, isal_zlib

from dnalm.errors import InputError

BLOCK = 1 << 16
STANDARD_INPUT = "standard input"

_OPENERS: dict[bytes, tuple[str, Callable[[BinaryIO], BinaryIO]]] = {
    b"\x1f\x8b": ("gzip", lambda raw: cast(BinaryIO, igzip.IGzipFile(fileobj=raw, mode="rb"))),  # twice zlib's speed
    b"BZh": ("bzip2", lambda raw: cast(BinaryIO, bz2.BZ2File(raw))),
    b"\xfd7zXZ\x00": ("xz", lambda raw: cast(BinaryIO, lzma.LZMAFile(raw))),  # noqa: SIM115, closed by its guard
}
_REFUSED = {
    b"PK\x03\x04": "a zip archive (or an Excel sheet)",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
}


def open_text(path: str | Path) -> io.BufferedReader:
    """Open a file, or standard input for `-`, as a stream of plain bytes.

    gzip (bgzip too), bzip2 and xz are recognised by their first bytes. The stream's `name` is what messages
    call the file; damage that shows only while reading is an `InputError` as well.

    Raises:
        InputError: the file is missing, a folder, not readable, empty, or of a kind that holds no text.
    """
    name = STANDARD_INPUT if str(path) == "-" else str(path)
    raw = cast(BinaryIO, sys.stdin.buffer) if str(path) == "-" else _open_file(Path(path))
    plain = _Guarded(raw, name, owned=str(path) != "-")
    try:
        head = plain.read(8) or b""
        plain.push_back(head)
        if not head:
            raise InputError(f"{name} is empty.")
        for magic, kind in _REFUSED.items():
            if head.startswith(magic):
                raise InputError(f"{name} is {kind}; plain text is wanted, or text compressed with gzip, bzip2 or xz.")
        for magic, (kind, opener) in _OPENERS.items():
            if head.startswith(magic):
                packed = opener(cast(BinaryIO, io.BufferedReader(plain, BLOCK)))
                return io.BufferedReader(_Guarded(packed, name, kind=kind, below=plain), BLOCK)
    except InputError:
        plain.close()
        raise
    return io.BufferedReader(plain, BLOCK)


def _open_file(path: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, path.open("rb", buffering=0))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, a file is wanted.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror or error}.") from error


class _Guarded(io.RawIOBase):
    """A byte stream that fills each read and turns damage into an `InputError` that names the file."""

    def __init__(
        self, raw: BinaryIO, name: str, *, kind: str = "", below: _Guarded | None = None, owned: bool = True
    ) -> None:
        self._raw = raw
        self._kind = kind
        self._below = below
        self._owned = owned
        self._head = b""
        self.name = name

    def push_back(self, data: bytes) -> None:
        self._head = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        filled = min(len(self._head), len(view))
        view[:filled] = self._head[:filled]
        self._head = self._head[filled:]
        try:
            # A pipe or a decompressor may give a little at a time: the sniffing of formats wants full blocks.
            while filled < len(view):
                count = self._raw.readinto(view[filled:])  # type: ignore[attr-defined]
                if not count:
                    break
                filled += count
        except EOFError:
            raise InputError(f"{self.name} is truncated: its {self._kind} stream ends too early.") from None
        except (isal_zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise InputError(f"{self.name} is damaged: its {self._kind} stream cannot be read ({error}).") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{self.name} cannot be read: {reason}.") from error
        return filled

    def close(self) -> None:
        if not self.closed:
            if self._owned:
                self._raw.close()
            if self._below is not None:
                self._below.close()
        super().close()
