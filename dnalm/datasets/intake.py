"""What a person's own files hold: labelled sequences, and what of them cannot be used, counted and with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dnalm.alphabet import Codes, reverse_complement
from dnalm.errors import InputError
from dnalm.sequences import LabelledSequence, open_text, read_labelled, read_records, read_two_fasta
from dnalm.sequences.sniff import sniff
from dnalm.sequences.table import RowError

SHORTEST = 10
"""Bases below which a sequence is left out where what cannot be used is dropped: it holds a few k-mers at most."""
TOLD_EACH = 1000
COPY = "a copy of an earlier sequence, on either strand"
TWO_LABELS = "the same sequence under two labels"
TOO_SHORT = f"shorter than {SHORTEST} bases"


@dataclass
class Intake:
    """The sequences of a person's file or files, in their order.

    Attributes:
        rows: what can be used; ids are unique. `label` is None for a single FASTA or GenBank file.
        kind: "table", "fasta" or "genbank", of the first file.
        read: sequences found, with those dropped.
        dropped: reason to number of sequences left out.
        examples: reason to the sentence of the first one, where its file and line are known.
        renamed: sequences whose id an earlier one had; they became `ID#2`, `ID#3`.
    """

    rows: list[LabelledSequence]
    kind: str
    read: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    renamed: int = 0

    def labels(self) -> dict[str, int]:
        """How many sequences each label has."""
        return dict(Counter(row.label for row in self.rows if row.label is not None))

    def notes(self) -> list[str]:
        """What a reader of the dataset should know beside what was dropped."""
        several = "1 sequence has" if self.renamed == 1 else f"{self.renamed:,} sequences have"
        return [f"{several} an id that an earlier one has; it got a number: ID#2."] if self.renamed else []


def kind_of(path: str | Path) -> str:
    """Tell a file's kind by its content: "table", "fasta" or "genbank"; InputError for any other."""
    with open_text(path) as stream:
        return sniff(stream)


def take_in(
    *paths: str | Path,
    labels: tuple[str, str] = ("positive", "negative"),
    columns: Mapping[str, str | None] | None = None,
    drop_unusable: bool = False,
    drop_copies: bool = False,
    most: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Intake:
    """Read one table with labels, two FASTA (or GenBank) files, or one such file without labels.

    Args:
        paths: the file or the two files, the first label's first.
        labels: the two files' labels.
        columns: the table's columns "sequence", "label" and "id", by name or 1-based number, where they are not
            found by themselves.
        drop_unusable: leave out rows that cannot be used (no sequence, no label, a foreign letter, fewer than
            10 bases) and number ids that occur twice, instead of refusing the file. A FASTA file with a
            foreign letter is refused all the same: it is damaged, or of another kind.
        drop_copies: leave out copies of an earlier sequence, on either strand; a sequence that stands under two
            labels is left out wherever it stands, since neither can be trusted.
        most: sequences that may be there; None is any number.
        progress: told now and then how many sequences have been read; what it raises ends the reading.

    Raises:
        InputError: a file cannot be used, and where; or nothing of it is left.
    """
    if len(paths) not in (1, 2):
        raise InputError(f"a dataset is made from one table or two FASTA files, not from {len(paths)} files")
    kind = kind_of(paths[0])
    if len(paths) == 2 and "table" in (kind, kind_of(paths[1])):
        raise InputError("two files are two FASTA or GenBank files, one a label; a table says the labels itself")
    taken = Intake([], kind)
    for item in _items(paths, taken, labels, columns or {}, drop_unusable):
        taken.read += 1
        if progress is not None and taken.read % TOLD_EACH == 0:
            progress(taken.read)
        if most is not None and taken.read > most:
            raise InputError(f"{paths[0]} holds more than {most:,} sequences; the limit here is {most:,}.")
        if drop_unusable and len(item.codes) < SHORTEST:
            _drop(taken, TOO_SHORT, f"{item.id!r} has {len(item.codes)} bases")
        else:
            taken.rows.append(item)
    if drop_copies:
        taken.rows = _without_copies(taken)
    if drop_unusable:
        taken.rows = _numbered(taken)
    if not taken.rows:
        reasons = "; ".join(f"{number:,}: {reason}" for reason, number in taken.dropped.items())
        raise InputError(f"{paths[0]}: none of its {taken.read:,} sequences can be used ({reasons}).")
    return taken


def _items(
    paths: tuple[str | Path, ...],
    taken: Intake,
    labels: tuple[str, str],
    columns: Mapping[str, str | None],
    drop: bool,
) -> Iterable[LabelledSequence]:
    if len(paths) == 2:
        return read_two_fasta(*paths, labels=labels, allow_duplicates=drop)
    if taken.kind != "table":
        records = read_records(paths[0], allow_duplicates=drop)
        return (LabelledSequence(record.id, record.codes, None) for record in records)

    def skipped(error: RowError) -> None:
        taken.read += 1
        _drop(taken, error.reason, str(error))

    return read_labelled(paths[0], **columns, allow_duplicates=drop, skipped=skipped if drop else None)


def _drop(taken: Intake, reason: str, example: str) -> None:
    taken.dropped[reason] = taken.dropped.get(reason, 0) + 1
    taken.examples.setdefault(reason, example)


def _either_strand(codes: Codes) -> bytes:
    return min(codes.tobytes(), reverse_complement(codes).tobytes())


def _without_copies(taken: Intake) -> list[LabelledSequence]:
    """The rows without copies and without what stands under two labels."""
    keys = [_either_strand(row.codes) for row in taken.rows]
    labels: dict[bytes, set[str | None]] = {}
    for key, row in zip(keys, taken.rows, strict=True):
        labels.setdefault(key, set()).add(row.label)
    kept: list[LabelledSequence] = []
    seen: dict[bytes, str] = {}
    for key, row in zip(keys, taken.rows, strict=True):
        if len(labels[key]) > 1:
            _drop(taken, TWO_LABELS, f"{row.id!r} stands under {' and '.join(sorted(map(repr, labels[key])))}")
        elif key in seen:
            _drop(taken, COPY, f"{row.id!r} is a copy of {seen[key]!r}")
        else:
            seen[key] = row.id
            kept.append(row)
    return kept


def _numbered(taken: Intake) -> list[LabelledSequence]:
    """The rows with unique ids."""
    used = Counter(row.id for row in taken.rows)
    next_number: dict[str, int] = {}
    seen: set[str] = set()
    rows = []
    for row in taken.rows:
        name = row.id
        while name in seen or (name != row.id and name in used):
            next_number[row.id] = next_number.get(row.id, 1) + 1
            name = f"{row.id}#{next_number[row.id]}"
        taken.renamed += name != row.id
        seen.add(name)
        rows.append(row if name == row.id else replace(row, id=name))
    return rows
