"""A scan as a run: done in a run folder by one process or several, so that the queue can start, stop and resume it.

`scan/` in the run folder holds the pieces while the scan goes on (`scan_pieces`); what comes of it lies beside
`result.json`: the track's files, `peaks.bed`, and the track itself among the kept scans, where pages find it.

With `parts` above one the process that writes the run folder (rank 0) starts the others, unless the engine did: then
`WORLD_SIZE` says how many there are and `RANK` which this is, as in an array of jobs on Slurm. The others score pieces
and write nothing else. None is waited for that has not claimed a piece, so none is needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dnalm.datasets.named_files import named_file
from dnalm.errors import InputError
from dnalm.evaluation.scan_files import write_results
from dnalm.evaluation.scan_pieces import Piece, Pieces, Stretch, cut, stretches_of
from dnalm.model.predict import Classifier, TrackModel, load
from dnalm.sequences import Region, read_records
from dnalm.tracks import gather, scan, window_of
from dnalm.tracks.scan import mode_of
from dnalm.tracks.store import bundle_digest, record_digest
from dnalm.training.config import ScanConfig
from dnalm.training.run import RunFolder

if TYPE_CHECKING:
    from dnalm.sequences import Record

SCANNING, WRITING = "scanning", "writing"
PIECES = "scan"
Progress = Callable[[dict[str, Any]], None]
_TOLD_S = 1.0
_PAUSE_S = 0.5


def run_scan(config: ScanConfig, path: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Scan what a configuration says; begun again, it goes on with the pieces that are not scored.

    Args:
        config: what to scan, and how.
        path: the run folder; made where it is not there.
        progress: called each second or so with what `progress.json` says.

    Returns:
        What `result.json` holds; nothing in a process that helps another.

    Raises:
        InputError: the model, the sequence or the region is not there, or they do not fit.
        RunError: the run cannot go on.
    """
    rank = int(os.environ.get("RANK") or 0)
    if rank > 0:
        _help(config, path, rank)
        return {}
    folder = RunFolder.open_or_create(path, config.model_dump(mode="json"))
    with folder.failing_plainly(), _threads(config):
        return _lead(config, folder, progress or (lambda told: None))


def _lead(config: ScanConfig, folder: RunFolder, progress: Progress) -> dict[str, Any]:
    began = time.monotonic()
    folder.progress(state="running", phase=SCANNING, step=0, total=0, eta_s=None)
    job = Task.of(config, folder.path)
    folder.record("sources", job.sources)
    for record, reason in job.skipped.items():
        folder.log(f"{record} is left out: {reason}")
    report = Report(folder, job, progress)
    folder.log(f"{len(job.plan):,} pieces, {report.done_pieces:,} of them scored before")
    with _helpers(config, folder.path):
        while True:
            for piece in report.pieces.unclaimed():
                job.score(piece, report.pieces, lambda share, piece=piece: report.tell(share * job.sites(piece)))
                report.tell(0, kept=True)
            if len(report.pieces.done()) == len(job.plan):
                break
            # What is left is being scored by others; one of them that dies lets go of its piece.
            report.tell(0)
            time.sleep(_PAUSE_S)
    folder.progress(state="running", phase=WRITING, step=report.total, total=report.total, eta_s=None)
    folder.log("writing files")
    result = write_results(job, report.pieces, folder.path)
    result["seconds_since_start_or_resume"] = time.monotonic() - began
    folder.finish(result)
    shutil.rmtree(folder.path / PIECES, ignore_errors=True)
    return result


def _help(config: ScanConfig, path: Path, rank: int) -> None:
    """Score pieces until none is unclaimed."""
    if RunFolder(path).result():
        return
    with _threads(config):
        job = Task.of(config, path)
        if RunFolder(path).result():  # while the model was read
            return
        pieces = Pieces(job.folder, job.plan)
        try:
            for piece in pieces.unclaimed(first=rank * len(job.plan) // max(config.parts, 1) % len(job.plan)):
                if RunFolder(path).result():
                    return
                job.score(piece, pieces)
        except FileNotFoundError:
            if job.folder.is_dir():
                raise
            # The scan is done, by whoever claimed the last piece, and its folder has gone.


@dataclass(frozen=True)
class Task:
    """What a configuration comes to: a model, stretches of records, and the pieces that they are cut into.

    Attributes:
        config: as it was told.
        model: loaded.
        stretches: what is scanned.
        skipped: records that cannot be scanned, and why.
        window: bases of a window, as `window_of` gives it.
        mode: window or stream.
        folder: where the pieces lie; named for all that they depend on.
        plan: the pieces.
        sources: the files read, with their hashes.
    """

    config: ScanConfig
    model: Classifier | TrackModel
    stretches: list[Stretch]
    skipped: dict[str, str]
    window: int
    mode: str
    folder: Path
    plan: list[Piece]
    sources: dict[str, Any]

    @classmethod
    def of(cls, config: ScanConfig, run: Path) -> Task:
        """Read model and sequence.

        Raises:
            InputError: something is not there, or does not fit.
        """
        model = load(config.model, device_of(config))
        if not isinstance(model, Classifier | TrackModel):
            raise InputError(f"{config.model}: is a {model.config.kind}; a classifier or a track model is wanted")
        file = named_file(config.sequence)
        stretches = stretches_of(*_records(file, config.region))
        window, _ = window_of(model, config.window)
        mode = mode_of(model, config.mode)
        least = window if mode == "window" else 1
        fitting = [one for one in stretches if len(one.record) >= least]
        skipped = {
            one.record.id: f"it has {len(one.record):,} bases, a window {window:,}"
            for one in stretches
            if one not in fitting
        }
        if not fitting:
            raise InputError(f"{config.sequence}: no record is as long as {model.name}'s window of {window:,} bases")
        for one in fitting:  # what does not fit is refused by the scan itself, now and not after an hour
            region = Region(one.record.id, one.start, one.end)
            scan(model, one.record, region=region, stride=config.stride, strand=config.strand, **_how(config))
        digests = {one.record.id: record_digest(one.record) for one in fitting}
        weights = bundle_digest(model.bundle.folder)
        told = config.model_dump(mode="json", include={"region", "stride", "strand", "window", "label"})
        key = hashlib.sha256(json.dumps([weights, digests, mode, told], sort_keys=True).encode()).hexdigest()[:16]
        sources = {
            "model": {"name": model.name, "sha256": weights},
            "sequence": {"file": file.name, "records": digests},
        }
        plan = cut(fitting, config.stride, streamed=mode == "stream")
        return cls(config, model, fitting, skipped, window, mode, run / PIECES / key, plan, sources)

    @cached_property
    def label(self) -> str:
        """The class whose probability is scanned for."""
        return self.config.label or str(self.model.config.positive)

    @property
    def threshold(self) -> float:
        """Least probability of a peak."""
        own = self.model.config.threshold
        return self.config.threshold if self.config.threshold is not None else 0.5 if own is None else own

    def sites(self, piece: Piece) -> int:
        """Sites of a piece, each strand's together."""
        return len(range(piece.start, piece.end, self.config.stride))

    def score(self, piece: Piece, pieces: Pieces, progress: Callable[[float], None] = lambda share: None) -> None:
        """Score a piece and keep it; `progress` is called with the share that is done."""
        record = self.stretches[piece.of].record
        region = Region(record.id, piece.start, piece.end)
        config = self.config
        found = scan(
            self.model,
            record,
            region=region,
            stride=config.stride,
            strand=config.strand,
            progress=lambda done, total: progress(done / max(total, 1)),
            **_how(config),
        )
        pieces.keep(piece, gather(found))


class Report:
    """Says how far a scan is: what is scored by all its processes, and how long it will take."""

    def __init__(self, folder: RunFolder, task: Task, progress: Progress) -> None:
        self.folder, self.task, self.progress = folder, task, progress
        self.pieces = Pieces(task.folder, task.plan)
        self.total = sum(map(task.sites, task.plan))
        self.done_pieces = len(self.pieces.done())
        self._first, self._began, self._told = self._done(), time.monotonic(), 0.0

    def _done(self) -> int:
        done = self.pieces.done()
        return sum(self.task.sites(piece) for piece in self.task.plan if piece.number in done)

    def tell(self, more: float, *, kept: bool = False) -> None:
        """Write `progress.json` where that was a second ago or longer, or a piece was written.

        Args:
            more: sites of this process's piece that are scored.
            kept: a piece was written: a checkpoint, for whoever counts them.
        """
        now = time.monotonic()
        if not kept and now - self._told < _TOLD_S:
            return
        self._told = now
        done = self._done() + int(more)
        rate = (done - self._first) / max(now - self._began, 1e-6)
        told = {"state": "running", "phase": SCANNING, "step": done, "total": self.total}
        if rate > 0:
            told |= {"rate": rate, "unit": "sites/s", "eta_s": (self.total - done) / rate}
        self.folder.progress(**told)
        if kept:
            self.folder.metric(phase=SCANNING, step=done, sites_per_second=rate)
            self.folder.save_checkpoint({}, {"phase": SCANNING, "step": done})
        self.progress(told)


def device_of(config: ScanConfig) -> str:
    """Where a scan's process computes: one of the GPUs that it sees, or the processor."""
    wanted = config.compute.accelerator
    if wanted in ("auto", "cuda") and torch.cuda.is_available():
        place = int(os.environ.get("LOCAL_RANK") or 0)
        return f"cuda:{place % torch.cuda.device_count()}"
    return "mps" if wanted == "mps" else "cpu"


def _how(config: ScanConfig) -> dict[str, Any]:
    chosen = {"window": config.window, "label": config.label, "mode": config.mode}
    return {name: value for name, value in chosen.items() if value is not None}


def _records(file: Path, region: str) -> tuple[list[Record], Region | None]:
    """The records to scan, and the region of one of them; None for all of them whole."""
    names: list[str] = []
    where = None
    wanted = region
    found: list[Record] = []
    for record in read_records(file):
        names.append(record.id)
        if not region or record.id == region:
            found.append(record)
    if region and not found:
        where = Region.parse(region)
        wanted = where.record
        found = [record for record in read_records(file) if record.id == wanted]
    if not found:
        some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise InputError(f"{file.name}: has no record {wanted}; it has {some}")
    return found, where


@contextmanager
def _threads(config: ScanConfig) -> Iterator[None]:
    """As many processor threads as were asked for; else this process's share of the machine, where it starts others."""
    before, wanted = torch.get_num_threads(), config.compute.threads
    if not wanted and config.parts > 1 and "OMP_NUM_THREADS" not in os.environ:
        wanted = max(1, before // config.parts)
    torch.set_num_threads(wanted or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _helpers(config: ScanConfig, run: Path) -> Iterator[None]:
    """The other processes of a scan of several parts, while the block runs; none where the engine starts them."""
    if config.parts == 1 or "WORLD_SIZE" in os.environ:
        yield
        return
    started = []
    for rank in range(1, config.parts):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(config.parts)}
        argv = [sys.executable, "-m", "dnalm", "run", str(run)]
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **own}
        started.append(subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL))
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()
