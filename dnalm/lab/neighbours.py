"""Which other workers are dead, and which of their jobs this one may take over."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from dnalm.lab import processes
from dnalm.lab.job import Job
from dnalm.lab.queue import WorkerInfo
from dnalm.locks import RUN_LOCK, is_held

PROGRESS = "progress.json"


def worker_id(host: str, pid: int, label: str = "") -> str:
    """A name that no other worker has or will have: of the machine, the process, and when that was made.

    Args:
        host: the machine.
        pid: a process that runs.
        label: tells workers in one process from each other.
    """
    return f"{host[:20]}-{label}{pid}-{processes.birth(pid)}"


class Neighbours:
    """Judges from this machine.

    Here the system says whether a process lives. Elsewhere only signs of life can be watched, and by this process's
    own clock: a worker's counter, a run's lock and its `progress.json`.

    Args:
        host: this machine.
        silence_s: seconds without a sign of life that stand for death.
        clock: seconds that only grow.
    """

    def __init__(self, host: str, silence_s: float, clock: Callable[[], float]) -> None:
        self.host, self.silence_s, self.clock = host, silence_s, clock
        self._signs: dict[str, tuple[Hashable, float]] = {}

    def is_dead(self, worker: WorkerInfo) -> bool:
        """Whether a worker's process is gone, or silent for too long on another machine."""
        if worker.host == self.host:
            born = processes.birth(worker.pid)
            return born is None or not worker.id.endswith(f"-{born}")
        return self._is_silent(worker.id, worker.beats)

    def is_gone(self, job: Job) -> bool:
        """Whether a job that runs on another machine, whose worker is dead, has ended as far as can be seen."""
        return not is_held(job.run / RUN_LOCK) and self._is_silent(job.id, _sign(job.run / PROGRESS))

    def keep(self, known: Iterable[str]) -> None:
        """Forget the signs of all workers and jobs but these."""
        kept = set(known)
        self._signs = {name: sign for name, sign in self._signs.items() if name in kept}

    def _is_silent(self, name: str, sign: Hashable) -> bool:
        now = self.clock()
        before = self._signs.get(name)
        if before is None or before[0] != sign:
            self._signs[name] = (sign, now)
            return False
        return now - before[1] >= self.silence_s


def _sign(path: Path) -> Hashable:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
