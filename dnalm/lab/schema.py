"""The tables of the lab's database. Losing them loses no science: the folders are the truth."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
ID = String(64)
NAME = String(200)


class UtcTime(TypeDecorator[datetime]):
    """A time that is aware and in UTC in Python, whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database; a time without a zone is refused."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value}: a time needs its zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: SQLite keeps no zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """The time in UTC: for people to read; no state depends on it."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON, datetime: UtcTime}  # noqa: RUF012


class UserRow(Base):
    """A person. `served` is the turn at which a job of theirs was last begun: a counter, not a time."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    role: Mapped[str] = mapped_column(String(16))
    served: Mapped[int] = mapped_column(BigInteger, default=0)
    created: Mapped[datetime] = mapped_column(default=now)


class CounterRow(Base):
    """A number that only grows. Whoever locks its row alone decides what the queue does next."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, default=0)


class JobRow(Base):
    """A job: who asked for what, and how far it is.

    `number` says which job is older, `ticket` which waits longer (a resumed job takes a new one); `held_by` is the
    worker that keeps its slots free for this job until they suffice.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_state_ticket", "state", "ticket"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    ticket: Mapped[int] = mapped_column(BigInteger)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(NAME)
    phase: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    run: Mapped[str] = mapped_column(String(255), unique=True)
    config: Mapped[dict[str, Any]]
    devices: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int] = mapped_column(default=0)
    shared: Mapped[bool] = mapped_column(default=False)
    limit_minutes: Mapped[float | None]
    backend: Mapped[str] = mapped_column(String(16))
    worker: Mapped[str | None] = mapped_column(ID)
    handle: Mapped[str | None] = mapped_column(NAME)
    held_by: Mapped[str | None] = mapped_column(ID)
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(Text, default="")
    exit_code: Mapped[int | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    owner: Mapped[UserRow] = relationship(lazy="joined", innerjoin=True)
    leases: Mapped[list[LeaseRow]] = relationship(lazy="selectin", order_by="LeaseRow.place", viewonly=True)


class WorkerRow(Base):
    """A supervisor process. `beats` counts its signs of life; `started` tells its process from a later one of that id.

    `slots` is empty where the worker has no limit of its own.
    """

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started: Mapped[float]
    backend: Mapped[str] = mapped_column(String(16))
    slots: Mapped[list[str]]
    beats: Mapped[int] = mapped_column(BigInteger, default=0)


class LeaseRow(Base):
    """A slot of a host that a running job has. A slot has one holder, however many workers share the host."""

    __tablename__ = "leases"

    host: Mapped[str] = mapped_column(String(255), primary_key=True)
    slot: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[int]
    worker: Mapped[str] = mapped_column(ID)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)


class AuditRow(Base):
    """What was done, by whom, to what. Rows are only ever added: triggers refuse everything else."""

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now)
    actor: Mapped[str] = mapped_column(NAME)
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255), index=True)
    detail: Mapped[dict[str, Any]]


class Indexed:
    """What an index row of a folder says: whose it is, who may see it, what it is called."""

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    shared: Mapped[bool] = mapped_column(default=False)
    description: Mapped[str] = mapped_column(Text, default="")
    name: Mapped[str] = mapped_column(NAME)
    folder: Mapped[str] = mapped_column(String(1024), unique=True)
    created: Mapped[datetime] = mapped_column(default=now)
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)


class DatasetRow(Indexed, Base):
    """A dataset folder."""

    __tablename__ = "datasets"


class RunRow(Indexed, Base):
    """A run folder."""

    __tablename__ = "runs"


class ModelRow(Indexed, Base):
    """A bundle: imported, or made by a run."""

    __tablename__ = "models"


class UploadRow(Base):
    """What one person has of an uploaded sequence. `key` names its content: whoever brings the same has a row too."""

    __tablename__ = "uploads"
    __table_args__ = (UniqueConstraint("key", "owner_id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(ID)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    shared: Mapped[bool] = mapped_column(default=False)
    description: Mapped[str] = mapped_column(Text, default="")
    name: Mapped[str] = mapped_column(NAME)
    created: Mapped[datetime] = mapped_column(default=now)
