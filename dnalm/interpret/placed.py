"""A sequence and where it stands: its start site, its place on a genome, and what its bases are called there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import Codes, decode
from dnalm.errors import InputError
from dnalm.interpret.edits import Edit, VcfEdit, numbered
from dnalm.sequences import Region

_WINDOW = re.compile(r"([+−-]?)(\d{1,9})\s*(?:-|–|:|\.\.)\s*([+−-]?)(\d{1,9})")
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True, eq=False)
class Placed:
    """A sequence as a model reads it.

    Attributes:
        id: of the record, or the region as people write it.
        codes: base codes along the strand that is read, shape `(length,)`.
        site: offset of the site that is +1, 0-based; None where there is none.
        region: where it lies on a record, with its strand; None where it is a record of its own.
        record_length: bases of that record; a region that runs over the origin goes on at its first.
    """

    id: str
    codes: Codes = field(repr=False)
    site: int | None = None
    region: Region | None = None
    record_length: int = 0

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def text(self) -> str:
        """Its letters."""
        return decode(self.codes)

    def number(self, position: int) -> str:
        """The field's number of a base: from the site, +1, without a zero; without a site, from 1."""
        return numbered(position, self.site)

    def on_record(self, position: int, bases: int = 1) -> int:
        """0-based forward position on the record of some bases that begin at `position` here.

        Raises:
            InputError: it lies on no record.
        """
        if self.region is None:
            raise InputError(f"{self.id} lies on no genome")
        ahead, back = self.region.start + position, self.region.end - position - bases
        return (ahead if self.region.strand == "+" else back) % self.record_length

    def window(self, text: str) -> tuple[int, int]:
        """Read `10-25` from the first base, or `-14--5`, `-14:+3` from the site: 0-based, half-open here.

        Raises:
            InputError: it is no window, counts from a site where there is none, or leaves the sequence.
        """
        match = _WINDOW.fullmatch(text.strip())
        if match is None:
            raise InputError(f"{text!r} is no window; wanted: 10-25 from the first base, or -14:-5 from the site")
        if bool(match[1]) != bool(match[3]):
            raise InputError(f"{text!r}: both ends count from the first base, as 10-25, or from the site, as -14:+3")
        first, last = (self._place(match[one], int(match[one + 1]), text) for one in (1, 3))
        if not 0 <= first <= last < len(self):
            raise InputError(f"{self.id}: the window {text} does not lie within its {len(self):,} bases")
        return first, last + 1

    def _place(self, sign: str, number: int, text: str) -> int:
        if not sign:
            return number - 1
        if self.site is None:
            raise InputError(f"{self.id}: {text!r} counts from a start site, which it has not; wanted: 10-25")
        if number == 0:
            raise InputError(f"{text!r}: there is no base 0; +1 is the site, -1 the base before it")
        return self.site + (number - 1 if sign == "+" else -number)

    def read_change(self, change: VcfEdit) -> Edit | None:
        """A change of a record as one of this sequence, on the strand that it is read on.

        Returns:
            None where it is of another record, or not all of it lies here.
        """
        edit = change.edit
        if self.region is None:
            return edit if change.record == self.id else None
        if change.record != self.region.record:
            return None
        at = edit.position
        if at < self.region.start and self.record_length:  # a region over the origin
            at += self.record_length
        end = at + len(edit.ref)
        if at < self.region.start or end > self.region.end:
            return None
        if self.region.strand == "+":
            return Edit(at - self.region.start, edit.ref, edit.alt)
        ref, alt = (allele.translate(_COMPLEMENT)[::-1] for allele in (edit.ref, edit.alt))
        return Edit(self.region.end - end, ref, alt)


def bedgraph_text(one: Placed, tracks: dict[str, NDArray[np.floating]]) -> str:
    """Scores of a region's bases as bedGraph on its record: one `track` line each, by position, 0-based, half-open.

    Args:
        one: the sequence, of a region.
        tracks: for each name a score of every base as it is read, shape `(length,)`; nan is left out.

    Raises:
        InputError: it lies on no record, or runs round it more than once.
    """
    if one.region is None:
        raise InputError("bedGraph needs positions on a genome: choose a stretch of one with --region")
    if len(one) > one.record_length:
        raise InputError(f"{one.id} runs round its record of {one.record_length:,} bases more than once")
    order = sorted((one.on_record(position), position) for position in range(len(one)))
    lines = []
    for name, scores in tracks.items():
        title = re.sub(r'["\r\n]', "'", f"{name} ({one.region.strand})")
        lines.append(f'track type=bedGraph name="{title}" description="{title}" visibility=full')
        lines += [
            f"{one.region.record}\t{start}\t{start + 1}\t{scores[position]:.6g}"
            for start, position in order
            if not np.isnan(scores[position])
        ]
    return "".join(f"{line}\n" for line in lines)
