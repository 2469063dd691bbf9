"""The workers that are known: who they are, what they may hand out, that they are alive."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from dnalm.lab import audit
from dnalm.lab.database import Database, database
from dnalm.lab.schema import JobRow, WorkerRow


@dataclass(frozen=True)
class WorkerInfo:
    """A supervisor process.

    Attributes:
        id: its name in rows and audit.
        host: the machine whose slots it hands out; workers on one host share them.
        pid: its process; `started` is when that process was made, in seconds since 1970 as the system says, which
            tells it from a later process of the same number.
        backend: local or slurm.
        slots: what it may hand out; none at all where the backend has a queue of its own and needs no limit here.
        beats: how often it said that it is alive: a counter, not a clock.
    """

    id: str
    host: str
    pid: int
    started: float
    backend: str
    slots: tuple[str, ...]
    beats: int = 0


def register(worker: WorkerInfo, *, db: Database | None = None) -> None:
    """Make a worker known, or say anew what it is; it may claim jobs from now on."""
    with (db or database()).session() as session:
        fields = {"host": worker.host, "pid": worker.pid, "started": worker.started, "backend": worker.backend}
        session.merge(WorkerRow(id=worker.id, slots=list(worker.slots), beats=worker.beats, **fields))
        note(session, worker.id, "worker.register", f"worker:{worker.id}", host=worker.host, pid=worker.pid)


def beat(worker_id: str, *, db: Database | None = None) -> None:
    """Say that a worker is alive."""
    with (db or database()).session() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == worker_id).values(beats=WorkerRow.beats + 1))


def unregister(worker_id: str, *, db: Database | None = None) -> None:
    """Forget a worker. What it still runs stays its own until another adopts it or queues it again."""
    with (db or database()).session() as session:
        session.execute(update(JobRow).where(JobRow.held_by == worker_id).values(held_by=None))
        gone = session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id).returning(WorkerRow.id)).all()
        if gone:
            note(session, worker_id, "worker.unregister", f"worker:{worker_id}")


def workers(*, db: Database | None = None) -> list[WorkerInfo]:
    """All workers that are known, dead ones too until someone unregisters them."""
    with (db or database()).reading() as session:
        return [_worker(row) for row in session.scalars(select(WorkerRow).order_by(WorkerRow.id))]


def note(session: Session, worker_id: str, action: str, subject: str, **detail: object) -> None:
    """Add what a worker did to the audit."""
    audit.record(session, f"worker:{worker_id}", action, subject, **detail)


def _worker(row: WorkerRow) -> WorkerInfo:
    return WorkerInfo(row.id, row.host, row.pid, row.started, row.backend, tuple(row.slots), row.beats)
