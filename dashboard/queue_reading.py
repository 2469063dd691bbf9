"""The queue as all pages show it: read from the database at most once a second, however many pages are open."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from dnalm.errors import RunError
from dnalm.lab.neighbours import Neighbours
from dnalm.lab.queue import Lease, Waiting, WorkerInfo, forecast, leases, workers
from dnalm.lab.slots import Slot, slots
from dnalm.settings import settings

# A worker beats every five seconds. One on another machine that was silent for this long is not counted on.
SILENT_S = 30.0
# How old what a page shows may be.
FRESH_S = 1.0


@dataclass(frozen=True)
class Snapshot:
    """The queue at one moment.

    Attributes:
        workers: those that are alive, as far as can be told from here.
        leases: the slots that are held.
        waiting: prospects of the queued jobs by job id, the next one first.
        slots: those of this machine by host and id, with their memory; empty where no worker hands them out.
        trouble: one sentence where the GPUs could not be asked; else empty.
    """

    workers: tuple[WorkerInfo, ...]
    leases: tuple[Lease, ...]
    waiting: Mapping[str, Waiting]
    slots: Mapping[tuple[str, str], Slot]
    trouble: str = ""

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        held = {(lease.host, lease.slot) for lease in self.leases}
        return len({(worker.host, slot) for worker in self.workers for slot in worker.slots} - held)


class QueueReader:
    """Reads the queue for all sessions of this process, and notices workers that have gone silent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[str, float, Snapshot] | None = None
        self._host = socket.gethostname()
        self._neighbours = Neighbours(self._host, SILENT_S, time.monotonic)

    def snapshot(self) -> Snapshot:
        """The queue as it was at most `FRESH_S` ago."""
        with self._lock:
            place, now = f"{settings().home} {settings().database_url}", time.monotonic()
            if self._kept and self._kept[0] == place and now - self._kept[1] < FRESH_S:
                return self._kept[2]
            found = self._read()
            self._kept = place, now, found
            return found

    def forget(self) -> None:
        """Read anew at the next look: this process has changed the queue itself."""
        with self._lock:
            self._kept = None

    def _read(self) -> Snapshot:
        known = workers()
        alive = tuple(worker for worker in known if not self._neighbours.is_dead(worker))
        self._neighbours.keep(worker.id for worker in known)
        here, trouble = {}, ""
        if any(worker.host == self._host and worker.slots for worker in alive):
            try:
                here = {(self._host, slot.id): slot for slot in slots()}
            except RunError as error:
                trouble = str(error)
        return Snapshot(alive, tuple(leases()), forecast(), here, trouble)


reader = QueueReader()
"""The one that all sessions of this process share."""
