"""Read the records of a file, whole or a block at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dnalm import pages
from dnalm.alphabet import Codes, Composition
from dnalm.errors import InputError
from dnalm.sequences.blocks import NOTHING, Block, Header, as_codes, refuse_protein
from dnalm.sequences.fasta import fasta_blocks
from dnalm.sequences.genbank import genbank_blocks
from dnalm.sequences.opening import open_text
from dnalm.sequences.record import Record
from dnalm.sequences.sniff import sniff


def read_records(path: str | Path, *, circular: bool | None = None, allow_duplicates: bool = False) -> Iterator[Record]:
    """The records of a FASTA or GenBank file, one at a time.

    Memory is bounded by the largest record (one byte a base) and the ids seen.

    Args:
        path: a file, plain or compressed with gzip, bzip2 or xz; `-` is standard input. Format and
            compression are recognised by content.
        circular: whether the records are circles; None takes what the file says (GenBank's LOCUS line; in
            FASTA a description with `[topology=circular]` or `circular=true`), else linear.
        allow_duplicates: let several records have one id.

    Raises:
        InputError: on the first use, and while reading: what is wrong, in which file, record and line.
    """
    with open_text(path) as stream:
        yield from records_of(stream, circular=circular, allow_duplicates=allow_duplicates)


def stream_codes(
    path: str | Path, *, circular: bool | None = None, allow_duplicates: bool = False
) -> Iterator[tuple[Header | None, Codes]]:
    """The same records a block at a time, for files that should not be held in memory.

    Args:
        path: as in `read_records`.
        circular: as in `read_records`.
        allow_duplicates: as in `read_records`.

    Yields:
        `(header, codes)`: the header on a record's first block, None on those that follow; codes are uint8,
        shape `(bases,)`, about a million at most, and may be empty.

    Raises:
        InputError: as `read_records`.
    """
    with open_text(path) as stream:
        for block in _checked(stream, circular, allow_duplicates):
            yield block.header, as_codes(block.codes)


def records_of(stream: io.BufferedReader, *, circular: bool | None, allow_duplicates: bool) -> Iterator[Record]:
    """The records of an open stream; see `read_records`."""
    header, codes, seen = None, _Growing(), NOTHING
    for block in _checked(stream, circular, allow_duplicates):
        if block.header is not None:
            if header is not None:
                yield _record(header, codes, seen)
            header, codes, seen = block.header, _Growing(), NOTHING
        if block.codes:
            codes.add(as_codes(block.codes))
            seen = seen + block.composition if seen.length else block.composition
    if header is not None:
        yield _record(header, codes, seen)


def _record(header: Header, codes: _Growing, seen: Composition) -> Record:
    return Record(header.id, codes.array(), header.description, header.circular, seen)


class _Growing:
    """Codes of a record, as its blocks arrive.

    A chromosome is never held twice, as joining its blocks would: room grows fourfold, and of large arrays only what
    was written to is memory.
    """

    def __init__(self) -> None:
        self._room = np.empty(0, dtype=np.uint8)
        self._length = 0

    def add(self, codes: Codes) -> None:
        end = self._length + len(codes)
        if end > len(self._room):
            # The first block gets just its room, since most records are one; the second, that of a chromosome.
            wider = pages.empty((max(end, 4 * len(self._room), 2 * pages.LARGE if self._length else 0),), np.uint8)
            wider[: self._length] = self._room[: self._length]
            self._room = wider
        self._room[self._length : end] = codes
        self._length = end

    def array(self) -> Codes:
        codes = self._room[: self._length]
        return codes if self._length in (len(self._room), 0) or self._length >= pages.LARGE else codes.copy()


def _checked(stream: io.BufferedReader, circular: bool | None, allow_duplicates: bool) -> Iterator[Block]:
    """Blocks of either format; refuses duplicate ids, records without bases, and peptides."""
    kind = sniff(stream)
    if kind == "table":
        raise InputError(f"{stream.name} is a table (CSV or TSV); FASTA or GenBank is wanted here.")
    lines_of_ids: dict[str, int] = {}
    header, seen = None, NOTHING
    for block in fasta_blocks(stream) if kind == "fasta" else genbank_blocks(stream):
        if block.header is None:
            seen = seen + block.composition if seen.length else block.composition
            yield block
            continue
        _finish(stream.name, header, seen)
        header, seen = block.header, NOTHING
        if not allow_duplicates:
            earlier = lines_of_ids.setdefault(header.id, header.line)
            if earlier != header.line:
                raise InputError(
                    f"{stream.name}, record {header.id!r}, line {header.line}: "
                    f"line {earlier} has the same id; ids must differ."
                )
        if circular is not None and header.circular != circular:
            header = header._replace(circular=circular)
        yield Block(header, block.codes, block.composition)
    _finish(stream.name, header, seen)
    if header is None:
        raise InputError(f"{stream.name} holds no record.")


def _finish(name: str, header: Header | None, seen: Composition) -> None:
    """Refuse the record that has just ended, if it holds no base or reads like a peptide."""
    if header is None:
        return
    if not seen.length:
        raise InputError(f"{name}, record {header.id!r}, line {header.line}: it has a header and no bases.")
    refuse_protein(name, header.id, header.line, seen)
