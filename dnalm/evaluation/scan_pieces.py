"""A scan cut into pieces that any number of processes, on any machines of one file system, share out among themselves.

A piece is claimed by a lock that the system lets go of however its holder ends, scored, and written whole. So nobody
hands pieces out: a process that dies leaves a piece unclaimed, which the next one takes, and a scan that is begun again
finds what was scored. How a scan is cut follows from what is scanned alone, so it comes out the same however often it
was broken off and by however many it was done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnalm.files import replacing
from dnalm.locks import HeldError, held
from dnalm.tracks import Track

if TYPE_CHECKING:
    from dnalm.sequences import Record, Region

# Sites of a piece where each has a window of its own: seconds of work, which is what a kill may cost. A chromosome of
# 250 Mb comes in some thousands of files.
WINDOW_SITES = (4_096, 65_536)
# Bases of a piece that is streamed, which is many times faster.
STREAM_BASES = (65_536, 1 << 20)
_PIECES = 256


@dataclass(frozen=True)
class Stretch:
    """What is scanned of a record: `[start, end)`, beyond the record's length where it runs over the origin."""

    record: Record
    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """A part of a stretch, in one file. `number` counts over the whole scan, `of` names the stretch by its place."""

    number: int
    of: int
    start: int
    end: int


def stretches_of(records: Sequence[Record], region: Region | None) -> list[Stretch]:
    """What is to be scanned: a region of one record, or all records whole."""
    if region is None:
        return [Stretch(record, 0, len(record)) for record in records]
    return [Stretch(record, region.start, region.end) for record in records if record.id == region.record]


def cut(stretches: Sequence[Stretch], stride: int, *, streamed: bool) -> list[Piece]:
    """Cut stretches into pieces that begin at scored sites."""
    bases = sum(one.end - one.start for one in stretches)
    least, most = STREAM_BASES if streamed else (size * stride for size in WINDOW_SITES)
    length = min(max(bases // _PIECES, least), most)
    length = -(-length // stride) * stride
    found: list[Piece] = []
    for place, one in enumerate(stretches):
        for start in range(one.start, one.end, length):
            found.append(Piece(len(found), place, start, min(start + length, one.end)))
    return found


class Pieces:
    """The files of a scan's pieces in a folder.

    Args:
        folder: made where it is absent.
        pieces: as `cut` gave them.
    """

    def __init__(self, folder: Path, pieces: Sequence[Piece]) -> None:
        self.folder, self.pieces = folder, list(pieces)
        folder.mkdir(parents=True, exist_ok=True)

    def done(self) -> set[int]:
        """Numbers of the pieces that are scored."""
        names = {entry.name for entry in os.scandir(self.folder)}
        return {piece.number for piece in self.pieces if self._file(piece).name in names}

    def unclaimed(self, first: int = 0) -> Iterator[Piece]:
        """Each piece that is neither scored nor being scored; it is this process's until the next is asked for.

        Args:
            first: number to begin at, so that several processes do not try the same ones first.
        """
        for piece in self.pieces[first:] + self.pieces[:first]:
            if self._file(piece).exists():
                continue
            with self._claimed(piece) as mine:
                if mine and not self._file(piece).exists():
                    yield piece

    @contextmanager
    def _claimed(self, piece: Piece) -> Iterator[bool]:
        try:
            with held(self._file(piece).with_suffix(".lock"), patience=0):
                yield True
        except HeldError:
            yield False

    def keep(self, piece: Piece, track: Track) -> None:
        """Write a piece's scores, those of the forward strand first."""
        with replacing(self._file(piece)) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack(list(track.strands().values())))

    def joined(self, stretch: int, sites: int, strands: int) -> NDArray[np.float32]:
        """The scores of a stretch, shape `(strands, sites)`, in a file of their own beside the pieces, mapped.

        So the memory that a chromosome takes is the system's to give back.

        Args:
            stretch: its place among the stretches.
            sites: that it has.
            strands: that were scored, 1 or 2.
        """
        path = self.folder / f"stretch-{stretch}.npy"
        scores = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(strands, sites))
        at = 0
        for piece in self.pieces:
            if piece.of == stretch:
                part = np.load(self._file(piece), allow_pickle=False)
                scores[:, at : at + part.shape[1]] = part
                at += part.shape[1]
        return scores

    def _file(self, piece: Piece) -> Path:
        return self.folder / f"{piece.number:06}.npy"
