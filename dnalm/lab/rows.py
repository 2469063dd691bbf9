"""The index's rows: brought up to date from folders, and read as what people see."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dnalm.errors import DnalmError, InputError
from dnalm.lab import audit, indexed, notes, people
from dnalm.lab.database import Database
from dnalm.lab.indexed import Facts, IndexedDataset, IndexedModel, IndexedRun, model_origin
from dnalm.lab.people import User
from dnalm.lab.schema import DatasetRow, JobRow, ModelRow, RunRow, UploadRow, UserRow
from dnalm.model.shelf import changing_models
from dnalm.settings import settings

Row = ModelRow | DatasetRow | RunRow
AnyRow = TypeVar("AnyRow", ModelRow, DatasetRow, RunRow)
OwnedRow = TypeVar("OwnedRow", ModelRow, DatasetRow, RunRow, UploadRow)


@dataclass(frozen=True)
class Kind:
    """One of the three: its table, where its folders are, and how one is read."""

    name: str
    table: type[Any]
    folders: Callable[[], Iterator[Path]]
    stamp: Callable[[Path], list[int]]
    facts: Callable[[Path], Facts]


MODELS = Kind("model", ModelRow, indexed.model_folders, indexed.model_stamp, indexed.model_facts)
DATASETS = Kind("dataset", DatasetRow, indexed.dataset_folders, indexed.dataset_stamp, indexed.dataset_facts)
RUNS = Kind("run", RunRow, indexed.run_folders, indexed.run_stamp, indexed.run_facts)


@dataclass(frozen=True)
class Look:
    """What a look at the folders found.

    Attributes:
        present: keys of the folders that can be read.
        added: how many rows were not there before.
        missing: how many rows have no folder.
        problems: by the key of each folder that cannot be read, one sentence.
    """

    present: frozenset[str]
    added: int
    missing: int
    problems: dict[str, str]


def key_of(folder: Path) -> str:
    """How a row names a folder: by its way from `DNALM_HOME`, which may move."""
    return f"{folder.parent.name}/{folder.name}"


def refresh(kind: Kind, db: Database) -> Look:
    """Compare the rows of one kind with its folders, and put right what differs. Only what changed is read."""
    with db.reading() as session:
        known = {row.folder: row.extra.get("stamp") for row in session.scalars(select(kind.table))}
    folders = {key_of(folder): folder for folder in kind.folders()}
    other = {key: folder for key, folder in folders.items() if known.get(key) != kind.stamp(folder)}
    changed, problems = _read(kind, other) if other else ({}, {})
    present = (folders.keys() - other.keys()) | changed.keys()
    if changed:
        people.local_user(db)
        with db.session() as session:
            notes.keep_missing(session, [put(session, kind, folders[key], facts) for key, facts in changed.items()])
    added, missing = len(changed.keys() - known.keys()), len(known.keys() - present)
    return Look(frozenset(present), added, missing, problems)


def _read(kind: Kind, folders: dict[str, Path]) -> tuple[dict[str, Facts], dict[str, str]]:
    """What folders say, by key; those that cannot be read have a sentence instead."""
    found, problems = {}, {}
    # A model that is just getting its place has its folder a moment before the note of whose run made it.
    with changing_models() if kind is MODELS else nullcontext():
        for key, folder in folders.items():
            try:
                found[key] = kind.facts(folder)
            except (DnalmError, OSError) as error:
                problems[key] = str(error)
    return found, problems


def put(
    session: Session,
    kind: Kind,
    folder: Path,
    facts: Facts,
    *,
    owner: str | None = None,
    shared: bool = False,
) -> Any:
    """Write what a folder says into its row, which is made where there is none.

    Args:
        session: a writing transaction.
        kind: of what.
        folder: where it is.
        facts: what it says.
        owner: whose it is from now on; None leaves it, and gives a new one to whoever's job made it, else to the
            local user.
        shared: whether the lab sees it; only with an owner.
    """
    key = key_of(folder)
    row = session.scalar(select(kind.table).where(kind.table.folder == key))
    if row is None and kind is MODELS and owner is None:
        row = _moved(session, facts)
    if row is None:
        whose, seen = (owner, shared) if owner else _maker(session, kind, folder, facts)
        new = {"id": secrets.token_hex(8), "owner_id": whose, "shared": seen, "description": "", "extra": {}}
        values = {**new, "folder": key, "name": facts.name, "created": facts.created}
        if session.scalar(_insert_unless_there(session, kind.table, values)) is not None:
            audit.record(session, owner or "dnalm", f"{kind.name}.found", f"{kind.name}:{new['id']}", name=facts.name)
        row = session.scalars(select(kind.table).where(kind.table.folder == key)).one()
    row.folder = key
    if owner:
        row.owner_id, row.shared = owner, shared
    fill(row, facts)
    return row


def fill(row: Row, facts: Facts) -> None:
    """Write what a folder says into its row."""
    row.name, row.description, row.created = facts.name, facts.description, facts.created
    row.extra = facts.extra


def move(session: Session, row: ModelRow, folder: Path) -> None:
    """Let a row be of another folder; one whose folder is gone makes room.

    Raises:
        InputError: another model has that folder.
    """
    key = key_of(folder)
    if key != row.folder:
        if folder.exists():
            raise InputError(f"there is a model named {folder.name} already; choose another name")
        session.execute(delete(ModelRow).where(ModelRow.folder == key))
        row.folder = key
        session.flush()


def _moved(session: Session, facts: Facts) -> ModelRow | None:
    """The row of a model with these weights whose own folder is gone: someone gave it another name by hand."""
    for row in session.scalars(select(ModelRow).order_by(ModelRow.folder)):
        if row.extra.get("weights") == facts.extra["weights"] and not (settings().home / row.folder).exists():
            return row
    return None


def _maker(session: Session, kind: Kind, folder: Path, facts: Facts) -> tuple[str, bool]:
    """Whose a folder is and whether it is shared: by its own note, by the job that made it, by its run's note.

    Else it is the local user's.
    """
    run = folder.name if kind is RUNS else facts.extra.get("run")
    job = session.scalar(select(JobRow).where(JobRow.run == run)) if run else None
    note = None if job and kind is RUNS else notes.read_note(folder)
    if note is None and job is None and run:
        note = notes.read_note(settings().runs / run)
    if note is not None:
        return people.remember(session, note.owner, note.owner_name), note.shared
    return (job.owner_id, job.shared) if job else (people.LOCAL, False)


def _insert_unless_there(session: Session, table: type[Any], values: dict[str, Any]) -> Any:
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    return dialect.insert(table).values(**values).on_conflict_do_nothing(index_elements=["folder"]).returning(table.id)


def may_see(user: User, row: Row | UploadRow) -> bool:
    """Whether a row is this person's to see."""
    return user.is_admin or row.shared or row.owner_id == user.id


def listed(session: Session, table: type[AnyRow], keys: Collection[str] | None) -> list[AnyRow]:
    """The rows of these folders; all with None."""
    return [row for row in session.scalars(select(table)) if keys is None or row.folder in keys]


def own(session: Session, user: User, table: type[OwnedRow], row_id: str, what: str) -> OwnedRow:
    """A row, locked, where this person may change it.

    Raises:
        InputError: there is none that they may see, or it is another's.
    """
    row = session.get(table, row_id, with_for_update=True, populate_existing=True)
    kind = table.__tablename__.removesuffix("s")
    if row is None or not may_see(user, row):
        shipped = row_id.startswith(SHIPPED)
        raise InputError(
            f"{row_id.removeprefix(SHIPPED)} comes with dnalm and cannot be changed"
            if shipped
            else f"no {kind} {row_id!r} here, or none that is shared with you"
        )
    if not user.is_admin and row.owner_id != user.id:
        raise InputError(f"{row.name} is {owner_name(session, row.owner_id)}'s; only they or an admin may {what} it")
    return row


def owner_name(session: Session, user_id: str) -> str:
    """How a person is called; their id where nobody knows."""
    found = session.get(UserRow, user_id)
    return found.name if found else user_id


SHIPPED = "shipped:"


def shipped_model(folder: Path, facts: Facts) -> IndexedModel:
    """A model that ships: it has no row."""
    return _model(f"{SHIPPED}{folder.name}", facts, folder, "", "", True, shipped=True)


def shipped_models() -> tuple[list[IndexedModel], list[str]]:
    """The models that ship, and one sentence for each that cannot be read."""
    found, problems = [], []
    for folder in indexed.shipped_folders():
        try:
            found.append(shipped_model(folder, indexed.model_facts(folder)))
        except DnalmError as error:
            problems.append(str(error))
    return found, problems


def model_of(row: ModelRow) -> IndexedModel:
    """What a model's row says."""
    facts = Facts(row.name, row.description, row.created, row.extra)
    folder = settings().home / row.folder
    session = Session.object_session(row)
    owner = owner_name(session, row.owner_id) if session else row.owner_id
    return _model(row.id, facts, folder, row.owner_id, owner, row.shared, shipped=False)


def _model(
    model_id: str, facts: Facts, folder: Path, owner: str, owner_name: str, shared: bool, *, shipped: bool
) -> IndexedModel:
    origin = model_origin(model_id, facts)
    return IndexedModel(
        id=model_id,
        name=facts.name,
        folder=folder,
        owner=owner,
        owner_name=owner_name,
        shared=shared,
        description=facts.description,
        created=facts.created,
        kind=facts.extra["kind"],
        stage=origin.stage,
        shipped=shipped,
        parents=tuple(parent.name for parent in origin.parents),
        size_bytes=facts.extra["size"],
        weights=facts.extra["weights"],
        run=facts.extra["run"],
        origin=origin,
    )


def dataset_of(row: DatasetRow) -> IndexedDataset:
    """What a dataset's row says."""
    session = Session.object_session(row)
    return IndexedDataset(
        id=row.id,
        name=row.name,
        folder=settings().home / row.folder,
        owner=row.owner_id,
        owner_name=owner_name(session, row.owner_id) if session else row.owner_id,
        shared=row.shared,
        description=row.description,
        created=row.created,
        rows=row.extra["rows"],
        labels=tuple(row.extra["labels"]),
        positive=row.extra["positive"],
        size_bytes=row.extra["size"],
        sha256=row.extra["sha256"],
    )


def runs_of(session: Session, user: User, keys: Collection[str]) -> list[IndexedRun]:
    """The runs of these folders that a person may see, by what their jobs say where they have one."""
    jobs = {job.run: job for job in session.scalars(select(JobRow))}
    found = []
    for row in listed(session, RunRow, keys):
        job = jobs.get(row.name)
        owner, shared = (job.owner_id, job.shared) if job else (row.owner_id, row.shared)
        if user.is_admin or shared or owner == user.id:
            name, folder = owner_name(session, owner), settings().home / row.folder
            said = (row.id, row.name, folder, owner, name, shared, row.description, row.created)
            found.append(IndexedRun(*said, phase=row.extra["phase"], job=job.id if job else None))
    return found
