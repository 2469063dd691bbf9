"""`python -m benchmarks.queue`: many jobs through few slots, while jobs and workers are killed at random.

Real trainings (`python -m dnalm run`), real workers (`dnalm worker`), a database and a home of their own. Meanwhile
`kill -9` strikes at random moments: a process of a job, the worker, or the worker and everything that runs. A killed
worker is started again after a moment. At the end every job must have succeeded, once, with the weights of a run that
was left alone, and no process may be left. The order of blows is drawn from the seed; the moments at which they strike
depend on the machine.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import psutil
from sqlalchemy import select

from dnalm.evaluation.results.services import write_service
from dnalm.lab import jobs, processes
from dnalm.lab.database import Database
from dnalm.lab.job import Job, JobState
from dnalm.lab.people import local_user
from dnalm.lab.schema import AuditRow
from dnalm.model.config import EncoderConfig
from dnalm.settings import PACKAGE_ROOT, settings
from dnalm.training.config import PretrainConfig
from dnalm.training.pretrain import pretrain
from dnalm.training.run import versions

DATA = PACKAGE_ROOT / "data" / "results"
SEEDS = 5  # of the trainings: so many unbroken ones are compared with
LOOK_SECONDS = 0.05
WEIGHTS = Path("bundle") / "model.safetensors"


@dataclass
class Found:
    """What was counted."""

    kills: Counter[str] = field(default_factory=Counter)
    run_twice: set[str] = field(default_factory=set)
    orphans: int = 0


class Trial:
    """One run of the whole thing in a home of its own."""

    def __init__(self, home: Path, told: argparse.Namespace) -> None:
        self.home, self.told, self.random = home, told, random.Random(told.seed)
        os.environ |= {"DNALM_HOME": str(home), "DNALM_DATABASE_URL": f"sqlite:///{home / 'lab.db'}"}
        os.environ |= {"DNALM_SLOTS": str(told.slots), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        settings.cache_clear()
        self.db = Database()
        self.db.migrate()
        self.user = local_user(db=self.db)
        self.genome = home / "random.fna"
        self.genome.write_text(">r\n" + "".join(self.random.choices("ACGT", k=6000)) + "\n")
        self.found = Found()
        self.worker: subprocess.Popen[bytes] | None = None

    def config(self, seed: int) -> PretrainConfig:
        """A training of seconds."""
        encoder = EncoderConfig(k=3, stride=2, embedding=8, hidden=12, layers=2)
        return PretrainConfig(
            genomes=[str(self.genome)],
            encoder=encoder,
            seed=seed,
            steps=self.told.steps,
            lanes=4,
            tokens=16,
            validate_every=self.told.steps // 2,
            checkpoint_seconds=0.05,
            compute={"accelerator": "cpu", "threads": 1},
        )

    def run(self) -> list[Job]:
        """Submit everything, strike until all have ended, and count."""
        submitted = [
            jobs.submit(self.user, self.config(number % SEEDS), db=self.db) for number in range(self.told.jobs)
        ]
        self.start_worker()
        try:
            self.strike_until_all_ended(submitted)
        finally:
            if self.worker and self.worker.poll() is None:
                self.worker.terminate()  # jobs that it has, where this was interrupted, end with it
                self.worker.wait()
        self.found.orphans = sum(len(processes.marked(job.id)) for job in submitted)
        ended = [jobs.find(self.user, job.id, db=self.db) for job in submitted]
        self.found.run_twice |= {job.id for job in ended if self.times_finished(job) > 1}
        return ended

    def start_worker(self) -> None:
        """Start the worker, patient with jobs: that they die is not their fault here."""
        command = [sys.executable, "-m", "dnalm", "worker", "--tick", "0.2", "--tries", "20"]
        log = (self.home / "worker.txt").open("ab")
        self.worker = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        log.close()

    def strike_until_all_ended(self, submitted: list[Job]) -> None:
        """Kill at random moments as long as there is something to do."""
        next_blow = time.monotonic() + self.pause(self.told.every)
        next_start: float | None = None
        ended = 0
        while True:
            waiting = jobs.visible(self.user, states=(JobState.QUEUED, JobState.RUNNING), limit=10_000, db=self.db)
            if len(submitted) - len(waiting) != ended:
                ended = len(submitted) - len(waiting)
                print(f"{ended} of {len(submitted)} ended, kills {dict(self.found.kills)}", flush=True)
            if not waiting:
                return
            running = self.look([job for job in waiting if job.state == JobState.RUNNING])
            now = time.monotonic()
            if next_start is not None and now >= next_start:
                self.start_worker()
                next_start = None
            if now >= next_blow and running:
                if self.strike(running) and next_start is None:
                    next_start = now + self.pause(1)
                next_blow = now + self.pause(self.told.every)
            time.sleep(LOOK_SECONDS)

    def look(self, running: list[Job]) -> list[int]:
        """The processes of running jobs; a job with two of them at once, neither the other's child, is run twice."""
        found = []
        for job in running:
            pids = processes.marked(job.id)
            first = [pid for pid in pids if _parent(pid) not in (None, *pids)]
            if sum(processes.birth(pid) is not None for pid in first) > 1:  # all of them still, not one after the other
                self.found.run_twice.add(job.id)
            found += pids
        return found

    def strike(self, running: list[int]) -> bool:
        """Kill something; True where the worker is gone."""
        kind = self.random.choices(("job", "worker", "both"), weights=(5, 3, 2))[0]
        if kind != "job" and (self.worker is None or self.worker.poll() is not None):
            kind = "job"
        self.found.kills[kind] += 1
        if kind != "job" and self.worker is not None:
            self.worker.kill()
            self.worker.wait()
        for pid in [self.random.choice(running)] if kind == "job" else running if kind == "both" else []:
            processes.send(pid, signal.SIGKILL)
        return kind != "job"

    def pause(self, mean: float) -> float:
        """Seconds until something that happens at random, from their mean."""
        return self.random.expovariate(1 / mean)

    def times_finished(self, job: Job) -> int:
        """How often a job was said to have ended."""
        wanted = select(AuditRow.id).where(AuditRow.subject == f"job:{job.id}", AuditRow.action == "job.finish")
        with self.db.reading() as session:
            return len(session.scalars(wanted).all())

    def differing(self, ended: list[Job]) -> int:
        """Jobs whose weights are not those of an unbroken run."""
        whole = {}
        for seed in range(SEEDS):
            folder = self.home / f"whole-{seed}"
            pretrain(self.config(seed), folder)
            whole[seed] = (folder / WEIGHTS).read_bytes()
        done = [job for job in ended if job.state == JobState.SUCCEEDED]
        return sum((job.run / WEIGHTS).read_bytes() != whole[job.config["seed"]] for job in done)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _parent(pid: int) -> int | None:
    try:
        return psutil.Process(pid).ppid()
    except psutil.NoSuchProcess:
        return None


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.queue", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200, help="of each training")
    parser.add_argument("--every", type=float, default=20, help="mean seconds between two blows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA, help="where the figures are kept")
    return parser


def main() -> int:
    told = arguments().parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dnalm-queue-") as folder:
        trial = Trial(Path(folder), told)
        ended = trial.run()
        seconds = time.monotonic() - began
        differing = trial.differing(ended)
        trial.db.dispose()
    found = trial.found
    lost = sum(job.state != JobState.SUCCEEDED for job in ended)
    rows = [
        ("jobs lost", f"{lost} of {told.jobs}", "0"),
        ("jobs run twice", f"{len(found.run_twice)}", "0"),
        ("processes left behind", f"{found.orphans}", "0"),
        ("weights other than an unbroken run's", f"{differing}", "0"),
        ("kills of a job", f"{found.kills['job']}", ""),
        ("kills of the worker", f"{found.kills['worker']}", ""),
        ("kills of the worker and all that ran", f"{found.kills['both']}", ""),
        ("times that jobs were begun", f"{sum(job.attempts for job in ended)}", ""),
    ]
    for what, value, aim in rows:
        print(f"{what}: {value}" + (f" (aim {aim})" if aim else ""))
    note = (
        f"{told.jobs} small trainings through {told.slots} slots of one worker, while `kill -9` struck a job, the "
        f"worker, or both every {told.every:g} s on average (seed {told.seed}). `python -m benchmarks.queue` does it "
        "again. Run twice: two processes at once, or two ends of one job."
    )
    write_service(
        told.data,
        "queue",
        title="The queue under random kills",
        note=note,
        columns=("what", "found", "aim"),
        rows=rows,
        counts={"lost": lost, "run_twice": len(found.run_twice), "orphans": found.orphans, "differing": differing},
        seed=told.seed,
        seconds=round(seconds, 1),
        versions=versions(),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return 1 if lost or found.run_twice or found.orphans or differing else 0


if __name__ == "__main__":
    sys.exit(main())
