"""What a run folder says, read often and cheaply: only what was appended since the last look, once for all sessions."""

from __future__ import annotations

import json
import math
import os
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Runs whose curves are kept in memory, those looked at last; a long one takes about a megabyte.
MOST_RUNS = 64
# Points of a figure; of a longer one every second is dropped, and again.
MOST_POINTS = 20_000
# Bytes read at one look, so that a huge file does not hold up a page: the next looks read on.
LARGEST_LOOK = 8 << 20
# The phases that `dnalm train` runs in folders of their own before its own stages, in their order.
EARLIER = ("pretrain", "finetune")

_FINGERPRINT = 64
_NOT_FIGURES = ("phase", "step")


@dataclass(frozen=True)
class Series:
    """One figure of a run: `values` at `places`, both shape `(n,)`. A place is a step counted over all stages."""

    places: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """The learning curves of a run at one moment.

    Attributes:
        version: another one whenever the curves have changed.
        stages: each stage's name and the place at which it begins.
        series: figures by their name in `metrics.jsonl`.
    """

    version: tuple[tuple[int, int], ...]
    stages: tuple[tuple[str, int], ...]
    series: Mapping[str, Series]

    @property
    def last(self) -> int:
        """The last place that there is a point at; 0 before the first."""
        return max((int(one.places[-1]) for one in self.series.values()), default=0)


@dataclass
class _Points:
    steps: array = field(default_factory=lambda: array("q"))
    values: array = field(default_factory=lambda: array("d"))

    def add(self, place: int, value: float) -> None:
        self.steps.append(place)
        self.values.append(value)
        if len(self.steps) > MOST_POINTS:
            # From the end, so that the newest point stays.
            self.steps, self.values = self.steps[::-2][::-1], self.values[::-2][::-1]


class MetricsFile:
    """One `metrics.jsonl`, followed as it grows. Not to be used by two threads at once.

    A resumed run replaces the file by a shorter one and goes on appending to that: then all is read anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self.generation = getattr(self, "generation", -1) + 1
        self.offset, self.rows = 0, 0
        self.inode: int | None = None
        self.before = b""  # the last bytes read: another file may get the number of one that has gone
        self.stages: list[tuple[str, int]] = []
        self.points: dict[str, _Points] = {}
        self.last = 0

    @property
    def version(self) -> tuple[int, int]:
        """Another one whenever what was read has changed."""
        return self.generation, self.rows

    def look(self) -> None:
        """Read what is new. A last line that is not yet whole is left for the next look."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_size == self.offset and status.st_ino == self.inode:
                    return
                if not self._goes_on(file, status):
                    self._forget()
                self.inode = status.st_ino
                file.seek(self.offset)
                new = file.read(LARGEST_LOOK)
        except FileNotFoundError:
            if self.inode is not None:
                self._forget()
            return
        whole = new[: new.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._add(line)
        self.offset += len(whole)
        self.before = (self.before + whole)[-_FINGERPRINT:]

    def _goes_on(self, file: Any, status: os.stat_result) -> bool:
        if self.inode != status.st_ino or status.st_size < self.offset:
            return False
        file.seek(self.offset - len(self.before))
        return file.read(len(self.before)) == self.before

    def _add(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            phase, step = str(row["phase"]), int(row["step"])
        except (ValueError, KeyError, TypeError):
            return  # cut short by a kill, or not ours
        if not self.stages or self.stages[-1][0] != phase:
            self.stages.append((phase, self.last))
        self.last = self.stages[-1][1] + step
        self.rows += 1
        for name, value in row.items():
            if name not in _NOT_FIGURES and isinstance(value, int | float) and math.isfinite(value):
                self.points.setdefault(name, _Points()).add(self.last, float(value))


class RunReader:
    """The curves of many runs, for many readers at once."""

    def __init__(self, most: int = MOST_RUNS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._runs: OrderedDict[Path, _Run] = OrderedDict()

    def curves(self, folder: Path) -> Curves:
        """The curves of the run in `folder`, those of its earlier phases first; empty where there are none yet."""
        with self._lock:
            run = self._runs.setdefault(folder, _Run(folder))
            self._runs.move_to_end(folder)
            while len(self._runs) > self._most:
                self._runs.popitem(last=False)
        return run.look()

    def clear(self) -> None:
        """Forget every run."""
        with self._lock:
            self._runs.clear()

    def __len__(self) -> int:
        """Runs held."""
        return len(self._runs)


class _Run:
    def __init__(self, folder: Path) -> None:
        folders = [*(folder / name for name in EARLIER), folder]
        self.files = [MetricsFile(path / "metrics.jsonl") for path in folders]
        self.lock = threading.Lock()
        self.curves: Curves | None = None

    def look(self) -> Curves:
        with self.lock:
            for file in self.files:
                file.look()
            version = tuple(file.version for file in self.files)
            if self.curves is None or self.curves.version != version:
                self.curves = _joined(self.files, version)
            return self.curves


def _joined(files: list[MetricsFile], version: tuple[tuple[int, int], ...]) -> Curves:
    """Lay the files' steps end to end."""
    stages: list[tuple[str, int]] = []
    pieces: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    begin = 0
    for file in files:
        stages += [(name, begin + place) for name, place in file.stages]
        for name, points in file.points.items():
            # Copies: a view of an array that grows would forbid it to grow.
            places = np.array(points.steps, dtype=np.int64) + begin
            pieces.setdefault(name, []).append((places, np.array(points.values, dtype=np.float64)))
        begin += file.last
    series = {
        name: Series(np.concatenate([piece[0] for piece in found]), np.concatenate([piece[1] for piece in found]))
        for name, found in pieces.items()
    }
    return Curves(version, tuple(stages), series)


reader = RunReader()
"""The one that all sessions of this process share."""


def tail(path: Path, lines: int = 60, most_bytes: int = 64 << 10) -> list[str]:
    """The last lines of a text file, read from its end; none where there is no file.

    Args:
        path: the file.
        lines: how many, at most.
        most_bytes: how far back from the end to read.

    Returns:
        Each line as a terminal would show it at last: what a carriage return wrote over is left out.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - most_bytes)
            file.seek(start)
            text = file.read(most_bytes).decode(errors="replace")
    except FileNotFoundError:
        return []
    found = text.split("\n")
    if start:
        del found[0]  # most likely the second half of a line
    return list(_shown(found))[-lines:]


def _shown(lines: list[str]) -> Iterator[str]:
    for line in lines:
        last = line.rstrip("\r").rsplit("\r", 1)[-1]
        if clean := "".join(letter for letter in last if letter == "\t" or letter.isprintable()).rstrip():
            yield clean
