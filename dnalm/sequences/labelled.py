"""Labelled sequences from two FASTA files, and sequences from whatever file a person has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dnalm.errors import InputError
from dnalm.sequences.opening import open_text
from dnalm.sequences.reading import read_records, records_of
from dnalm.sequences.record import LabelledSequence
from dnalm.sequences.sniff import sniff
from dnalm.sequences.table import rows_of


def read_two_fasta(
    positives: str | Path,
    negatives: str | Path,
    labels: tuple[str, str] = ("positive", "negative"),
    *,
    allow_duplicates: bool = False,
) -> Iterator[LabelledSequence]:
    """A labelled set kept as two FASTA (or GenBank) files, one a class.

    Two files often number their records alike: an id of the second that the first has too becomes `LABEL:ID`.

    Args:
        positives: the file of the first label.
        negatives: the file of the second label.
        labels: the two labels.
        allow_duplicates: let several records of one file have one id.

    Raises:
        InputError: the labels are the same or empty, or a file cannot be used (see `read_records`).
    """
    if labels[0] == labels[1] or not all(labels):
        raise InputError(f"The two labels are {labels[0]!r} and {labels[1]!r}; they must differ and not be empty.")
    first_ids = set()
    for record in read_records(positives, allow_duplicates=allow_duplicates):
        first_ids.add(record.id)
        yield LabelledSequence(record.id, record.codes, labels[0])
    for record in read_records(negatives, allow_duplicates=allow_duplicates):
        identifier = f"{labels[1]}:{record.id}" if record.id in first_ids else record.id
        yield LabelledSequence(identifier, record.codes, labels[1])


def read_any(
    path: str | Path,
    *,
    sequence: str | None = None,
    label: str | None = None,
    id: str | None = None,
    allow_duplicates: bool = False,
) -> Iterator[LabelledSequence]:
    """The sequences of any file that is read here: FASTA, GenBank, CSV or TSV, with labels if there are any.

    Args:
        path: the file, plain or compressed; `-` is standard input.
        sequence: the table's column with the bases, see `read_labelled`.
        label: the table's column with the class.
        id: the table's column with ids.
        allow_duplicates: let several sequences have one id.

    Raises:
        InputError: what is wrong, in which file, record and line.
    """
    with open_text(path) as stream:
        if sniff(stream) == "table":
            yield from rows_of(
                stream, named=(sequence, label, id), require_labels=False, allow_duplicates=allow_duplicates
            )
            return
        if sequence or label or id:
            raise InputError(f"{stream.name} is FASTA or GenBank and has no columns to name.")
        for record in records_of(stream, circular=None, allow_duplicates=allow_duplicates):
            yield LabelledSequence(record.id, record.codes, None)
