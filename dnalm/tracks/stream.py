"""Stream mode: a track model reads a record in chunks, once along each strand, and scores every base.

A record is cut into chunks, each of which is read with `burn_in` bases of context on either side; of what is read
there only the chunk's own bases keep their scores. Where the cuts fall depends on the record's length alone: a site has
the same score in a scan of the whole record, of any region of it, and in any share of the work. The cuts are multiples
of the model's `step` and lie mirrored about the record's middle, so that the reverse complement is read in the same
chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN
from dnalm.tracks.windows import Report, Scores, context

if TYPE_CHECKING:
    from dnalm.model.predict import TrackModel
    from dnalm.sequences import Record

CHUNK = 8192
"""Bases of a chunk, about: the context read beside it is then a tenth of the work."""
PIECE_CHUNKS = 16
"""Chunks of a piece: some seconds of a processor's work, and not too few for a GPU."""
# Bases read by a processor at a time: what is made of more no longer fits its cache. A GPU takes a piece whole.
_BATCH_BASES = 1 << 15
AROUND = 40
"""Bases on either side of a site that are looked at for whether they are known."""


@dataclass(frozen=True)
class Grid:
    """The chunks of a record: of one size, but for the one in the middle, which takes what is left.

    Attributes:
        length: bases in the record.
        step: every cut is a multiple of it.
        size: bases of a chunk, a multiple of `step`. The middle one has from one step to twice this; where the
            length is no multiple of `step` the last chunk ends up to a step beyond the record.
    """

    length: int
    step: int
    size: int

    @classmethod
    def of(cls, length: int, step: int, size: int = CHUNK) -> Grid:
        """The chunks of a record of this length, of about so many bases."""
        return cls(length, step, max(1, size // step) * step)

    def __len__(self) -> int:
        return 2 * self._side + 1

    @property
    def end(self) -> int:
        """One past the last chunk's last base."""
        return -(-self.length // self.step) * self.step

    @property
    def _side(self) -> int:
        """Chunks on either side of the middle one."""
        return (self.end - 1) // (2 * self.size)

    def chunk(self, index: int) -> tuple[int, int]:
        """First base of a chunk, and one past its last: record coordinates, 0-based."""
        return self._cut(index), self._cut(index + 1)

    def _cut(self, index: int) -> int:
        return index * self.size if index <= self._side else self.end - (len(self) - index) * self.size

    def index(self, position: int) -> int:
        """The chunk that holds a base of the record."""
        middle = self._side * self.size
        if position < middle:
            return position // self.size
        if position < self.end - middle:
            return self._side
        return len(self) - 1 - (self.end - 1 - position) // self.size

    def groups(self, start: int, end: int, chunks: int = PIECE_CHUNKS) -> Iterator[tuple[int, int]]:
        """Tile `[start, end)`, within the record, by stretches that so many chunks hold."""
        last = self.index(end - 1)
        for first in range(self.index(start), last + 1, chunks):
            stop = self._cut(min(first + chunks, last + 1))
            yield max(start, self._cut(first)), min(end, stop)


class Streamer:
    """Scores equally spaced sites of a record by a track model, a batch of chunks at a time.

    Args:
        model: the track model.
        record: the sequence; its codes are read where they lie.
        grid: its chunks.
        complement: give the probability of the label that is not the model's positive one.
        strands: how many are asked for, for the report.
        report: called with the scores done since it was called last, after each batch.
    """

    def __init__(
        self, model: TrackModel, record: Record, grid: Grid, *, complement: bool, strands: int, report: Report
    ) -> None:
        self.model, self.record, self.grid = model, record, grid
        self.complement, self.strands, self.report = complement, strands, report
        # Context begins at a step, too: k-mers then fall alike in every chunk.
        self.lead = -(-model.burn_in // grid.step) * grid.step
        device = str(getattr(model, "device", "cpu"))
        self.batch_bases = _BATCH_BASES if device == "cpu" else PIECE_CHUNKS * 2 * (grid.size + 2 * self.lead)

    def score(self, sites: NDArray[np.int64]) -> tuple[Scores, Scores]:
        """Probability at sites that ascend, none of them on the other side of the origin from another.

        Returns:
            Along the forward strand and along the reverse strand, each shape `(sites,)`; nan where more
            than half of the bases around the site are unknown.
        """
        ahead, back = (np.full(len(sites), np.nan, dtype=np.float32) for _ in range(2))
        at = sites % len(self.record)
        for batch in self._batches(at):
            counted = 0
            read: list[tuple[slice, NDArray[np.bool_], NDArray[np.int64]]] = []
            codes = []
            for index, rows in batch:
                start, end = self.grid.chunk(index)
                counted += (rows.stop - rows.start) * self.strands
                known = self._known(start, end)[at[rows] - start]
                if known.any():
                    read.append((rows, known, at[rows] - start + self.lead))
                    codes.append(context(self.record, start - self.lead, end + self.lead))
            if read:
                there, other = self.model.probabilities_along(np.stack(codes))
                for row, (rows, known, places) in enumerate(read):
                    ahead[rows][known] = there[row, places[known]]
                    back[rows][known] = other[row, places[known]]
            self.report(counted)
        return (1 - ahead, 1 - back) if self.complement else (ahead, back)

    def _batches(self, at: NDArray[np.int64]) -> Iterator[list[tuple[int, slice]]]:
        """Chunks that hold a site, with the rows of their sites; those read together are of one length."""
        batch: list[tuple[int, slice]] = []
        width, row = 0, 0
        while row < len(at):
            index = self.grid.index(int(at[row]))
            start, end = self.grid.chunk(index)
            rows = slice(row, int(np.searchsorted(at, end)))
            row = rows.stop
            own = end - start + 2 * self.lead
            if batch and (own != width or (len(batch) + 1) * own > self.batch_bases):
                yield batch
                batch = []
            width = own
            batch.append((index, rows))
        if batch:
            yield batch

    def _known(self, start: int, end: int) -> NDArray[np.bool_]:
        """Of each base of `[start, end)`: whether at least half of the record's bases around it are known."""
        low, high = start - AROUND, end + AROUND
        unknown = context(self.record, low, high) == UNKNOWN
        there = np.ones(high - low, dtype=bool)
        if not self.record.circular:
            there[: max(0, -low)] = False
            there[max(0, len(self.record) - low) :] = False
        return 2 * _around(unknown & there) <= _around(there)


def _around(flags: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How many are true of the `2 * AROUND + 1` around each, but for those at the ends."""
    summed = np.concatenate([np.zeros(1, dtype=np.int32), np.cumsum(flags, dtype=np.int32)])
    return summed[2 * AROUND + 1 :] - summed[: -2 * AROUND - 1]
