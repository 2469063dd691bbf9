"""Jobs as a person sees them: submit, look, cancel, resume, clone, share. Each call takes the acting user first."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from dnalm.errors import BundleError, InputError
from dnalm.files import out_of_sight
from dnalm.lab import audit, notes
from dnalm.lab.database import Database, database
from dnalm.lab.job import RESUMABLE, Job, JobState, folder_of, has_folder, job_of, next_ticket
from dnalm.lab.people import User, require_admin
from dnalm.lab.schema import JobRow, RunRow, WorkerRow, now
from dnalm.locks import RUN_LOCK, is_held
from dnalm.settings import settings

if TYPE_CHECKING:
    from dnalm.training.config import RunConfig

__all__ = [
    "Job",
    "JobState",
    "cancel",
    "clone",
    "delete",
    "find",
    "of_run",
    "prioritise",
    "rename",
    "resume",
    "share",
    "submit",
    "visible",
]

PRIORITIES = range(-100, 101)
LONGEST_NAME = 200
_NOW = {
    JobState.QUEUED: "waits",
    JobState.RUNNING: "runs",
    JobState.SUCCEEDED: "has succeeded",
    JobState.FAILED: "has failed",
    JobState.CANCELLED: "was cancelled",
}


def submit(
    user: User,
    config: RunConfig,
    *,
    limit_minutes: float | None = None,
    shared: bool = False,
    db: Database | None = None,
) -> Job:
    """Make a run folder for `config` and put the job into the queue.

    Raises:
        InputError: it cannot run: a source is missing, or it wants more slots than any worker has.
    """
    from dnalm.lab.usage import refuse_over_quota
    from dnalm.training.launch import check_sources, make_run_folder  # these bring PyTorch; looking does without

    db = db or database()
    if limit_minutes is not None and not 0 < limit_minutes < float("inf"):
        raise InputError(f"limit_minutes {limit_minutes}: wanted more than 0")
    refuse_over_quota(user, db=db)
    _check_sight(user, config, db)
    _check_bench(config)
    check_sources(config, fetch=False)
    _check_slots(config, db)
    folder = make_run_folder(config).path
    try:
        with db.session() as session:
            ticket = next_ticket(session)
            row = JobRow(
                id=secrets.token_hex(8),
                number=ticket,
                ticket=ticket,
                owner_id=user.id,
                name=config.name or folder.name,
                phase=str(getattr(config, "phase", "")),
                state=JobState.QUEUED,
                run=folder.name,
                config=config.model_dump(mode="json"),
                devices=config.slots,
                shared=shared,
                limit_minutes=limit_minutes,
                backend=settings().backend,
            )
            session.add(row)
            audit.record(session, user.id, "job.submit", f"job:{row.id}", run=row.run, shared=shared)
            session.flush()
            notes.keep_job(row)
            return job_of(row)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def visible(
    user: User,
    *,
    states: Collection[JobState] = (),
    mine: bool = False,
    limit: int = 200,
    db: Database | None = None,
) -> list[Job]:
    """The jobs that this person may see, the newest first: their own and the shared ones; an admin sees all."""
    wanted = select(JobRow).order_by(JobRow.number.desc()).limit(limit)
    if states:
        wanted = wanted.where(JobRow.state.in_([JobState(state) for state in states]))
    if mine:
        wanted = wanted.where(JobRow.owner_id == user.id)
    elif not user.is_admin:
        wanted = wanted.where(or_(JobRow.owner_id == user.id, JobRow.shared))
    with (db or database()).reading() as session:
        return [job_of(row) for row in session.scalars(wanted)]


def find(user: User, job_id: str, *, db: Database | None = None) -> Job:
    """One job.

    Raises:
        InputError: there is none of that id that this person may see.
    """
    with (db or database()).reading() as session:
        return job_of(_seen(session, user, job_id))


def of_run(user: User, run_name: str, *, db: Database | None = None) -> Job | None:
    """The job that made a run folder, by the folder's name; None where there is none that this person may see."""
    with (db or database()).reading() as session:
        row = session.scalar(select(JobRow).where(JobRow.run == run_name))
        return job_of(row) if row is not None and _may_see(user, row) else None


def cancel(user: User, job_id: str, *, db: Database | None = None) -> Job:
    """Stop a job: a queued one at once; a running one is stopped by its worker, after a checkpoint.

    Raises:
        InputError: it has ended, or is not this person's.
    """
    with (db or database()).session() as session:
        row = _own(session, user, job_id, "cancel")
        if row.state == JobState.QUEUED:
            row.state, row.ended, row.held_by = JobState.CANCELLED, now(), None
            row.reason = f"cancelled by {user.name} before it began"
        elif row.state == JobState.RUNNING:
            row.cancel_requested = True
        else:
            raise InputError(f"job {job_id}: it {_NOW[row.state]} already; there is nothing to cancel")
        audit.record(session, user.id, "job.cancel", f"job:{row.id}")
        return job_of(row)


def resume(user: User, job_id: str, *, db: Database | None = None) -> Job:
    """Queue a failed or cancelled job again; it goes on from its last checkpoint, in the same run folder.

    Raises:
        InputError: it waits, runs or is done; its run folder has gone; or it is not this person's.
    """
    with (db or database()).session() as session:
        ticket = next_ticket(session)  # first: whoever locks both the counter and a job does so in this order
        row = _own(session, user, job_id, "resume")
        if row.state not in RESUMABLE:
            raise InputError(f"job {job_id}: it {_NOW[row.state]}; only a failed or cancelled job can be resumed")
        if not has_folder(row):
            raise InputError(f"job {job_id}: its run folder {folder_of(row)} has gone; submit it anew")
        row.state, row.ticket, row.reason = JobState.QUEUED, ticket, ""
        row.cancel_requested, row.ended, row.exit_code, row.worker, row.handle = False, None, None, None, None
        audit.record(session, user.id, "job.resume", f"job:{row.id}")
        return job_of(row)


def clone(user: User, job_id: str, changes: Mapping[str, Any], *, db: Database | None = None) -> Job:
    """A new job with the configuration of one that this person may see, but for some fields.

    Args:
        user: the acting person, who owns the new job.
        job_id: the job to take after.
        changes: dotted field to value, as `{"optimizer.clip": 0.5}`.
        db: the database; else that of the settings.

    Raises:
        InputError: there is no such job, or the changed configuration cannot run.
    """
    from dnalm.training.launch import configured

    job = find(user, job_id, db=db)
    return submit(user, configured(job.config, changes), limit_minutes=job.limit_minutes, db=db)


def delete(user: User, job_id: str, *, db: Database | None = None) -> None:
    """Delete a job that has ended, with its run folder. The models that came of it stay.

    Raises:
        InputError: it waits or runs, a job starts from its run, or it is not this person's.
        RunError: its folder cannot be removed.
    """
    from dnalm.lab.in_use import refuse_jobs_of_run
    from dnalm.lab.index import run_finished

    db = db or database()
    if (job := find(user, job_id, db=db)).run.is_dir():
        with suppress(BundleError):  # a damaged one has no model that could stay
            run_finished(job, db)
    with db.session() as session:
        row = _own(session, user, job_id, "delete")
        if row.state in (JobState.QUEUED, JobState.RUNNING):
            raise InputError(f"job {job_id}: it {_NOW[row.state]}; cancel it first")
        folder = folder_of(row)
        if is_held(folder / RUN_LOCK):
            raise InputError(f"job {job_id}: a process still writes its run folder; wait until it has ended")
        refuse_jobs_of_run(session, user, folder)
        audit.record(session, user.id, "job.delete", f"job:{row.id}", name=row.name, run=row.run)
        session.execute(sql_delete(RunRow).where(RunRow.name == row.run))
        session.delete(row)
        session.flush()
        grave = out_of_sight(folder) if folder.is_dir() else None
    if grave is not None:
        shutil.rmtree(grave, ignore_errors=True)


def share(user: User, job_id: str, shared: bool, *, db: Database | None = None) -> Job:
    """Let the whole lab see a job, or only its owner again."""
    with (db or database()).session() as session:
        row = _own(session, user, job_id, "share")
        row.shared = shared
        audit.record(session, user.id, "job.share", f"job:{row.id}", shared=shared)
        notes.keep_job(row)
        return job_of(row)


def rename(user: User, job_id: str, name: str, *, db: Database | None = None) -> Job:
    """Call a job something else; its run folder and its model keep their names."""
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InputError(f"job {job_id}: a name of 1 to {LONGEST_NAME} printable characters is wanted")
    with (db or database()).session() as session:
        row = _own(session, user, job_id, "rename")
        audit.record(session, user.id, "job.rename", f"job:{row.id}", was=row.name, now=name)
        row.name = name
        notes.keep_job(row)
        return job_of(row)


def prioritise(user: User, job_id: str, priority: int, *, db: Database | None = None) -> Job:
    """Let a job go before those of a lower priority; admins only.

    Raises:
        InputError: the person is no admin, there is no such job, or the number is out of bounds.
    """
    with (db or database()).session() as session:
        row = _own(session, user, job_id, "prioritise")
        require_admin(user, "change a job's priority")
        if priority not in PRIORITIES:
            raise InputError(f"priority {priority}: wanted {PRIORITIES[0]} to {PRIORITIES[-1]}")
        audit.record(session, user.id, "job.prioritise", f"job:{row.id}", was=row.priority, now=priority)
        row.priority = priority
        return job_of(row)


def _may_see(user: User, row: JobRow) -> bool:
    return user.is_admin or row.shared or row.owner_id == user.id


def _seen(session: Session, user: User, job_id: str) -> JobRow:
    row = session.get(JobRow, job_id)
    if row is None or not _may_see(user, row):
        raise InputError(f"no job {job_id!r}; `dnalm jobs list` shows those there are")
    return row


def _own(session: Session, user: User, job_id: str, what: str) -> JobRow:
    """The job's row, locked, where this person may change it."""
    _seen(session, user, job_id)
    row = session.get_one(JobRow, job_id, with_for_update={"of": JobRow}, populate_existing=True)
    if not user.is_admin and row.owner_id != user.id:
        raise InputError(f"job {job_id}: it is {row.owner.name}'s; only they or an admin may {what} it")
    return row


def _check_sight(user: User, config: RunConfig, db: Database) -> None:
    """Refuse a member's job that would read a colleague's private model, set or upload, as if it were not there."""
    if user.is_admin:
        return
    from dnalm.datasets.named_files import as_path
    from dnalm.datasets.recipes import RECIPES
    from dnalm.evaluation.bench.benches import known_names
    from dnalm.lab import index, uploads

    for model in filter(None, (getattr(config, "model", None), *getattr(config, "models", ()))):
        index.model(user, model, db=db)
    parts = (config, getattr(config, "pretrain", None))
    named = {getattr(part, field, None) for part in parts for field in ("dataset", "exclude_matches", "task")}
    unknown = {name for name in named if name} - set(RECIPES) - set(known_names())
    unknown -= {name for one in index.datasets(user, db=db) for name in (one.id, one.name)} if unknown else set()
    if unknown:
        raise InputError(f"no dataset {min(unknown)!r} here, or none that is shared with you")
    read = [name for part in parts for name in getattr(part, "genomes", None) or []]
    fields = ("sequence", "truth", "genome", "starts", "annotation")
    read += [name for field in fields if (name := getattr(config, field, None))]
    for name in read:
        if not uploads.may_read(user, as_path(name), db=db):
            raise InputError(f"{name}: no such file here, or none that is shared with you")


def _check_bench(config: RunConfig) -> None:
    """Refuse to queue a benchmark that is none, or whose data are not to be had."""
    if task := getattr(config, "task", None):
        from dnalm.evaluation.bench.benches import tasks_of

        tasks_of(task)


def _check_slots(config: RunConfig, db: Database) -> None:
    """Refuse what no worker could ever run; where no worker is known yet, it may be started later."""
    wanted = config.slots
    field = "compute.devices" if wanted == config.compute.devices else "parts"
    with db.reading() as session:
        capacities = [len(slots) for slots in session.scalars(select(WorkerRow.slots))]
    if capacities and 0 not in capacities and wanted > max(capacities):
        raise InputError(f"{field} {wanted}: the largest worker has {max(capacities)} slots; take fewer")
