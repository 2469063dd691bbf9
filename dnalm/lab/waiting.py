"""How long a queued job will wait: the queue played forward, with what running jobs and earlier ones say of time.

An estimate for people; nothing is decided by it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dnalm.errors import InputError, RunError
from dnalm.lab.database import Database, database
from dnalm.lab.job import JobState, folder_of
from dnalm.lab.schema import JobRow, UserRow, WorkerRow, now

HISTORY = 200
"""How many of the jobs that succeeded last are looked at."""
GUESS_S = 3600.0
"""What a job is taken to last where nothing is known: only to say which comes first, never shown as a time."""


@dataclass(frozen=True)
class Waiting:
    """A queued job's prospect.

    Attributes:
        position: 1 is the next to begin.
        seconds: until it begins; None where that cannot be said.
    """

    position: int
    seconds: float | None


@dataclass
class _Queued:
    id: str
    owner: str
    devices: int
    priority: int
    held: bool
    ticket: int
    lasts: float | None


@dataclass
class _Running:
    owner: str
    devices: int
    ends: float
    known: bool


@dataclass
class _Host:
    """Where jobs run."""

    capacity: float
    jobs: list[_Running] = field(default_factory=list)

    @property
    def free(self) -> float:
        return self.capacity - sum(job.devices for job in self.jobs)


def waiting(job_id: str, *, db: Database | None = None) -> Waiting:
    """How many jobs begin before this one, and when it begins.

    Raises:
        InputError: the job does not wait.
    """
    found = forecast(db=db).get(job_id)
    if found is None:
        raise InputError(f"job {job_id}: it does not wait")
    return found


def forecast(*, db: Database | None = None) -> dict[str, Waiting]:
    """The prospects of all queued jobs at once, by job id, the next one first."""
    with (db or database()).reading() as session:
        rows = list(session.scalars(select(JobRow).where(JobRow.state.in_([JobState.QUEUED, JobState.RUNNING]))))
        if not any(row.state == JobState.QUEUED for row in rows):
            return {}
        known = _History(session)
        hosts = _hosts(session.scalars(select(WorkerRow)))
        served = dict(session.execute(select(UserRow.id, UserRow.served)).all())
    for row in rows:
        host = hosts.get(row.leases[0].host) if row.state == JobState.RUNNING and row.leases else None
        if host is not None:
            left = _left(row, known)
            host.jobs.append(_Running(row.owner_id, row.devices, GUESS_S if left is None else left, left is not None))
    queued = [
        _Queued(row.id, row.owner_id, row.devices, row.priority, bool(row.held_by), row.ticket, known.lasts(row))
        for row in rows
        if row.state == JobState.QUEUED
    ]
    busy = Counter(row.owner_id for row in rows if row.state == JobState.RUNNING)
    return _play(queued, list(hosts.values()), busy, served)


def _play(queued: list[_Queued], hosts: list[_Host], busy: Counter[str], served: dict[str, int]) -> dict[str, Waiting]:
    """Begin and end jobs as the workers would, until all have begun that ever can."""
    time, known, found = 0.0, bool(hosts), {}
    hosts = hosts or [_Host(max(job.devices for job in queued))]  # without a worker the order can still be told
    while queued:
        begun = _next(queued, hosts, busy, served)
        if begun is not None:
            job, host = begun
            ends = time + (GUESS_S if job.lasts is None else job.lasts)
            host.jobs.append(_Running(job.owner, job.devices, ends, job.lasts is not None))
            busy[job.owner] += 1
            served[job.owner] = max(served.values()) + 1
            found[job.id] = Waiting(len(found) + 1, time if known else None)
            queued.remove(job)
            continue
        ending = min(((job.ends, n) for n, host in enumerate(hosts) for job in host.jobs), default=None)
        if ending is None:
            break
        host = hosts[ending[1]]
        job_ended = min(host.jobs, key=lambda job: job.ends)
        host.jobs.remove(job_ended)
        busy[job_ended.owner] -= 1
        time, known = max(time, job_ended.ends), known and job_ended.known
    for job in sorted(queued, key=lambda job: job.ticket):  # larger than every worker that there is
        found[job.id] = Waiting(len(found) + 1, None)
    return found


def _next(
    queued: list[_Queued], hosts: list[_Host], busy: Counter[str], served: dict[str, int]
) -> tuple[_Queued, _Host] | None:
    """The job to begin now, and where; places are kept for those that do not fit yet, as `queue.claim` does."""
    open_hosts = list(hosts)
    for job in sorted(queued, key=lambda j: (-j.priority, not j.held, busy[j.owner], served[j.owner], j.ticket)):
        fitting = [host for host in open_hosts if host.free >= job.devices]
        if fitting:
            return job, max(fitting, key=lambda host: host.free)
        keeping = next((host for host in open_hosts if host.capacity >= job.devices), None)
        if keeping is not None:
            job.held = True
            open_hosts.remove(keeping)
        if not open_hosts:
            return None
    return None


def _hosts(rows: Iterable[WorkerRow]) -> dict[str, _Host]:
    """The hosts that have a worker; several workers of one host share its slots."""
    found: dict[str, _Host] = {}
    for row in rows:
        capacity = float(len(row.slots)) or float("inf")
        found[row.host] = _Host(max(capacity, found[row.host].capacity if row.host in found else 0))
    return found


def _left(row: JobRow, history: _History) -> float | None:
    """Seconds that a running job still takes: what the run itself says, else what jobs like it took."""
    from dnalm.training.run import RunFolder  # which brings PyTorch: a worker that only claims does without

    with suppress(RunError, OSError):
        eta = RunFolder(folder_of(row)).read_progress().get("eta_s")
        if isinstance(eta, int | float) and eta >= 0:
            return float(eta)
    lasts = history.lasts(row)
    if lasts is None or row.started is None:
        return None
    return min(max(lasts - (now() - row.started).total_seconds(), 0.0), lasts)


class _History:
    """How long jobs that succeeded took: the median of those that read the same, else of those of the same phase."""

    def __init__(self, session: Session) -> None:
        self._seconds: dict[Any, list[float]] = defaultdict(list)
        done = select(JobRow.phase, JobRow.config, JobRow.started, JobRow.ended)
        done = done.where(JobRow.state == JobState.SUCCEEDED).order_by(JobRow.number.desc()).limit(HISTORY)
        for phase, config, started, ended in session.execute(done):
            if started and ended and ended >= started:
                seconds = (ended - started).total_seconds()
                self._seconds[_kind(phase, config)].append(seconds)
                self._seconds[phase].append(seconds)

    def lasts(self, row: JobRow) -> float | None:
        """Seconds from begin to end; None where there is nothing to go by."""
        found = self._seconds.get(_kind(row.phase, row.config)) or self._seconds.get(row.phase)
        limit = row.limit_minutes * 60 if row.limit_minutes else None
        budget = row.config["minutes"] * 60 if row.config.get("minutes") else None
        seconds = budget or (median(found) if found else None) or limit
        return min(seconds, limit) if seconds and limit else seconds


def _kind(phase: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    fields = ("dataset", "genomes", "preset", "minutes", "epochs", "steps", "model", "head", "pretrain")
    fields += ("sequence", "region", "stride", "strand", "mode", "parts")
    return (phase, *(repr(config.get(name)) for name in fields))
