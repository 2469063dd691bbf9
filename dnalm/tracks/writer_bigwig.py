"""A scan as bigWig, while its pieces come."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path

import pybigtools

from dnalm.errors import InputError, RunError
from dnalm.tracks.export import STRAND_NAMES, covered_bases
from dnalm.tracks.track import Track
from dnalm.tracks.writer import Rows, Writer, rows_of

# Pieces that wait for a file to take them: few, since each is memory.
_WAITING = 2


class BigWigWriter(Writer):
    """A bigWig of each strand: `scan.plus.bw` and `scan.minus.bw` of both, since a bigWig holds one value a base."""

    def __init__(self, path: Path, lengths: Mapping[str, int], strands: Sequence[str], folder: Path) -> None:
        super().__init__(path, lengths, strands, folder)
        self._files = {strand: _BigWig(self.folder / f"{STRAND_NAMES[strand]}.bw", self.lengths) for strand in strands}

    def add(self, piece: Track) -> None:
        """Take the next piece."""
        for strand, file in self._files.items():
            file.put(piece.record, rows_of(piece, strand))

    def finish(self) -> list[tuple[Path, Path]]:
        """Write indices and overviews."""
        built = []
        for strand, file in self._files.items():
            name = f".{STRAND_NAMES[strand]}{self.path.suffix}"
            # A file that does not name its strand is read back as the forward one.
            target = self.path if list(self._files) == ["+"] else self.path.with_suffix(name)
            if not file.end(target):
                names = ", ".join(list(self.lengths)[:3])
                raise InputError(f"{self.path}: no site of {names} has a score on the {strand} strand")
            built.append((file.path, target))
        return built

    def abandon(self) -> None:
        """Remove what was written so far."""
        for file in self._files.values():
            file.stop()
        super().abandon()


class _BigWig:
    """One file: its writer pulls values, so it runs in a thread of its own and is fed through a short queue."""

    def __init__(self, path: Path, lengths: dict[str, int]) -> None:
        self.path, self._covered = path, 0
        self._failure: BaseException | None = None
        self._queue: queue.Queue[tuple[str, Rows] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._write, args=(lengths,), daemon=True)
        self._thread.start()

    def put(self, record: str, rows: Rows) -> None:
        """Hand over some values."""
        self._covered += int((rows[1] - rows[0]).sum())
        self._offer((record, rows))

    def end(self, shown: Path) -> bool:
        """Complete the file; False where it has no value.

        Raises:
            RunError: it could not be written whole.
        """
        self.stop()
        if self._covered and (self._failure is not None or covered_bases(self.path) != self._covered):
            raise RunError(f"{shown}: could not be written whole ({self._failure or 'is the disk full?'})")
        return self._covered > 0

    def stop(self) -> None:
        """Let the thread come to its end."""
        self._offer(None)
        self._thread.join()

    def _offer(self, item: tuple[str, Rows] | None) -> None:
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.5)
                return

    def _write(self, lengths: dict[str, int]) -> None:
        try:
            pybigtools.open(str(self.path), "w").write(lengths, self._values())
        except BaseException as error:  # told by whoever waits for the file
            self._failure = error

    def _values(self) -> Iterator[tuple[str, int, int, float]]:
        while (item := self._queue.get()) is not None:
            record, (starts, ends, scores) = item
            yield from zip(repeat(record), starts.tolist(), ends.tolist(), scores.tolist(), strict=False)
