"""What a job is, and how its row in the database becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dnalm.lab.schema import CounterRow, JobRow
from dnalm.settings import settings

QUEUE = "queue"


class JobState(StrEnum):
    """Where a job is: queued → running → one of the last three; running → queued when its machine died."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


RESUMABLE = (JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Job:
    """A job as it stood when it was asked for.

    Attributes:
        id: opaque; it may stand in an address.
        owner: the id of whoever submitted it; `owner_name` is how they are called.
        name: what people call it.
        phase: pretrain, finetune, train, track, bench or scan.
        state: where it is.
        run: the run folder.
        config: the fields of its configuration.
        devices: the slots that it wants.
        priority: the higher goes first; 0 unless an admin says otherwise.
        shared: the whole lab may see it, not only its owner and admins.
        limit_minutes: wall-clock limit; None is none.
        backend: local or slurm.
        worker: the id of the worker that runs it; None while none does.
        slots: the slots that it has now.
        handle: how the backend knows it; None before it was started.
        created: when it was submitted; `started` when it was last begun, `ended` when it came to an end; UTC.
        attempts: how often it was begun.
        reason: one sentence why it failed, was cancelled or waits again; else empty.
        cancel_requested: a person asked for it to stop, and its worker has not stopped it yet.
        exit_code: what its process ended with; None where that is not known.
    """

    id: str
    owner: str
    owner_name: str
    name: str
    phase: str
    state: JobState
    run: Path
    config: dict[str, Any]
    devices: int
    priority: int
    shared: bool
    limit_minutes: float | None
    backend: str
    worker: str | None
    slots: tuple[str, ...]
    handle: str | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    attempts: int
    reason: str
    cancel_requested: bool
    exit_code: int | None


def job_of(row: JobRow) -> Job:
    """What a row says."""
    return Job(
        **{field: getattr(row, field) for field in _SAME},
        owner=row.owner_id,
        owner_name=row.owner.name,
        state=JobState(row.state),
        run=folder_of(row),
        slots=tuple(lease.slot for lease in row.leases),
    )


_SAME = (
    *("id", "name", "phase", "config", "devices", "priority", "shared", "limit_minutes", "backend", "worker"),
    *("handle", "created", "started", "ended", "attempts", "reason", "cancel_requested", "exit_code"),
)


def lock_queue(session: Session) -> None:
    """Until this transaction ends, no other takes a ticket or claims a job.

    Whoever locks both the queue and a job locks the queue first, so that no two wait for each other.
    """
    session.execute(select(CounterRow.value).where(CounterRow.name == QUEUE).with_for_update())


def next_ticket(session: Session) -> int:
    """The next number of the queue; the queue is locked from here on."""
    counter = update(CounterRow).where(CounterRow.name == QUEUE).values(value=CounterRow.value + 1)
    return session.scalars(counter.returning(CounterRow.value)).one()


def folder_of(row: JobRow) -> Path:
    """The run folder of a job: named in the row, in this installation's `runs`."""
    return settings().runs / row.run


def has_folder(row: JobRow) -> bool:
    """Whether the run folder of a job is still there, without which it cannot go on."""
    return (folder_of(row) / "config.yaml").is_file()
