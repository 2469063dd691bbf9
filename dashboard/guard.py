"""Caps on what people bring: bytes, unpacked bytes, their ratio, line length; checked as a stream, in little memory."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dnalm.errors import InputError
from dnalm.sequences import open_text

PIECE = 1 << 20
_UNFIT = re.compile(r"[^A-Za-z0-9._ -]+")


@dataclass(frozen=True)
class Caps:
    """What an upload may be.

    Attributes:
        file: bytes as it comes, compressed or not.
        text: bytes unpacked.
        line: bytes of one line; a whole chromosome may stand on one.
        ratio: unpacked bytes to packed bytes. DNA packs 4 to 1, a table of near-copies perhaps 30 to 1.
        ratio_from: unpacked bytes from which the ratio counts: a small file of one letter harms nobody.
        instead: what to do with a larger file, as the end of a sentence.
    """

    file: int
    text: int
    line: int = 32 << 20
    ratio: int = 100
    ratio_from: int = 16 << 20
    instead: str = ""


def shown_name(name: str, default: str = "sequence") -> str:
    """A file's name for people: only letters that are harmless in a file's name are kept."""
    return _UNFIT.sub("_", Path(name).name)[-80:].strip(". ") or default


def copy(stream: BinaryIO, target: Path, shown: str, caps: Caps) -> str:
    """Copy a stream into a file a piece at a time, and give the SHA-256 of what came.

    Raises:
        InputError: it is larger than allowed.
    """
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > caps.file:
                raise InputError(f"{shown} is larger than {caps.file >> 20} MB{caps.instead}.")
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def check_text(path: Path, shown: str, caps: Caps) -> None:
    """Read all of a file, unpacked, and refuse what breaks a cap.

    Raises:
        InputError: the file is damaged, or unpacks to too much, or has too long a line.
    """
    packed, total, line = path.stat().st_size, 0, 0
    with open_text(path) as text:
        while piece := text.read(PIECE):
            total += len(piece)
            if total > caps.text:
                raise InputError(f"{shown} unpacks to more than {caps.text >> 20} MB{caps.instead}.")
            if total > caps.ratio_from and total > caps.ratio * packed:
                raise InputError(
                    f"{shown} unpacks to more than {caps.ratio} times its size, which no file of sequences does; "
                    "upload it unpacked if it is one."
                )
            line = _longest(piece, line, shown, caps)


def _longest(piece: bytes, line: int, shown: str, caps: Caps) -> int:
    """Bytes of the line that goes on after this piece, `line` of them before it."""
    for end in (b"\n", b"\r"):
        if end in piece:
            parts = piece.split(end)
            _refuse_line(max(line + len(parts[0]), *map(len, parts)), shown, caps)
            return len(parts[-1])
    _refuse_line(line + len(piece), shown, caps)
    return line + len(piece)


def _refuse_line(length: int, shown: str, caps: Caps) -> None:
    if length > caps.line:
        raise InputError(f"{shown} has a line of over {caps.line >> 20} MB; lines end where a sequence or row does.")
