"""GenBank flat files, streamed: the bases, the id, and whether the record is a circle.

Only LOCUS, DEFINITION, VERSION and ORIGIN are read here; `dnalm.annotation` reads the feature table.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from dnalm.errors import InputError
from dnalm.sequences.blocks import (
    NOTHING,
    WHITESPACE,
    Block,
    ForeignLetterError,
    Header,
    foreign_message,
    to_codes,
)

_SKIP = WHITESPACE + b"0123456789"
_LINES_A_BLOCK = 1 << 14
# LOCUS       NC_000913            4641652 bp    DNA     circular CON 09-MAR-2022
_LOCUS = re.compile(r"LOCUS\s+(?P<name>\S+)\s+(?:(?P<length>\d+)\s+(?P<unit>bp|aa|rc))?(?P<rest>.*)")


class Locus(NamedTuple):
    """The LOCUS line: `length` in bases where it says so."""

    name: str
    length: int | None
    circular: bool


def parse_locus(line: bytes, where: str) -> Locus:
    """Read a LOCUS line.

    Raises:
        InputError: the line is not one, or speaks of a protein.
    """
    match = _LOCUS.match(line.decode("latin-1"))
    if match is None:
        raise InputError(f"{where}: the LOCUS line cannot be read.")
    if match["unit"] == "aa":
        raise InputError(f"{where}: record {match['name']!r} is a protein, DNA or RNA is wanted.")
    length = int(match["length"]) if match["length"] else None
    return Locus(match["name"], length, "circular" in match["rest"].lower().split())


def genbank_blocks(stream: io.BufferedReader) -> Iterator[Block]:
    """The records of a GenBank stream, a block of codes at a time.

    Args:
        stream: from `open_text`; its `name` is used in messages.

    Raises:
        InputError: a record that is cut off, has no bases, another number of bases than its LOCUS line says,
            a letter that is no nucleotide, or is a protein.
    """
    lines = enumerate(stream, start=1)
    for number, line in lines:
        if line.startswith(b"LOCUS"):
            locus = parse_locus(line, f"{stream.name}, line {number}")
            yield from _record(stream.name, locus, number, lines)


def _record(name: str, locus: Locus, first: int, lines: Iterator[tuple[int, bytes]]) -> Iterator[Block]:
    """One record, from the line after LOCUS to its '//'."""
    header = _header(name, locus, first, lines)
    yield Block(header, b"", NOTHING)
    where = f"{name}, record {header.id!r}"
    held: list[bytes] = []
    total, begin = 0, 0
    for number, line in lines:
        ends = line.startswith(b"//")
        if not ends:
            held.append(line)
            begin = begin or number
        if held and (ends or len(held) == _LINES_A_BLOCK):
            text = b"".join(held)
            try:
                codes, seen = to_codes(text, _SKIP)
            except ForeignLetterError as error:
                at = begin + text.count(b"\n", 0, error.offset)
                raise InputError(foreign_message(error.letter, f"{where}, line {at}")) from None
            total += len(codes)
            # GenBank prints bases in lower case: no soft masking is meant.
            yield Block(None, codes, replace(seen, lower_case=0))
            held, begin = [], 0
        if ends:
            if locus.length not in (None, total):
                raise InputError(
                    f"{where}: LOCUS says {locus.length:,} bases, {total:,} are there; the file seems to be cut off."
                )
            return
    raise InputError(f"{where}: the file ends inside the record (no '//' line); it seems to be cut off.")


def _header(name: str, locus: Locus, first: int, lines: Iterator[tuple[int, bytes]]) -> Header:
    """Read on to the ORIGIN line."""
    identifier, definition, in_definition = locus.name, [], False
    for _, line in lines:
        if line[:1] == b" ":
            if in_definition:
                definition.append(line.decode("utf-8", "replace").strip())
            continue
        in_definition = line.startswith(b"DEFINITION")
        if in_definition:
            definition.append(line[12:].decode("utf-8", "replace").strip())
        elif line.startswith(b"VERSION"):
            words = line.decode("utf-8", "replace").split()
            identifier = words[1] if len(words) > 1 else identifier
        elif line.startswith(b"ORIGIN"):
            return Header(identifier, " ".join(definition), locus.circular, first)
        elif line.startswith(b"//"):
            raise InputError(
                f"{name}, record {identifier!r}, line {first}: it has no ORIGIN with bases; "
                "download the record with its full sequence."
            )
    raise InputError(f"{name}, record {identifier!r}: the file ends before its ORIGIN; it seems to be cut off.")
