"""A Slurm cluster as engine: a batch job for each job, found again by its name, its output and end in the run folder.

Slurm decides when and where a job runs. Whether it runs again is decided here alone (`--no-requeue`): what Slurm does
not know any more, and whose run folder has no record of its end, the worker queues again.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dnalm.errors import InputError
from dnalm.lab.backends import BackendAwayError
from dnalm.lab.backends.local import run_command
from dnalm.lab.backends.slurm_programs import (
    Node,
    Run,
    SlurmJob,
    cancel,
    is_away,
    jobs,
    nodes,
    run_program,
    said,
    submit,
)
from dnalm.lab.backends.slurm_script import attempt_of, lay_out, name_of, options, script, site_options
from dnalm.lab.job import Job
from dnalm.settings import settings

_FRESH_S = 1.0
_PAUSE_S = 5.0
_PROGRAMS = ("sbatch", "squeue", "scancel", "sinfo")
_MOST_SLOTS = 1024
_WITH_PROCESSES = ("RUNNING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "STAGE_OUT")
_ENDING = "COMPLETING"


@dataclass(frozen=True)
class Handle:
    """A job in Slurm: its number, and its name, since a number is given again where Slurm lost its records.

    The number of the first of an array, `12_0`, stands for the whole: when it has ended, so has the work.
    """

    number: str
    name: str

    def __str__(self) -> str:
        return f"{self.number}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Handle:
        """From its text."""
        number, _, name = text.partition("/")
        return cls(number, name)


class SlurmBackend:
    """Runs jobs on a Slurm cluster that shares a file system with this machine.

    Args:
        command: argv that runs a job; other than `run_command` only in tests of the queue itself.
        run: calls Slurm's programs; another only in tests of what is made of their answers.
    """

    name = "slurm"
    anywhere = True

    def __init__(self, command: Callable[[Job], Sequence[str]] = run_command, run: Run = run_program) -> None:
        self.command = command
        self._program = run
        self._away = ""
        self._away_at = 0.0
        self._seen: list[SlurmJob] = []
        self._seen_at = -_FRESH_S

    def slots(self) -> tuple[str, ...]:
        """As many as the lab may have jobs in Slurm at once: DNALM_SLOTS, or the GPUs of the partition, or its cores.

        Slurm's own queue would serve whoever came first; with these slots the lab's queue keeps it fair.

        Raises:
            InputError: Slurm's programs are not here, or DNALM_SLURM_OPTIONS is not usable.
            BackendAwayError: Slurm does not answer.
        """
        missing = [program for program in _PROGRAMS if self._program is run_program and shutil.which(program) is None]
        if missing:
            raise InputError(
                f"DNALM_BACKEND=slurm needs Slurm's programs, and there is no {missing[0]} on the PATH: install "
                "slurm-client, or set DNALM_BACKEND=local"
            )
        own = settings()
        site_options(own)
        count = own.slots
        if count is None:
            machines = self._machines()
            count = sum(node.gpus for node in machines) or sum(node.cores // own.slurm_cpus for node in machines)
        return tuple(f"slurm{number}" for number in range(min(max(count, 1), _MOST_SLOTS)))

    def start(self, job: Job, slots: Sequence[str]) -> str:
        """Submit a job, unless Slurm has it already.

        Raises:
            BackendAwayError: Slurm does not answer; whether it has the job is not known, and `find` will tell.
            StartError: Slurm refuses the job, or its machines cannot hold it.
        """
        if found := self.find(job):
            return found
        own = settings()
        layout = lay_out(job, self._machines(), own.slurm_gpu, own.slurm_cpus)
        number = submit(self._run, options(job, layout), script(job, layout, self.command(job)))
        self._forget()
        return str(Handle(f"{number}_0" if layout.tasks else number, name_of(job)))

    def find(self, job: Job) -> str | None:
        """The job of this name that waits or runs, or that this same attempt submitted and has ended by now."""
        same = [
            found
            for found in jobs(self._run, name_of(job))
            if found.leads and (not (found.over or found.state == _ENDING) or found.comment == attempt_of(job))
        ]
        newest = max(same, key=lambda found: int(found.id.partition("_")[0]), default=None)
        return newest and str(Handle(newest.id, newest.name))

    def alive(self, handle: str) -> bool:
        """Whether Slurm still has the job: waiting, running, or with processes that are being ended."""
        found = self._look(handle)
        return found is not None and not found.over

    def age(self, handle: str) -> float | None:
        """Seconds that the job has run, by Slurm's account: 0 while it waits; None where Slurm does not say."""
        found = self._look(handle)
        return found and found.seconds

    def standing(self, handle: str) -> str:
        """What Slurm says of a job, in its own words: `PENDING (Resources)`; empty where it knows it no more."""
        found = self._look(handle)
        if found is None:
            return ""
        return found.state if found.reason in ("", "None") else f"{found.state} ({found.reason})"

    def terminate(self, handle: str) -> None:
        """Take a waiting job out of Slurm's queue; have a running one write a checkpoint and end."""
        for _ in range(2):  # it may begin in between
            self._forget()
            found = self._look(handle)
            if found is None or found.over or found.state == _ENDING:
                return
            if found.state in _WITH_PROCESSES:
                # The run itself, and where srun started it on several machines, its processes there; each gets one.
                cancel(self._run, found.id, found.name, "--batch", "--signal=TERM")
                cancel(self._run, found.id, found.name, "--signal=TERM")
                return
            cancel(self._run, found.id, found.name, "--state=PENDING")

    def kill(self, handle: str) -> None:
        """End all processes of a job; Slurm alone gives them a time of grace (KillWait) before that."""
        self._forget()
        found, told = self._look(handle), Handle.parse(handle)
        # Where the first of an array has ended, others of it may still wait or run.
        if (found is None or found.over) and "_" not in told.number:
            return
        if found is not None and found.state in _WITH_PROCESSES:
            cancel(self._run, told.number, told.name, "--full", "--signal=KILL")
        cancel(self._run, told.number, told.name)
        self._forget()

    def _run(self, argv: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
        """Call a program; where Slurm is away, which takes seconds to hear, it is not asked for each of many jobs."""
        if self._away and time.monotonic() - self._away_at < _PAUSE_S:
            raise BackendAwayError(self._away)
        self._away = ""
        try:
            answer = self._program(argv, text)
        except BackendAwayError as error:
            self._away, self._away_at = str(error), time.monotonic()
            raise
        if answer.returncode != 0 and is_away(answer):
            self._away, self._away_at = f"Slurm does not answer: {said(answer)}", time.monotonic()
            raise BackendAwayError(self._away)
        return answer

    def _look(self, handle: str) -> SlurmJob | None:
        """The job as Slurm has it; one question serves all jobs for a second, but its `no` is never an old one."""
        if time.monotonic() - self._seen_at < _FRESH_S and (found := self._among(handle)):
            return found
        self._seen, self._seen_at = jobs(self._run), time.monotonic()
        return self._among(handle)

    def _among(self, handle: str) -> SlurmJob | None:
        wanted = Handle.parse(handle)
        return next((job for job in self._seen if (job.id, job.name) == (wanted.number, wanted.name)), None)

    def _forget(self) -> None:
        self._seen_at = time.monotonic() - _FRESH_S

    def _machines(self) -> list[Node]:
        own = settings()
        return nodes(self._run, own.slurm_partition, own.slurm_gpu)
