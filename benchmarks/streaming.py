"""Stream mode: beside window mode, over a whole genome, and in memory over a record of 250 million bases.

The model is the shipped track model. Stream mode scores 40 kb; window mode, at the same sites, as many as a round has
time for, and the ratio is of seconds a site.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import dnalm
from benchmarks.scanning import BASES, FIRST, GENOME
from benchmarks.table import Row
from benchmarks.timing import Timings, take_turns
from dnalm.errors import RunError
from dnalm.model.bundle import write_bundle
from dnalm.model.config import BundleConfig, TrackMemberConfig
from dnalm.model.onnx_runtime import accelerated
from dnalm.model.predict import TrackModel
from dnalm.model.track_model import Tracks
from dnalm.sequences import Region, read_records
from dnalm.tracks import gather, scan

MODEL = "ecoli-tss"
WINDOW_SITES = 256
"""Sites that window mode scores in a round, both strands of each."""
HUGE = 250_000_000
EARLY, LATE = 2_000_000, 8_000_000
"""Bases after which the memory of the scan of a huge record is looked at."""
_ROUNDS = 7
_WATCH = """
import resource, sys
import numpy as np
import dnalm
from dnalm.sequences import Record
from dnalm.tracks import scan

model, bases, *marks = sys.argv[1:]
codes = np.random.default_rng(0).integers(0, 4, int(bases), dtype=np.uint8)
marks = [int(mark) for mark in marks]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(before * 1024, flush=True)
for piece in scan(dnalm.load(model), Record("made", codes)):
    while marks and piece.end >= marks[0]:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)
        marks.pop(0)
    if not marks:
        break
"""


def measure() -> list[Row]:
    """All rows: some minutes."""
    with tempfile.TemporaryDirectory() as folder:
        model = dnalm.load(MODEL)
        assert isinstance(model, TrackModel)
        light = track_model(
            Path(folder) / "light", TrackMemberConfig(motifs=1, motif_width=5, channels=1, dilations=())
        )
        rows = rows_of(take_turns(works(model), rounds=_ROUNDS))
        rows += genome_rows(model)
        # The whole model for the memory that it takes; a light one, of the same chunks, to reach the record's end.
        rows += memory_rows(MODEL, watch(model.bundle.folder, HUGE, [EARLY, LATE]), [EARLY, LATE])
        marks = [HUGE // 10, HUGE]
        rows += memory_rows("light model", watch(light.bundle.folder, HUGE, marks), marks)
    return rows


def track_model(folder: Path, member: TrackMemberConfig) -> TrackModel:
    """An untrained track model, small enough that reading takes little."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Tracks([member]).eval()
    told = {"labels": ["other", "start"], "positive": "start", "window": 1, "anchor": 0}
    config = BundleConfig(kind="track", name=folder.name, tracks=[member], modes=["stream", "window"], **told)
    return TrackModel(write_bundle(folder, config, module, {}, ""))


def works(model: TrackModel) -> dict[str, Callable[[], object]]:
    """Both modes on both strands at stride 1, by name."""
    record = next(iter(read_records(GENOME)))
    all_of_it = Region(record.id, FIRST, FIRST + BASES)
    some = Region(record.id, FIRST, FIRST + WINDOW_SITES)
    quick = accelerated(model)
    return {
        "stream": lambda: gather(scan(model, record, region=all_of_it, mode="stream")),
        "stream, onnx": lambda: gather(scan(quick, record, region=all_of_it, mode="stream")),
        "window": lambda: gather(scan(model, record, region=some, mode="window")),
    }


def rows_of(timings: Timings) -> list[Row]:
    """Rows from the seconds of the two modes, each with sites of its own."""
    subject, times = f"40 kb, {MODEL}, stride 1, both strands", BASES / WINDOW_SITES
    rows = []
    for name, words, aim in (("stream", "PyTorch", 50.0), ("stream, onnx", "ONNX Runtime float32", None)):
        ratio = timings.ratio("window", name)
        low, value, high = (times * part for part in (ratio.low, ratio.value, ratio.high))
        rows.append(Row(subject, f"stream in {words}, beside window mode in PyTorch", value, "x", low, high, aim))
        rows.append(Row(subject, f"stream in {words}", timings.median(name), "s"))
    return rows


def genome_rows(model: TrackModel) -> list[Row]:
    """Processor seconds of the whole E. coli genome on one core, once: no more than the clock's on two idle ones."""
    record = next(iter(read_records(GENOME)))
    started = time.process_time()
    scored = sum(len(piece) for piece in scan(model, record, mode="stream"))
    spent = time.process_time() - started
    subject = f"E. coli K-12, {scored:,} bases, {MODEL}, stride 1, both strands"
    return [Row(subject, "stream in PyTorch, on one core; aim on two", spent, "s", aim=120.0, at_most=True)]


def watch(folder: Path, bases: int, marks: list[int]) -> list[int]:
    """Most bytes that a process of its own has held before a scan, and after so many bases of a made record.

    Raises:
        RunError: it ended early.
    """
    command = [sys.executable, "-c", _WATCH, str(folder), str(bases), *map(str, marks)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [int(line) for line in run.stdout.split()]
    if run.returncode or len(found) != 1 + len(marks):
        raise RunError(f"the scan of {bases:,} bases ended early: {run.stderr[-500:]}")
    return found


def memory_rows(model: str, held: list[int], marks: list[int]) -> list[Row]:
    """Rows from what `watch` found."""
    subject = f"a record of {HUGE:,} bases, {model}, stream"
    (early, late), (first, last) = held[1:], marks
    grown = f"memory gained from base {first:,} to base {last:,}"
    return [
        Row(subject, f"peak resident memory at base {last:,}", late / 1e9, "GB", aim=4.0, at_most=True),
        Row(subject, grown, (late - early) / 1e9, "GB", aim=0.1, at_most=True),
    ]
