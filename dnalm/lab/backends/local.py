"""This machine as engine: a process of its own for each job, in a session of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dnalm.lab import processes
from dnalm.lab.backends import StartError
from dnalm.lab.job import Job
from dnalm.lab.outcome import OUTPUT
from dnalm.lab.slots import Slot, slots, threads_for
from dnalm.settings import settings

# What would make a job believe that it is a part of something else.
_FOREIGN = (
    "LOCAL_RANK",
    "RANK",
    "WORLD_SIZE",
    "NODE_RANK",
    "GROUP_RANK",
    "MASTER_",
    "TORCHELASTIC_",
    "SLURM_",
    "DNALM_LEADER",
)
_REAP_S = 5.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_command(job: Job) -> list[str]:
    """What trains: it starts the other processes of a run on several devices itself.

    `torchrun` would stand between: another process that can be killed, whose children have sessions of their own and
    that gives them 30 s to end, whatever grace is set here.
    """
    return [sys.executable, "-m", "dnalm", "run", str(job.run)]


@dataclass(frozen=True)
class Handle:
    """A job's first process: on which machine, its number, what tells it from others of that number, whose it is."""

    host: str
    pid: int
    born: str
    job: str

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.born}/{self.job}"

    @classmethod
    def parse(cls, text: str) -> Handle:
        """From its text."""
        host, pid, born, job = text.split("/")
        return cls(host, int(pid), born, job)


class LocalBackend:
    """Runs jobs on this machine.

    Args:
        command: argv that runs a job. Other than `run_command` only in tests of the queue itself, where the work has to
            be light; such a command keeps the contract of `dnalm run`: it writes `result.json` or `exit.json`.
        host: the name of this machine.
    """

    name = "local"
    anywhere = False

    def __init__(self, command: Callable[[Job], Sequence[str]] = run_command, host: str | None = None) -> None:
        self.command = command
        self.host = host or socket.gethostname()
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._slots: dict[str, Slot] = {}

    def slots(self) -> tuple[str, ...]:
        """The GPUs of this machine, or its CPU slots."""
        self._slots = {slot.id: slot for slot in slots()}
        return tuple(self._slots)

    def start(self, job: Job, slots: Sequence[str]) -> str:
        """Start `dnalm run` in a session of its own: nothing that ends the worker ends the job.

        Raises:
            StartError: the system does not let us.
        """
        self._reap()
        try:
            with (job.run / OUTPUT).open("ab") as output:
                child = subprocess.Popen(
                    list(self.command(job)),
                    env=self._environment(job, slots),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"could not be started ({(error.strerror or str(error)).lower()})") from None
        self._children[child.pid] = child
        # Not waited for yet, so it has a birth even where it has ended.
        return str(Handle(self.host, child.pid, processes.birth(child.pid) or "ended", job.id))

    def find(self, job: Job) -> str | None:
        """A process that carries the job's mark: the one that the others descend from."""
        found = processes.marked(job.id)
        leaders = [pid for pid in found if _session(pid) == pid] or found
        for pid in sorted(leaders):
            if born := processes.birth(pid):
                return str(Handle(self.host, pid, born, job.id))
        return None

    def alive(self, handle: str) -> bool:
        """Whether the job's first process runs."""
        told = Handle.parse(handle)
        self._reap()
        return told.host == self.host and processes.birth(told.pid) == told.born

    def age(self, handle: str) -> float | None:
        """Seconds since its first process was made."""
        born = Handle.parse(handle).born
        return None if born == "ended" else processes.age(born)

    def standing(self, handle: str) -> str:
        """Nothing: there is no queue below this one."""
        return ""

    def terminate(self, handle: str) -> None:
        """SIGTERM to the first process, which tells the others. A second one would end it without a checkpoint."""
        if self.alive(handle):
            processes.send(Handle.parse(handle).pid, signal.SIGTERM)

    def kill(self, handle: str) -> None:
        """SIGKILL to all of the session, then to whatever else carries the job's mark."""
        told = Handle.parse(handle)
        if told.host != self.host:
            return
        if self.alive(handle):
            processes.send(told.pid, signal.SIGKILL)
            if child := self._children.pop(told.pid, None):
                # One that waits for a disk that does not answer ends when that does.
                with suppress(subprocess.TimeoutExpired):
                    child.wait(_REAP_S)
        processes.kill_marked(told.job)

    def _reap(self) -> None:
        """Wait for all jobs that have ended, so that no zombie stays.

        All, not the one asked for: one whose main thread ends before its others is told as ended before it can be
        waited for, and is not asked for again.
        """
        for pid, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[pid]

    def _environment(self, job: Job, names: Sequence[str]) -> dict[str, str]:
        known = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        devices = [self._slots[name].device for name in names if name in self._slots and self._slots[name].device]
        threads = str(threads_for(tuple(self._slots.values())))
        # A scan's threads meet thousands of times a second. Where they wait by spinning, and others use the machine
        # too, it was measured to take ten times as long.
        patience = {"OMP_WAIT_POLICY": "PASSIVE"} if job.phase == "scan" else {}
        return {
            **patience,
            **known,
            **dict.fromkeys(_THREADS, threads),
            "CUDA_VISIBLE_DEVICES": ",".join(devices),
            "DNALM_HOME": str(settings().home.resolve()),
            "PYTHONUNBUFFERED": "1",
            processes.MARK: job.id,
        }


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
