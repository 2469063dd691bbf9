"""A sequence and what a person has changed of it: read from the address, one change after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dashboard.subject import LONGEST, Subject
from dnalm.alphabet import Codes
from dnalm.errors import InputError
from dnalm.interpret.edits import Edit, edited, parse_edit
from dnalm.model.predict import Classifier

MOST_EDITS = 60


@dataclass(frozen=True, eq=False)
class Editing:
    """A sequence and what a person has changed of it, one change after the other.

    Attributes:
        original: as it was.
        edits: the changes in order, each of the sequence that the ones before it made.
        written: the same as people write them.
        sequences: as it was, after the first change, ..., as it is now.
        anchor: where the site is now.
    """

    original: Subject
    edits: tuple[Edit, ...] = ()
    written: tuple[str, ...] = ()
    sequences: tuple[Codes, ...] = ()
    anchor: int | None = None

    @property
    def moved(self) -> bool:
        """Whether a change put bases in or took some out: the others do not lie where the genome has them any more."""
        return any(len(one.ref) != len(one.alt) for one in self.edits)

    @property
    def now(self) -> Subject:
        """The sequence with all changes."""
        region = None if self.moved else self.original.region
        return replace(self.original, codes=self.sequences[-1], region=region, anchor=self.anchor)


def unedited(subject: Subject) -> Editing:
    """Nothing changed yet."""
    return Editing(subject, sequences=(subject.codes,), anchor=subject.anchor)


def split_edits(text: str) -> list[str]:
    """Changes as they stand in an address or were typed: commas, semicolons or spaces between."""
    return [one for one in re.split(r"[,;\s]+", text) if one]


def read_edits(text: str, subject: Subject, model: Classifier) -> Editing:
    """Make a person's changes one after the other; a site counts from where the ones before have moved it.

    Raises:
        InputError: one cannot be read, or what it replaces is not there; they are too many, or add too much.
    """
    asked, length, anchor = split_edits(text), model.module.fixed_length, subject.anchor
    if len(asked) > MOST_EDITS:
        raise InputError(f"{len(asked)} changes; a page takes {MOST_EDITS}")
    edits, written, sequences = [], [], [subject.codes]
    for one in asked:
        change = parse_edit(one, anchor)
        sequences.append(edited(sequences[-1], [change], length=length, anchor=anchor))
        if len(sequences[-1]) > LONGEST:
            raise InputError(f"with {one} the sequence is longer than {LONGEST:,} bases")
        edits.append(change)
        written.append(change.written(anchor))
        if length is None and anchor is not None and change.position < anchor:
            anchor += len(change.alt) - len(change.ref)  # a model of one length keeps its site in place
    return Editing(subject, tuple(edits), tuple(written), tuple(sequences), anchor)
