"""The sequence types: a record, a region of one, a sequence with its label.

Coordinates are 0-based, half-open, on the forward strand. Text for people is 1-based and inclusive
(`NC_000913.3:800,001-840,000`, the samtools convention) and is converted by `Region.parse` and `str(region)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from dnalm.alphabet import Codes, Composition, reverse_complement
from dnalm.errors import InputError

STRANDS = ("+", "-")

_NUMBER = r"[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4}"
_REGION = re.compile(rf"(?P<record>.+):(?P<start>{_NUMBER})[-–](?P<end>{_NUMBER})(?:\((?P<strand>[+-])\))?")


@dataclass(frozen=True)
class Region:
    """A stretch of a record: 0-based, half-open, forward coordinates; `strand` says how it is read.

    On a circular record a region that runs over the origin has its `end` beyond the record's length.
    """

    record: str
    start: int
    end: int
    strand: str = "+"

    def __post_init__(self) -> None:
        if not self.record:
            raise InputError("A region needs the id of its record.")
        if self.strand not in STRANDS:
            raise InputError(f"Region on {self.record!r}: the strand is {self.strand!r}, it must be '+' or '-'.")
        if self.start < 0 or self.end <= self.start:
            raise InputError(
                f"Region on {self.record!r}: {self.start + 1}-{self.end} (1-based) holds no base; "
                "the first base must be 1 or more and the last must not come before it."
            )

    def __len__(self) -> int:
        return self.end - self.start

    def __str__(self) -> str:
        tail = "(-)" if self.strand == "-" else ""
        return f"{self.record}:{self.start + 1:,}-{self.end:,}{tail}"

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read `RECORD:FIRST-LAST`, 1-based and inclusive, with thousands commas or without.

        Args:
            text: for example `NC_000913.3:800,001-840,000`, or with a strand, `chr2:101-250(-)`. The record's
                id may itself hold colons: the last one counts.

        Raises:
            InputError: the text is not of this form, or names no base.
        """
        match = _REGION.fullmatch(text.strip())
        if match is None:
            raise InputError(
                f"{text!r} is not a region: write RECORD:FIRST-LAST with 1-based positions, "
                "for example NC_000913.3:800,001-840,000 or NC_000913.3:800,001-840,000(-)."
            )
        first, last = (int(match[name].replace(",", "")) for name in ("start", "end"))
        if first < 1 or last < first:
            raise InputError(
                f"{text!r} is not a region: positions start at 1 and the last must not come before the first "
                "(over the origin of a circular record, count on beyond its length)."
            )
        return cls(match["record"], first - 1, last, match["strand"] or "+")


@dataclass(frozen=True, eq=False)
class Record:
    """One sequence of a file.

    Attributes:
        id: the first word of the header (`record_3` where the third header is empty).
        codes: uint8 base codes, shape `(length,)`, see `dnalm.alphabet`.
        description: the rest of the header, or GenBank's DEFINITION.
        circular: whether its end joins its start.
        composition: what the text held (lower case, N, IUPAC codes, gaps) before it became codes.
    """

    id: str
    codes: Codes = field(repr=False)
    description: str = ""
    circular: bool = False
    composition: Composition = Composition()  # noqa: RUF009, frozen, so safe to share

    def __len__(self) -> int:
        return len(self.codes)

    def fetch(self, start: int, end: int, strand: str = "+") -> Codes:
        """The bases from `start` to `end` (0-based, half-open, forward), read along `strand`.

        On a circular record `start` may be negative and `end` beyond the length: the stretch goes on around
        the circle, as often as it takes. A forward stretch inside the record is a view, not a copy.

        Raises:
            InputError: the stretch leaves a linear record or ends before it starts; a strand neither + nor -.
        """
        if strand not in STRANDS:
            raise InputError(f"Record {self.id!r}: the strand {strand!r} is neither '+' nor '-'.")
        if end < start:
            raise InputError(f"Record {self.id!r}: a stretch from {start} to {end} ends before it starts.")
        inside = start >= 0 and end <= len(self)
        if not inside and not (self.circular and len(self)):
            raise InputError(
                f"Record {self.id!r} is linear and {len(self):,} bases long: "
                f"bases {start + 1:,} to {end:,} (1-based) are not all in it."
            )
        codes = self.codes[start:end] if inside else _around(self.codes, start, end)
        return codes if strand == "+" else reverse_complement(codes)

    def extract(self, region: Region) -> Codes:
        """The bases of a region, read along its strand.

        Raises:
            InputError: the region is of another record, or leaves this one (see `fetch`).
        """
        if region.record != self.id:
            raise InputError(f"Region {region} is not on record {self.id!r}.")
        return self.fetch(region.start, region.end, region.strand)


@dataclass(frozen=True, eq=False)
class LabelledSequence:
    """One sequence of a labelled set; `label` is None where labels were not asked for and there are none."""

    id: str
    codes: Codes = field(repr=False)
    label: str | None


def require_length(record: Record | LabelledSequence, minimum: int, *, source: str = "") -> None:
    """Refuse a sequence that is too short for what comes next, a k-mer or a window.

    Args:
        record: the sequence.
        minimum: the least number of bases.
        source: the file's name, for the message.

    Raises:
        InputError: the sequence has fewer bases than `minimum`.
    """
    length = len(record.codes)
    if length < minimum:
        where = f"{source}: sequence" if source else "Sequence"
        bases = "base" if length == 1 else "bases"
        raise InputError(f"{where} {record.id!r} has {length:,} {bases}, at least {minimum:,} are needed.")


def lies_in(position: int, start: int, end: int, circle: int | None = None) -> bool:
    """Whether a base lies in a stretch, which on a circle may run on past the origin.

    Args:
        position: 0-based, within the record.
        start: first base of the stretch, 0-based.
        end: one past its last.
        circle: bases of the record where it is a circle.
    """
    return start <= position < end or (circle is not None and start <= position + circle < end)


def _around(codes: Codes, start: int, end: int) -> Codes:
    """The stretch of a circle, `start` and `end` anywhere."""
    length = len(codes)
    pieces = []
    at = start
    while at < end:
        offset = at % length
        step = min(length - offset, end - at)
        pieces.append(codes[offset : offset + step])
        at += step
    return np.concatenate(pieces) if pieces else codes[:0]
