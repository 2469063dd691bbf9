"""The queue as a worker sees it: take the next fair job, say what became of it. The audit names the worker.

Fair means: the higher priority first; within it, a job whose place is kept (see `claim`); then the person with the
fewest jobs running; then who was served longest ago; then the job that has waited longest. All of it is counted,
nothing is timed, so that a clock that jumps changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from dnalm.lab.database import Database, database
from dnalm.lab.job import Job, JobState, job_of, lock_queue, next_ticket
from dnalm.lab.roster import WorkerInfo, beat, note, register, unregister, workers
from dnalm.lab.schema import JobRow, LeaseRow, UserRow, WorkerRow, now
from dnalm.lab.waiting import Waiting, forecast, waiting

__all__ = [
    "Lease",
    "Waiting",
    "WorkerInfo",
    "adopt",
    "attach",
    "beat",
    "cancel_requests",
    "claim",
    "finish",
    "forecast",
    "leases",
    "register",
    "requeue",
    "running",
    "unregister",
    "waiting",
    "workers",
]

ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Lease:
    """A slot that a running job has."""

    slot: str
    worker: str
    host: str
    job_id: str
    owner_name: str


def claim(worker_id: str, *, db: Database | None = None) -> Job | None:
    """Take the next fair job that this worker has room for: queued becomes running, and the slots are its own.

    Jobs larger than the worker are passed over. Where the next job would fit the worker but not its free slots, its
    place is kept: the worker takes nothing behind it until enough slots are free, so that small jobs cannot starve a
    large one. Other workers may begin it sooner, and pass it over where they cannot.

    Returns:
        The job, or None where there is none to begin now.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    db = db or database()
    with db.reading() as session:  # most looks find nothing, and should disturb nobody
        waits = session.scalar(select(JobRow.id).where(JobRow.state == JobState.QUEUED).limit(1))
        worker = session.get(WorkerRow, worker_id)
        if waits is None or worker is None or (worker.slots and not _free(session, worker)):
            return None
    with db.session() as session:
        lock_queue(session)  # from here on this worker alone decides
        free = _free(session, worker)
        for job_id, devices, held_by in _in_order(session):
            if not worker.slots or devices <= len(free):
                row = _locked(session, job_id, JobState.QUEUED)
                if row is not None:  # else a person cancelled it this moment
                    return _begin(session, row, worker, free[:devices])
            elif devices <= len(worker.slots) and held_by in (None, worker_id):
                still = (JobRow.id == job_id, JobRow.state == JobState.QUEUED)
                session.execute(update(JobRow).where(*still).values(held_by=worker_id))
                return None
    return None


def _free(session: Session, worker: WorkerRow) -> list[str]:
    """The worker's slots that no job on its host has."""
    taken = set(session.scalars(select(LeaseRow.slot).where(LeaseRow.host == worker.host)))
    return [slot for slot in worker.slots if slot not in taken]


def _in_order(session: Session) -> Sequence[Row[tuple[str, int, str | None]]]:
    """The queued jobs, the next one first: id, devices, and who keeps a place for it."""
    busy = (
        select(JobRow.owner_id, func.count().label("jobs"))
        .where(JobRow.state == JobState.RUNNING)
        .group_by(JobRow.owner_id)
        .subquery()
    )
    order = (
        JobRow.priority.desc(),
        JobRow.held_by.is_(None),
        func.coalesce(busy.c.jobs, 0),
        UserRow.served,
        JobRow.ticket,
    )
    queued = (
        select(JobRow.id, JobRow.devices, JobRow.held_by)
        .join(UserRow, UserRow.id == JobRow.owner_id)
        .outerjoin(busy, busy.c.owner_id == JobRow.owner_id)
        .where(JobRow.state == JobState.QUEUED)
        .order_by(*order)
    )
    return session.execute(queued).all()


def _begin(session: Session, row: JobRow, worker: WorkerRow, slots: Sequence[str]) -> Job:
    row.state, row.started, row.ended, row.attempts = JobState.RUNNING, now(), None, row.attempts + 1
    row.worker, row.backend, row.handle, row.held_by = worker.id, worker.backend, None, None
    row.reason, row.exit_code = "", None
    row.owner.served = next_ticket(session)
    session.add_all(
        LeaseRow(host=worker.host, slot=slot, place=place, worker=worker.id, job_id=row.id)
        for place, slot in enumerate(slots)
    )
    note(session, worker.id, "job.start", f"job:{row.id}", slots=list(slots), attempt=row.attempts)
    session.flush()
    session.refresh(row, ["leases"])
    return job_of(row)


def attach(job_id: str, worker_id: str, handle: str, *, db: Database | None = None) -> bool:
    """Note how the backend knows a job that was started; False where it is no longer this worker's."""
    with (db or database()).session() as session:
        row = _mine(session, job_id, worker_id)
        if row is None:
            return False
        row.handle = handle
        note(session, worker_id, "job.attach", f"job:{job_id}", handle=handle)
        return True


def running(worker_id: str | None = None, *, db: Database | None = None) -> list[Job]:
    """The running jobs, the oldest first: of one worker, or of all."""
    wanted = select(JobRow).where(JobRow.state == JobState.RUNNING).order_by(JobRow.number)
    if worker_id is not None:
        wanted = wanted.where(JobRow.worker == worker_id)
    with (db or database()).reading() as session:
        return [job_of(row) for row in session.scalars(wanted)]


def cancel_requests(worker_id: str, *, db: Database | None = None) -> list[Job]:
    """The running jobs of a worker that a person wants stopped."""
    return [job for job in running(worker_id, db=db) if job.cancel_requested]


def finish(
    job_id: str, worker_id: str, state: JobState, reason: str, exit_code: int | None, *, db: Database | None = None
) -> bool:
    """Say how a job ended, and give its slots back.

    Args:
        job_id: the job.
        worker_id: the worker that ran it.
        state: succeeded, failed or cancelled.
        reason: one sentence; empty for a job that succeeded.
        exit_code: what its process ended with; None where that is not known.
        db: the database; else that of the settings.

    Returns:
        False where the job was no longer this worker's to end; then nothing was changed.
    """
    if state not in ENDED:
        raise ValueError(f"{state}: a job ends as one of {', '.join(ENDED)}")
    with (db or database()).session() as session:
        row = _mine(session, job_id, worker_id)
        if row is None:
            return False
        _release(session, row, state, reason)
        row.ended, row.exit_code, row.cancel_requested = now(), exit_code, False
        note(session, worker_id, "job.finish", f"job:{job_id}", state=state, reason=reason, exit_code=exit_code)
        return True


def requeue(job_id: str, worker_id: str, reason: str, *, db: Database | None = None) -> bool:
    """Queue a running job again, at its old place: its machine or its process died, and it was not its fault.

    A job that a person wanted stopped is cancelled instead.

    Returns:
        False where the job was no longer this worker's.
    """
    with (db or database()).session() as session:
        row = _mine(session, job_id, worker_id)
        if row is None:
            return False
        if row.cancel_requested:
            _release(session, row, JobState.CANCELLED, f"cancelled; before it could be stopped: {reason}")
            row.ended, row.cancel_requested = now(), False
        else:
            _release(session, row, JobState.QUEUED, reason)
            row.worker = row.handle = None
        note(session, worker_id, "job.requeue", f"job:{job_id}", state=row.state, reason=reason)
        return True


def adopt(job_id: str, from_worker: str, to_worker: str, *, db: Database | None = None) -> bool:
    """Hand a running job, which goes on undisturbed, from a worker that died to another.

    Returns:
        False where it is not the first one's any more: someone else was quicker.
    """
    with (db or database()).session() as session:
        row = _mine(session, job_id, from_worker)
        if row is None:
            return False
        row.worker = to_worker
        session.execute(update(LeaseRow).where(LeaseRow.job_id == job_id).values(worker=to_worker))
        note(session, to_worker, "job.adopt", f"job:{job_id}", from_worker=from_worker)
        return True


def leases(*, db: Database | None = None) -> list[Lease]:
    """All slots that are held, and by whom."""
    wanted = (
        select(LeaseRow, UserRow.name)
        .join(JobRow, JobRow.id == LeaseRow.job_id)
        .join(UserRow, UserRow.id == JobRow.owner_id)
        .order_by(LeaseRow.host, LeaseRow.slot)
    )
    with (db or database()).reading() as session:
        return [Lease(row.slot, row.worker, row.host, row.job_id, name) for row, name in session.execute(wanted)]


def _mine(session: Session, job_id: str, worker_id: str) -> JobRow | None:
    """The job's row, locked, where this worker runs it."""
    row = _locked(session, job_id, JobState.RUNNING)
    return row if row is not None and row.worker == worker_id else None


def _locked(session: Session, job_id: str, state: JobState) -> JobRow | None:
    """The job's row, which nobody else changes until the transaction ends, where it is in that state."""
    wanted = select(JobRow).where(JobRow.id == job_id, JobRow.state == state)
    return session.scalar(wanted.with_for_update(of=JobRow))


def _release(session: Session, row: JobRow, state: JobState, reason: str) -> None:
    row.state, row.reason = state, reason
    session.execute(delete(LeaseRow).where(LeaseRow.job_id == row.id))
