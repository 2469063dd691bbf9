"""The index of datasets: whose each is, what it is called, who may see it, and what keeps it from being deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy.orm import Session

from dnalm.datasets.recipes import of_id
from dnalm.errors import InputError
from dnalm.files import out_of_sight
from dnalm.lab import audit, notes, rows
from dnalm.lab.database import Database, database
from dnalm.lab.in_use import refuse_models, refuse_reading_jobs
from dnalm.lab.indexed import IndexedDataset
from dnalm.lab.people import User
from dnalm.lab.rows import DATASETS, may_see, refresh
from dnalm.lab.schema import DatasetRow
from dnalm.settings import settings


def datasets(user: User, *, db: Database | None = None) -> list[IndexedDataset]:
    """The datasets of this installation that this person may see, the newest first."""
    db = db or database()
    look = refresh(DATASETS, db)
    with db.reading() as session:
        found = [rows.dataset_of(row) for row in rows.listed(session, DatasetRow, look.present) if may_see(user, row)]
    return sorted(found, key=lambda dataset: dataset.created, reverse=True)


def dataset(user: User, name: str, *, db: Database | None = None) -> IndexedDataset:
    """One dataset, by its name or id.

    Raises:
        InputError: there is none that this person may see.
    """
    found = [one for one in datasets(user, db=db) if name in (one.id, one.name)]
    if not found:
        raise InputError(f"no dataset {name!r} here, or none that is shared with you")
    return found[0]


def add_dataset(
    user: User, folder: Path, *, description: str = "", shared: bool = False, db: Database | None = None
) -> IndexedDataset:
    """Note whose a dataset folder is, after an upload or a recipe has made it below `$DNALM_HOME/datasets`.

    Raises:
        InputError: it is not there, cannot be read, or is another person's already.
    """
    db = db or database()
    if folder.resolve().parent != settings().datasets.resolve():
        raise InputError(f"{folder}: a dataset of this installation is a folder in {settings().datasets}")
    facts = DATASETS.facts(settings().datasets / folder.name)
    with db.session() as session:
        row = rows.put(session, DATASETS, settings().datasets / folder.name, facts, owner=user.id, shared=shared)
        text = notes.one_line(description)
        row.description = text or row.description
        audit.record(session, user.id, "dataset.add", f"dataset:{row.id}", name=row.name)
        session.flush()
        notes.keep(session, row, description=text or None)
        return rows.dataset_of(row)


def describe_dataset(user: User, dataset_id: str, description: str, *, db: Database | None = None) -> IndexedDataset:
    """Say in a line what a dataset is; with an empty one, its own files say it again.

    Raises:
        InputError: it is not this person's, or the line is too long.
        RunError: the line cannot be written into its folder.
    """
    db = db or database()
    text = notes.one_line(description)
    refresh(DATASETS, db)
    with db.session() as session:
        row = rows.own(session, user, DatasetRow, dataset_id, "describe")
        notes.keep(session, row, description=text)
        rows.fill(row, DATASETS.facts(settings().home / row.folder))
        audit.record(session, user.id, "dataset.describe", f"dataset:{row.id}")
        return rows.dataset_of(row)


def share_dataset(user: User, dataset_id: str, shared: bool, *, db: Database | None = None) -> IndexedDataset:
    """Let the whole lab see a dataset, or only its owner again.

    Raises:
        InputError: it is not this person's.
        RunError: that cannot be written into its folder.
    """
    with (db or database()).session() as session:
        row = rows.own(session, user, DatasetRow, dataset_id, "share")
        row.shared = shared
        audit.record(session, user.id, "dataset.share", f"dataset:{row.id}", shared=shared)
        notes.keep(session, row)
        return rows.dataset_of(row)


def delete_dataset(user: User, dataset_id: str, *, db: Database | None = None) -> None:
    """Delete a dataset. It cannot be brought back, unless a recipe makes it.

    Raises:
        InputError: it is not this person's, a job is about to read it, or a model was made from it.
        RunError: its folder cannot be removed.
    """
    db = db or database()
    refresh(DATASETS, db)
    with db.session() as session:
        row = _deletable(session, user, dataset_id)
        row_name = Path(row.folder).name
        audit.record(session, user.id, "dataset.delete", f"dataset:{row.id}", name=row.name)
        session.delete(row)
        session.flush()
        grave = out_of_sight(settings().home / row.folder)
    shutil.rmtree(grave, ignore_errors=True)
    _forget_figures(row_name)


def _forget_figures(name: str) -> None:
    """What was measured on a set goes with it: another set may get its name."""
    from dnalm.evaluation.bench.benches import known_names  # these bring PyTorch; looking does without
    from dnalm.evaluation.bench.kept import forget

    if of_id(name) is None and name not in known_names():
        forget(name)


def check_dataset_deletable(user: User, dataset_id: str, *, db: Database | None = None) -> None:
    """Ask whether a dataset could be deleted, before a person is asked whether they mean it.

    Raises:
        InputError: as `delete_dataset` would.
    """
    db = db or database()
    refresh(DATASETS, db)
    with db.session() as session:
        _deletable(session, user, dataset_id)


def _deletable(session: Session, user: User, dataset_id: str) -> DatasetRow:
    row = rows.own(session, user, DatasetRow, dataset_id, "delete")
    refuse_reading_jobs(session, user, row)
    refuse_models(session, user, row)
    return row
