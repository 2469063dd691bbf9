"""What keeps a model from being deleted or renamed: models that came from it, jobs that are about to read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dnalm.errors import InputError
from dnalm.lab import rows
from dnalm.lab.job import JobState
from dnalm.lab.lineage import dependents
from dnalm.lab.people import User
from dnalm.lab.schema import JobRow, ModelRow
from dnalm.model.bundle import find_bundle
from dnalm.settings import settings


def refuse_children(session: Session, user: User, row: ModelRow) -> None:
    """Refuse to take away what others came from.

    Raises:
        InputError: names those that this person may see, and says how many others there are.
    """
    everyone = [one for one in rows.listed(session, ModelRow, None) if (settings().home / one.folder).is_dir()]
    origins = [rows.model_of(one).origin for one in everyone] + [one.origin for one in rows.shipped_models()[0]]
    below = {one.model for one in dependents(origins, row.id)}
    children = [one for one in everyone if one.id in below]
    if children:
        named = sorted(one.name for one in children if rows.may_see(user, one))
        hidden = len(children) - len(named)
        others = [f"{hidden} of other people"] if hidden else []
        raise InputError(f"{row.name} cannot be deleted: made from it are {', '.join(named + others)}")


def refuse_jobs(session: Session, user: User, row: ModelRow, done: str) -> None:
    """Refuse to take a model's name from jobs that wait or run and start from it.

    Raises:
        InputError: names those that this person may see, and says how many others there are.
    """
    open_states = [JobState.QUEUED, JobState.RUNNING]
    jobs = session.scalars(select(JobRow).where(JobRow.state.in_(open_states)))
    reading = [job for job in jobs if _reads(job.config, settings().home / row.folder)]
    if reading:
        named = sorted(job.name for job in reading if user.is_admin or job.shared or job.owner_id == user.id)
        hidden = len(reading) - len(named)
        others = [f"{hidden} of other people"] if hidden else []
        jobs_text = ", ".join(named + others)
        raise InputError(f"{row.name} cannot be {done} while jobs that wait or run start from it: {jobs_text}")


def _reads(config: dict[str, Any], model: Path) -> bool:
    named = config.get("model")
    try:
        return isinstance(named, str) and find_bundle(named).resolve() == model.resolve()
    except (InputError, OSError, ValueError):
        return False
