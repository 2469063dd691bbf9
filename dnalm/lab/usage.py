"""What a person's runs, sets, models and uploads take on disk, and the quota that a launch is held to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dnalm.errors import InputError
from dnalm.lab import rows, upload_store
from dnalm.lab.database import Database, database
from dnalm.lab.people import User
from dnalm.lab.rows import DATASETS, MODELS, RUNS, refresh
from dnalm.lab.schema import DatasetRow, JobRow, ModelRow, RunRow, UploadRow, UserRow
from dnalm.settings import settings

GB = 1_000_000_000
MOST_NAMED = 3
KINDS = ("run", "model", "set", "uploads")


@dataclass(frozen=True)
class Item:
    """Something that takes room: of which kind (one of `KINDS`), what it is called, its bytes."""

    kind: str
    name: str
    size_bytes: int

    def __str__(self) -> str:
        if self.kind != "uploads":
            what = f"the {self.kind} {self.name}"
        else:
            what = f"the uploaded sequence {self.name}" if self.name else "files uploaded for sets"
        return f"{what} ({size_text(self.size_bytes)})"


@dataclass(frozen=True)
class Usage:
    """What one person's things take.

    Attributes:
        owner: the person's id; `owner_name` is how they are called.
        bytes_of: bytes by kind, all of `KINDS`. What a model shares with its run is counted with the run.
        largest: what takes most, the largest first.
    """

    owner: str
    owner_name: str
    bytes_of: dict[str, int]
    largest: tuple[Item, ...]

    @property
    def total(self) -> int:
        """Bytes in all."""
        return sum(self.bytes_of.values())


def usage(user: User, *, db: Database | None = None) -> Usage:
    """What this person's own things take."""
    db = db or database()
    looks = _looks(db)
    with db.reading() as session:
        return _measured(session, user.id, user.name, looks)


def usages(user: User, *, db: Database | None = None) -> list[Usage]:
    """What each person's things take, the largest first; to a member their own alone is told."""
    db = db or database()
    if not user.is_admin:
        return [usage(user, db=db)]
    looks = _looks(db)
    with db.reading() as session:
        people = session.execute(select(UserRow.id, UserRow.name)).all()
        found = [_measured(session, person, name, looks) for person, name in people]
    return sorted(found, key=lambda one: (-one.total, one.owner_name))


def _looks(db: Database) -> dict[str, frozenset[str]]:
    """What is here, by kind: the keys of folders, and of uploaded sequences."""
    folders = {kind.name: refresh(kind, db).present for kind in (RUNS, MODELS, DATASETS)}
    return folders | {"upload": frozenset(upload_store.look(db))}


def quota() -> int | None:
    """Bytes that a person's things may take; None where there is no limit."""
    wanted = settings().quota_gb
    return None if wanted is None else round(wanted * GB)


def refuse_over_quota(user: User, *, db: Database | None = None) -> None:
    """Refuse a launch to whoever has used up their quota.

    Raises:
        InputError: says what takes most, and how to free it.
    """
    most = quota()
    if most is None:
        return
    found = usage(user, db=db)
    if found.total >= most:
        largest = ", ".join(map(str, found.largest[:MOST_NAMED]))
        raise InputError(
            f"your runs, sets, models and uploads take {size_text(found.total)} of the {size_text(most)} that a person "
            f"may have; most is {largest}: delete what you need no more, on the pages Jobs, Models and Data, or by "
            "`dnalm jobs delete`, `dnalm models delete` and `dnalm data delete`"
        )


def size_text(size: float) -> str:
    """`3.4 GB`, in powers of ten."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def uploads_folder(owner: str) -> Path:
    """Where a person's uploaded tables are kept."""
    return settings().cache / "labelled" / owner


def _measured(session: Session, owner: str, name: str, looks: dict[str, frozenset[str]]) -> Usage:
    seen: set[tuple[int, int]] = set()
    items = [Item(kind, name, folder_size(folder, seen)) for kind, name, folder in _folders(session, owner, looks)]
    bytes_of = {kind: sum(item.size_bytes for item in items if item.kind == kind) for kind in KINDS}
    largest = sorted(items, key=lambda item: -item.size_bytes)
    return Usage(owner, name, bytes_of, tuple(item for item in largest if item.size_bytes))


def _folders(session: Session, owner: str, looks: dict[str, frozenset[str]]) -> Iterator[tuple[str, str, Path]]:
    """A person's folders: kind, name, place; the runs first, with whose files a model's may be the same.

    A sequence that several people uploaded is kept once, and counts in full for each of them.
    """
    jobs = {job.run: job.owner_id for job in session.execute(select(JobRow.run, JobRow.owner_id))}
    for row in rows.listed(session, RunRow, looks["run"]):
        folder = settings().home / row.folder
        if jobs.get(folder.name, row.owner_id) == owner:
            yield "run", folder.name, folder
    for kind, table in (("model", ModelRow), ("set", DatasetRow)):
        for one in rows.listed(session, table, looks["model" if kind == "model" else "dataset"]):
            if one.owner_id == owner:
                folder = settings().home / one.folder
                yield kind, folder.name, folder
    yield "uploads", "", uploads_folder(owner)
    for upload in session.scalars(select(UploadRow).where(UploadRow.owner_id == owner)):
        if upload.key in looks["upload"]:
            yield "uploads", upload.name, upload_store.root() / upload.key


def folder_size(folder: Path, seen: set[tuple[int, int]]) -> int:
    """Bytes of the files in a folder; a file that was `seen` under another name takes none."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = (Path(parent) / name).lstat()
            except OSError:  # it went in this moment: a run tidies up after itself
                continue
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_size
    return total
