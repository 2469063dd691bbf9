"""What takes a scan piece by piece, and what it writes of each piece."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnalm.tracks.track import Track
from dnalm.tracks.windows import Scores

Rows = tuple[NDArray[np.int64], NDArray[np.int64], Scores]


class Writer(ABC):
    """Takes the pieces of a scan, one at a time.

    Args:
        path: the file to write.
        lengths: bases of each record that is scanned, by its name.
        strands: "+", "-" or both.
        folder: where half-written files lie; on the same file system as `path`.
    """

    def __init__(self, path: Path, lengths: Mapping[str, int], strands: Sequence[str], folder: Path) -> None:
        self.path, self.lengths, self.strands = path, dict(lengths), tuple(strands)
        self.folder = Path(tempfile.mkdtemp(prefix="work-", dir=folder))

    @abstractmethod
    def add(self, piece: Track) -> None:
        """Take the next piece."""

    @abstractmethod
    def finish(self) -> list[tuple[Path, Path]]:
        """Complete the files: where each lies, and where it belongs."""

    def close(self) -> list[Path]:
        """Put the files in their places.

        Raises:
            InputError: no site had a score, in a format that cannot say so.
            RunError: a file could not be written whole.
        """
        try:
            written = self.finish()
            for built, target in written:
                # Private until now; a result gets the rights that any new file would have.
                mask = os.umask(0)
                os.umask(mask)
                built.chmod(0o666 & ~mask)
                built.replace(target)
        finally:
            self.abandon()
        return [target for _, target in written]

    def abandon(self) -> None:
        """Remove what was written so far."""
        shutil.rmtree(self.folder, ignore_errors=True)


def rows_of(piece: Track, strand: str) -> Rows:
    """First base, end and score of the sites that have one: record coordinates, 0-based, half-open.

    A site's value covers the bases up to the next site. A piece lies on one side of the origin.
    """
    scores = piece.strands()[strand]
    kept = ~np.isnan(scores)
    lap = int(piece.positions[0]) // piece.record_length * piece.record_length
    starts = piece.positions[kept] - lap
    return starts, np.minimum(starts + piece.stride, min(piece.end - lap, piece.record_length)), scores[kept]
