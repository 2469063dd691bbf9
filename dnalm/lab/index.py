"""The index of models, datasets and runs: whose each is, and who may see it, over folders that stay the truth.

Every look compares the rows with the folders, by the times and sizes of a few files, and puts right what differs: a
model that a command made, or that someone removed, needs nothing more. A row whose folder is gone is kept, unseen, so
that a disk that comes back has its owners again. Each call takes the acting person first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dnalm import files
from dnalm.errors import DnalmError, InputError
from dnalm.lab import audit, notes, rows, upload_store
from dnalm.lab.database import Database, database
from dnalm.lab.in_use import refuse_children, refuse_jobs
from dnalm.lab.indexed import IndexedModel, model_facts
from dnalm.lab.job import Job
from dnalm.lab.lineage import Lineage, draw_lineage
from dnalm.lab.people import User
from dnalm.lab.rows import DATASETS, MODELS, RUNS, may_see, refresh
from dnalm.lab.runs import runs
from dnalm.lab.schema import ModelRow
from dnalm.lab.sets import (
    add_dataset,
    check_dataset_deletable,
    dataset,
    datasets,
    delete_dataset,
    describe_dataset,
    share_dataset,
)
from dnalm.model import shelf
from dnalm.model.exchange import export_bundle, import_bundle
from dnalm.settings import settings

__all__ = [
    "Counts",
    "add_dataset",
    "check_dataset_deletable",
    "check_deletable",
    "dataset",
    "datasets",
    "delete_dataset",
    "delete_model",
    "describe_dataset",
    "describe_model",
    "export_model",
    "import_model",
    "lineage",
    "model",
    "models",
    "reindex",
    "rename_model",
    "run_finished",
    "runs",
    "share_dataset",
    "share_model",
    "unreadable",
]


@dataclass(frozen=True)
class Counts:
    """What `reindex` found.

    Attributes:
        models: this installation's own models that can be read; `datasets` and `runs` likewise.
        uploads: uploaded sequences.
        added: entries that the index did not have.
        came: models of finished runs that had no place among the models yet.
        missing: entries whose folder is gone; their owners are remembered.
        unreadable: one sentence for each folder that cannot be read.
    """

    models: int
    datasets: int
    runs: int
    uploads: int
    added: int
    came: tuple[str, ...]
    missing: int
    unreadable: tuple[str, ...]


def reindex(db: Database | None = None) -> Counts:
    """Rebuild the index from the folders. Doing it again changes nothing.

    Owners, shares and descriptions that the database knows stay, and are written beside the folders (`lab.json`) where
    they are not; where the database was lost, they come back from there. A folder without a word on it is the local
    user's and private.
    """
    db = db or database()
    shelf.clear_leftovers()
    for parent in (settings().datasets, settings().runs, upload_store.root()):
        files.clear_leftovers(parent)
    came, problems = [], []
    for folder in RUNS.folders():
        try:
            came += [model.name for model in shelf.shelve_run(folder)]
        except (DnalmError, OSError) as error:
            problems.append(str(error))
    kinds = (MODELS, DATASETS, RUNS)
    looks = [refresh(kind, db) for kind in kinds]
    with db.reading() as session:
        for kind, look in zip(kinds, looks, strict=True):
            notes.keep_missing(session, rows.listed(session, kind.table, look.present))
    uploads = upload_store.look(db)
    upload_store.keep_missing_notes(db)
    counts = [*(len(look.present) for look in looks), len(uploads)]
    unreadable = dict.fromkeys([*problems, *(text for look in looks for text in look.problems.values())])
    return Counts(
        *counts,
        added=sum(look.added for look in looks),
        came=tuple(came),
        missing=sum(look.missing for look in looks),
        unreadable=tuple(unreadable),
    )


def run_finished(job: Job, db: Database | None = None) -> list[str]:
    """Take note of a job that succeeded: its models get their names, and are its owner's, shared as the job is.

    The worker calls it when the job's process has ended well. Where nobody does, the next look finds the models all
    the same; calling it twice does nothing.

    Returns:
        The names of the models that came now.

    Raises:
        BundleError: the run's bundle is damaged.
    """
    db = db or database()
    came = shelf.shelve_run(job.run)
    refresh(RUNS, db)
    refresh(MODELS, db)
    return [model.name for model in came]


def models(user: User, *, db: Database | None = None) -> list[IndexedModel]:
    """The models that this person may see: their own and shared ones, the newest first, then those that ship."""
    db = db or database()
    look = refresh(MODELS, db)
    with db.reading() as session:
        own = [rows.model_of(row) for row in rows.listed(session, ModelRow, look.present) if may_see(user, row)]
    own.sort(key=lambda model: model.created, reverse=True)
    return own + rows.shipped_models()[0]


def unreadable(user: User, *, db: Database | None = None) -> list[str]:
    """One sentence for each model's folder that cannot be read: to a member those alone that they might see."""
    db = db or database()
    look = refresh(MODELS, db)
    with db.reading() as session:
        theirs = {row.folder for row in rows.listed(session, ModelRow, look.problems) if may_see(user, row)}
    told = [text for key, text in look.problems.items() if user.is_admin or key in theirs]
    return [*told, *rows.shipped_models()[1]]


def model(user: User, name: str, *, db: Database | None = None) -> IndexedModel:
    """One model, by its name or id.

    Raises:
        InputError: there is none that this person may see.
    """
    found = [one for one in models(user, db=db) if name in (one.id, one.name)]
    if not found:
        raise InputError(f"no model {name!r} here, or none that is shared with you")
    return found[0]


def lineage(user: User, model_id: str | None = None, *, db: Database | None = None) -> Lineage:
    """Where the models that this person may see came from; with an id, the part around that model.

    Raises:
        InputError: there is no such model.
    """
    visible = models(user, db=db)
    drawn = draw_lineage(one.origin for one in visible)
    if model_id is None:
        return drawn
    if model_id not in {one.id for one in visible}:
        raise InputError(f"no model {model_id!r} here, or none that is shared with you")
    return drawn.around(model_id)


def rename_model(user: User, model_id: str, name: str, *, db: Database | None = None) -> IndexedModel:
    """Give a model another name. What came from it still knows it, by the hash of its weights.

    Raises:
        InputError: it is not this person's, a job is about to use it, or the name is taken or none.
    """

    def work(session: Session, row: ModelRow) -> None:
        refuse_jobs(session, user, row, "renamed")
        audit.record(session, user.id, "model.rename", f"model:{row.id}", was=row.name, now=name)
        rows.move(session, row, settings().models / shelf.checked_name(name))
        shelf.rename_model(row.name, name)

    return _change(user, model_id, "rename", work, db)


def describe_model(user: User, model_id: str, description: str, *, db: Database | None = None) -> IndexedModel:
    """Say in a line what a model is; its own files say so then too.

    Raises:
        InputError: it is not this person's, or the line is too long.
    """

    def work(session: Session, row: ModelRow) -> None:
        shelf.describe_model(row.name, description)
        audit.record(session, user.id, "model.describe", f"model:{row.id}")

    return _change(user, model_id, "describe", work, db)


def share_model(user: User, model_id: str, shared: bool, *, db: Database | None = None) -> IndexedModel:
    """Let the whole lab see a model, or only its owner again.

    Raises:
        InputError: it is not this person's.
    """

    def work(session: Session, row: ModelRow) -> None:
        row.shared = shared
        audit.record(session, user.id, "model.share", f"model:{row.id}", shared=shared)

    return _change(user, model_id, "share", work, db)


def delete_model(user: User, model_id: str, *, db: Database | None = None) -> None:
    """Delete a model. The run that made it, if it is still here, keeps its own copy.

    Raises:
        InputError: it is not this person's, models came from it, or a job is about to use it.
    """
    db = db or database()
    refresh(MODELS, db)
    with db.session() as session:
        row = _deletable(session, user, model_id)
        audit.record(session, user.id, "model.delete", f"model:{row.id}", name=row.name)
        session.delete(row)
        session.flush()
        shelf.delete_model(row.name)


def check_deletable(user: User, model_id: str, *, db: Database | None = None) -> None:
    """Ask whether a model could be deleted, before a person is asked whether they mean it.

    Raises:
        InputError: as `delete_model` would.
    """
    db = db or database()
    refresh(MODELS, db)
    with db.session() as session:
        _deletable(session, user, model_id)


def _deletable(session: Session, user: User, model_id: str) -> ModelRow:
    row = rows.own(session, user, ModelRow, model_id, "delete")
    refuse_children(session, user, row)
    refuse_jobs(session, user, row, "deleted")
    return row


def import_model(
    user: User,
    source: Path,
    *,
    name: str | None = None,
    shared: bool = False,
    replace: bool = False,
    db: Database | None = None,
) -> IndexedModel:
    """Take a model in from an archive or a folder: checked whole, then this person's.

    Args:
        user: the acting person.
        source: an archive, a bundle's folder or a run folder.
        name: the name it gets; its own when None.
        shared: the whole lab may see it.
        replace: let it take the place of a model of this name that this person may change; owner and share stay.
        db: the database; else that of the settings.

    Raises:
        InputError: the name is taken, or the source is damaged or no model; nothing is left behind then. Or what it
            would replace is another's, or a job is about to use that.
    """
    db = db or database()
    refresh(MODELS, db)
    replaced: list[Path] = []

    def check(target: Path) -> None:
        with db.reading() as session:
            row = session.scalar(select(ModelRow).where(ModelRow.folder == rows.key_of(target)))
            if row is not None and not user.is_admin and row.owner_id != user.id:
                raise InputError(f"{target.name}: another's model has this name; choose another")
            if row is not None:
                refuse_jobs(session, user, row, "replaced")
                replaced.append(target)

    folder = import_bundle(source, name=name, replace=replace, before_replacing=check).folder
    with db.session() as session:
        kept = {} if replaced else {"owner": user.id, "shared": shared}
        row = rows.put(session, MODELS, folder, model_facts(folder), **kept)
        audit.record(session, user.id, "model.import", f"model:{row.id}", name=row.name, replaced=bool(replaced))
        session.flush()
        notes.keep(session, row)
        return rows.model_of(row)


def export_model(user: User, model_id: str, target: Path, *, db: Database | None = None) -> Path:
    """Write a model that this person may see as a zip archive.

    Raises:
        InputError: there is no such model, or the target's folder is missing.
    """
    return export_bundle(model(user, model_id, db=db).folder, target)


def _change(
    user: User, model_id: str, what: str, work: Callable[[Session, ModelRow], None], db: Database | None
) -> IndexedModel:
    """Change one model of this person in one transaction; what fails leaves row and folder as they were."""
    db = db or database()
    refresh(MODELS, db)
    with db.session() as session:
        row = rows.own(session, user, ModelRow, model_id, what)
        work(session, row)
        rows.fill(row, model_facts(settings().home / row.folder))
        session.flush()
        notes.keep(session, row)
        return rows.model_of(row)
