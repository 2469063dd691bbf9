"""What was done, by whom, to what: a row in the transaction of every change, which nothing can take back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from dnalm.lab.database import Database, database
from dnalm.lab.schema import AuditRow, JobRow

if TYPE_CHECKING:
    from dnalm.lab.people import User


@dataclass(frozen=True)
class Entry:
    """One thing that was done.

    Attributes:
        number: grows with each entry.
        at: when, UTC.
        actor: a person's id, or `worker:` and a worker's.
        action: as `job.submit`.
        subject: what it was done to, as `job:3f2a…`.
        detail: what else there is to know.
    """

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


def record(session: Session, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Add an entry to the transaction of the change that it tells of."""
    session.add(AuditRow(actor=actor, action=action, subject=subject, detail=detail))


def entries(user: User, *, subject: str | None = None, limit: int = 200, db: Database | None = None) -> list[Entry]:
    """What was done, the newest first.

    Args:
        user: the acting person: an admin sees all, a member what they did and what was done to their own jobs.
        subject: only what was done to this, as `job:ID`.
        limit: at most so many.
        db: the database; else that of the settings.
    """
    wanted = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if subject is not None:
        wanted = wanted.where(AuditRow.subject == subject)
    if not user.is_admin:
        own = select("job:" + JobRow.id).where(JobRow.owner_id == user.id)
        wanted = wanted.where(or_(AuditRow.actor == user.id, AuditRow.subject.in_(own)))
    with (db or database()).reading() as session:
        return [
            Entry(row.id, row.at, row.actor, row.action, row.subject, dict(row.detail))
            for row in session.scalars(wanted)
        ]
