"""Blocks of genome that resamples draw, and the parts of it that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.sequences import Region
from dnalm.tracks.calls import Calls
from dnalm.tracks.evaluation import ALL, HELD_OUT, TRAINED_ON

LEAST_BLOCKS = 10
_SHORTEST = 500


@dataclass(frozen=True, eq=False)
class Blocks:
    """What was scanned, cut into blocks.

    Attributes:
        parts: names of the parts that hold any base, in order.
        length: bases of a block; the last of a record may be up to half as long again, or half as long.
        count: blocks in all.
        kilobases: of each part in each block, shape `(count,)`, by part.
        stretches: record, start, end and record's length of what was scanned (0 for a line).
        first: number of each stretch's first block.
        marks: for each stretch, the number of the part of each base, -1 for none; shape `(end - start,)`.
    """

    parts: tuple[str, ...]
    length: int
    count: int
    kilobases: dict[str, NDArray[np.float64]]
    stretches: tuple[tuple[str, int, int, int], ...]
    first: tuple[int, ...]
    marks: tuple[NDArray[np.int8], ...]

    def members(self, part: str) -> NDArray[np.int64]:
        """Numbers of the blocks that hold any base of a part."""
        return np.flatnonzero(self.kilobases[part] > 0)

    def part_of(self, stretch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the part in which each position lies, -1 where in none."""
        _, start, end, circle = self.stretches[stretch]
        at = positions - start
        if circle:
            at = at % circle
        inside = (at >= 0) & (at < end - start)
        return np.where(inside, self.marks[stretch][np.where(inside, at, 0)], -1).astype(np.int64)

    def block_of(self, stretch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the block of each position, all of which lie in the stretch."""
        _, start, end, circle = self.stretches[stretch]
        at = positions - start
        if circle:
            at = at % circle
        return self.first[stretch] + np.minimum(at // self.length, _blocks_in(end - start, self.length) - 1)

    def same(self, other: Blocks) -> bool:
        """Whether another one cuts the same genome alike."""
        return (
            self.parts == other.parts
            and self.length == other.length
            and self.stretches == other.stretches
            and all(np.array_equal(one, two) for one, two in zip(self.marks, other.marks, strict=True))
        )

    def as_dict(self) -> dict[str, Any]:
        """Blocks and kilobases of each part, for JSON."""
        return {
            "blocks": {part: len(self.members(part)) for part in self.parts},
            "kilobases": {part: round(float(self.kilobases[part].sum()), 3) for part in self.parts},
            "scanned": [f"{record}:{start + 1:,}-{end:,}" for record, start, end, _ in self.stretches],
        }


def blocks_of(
    stretches: Sequence[Calls], *, regions: Sequence[Region], trained_on: Sequence[Region] | None, block: int
) -> Blocks:
    """Cut what was scanned into blocks; see `dnalm.tracks.evaluate.score`.

    Raises:
        InputError: a region lies outside of it, or nothing is left.
    """
    if not stretches:
        raise InputError("there are no calls: a track for each record is wanted")
    for one, other in combinations(stretches, 2):
        if one.record == other.record and _overlap(one, other):
            raise InputError(f"some bases of {one.record} were given twice: each is scored once")
    wanted, seen = _covered(stretches, regions), _covered(stretches, trained_on or [])
    for region in regions:
        if not any(one.record == region.record for one in stretches):
            raise InputError(f"region {region}: no track of {region.record} was given")
    if not regions:
        wanted = [np.ones_like(mask) for mask in wanted]
    names = (ALL,) if trained_on is None else (HELD_OUT, TRAINED_ON)
    marks = [np.where(want, have.astype(np.int8), -1).astype(np.int8) for want, have in zip(wanted, seen, strict=True)]
    there = [number for number in range(len(names)) if any((mark == number).any() for mark in marks)]
    if not there:
        raise InputError("the regions hold no base of what was scanned")
    renumbered = np.full(len(names) + 1, -1, dtype=np.int8)
    renumbered[there] = range(len(there))
    marks = [renumbered[mark] for mark in marks]
    parts = tuple(names[number] for number in there)
    most = max(sum(int((mark == number).sum()) for mark in marks) for number in range(len(parts)))
    length = max(min(block, most // LEAST_BLOCKS), _SHORTEST)
    counts = [_blocks_in(len(mark), length) for mark in marks]
    first = np.cumsum([0, *counts])
    kilobases = {
        part: np.concatenate(
            [
                np.bincount(np.minimum(np.flatnonzero(mark == number) // length, many - 1), minlength=many) / 1000
                for mark, many in zip(marks, counts, strict=True)
            ]
        )
        for number, part in enumerate(parts)
    }
    spans = tuple((one.record, one.start, one.end, one.record_length if one.circular else 0) for one in stretches)
    return Blocks(parts, length, int(first[-1]), kilobases, spans, tuple(first[:-1].tolist()), tuple(marks))


def _overlap(one: Calls, other: Calls) -> bool:
    """Whether two stretches of a record share a base, over the origin of a circle too."""
    turns = (-1, 0, 1) if one.circular else (0,)
    return any(
        one.start < other.end + turn * one.record_length and other.start + turn * one.record_length < one.end
        for turn in turns
    )


def _blocks_in(bases: int, length: int) -> int:
    return max(1, round(bases / length))


def _covered(stretches: Sequence[Calls], regions: Sequence[Region]) -> list[NDArray[np.bool_]]:
    """Which bases of each stretch lie in the regions, shape `(end - start,)` each."""
    masks = []
    for one in stretches:
        mask = np.zeros(one.end - one.start, dtype=bool)
        for region in regions:
            if region.record != one.record:
                continue
            for turn in (-1, 0, 1) if one.circular else (0,):
                low = max(region.start + turn * one.record_length - one.start, 0)
                high = min(region.end + turn * one.record_length - one.start, len(mask))
                if low < high:
                    mask[low:high] = True
        masks.append(mask)
    return masks
