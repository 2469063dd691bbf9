"""Jobs in every state, as a worker and its runs would leave them, for pages to show; nothing trains."""

from __future__ import annotations

import math
import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "unit"))
from toy_models import language_model_bundle, write_genome

from dnalm.lab import index, jobs, queue
from dnalm.lab.jobs import Job, JobState
from dnalm.lab.neighbours import worker_id
from dnalm.lab.people import User, local_user
from dnalm.lab.queue import WorkerInfo
from dnalm.training.config import PretrainConfig
from dnalm.training.run import RunFolder

STEPS = 750
FULL = "the disk is full: free some space where the run folder is, then resume the run"
BITS = {"value": 1.903, "low": 1.899, "high": 1.907, "n": 60_000}


class ToyJobs:
    """Makes jobs in `DNALM_HOME`.

    Args:
        home: that folder.
        pid: the process that stands for the worker; it counts as alive while that process is.
        slots: of the worker.
    """

    def __init__(self, home: Path, *, pid: int | None = None, slots: int = 2) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.genome = write_genome(home / "toy.fna", 6000)
        self.user = local_user()
        self.host, self.pid = socket.gethostname(), pid or os.getpid()
        self.slots = tuple(f"cpu{number}" for number in range(slots))
        self.worker, self.backend = worker_id(self.host, self.pid), "local"

    def start_worker(self) -> None:
        queue.register(WorkerInfo(self.worker, self.host, self.pid, 1.0, self.backend, self.slots))

    def stop_worker(self) -> None:
        queue.unregister(self.worker)

    def queued(self, name: str, *, user: User | None = None, shared: bool = False, **changes) -> Job:
        config = PretrainConfig(genomes=[str(self.genome)], name=name, steps=STEPS, **changes)
        return jobs.submit(user or self.user, config, shared=shared)

    def running(self, name: str, *, at: int = 300, **fields) -> Job:
        """Submitted and claimed, with the metrics and progress of its first `at` steps."""
        job = self.queued(name, **fields)
        self.claim(job)
        write_progress(job, at)
        return self.again(job)

    def claim(self, job: Job) -> None:
        self.start_worker()
        claimed = queue.claim(self.worker)
        assert claimed is not None
        assert claimed.id == job.id
        queue.attach(job.id, self.worker, "toy")

    def ended(self, name: str, state: JobState, reason: str = "", *, at: int = 300, **fields) -> Job:
        job = self.running(name, at=at, **fields)
        queue.finish(job.id, self.worker, state, reason, 0 if state is JobState.SUCCEEDED else 1)
        return self.again(job)

    def done(self, name: str, **fields) -> Job:
        """One that succeeded, with figures and a bundle."""
        job = self.running(name, at=STEPS, **fields)
        finish_run(job)
        queue.finish(job.id, self.worker, JobState.SUCCEEDED, "", 0)
        index.run_finished(self.again(job))
        return self.again(job)

    def again(self, job: Job) -> Job:
        return jobs.find(self.user, job.id)


def write_progress(job: Job, at: int, *, since: int = 0) -> None:
    """The rows of steps `since` to `at`: one every three, the held-out text every 150; bits fall from 2 to 1.9."""
    run = RunFolder(job.run)
    for step in range(since + 3, at + 1, 3):
        bits = 1.9 + 0.1 * math.exp(-step / 150)
        figures = {"bits_per_base": bits + 0.005} if step % 150 == 0 else {}
        rates = {"learning_rate": 0.004 * math.sin(math.pi * step / STEPS)}
        nats = bits * 2 * math.log(2)
        run.metric(phase="pretrain", step=step, train_loss=nats, **rates, train_bits_per_base=bits, **figures)
    run.log(f"step {at} of {STEPS}")
    fields = {"rate": 51_000.0, "unit": "bases/s", "eta_s": (STEPS - at) / 10}
    run.progress(state="running", phase="pretrain", step=at, total=STEPS, **fields)


def finish_run(job: Job) -> None:
    """A bundle and a result in the run folder."""
    # The bundle takes the job's name from its folder's.
    language_model_bundle(job.run / job.config["name"]).folder.rename(job.run / "bundle")
    result = {"bundle": "bundle", "figures": {"bits_per_base": BITS}, "split": "held-out text of the genomes"}
    RunFolder(job.run).finish(result)
