"""A lab of its own for a test: a home, a database, real workers and real trainings, and a way to see what runs.

The trainings are real but tiny: the seconds they take are those of importing PyTorch.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
from waiting import PATIENCE_S, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parent / "unit"))
from toy_models import tiny_encoder, write_genome

from dnalm.lab import jobs, processes, queue
from dnalm.lab.database import Database
from dnalm.lab.job import Job, JobState
from dnalm.lab.people import local_user
from dnalm.training.config import PretrainConfig
from dnalm.training.pretrain import pretrain
from dnalm.training.run import RunFolder

ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Lab:
    """A lab in a folder of its own.

    Args:
        home: its DNALM_HOME, which is this process's as well.
        environment: what its processes are to have besides, as the backend's name.
    """

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.environment = {**os.environ, "DNALM_HOME": str(home), "OMP_NUM_THREADS": "1", **environment}
        self.db = Database()
        self.db.migrate()
        self.workers: list[subprocess.Popen] = []
        self.genome = write_genome(home.parent / "toy.fna", 6000)

    def config(self, **changes) -> PretrainConfig:
        """A pre-training of some seconds, with dropout, so that the random numbers count."""
        compute = {"accelerator": "cpu", "threads": 1, "devices": changes.pop("devices", 1)}
        fields = {"steps": 400, "lanes": 4, "tokens": 16, "validate_every": 200, "checkpoint_seconds": 0.05}
        return PretrainConfig(
            genomes=[str(self.genome)],
            encoder=tiny_encoder(layers=2),
            dropout=1.0,
            compute=compute,
            **{**fields, **changes},
        )

    def submit(self, *, limit_minutes: float | None = None, **changes) -> Job:
        return jobs.submit(local_user(db=self.db), self.config(**changes), limit_minutes=limit_minutes, db=self.db)

    def start_worker(self, *options: str, **environment: str) -> subprocess.Popen:
        """`dnalm worker`, looking often; what it says goes to the test's own output."""
        command = [sys.executable, "-m", "dnalm", "worker", "--tick", "0.1", *options]
        worker = subprocess.Popen(command, env={**self.environment, **environment}, start_new_session=True)
        self.workers.append(worker)
        return worker

    def job(self, job: Job) -> Job:
        return jobs.find(local_user(db=self.db), job.id, db=self.db)

    def cancel(self, job: Job) -> None:
        jobs.cancel(local_user(db=self.db), job.id, db=self.db)

    def resume(self, job: Job) -> None:
        jobs.resume(local_user(db=self.db), job.id, db=self.db)

    def processes_of(self, job: Job) -> list[int]:
        """What runs of a job on this machine: each of its processes carries its mark."""
        return processes.marked(job.id)

    def first_process_of(self, job: Job) -> int:
        """The process that trains and writes, by its own word."""
        return int(RunFolder(job.run).read_progress()["pid"])

    def wait_until_trains(self, job: Job, step: int = 1) -> None:
        """Until the job's process has a checkpoint and is past a step: work that must not be lost."""

        def trains() -> bool:
            state = job.run / "checkpoint" / "state.json"
            return state.exists() and json.loads(state.read_text())["step"] >= step and bool(self.processes_of(job))

        wait_for(trains, f"{job.id} trains")

    def wait_until(self, job: Job, *states: JobState) -> Job:
        wait_for(lambda: self.job(job).state in states, f"{job.id} is {self.job(job).state}, not yet one of {states}")
        return self.job(job)

    def wait_until_ended(self, job: Job) -> Job:
        return self.wait_until(job, *ENDED)

    def assert_nothing_left(self, *of: Job) -> None:
        """No process, no slot, is held for jobs that have ended."""
        for job in of:
            assert self.processes_of(job) == []
        held = {lease.job_id for lease in queue.leases(db=self.db)}
        assert not held & {job.id for job in of}

    def close(self) -> None:
        for worker in self.workers:
            kill(worker)
        for job in jobs.visible(local_user(db=self.db), db=self.db):
            processes.kill_marked(job.id)
        self.db.dispose()


def kill(process: subprocess.Popen) -> None:
    """kill -9, and wait."""
    if process.poll() is None:
        process.kill()
    process.wait(PATIENCE_S)


def stop(process: subprocess.Popen) -> int:
    """SIGTERM, and wait; its exit status."""
    process.terminate()
    return process.wait(PATIENCE_S)


def freeze(*pids: int) -> None:
    """Have processes answer nothing any more, SIGTERM neither: SIGKILL alone ends them."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        wait_for(lambda pid=pid: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "stopped", "it stops")


def unbroken(config: PretrainConfig, folder: Path) -> tuple[bytes, list[dict]]:
    """Weights and metrics of the same training, left alone, in this process."""
    pretrain(config, folder)
    return weights_and_metrics(folder)


def weights_and_metrics(folder: Path) -> tuple[bytes, list[dict]]:
    return (folder / "bundle" / "model.safetensors").read_bytes(), RunFolder(folder).metrics()
