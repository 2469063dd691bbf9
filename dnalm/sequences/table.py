"""Labelled sequences from a table: CSV or TSV, the columns found or named."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dnalm.errors import InputError
from dnalm.sequences.blocks import ForeignLetterError, as_codes, foreign_message, refuse_protein, to_codes
from dnalm.sequences.opening import open_text
from dnalm.sequences.record import LabelledSequence
from dnalm.sequences.sniff import sniff

SEQUENCE_NAMES = ("sequence", "seq", "dna", "rna", "sequences", "dna_sequence", "nucleotides")
LABEL_NAMES = ("label", "labels", "class", "target", "y", "category")
ID_NAMES = ("id", "name", "seq_id", "sequence_id", "record", "accession", "seqname")
_NUCLEOTIDES = frozenset("ACGTUNRYSWKMBDHVacgtunryswkmbdhv-")
# Shorter cells of nucleotide letters may be words ("cat", "tag"): no proof that the first row is no header.
_SURELY_SEQUENCE = 8

# The csv module refuses cells of over 131,072 characters, and transcripts are longer. The limit is the whole
# process's, and raising it harms nobody.
csv.field_size_limit(2**31 - 1)


class RowError(InputError):
    """One row of a table cannot be used; `reason` says why in a few words, the same for all rows like it."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Columns(NamedTuple):
    """Where things stand in a row, 0-based; None where the table has no such column."""

    sequence: int
    label: int | None
    id: int | None


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table by the names that `read_labelled` takes, and those it would find by itself.

    Attributes:
        names: the header's names; numbers from "1" up where the table has no header.
        sequence: the column with the bases, None where it has to be named.
        label: the column with the class, None where it has to be named.
        id: the column with ids, None where there is none.
    """

    names: tuple[str, ...]
    sequence: str | None = None
    label: str | None = None
    id: str | None = None


def read_columns(path: str | Path) -> TableColumns:
    """Look at the head of a CSV or TSV file: which columns there are, and what each is taken for.

    Raises:
        InputError: the file is no table, or has a header and no rows.
    """
    with open_text(path) as stream:
        name = stream.name
        if (kind := sniff(stream)) != "table":
            raise InputError(f"{name} is {kind.upper()}; a CSV or TSV table is wanted.")
        rows = _rows(stream)
        _, first = next(rows)
        header = not any(_is_sequence(cell) for cell in first)
        _, row = next(rows, (0, [])) if header else (0, first)
    if not row:
        raise InputError(f"{name} has a header and no rows.")
    names = tuple(first) if header else tuple(str(at + 1) for at in range(len(first)))
    for labelled in (True, False):
        try:
            found = _find_columns(name, first if header else None, row, (None, None, None), labelled)
        except InputError:
            continue
        return TableColumns(names, *(None if at is None else names[at] for at in found))
    return TableColumns(names)


def read_labelled(
    path: str | Path,
    *,
    sequence: str | None = None,
    label: str | None = None,
    id: str | None = None,
    require_labels: bool = True,
    allow_duplicates: bool = False,
    skipped: Callable[[RowError], None] | None = None,
) -> Iterator[LabelledSequence]:
    """The rows of a CSV or TSV file (comma, tab or semicolon), plain or compressed.

    Args:
        path: the file; `-` is standard input.
        sequence: the column with the bases, by its name or 1-based number; None looks for a usual name
            (`SEQUENCE_NAMES`), then for the one column that holds bases.
        label: the column with the class; None looks for a usual name (`LABEL_NAMES`), then, where labels are
            required, takes the only other column.
        id: the column with ids; None looks for a usual name (`ID_NAMES`); without one, ids are `row_1`,
            `row_2` and so on.
        require_labels: refuse a table without labels, or with one class alone.
        allow_duplicates: let several rows have one id.
        skipped: called with what is wrong with a row that cannot be used, which is then left out; None refuses
            the table at the first.

    A table whose first row holds bases has no header: its columns are then named by number.

    Raises:
        InputError: what is wrong, in which file and line; a single class shows only at the end of the table.
    """
    with open_text(path) as stream:
        kind = sniff(stream)
        if kind != "table":
            raise InputError(f"{stream.name} is {kind.upper()}, which has no labels; a CSV or TSV table is wanted.")
        yield from rows_of(
            stream,
            named=(sequence, label, id),
            require_labels=require_labels,
            allow_duplicates=allow_duplicates,
            skipped=skipped,
        )


def rows_of(
    stream: io.BufferedReader,
    *,
    named: tuple[str | None, str | None, str | None],
    require_labels: bool,
    allow_duplicates: bool,
    skipped: Callable[[RowError], None] | None = None,
) -> Iterator[LabelledSequence]:
    """The rows of an open stream; `named` are the sequence, label and id columns; see `read_labelled`."""
    name = stream.name
    rows = _rows(stream)
    line, first = next(rows)
    header = not any(_is_sequence(cell) for cell in first)
    line, row = next(rows, (line, [])) if header else (line, first)
    if not row:
        raise InputError(f"{name} has a header and no rows.")
    columns = _find_columns(name, first if header else None, row, named, require_labels)
    lines_of_ids: dict[str, int] = {}
    labels: set[str] = set()
    count = 0
    while row:
        count += 1
        try:
            if len(row) != len(first):
                raise RowError(
                    f"{name}, line {line}: it has {len(row)} columns, the first row has {len(first)}.",
                    "another number of columns than the first row",
                )
            item = _item(name, line, row, columns, count)
            if item.label is None and require_labels:
                raise RowError(f"{name}, record {item.id!r}, line {line}: the label is missing.", "no label")
        except RowError as error:
            if skipped is None:
                raise
            skipped(error)
            line, row = next(rows, (line, []))
            continue
        if not allow_duplicates and lines_of_ids.setdefault(item.id, line) != line:
            raise InputError(
                f"{name}, record {item.id!r}, line {line}: "
                f"line {lines_of_ids[item.id]} has the same id; ids must differ."
            )
        if item.label is not None:
            labels.add(item.label)
        yield item
        line, row = next(rows, (line, []))
    if not labels and require_labels:
        raise InputError(f"{name}: none of its {count:,} rows has a sequence and a label that can be used.")
    if require_labels and len(labels) < 2:
        raise InputError(
            f"{name}: all {count:,} rows have the label {labels.pop()!r}; two classes at least are wanted."
        )


def _rows(stream: io.BufferedReader) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold anything, each with the line it ends on (1-based)."""
    head = stream.peek(1 << 16)
    first = head.lstrip().split(b"\n", 1)[0]
    delimiter = next((mark for mark in "\t,;" if mark.encode() in first), ",")
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text, delimiter=delimiter)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise InputError(f"{stream.name}, line {reader.line_num}: the table cannot be read ({error}).") from None


def _item(name: str, line: int, row: Sequence[str], columns: _Columns, count: int) -> LabelledSequence:
    """One row as a labelled sequence."""
    identifier = (row[columns.id] if columns.id is not None else "") or f"row_{count}"
    where = f"{name}, record {identifier!r}, line {line}"
    letters = row[columns.sequence].encode("utf-8")
    if not letters:
        raise RowError(f"{where}: the sequence is missing.", "no sequence")
    try:
        codes, seen = to_codes(letters)
    except ForeignLetterError as error:
        raise RowError(foreign_message(error.letter, where), "a letter that is no nucleotide") from None
    try:
        refuse_protein(name, identifier, line, seen)
    except InputError as error:
        raise RowError(str(error), "looks like protein") from None
    label = row[columns.label] if columns.label is not None else ""
    return LabelledSequence(identifier, as_codes(codes), label or None)


def _is_sequence(cell: str) -> bool:
    return len(cell) >= _SURELY_SEQUENCE and _NUCLEOTIDES.issuperset(cell)


def _find_columns(
    name: str,
    header: Sequence[str] | None,
    row: Sequence[str],
    named: tuple[str | None, str | None, str | None],
    require_labels: bool,
) -> _Columns:
    """Decide which column is which from the names given, the header, and the first row."""
    width = len(header if header is not None else row)
    names = [cell.lower() for cell in header] if header is not None else []
    found = [_named_column(name, header, width, wanted) for wanted in named]
    usual = (SEQUENCE_NAMES, LABEL_NAMES, ID_NAMES)
    for place, candidates in enumerate(usual):
        if found[place] is None:
            matches = [names.index(word) for word in candidates if word in names]
            found[place] = next((at for at in matches if at not in found), None)
    sequence = found[0]
    if sequence is None:
        holding = [at for at, cell in enumerate(row) if at not in found and _is_sequence(cell)]
        if len(holding) != 1:
            raise InputError(
                f"{name}: {'no column holds' if not holding else 'several columns hold'} sequences of bases; "
                f"the columns are {_list(header, width)}: name the one with the sequences."
            )
        found[0] = sequence = holding[0]
    others = [at for at in range(width) if at not in found]
    if found[1] is None and require_labels:
        if len(others) != 1:
            raise InputError(
                f"{name}: no column is called 'label'; the columns are {_list(header, width)}: "
                "name the one with the labels."
            )
        found[1] = others[0]
    return _Columns(sequence, found[1], found[2])


def _named_column(name: str, header: Sequence[str] | None, width: int, wanted: str | None) -> int | None:
    if wanted is None:
        return None
    if header is not None and wanted in header:
        return header.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= width:
        return int(wanted) - 1
    raise InputError(f"{name}: there is no column {wanted!r}; the columns are {_list(header, width)}.")


def _list(header: Sequence[str] | None, width: int) -> str:
    shown = [repr(cell) for cell in header] if header is not None else [str(at + 1) for at in range(width)]
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")
