"""The index of runs: whose each is, what is said of it, who may see it, and what keeps it from being deleted.

A run that a job made is whose the job is: sharing, describing or deleting it does so to the job.
"""

from __future__ import annotations

import shutil
from contextlib import suppress

from sqlalchemy.orm import Session

from dnalm.errors import BundleError, InputError
from dnalm.files import out_of_sight
from dnalm.lab import audit, jobs, notes, rows
from dnalm.lab.database import Database, database
from dnalm.lab.in_use import refuse_jobs_of_run
from dnalm.lab.indexed import IndexedRun
from dnalm.lab.people import User
from dnalm.lab.rows import MODELS, RUNS, refresh
from dnalm.lab.schema import RunRow
from dnalm.locks import RUN_LOCK, is_held
from dnalm.model import shelf
from dnalm.settings import settings


def runs(user: User, *, db: Database | None = None) -> list[IndexedRun]:
    """The runs that this person may see, the newest first: a job's run is whose the job is, and shared as it is."""
    db = db or database()
    look = refresh(RUNS, db)
    with db.reading() as session:
        found = rows.runs_of(session, user, look.present)
    return sorted(found, key=lambda run: run.created, reverse=True)


def run(user: User, name: str, *, db: Database | None = None) -> IndexedRun:
    """One run, by its name or id.

    Raises:
        InputError: there is none that this person may see.
    """
    found = [one for one in runs(user, db=db) if name in (one.id, one.name)]
    if not found:
        raise InputError(f"no run {name!r} here, or none that is shared with you")
    return found[0]


def describe_run(user: User, name: str, description: str, *, db: Database | None = None) -> IndexedRun:
    """Say in a line what a run is; with an empty one, the name that it was told says it again. A job is renamed.

    Raises:
        InputError: it is not this person's, or the line is too long.
        RunError: the line cannot be written into its folder.
    """
    db = db or database()
    one, text = run(user, name, db=db), notes.one_line(description)
    if one.job:
        jobs.rename(user, one.job, text, db=db)
        return run(user, one.id, db=db)
    with db.session() as session:
        row = rows.own(session, user, RunRow, one.id, "describe")
        notes.keep(session, row, description=text)
        rows.fill(row, RUNS.facts(one.folder))
        audit.record(session, user.id, "run.describe", f"run:{row.id}")
    return run(user, one.id, db=db)


def share_run(user: User, name: str, shared: bool, *, db: Database | None = None) -> IndexedRun:
    """Let the whole lab see a run, or only its owner again.

    Raises:
        InputError: it is not this person's.
        RunError: that cannot be written into its folder.
    """
    db = db or database()
    one = run(user, name, db=db)
    if one.job:
        jobs.share(user, one.job, shared, db=db)
        return run(user, one.id, db=db)
    with db.session() as session:
        row = rows.own(session, user, RunRow, one.id, "share")
        row.shared = shared
        audit.record(session, user.id, "run.share", f"run:{row.id}", shared=shared)
        session.flush()
        notes.keep(session, row)
    return run(user, one.id, db=db)


def delete_run(user: User, name: str, *, db: Database | None = None) -> None:
    """Delete a run's folder. The models that came of it stay; what was not done yet cannot be gone on with.

    Raises:
        InputError: it is not this person's, a process writes it, or a job starts from it.
        RunError: its folder cannot be removed.
    """
    db = db or database()
    one = run(user, name, db=db)
    if one.job:
        jobs.delete(user, one.job, db=db)
        return
    with db.session() as session:
        _deletable(session, user, one)
    with suppress(BundleError):  # a damaged one has no model that could stay
        shelf.shelve_run(one.folder)
    refresh(MODELS, db)
    with db.session() as session:
        row = _deletable(session, user, one)
        audit.record(session, user.id, "run.delete", f"run:{row.id}", name=row.name)
        session.delete(row)
        session.flush()
        grave = out_of_sight(one.folder)
    shutil.rmtree(grave, ignore_errors=True)


def check_run_deletable(user: User, name: str, *, db: Database | None = None) -> None:
    """Ask whether a run that no job made could be deleted, before a person is asked whether they mean it.

    Raises:
        InputError: as `delete_run` would.
    """
    db = db or database()
    one = run(user, name, db=db)
    with db.session() as session:
        _deletable(session, user, one)


def _deletable(session: Session, user: User, one: IndexedRun) -> RunRow:
    row = rows.own(session, user, RunRow, one.id, "delete")
    if is_held(one.folder / RUN_LOCK):
        raise InputError(f"{one.name}: a process still writes its run folder; wait until it has ended")
    refuse_jobs_of_run(session, user, settings().runs / one.name)
    return row
