"""Score the pieces of a scan in several processes, each with a model and a device of its own."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnalm.side_by_side import side_by_side
from dnalm.tracks.genome import GenomeFile
from dnalm.tracks.scan import RecordScan, ScanOptions
from dnalm.tracks.track import Track
from dnalm.tracks.windows import Report, Scores

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier, TrackModel
    from dnalm.sequences import Region

# Pieces handed out ahead, for each process: it never waits, and little is lost of what is stopped.
_AHEAD = 2


@dataclass(frozen=True)
class Work:
    """A piece to score.

    Attributes:
        number: its place among all pieces of the scan.
        record: number of its record.
        first: its first site.
        end: one past its last base.
        windows: scores that it gives.
    """

    number: int
    record: int
    first: int
    end: int
    windows: int


class Records:
    """The scans of a genome's records, each made ready when it is asked for."""

    def __init__(
        self, model: Classifier | TrackModel, genome: GenomeFile, region: Region | None, options: ScanOptions
    ) -> None:
        self.model, self.genome, self.region, self.options = model, genome, region, options
        self._last: tuple[int, RecordScan] | None = None

    def of(self, index: int) -> RecordScan:
        """The scan of one record."""
        if self._last is None or self._last[0] != index:
            record = self.genome.record(index)
            self._last = index, RecordScan(self.model, record, self.region, self.options)
        return self._last[1]

    def score(self, work: Work, report: Report | None = None) -> Track:
        """Score a piece."""
        return self.of(work.record).score(work.first, work.end, report)


def score_in_processes(
    records: Records, works: Sequence[Work], *, processes: int, devices: Sequence[str]
) -> Iterator[Track]:
    """Score pieces; they come in their order.

    Args:
        records: what they are of; its model has a bundle, which each process loads again.
        works: the pieces.
        processes: how many.
        devices: where they compute, dealt out in turn: "cpu", "cuda:0" and so on.

    Raises:
        RunError: a process was ended from outside.
    """
    model = records.model
    told = (str(model.bundle.folder), model.runtime, records.genome, records.region, records.options)
    threads = max(1, len(os.sched_getaffinity(0)) // processes) if hasattr(os, "sched_getaffinity") else 1
    with side_by_side(processes, _begin, told, tuple(devices), threads) as pool:
        waiting: deque[tuple[Work, Future[tuple[Scores | None, Scores | None]]]] = deque()
        left = iter(works)
        while True:
            while len(waiting) < processes * _AHEAD and (work := next(left, None)) is not None:
                waiting.append((work, pool.submit(_score, work)))
            if not waiting:
                return
            work, future = waiting.popleft()
            forward, reverse = future.result()
            yield records.of(work.record).track(work.first, work.end, forward, reverse)


_records: Records


def _begin(number: int, told: tuple[Any, ...], devices: tuple[str, ...], threads: int) -> None:
    """Make a process ready: its model on its device."""
    global _records
    import torch

    from dnalm.model.predict import load

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads)
    folder, runtime, genome, region, options = told
    device = devices[number % len(devices)]
    _records = Records(load(Path(folder), device, runtime), genome, region, options)  # type: ignore[arg-type]


def _score(work: Work) -> tuple[Scores | None, Scores | None]:
    track = _records.score(work)
    return track.forward, track.reverse
