"""What keeps a model, a set or an upload from being deleted: models that came from it, jobs about to read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dnalm.datasets.named_files import as_path
from dnalm.datasets.recipes import of_id
from dnalm.errors import DnalmError, InputError
from dnalm.lab import rows
from dnalm.lab.database import Database, database
from dnalm.lab.job import RESUMABLE, JobState, has_folder
from dnalm.lab.lineage import dependents
from dnalm.lab.people import User
from dnalm.lab.schema import DatasetRow, JobRow, ModelRow
from dnalm.model.bundle import find_bundle, read_bundle
from dnalm.settings import settings

OPEN = (JobState.QUEUED, JobState.RUNNING)


def refuse_children(session: Session, user: User, row: ModelRow) -> None:
    """Refuse to take away what others came from.

    Raises:
        InputError: names those that this person may see, and says how many others there are.
    """
    everyone = _models_here(session)
    origins = [rows.model_of(one).origin for one in everyone] + [one.origin for one in rows.shipped_models()[0]]
    below = {one.model for one in dependents(origins, row.id)}
    children = [one for one in everyone if one.id in below]
    if children:
        named = _named(children, lambda one: rows.may_see(user, one))
        raise InputError(f"{row.name} cannot be deleted: made from it: {named}")


def refuse_jobs(session: Session, user: User, row: ModelRow, done: str) -> None:
    """Refuse to take a model's name from jobs that wait or run and start from it.

    Raises:
        InputError: names those that this person may see, and says how many others there are.
    """
    folder = settings().home / row.folder
    if named := _jobs_that(session, user, lambda config: _starts_from(config, folder)):
        raise InputError(f"{row.name} cannot be {done} while jobs that wait or run start from it: {named}")


def refuse_jobs_of_run(session: Session, user: User, run: Path) -> None:
    """Refuse to delete a run folder whose model jobs that wait or run start from.

    Raises:
        InputError: names those that this person may see, and says how many others there are.
    """
    if named := _jobs_that(session, user, lambda config: _starts_from(config, run / "bundle")):
        raise InputError(f"{run.name} cannot be deleted while jobs that wait or run start from it: {named}")


def refuse_reading_jobs(session: Session, user: User, row: DatasetRow) -> None:
    """Refuse to delete a dataset that jobs which wait or run read.

    Raises:
        InputError: names those that this person may see, and says how many others there are.
    """
    folder = settings().home / row.folder
    if named := _jobs_that(session, user, lambda config: any(_is(name, folder) for name in _datasets_of(config))):
        raise InputError(f"{row.name} cannot be deleted while jobs that wait or run read it: {named}")


def refuse_jobs_reading_file(session: Session, user: User, name: str, file: Path) -> None:
    """Refuse to delete an uploaded sequence that jobs which wait or run read.

    Raises:
        InputError: names those that this person may see, and says how many others there are.
    """
    if named := _jobs_that(session, user, lambda config: any(_is_file(one, file) for one in _genomes_of(config))):
        raise InputError(f"{name} cannot be deleted while jobs that wait or run read it: {named}")


def models_reading_file(session: Session, user: User, file: Path) -> str:
    """The models whose training read an uploaded sequence, by name as this person may see them; empty where none is."""
    return _named(
        [one for one in _models_here(session) if any(_is_file(name, file) for name in _genomes_of(_config_of(one)))],
        lambda one: rows.may_see(user, one),
    )


def refuse_models(session: Session, user: User, row: DatasetRow) -> None:
    """Refuse to delete a dataset that models learnt from: nobody could test them on it again.

    What a recipe makes is not kept for them: the recipe makes the same again.

    Raises:
        InputError: names those that this person may see, and says how many others there are.
    """
    twins = [one for one in rows.listed(session, DatasetRow, None) if _same_rows(one, row)]
    if of_id(row.name) is not None or twins:
        return
    made = [one for one in _models_here(session) if _learnt_from(one, row)]
    if made:
        named = _named(made, lambda one: rows.may_see(user, one))
        raise InputError(f"{row.name} cannot be deleted: trained on it: {named}; delete those first")


def files_in_use(db: Database | None = None) -> frozenset[Path]:
    """The genome files that jobs read which wait, run or can be resumed, whoever's they are: they have to stay.

    A job that failed or was cancelled reads them again when it is resumed; when it is deleted, or its run folder has
    gone, it needs them no more.

    Raises:
        DatabaseError: the jobs cannot be asked for.
    """
    with (db or database()).reading() as session:
        ended = session.scalars(select(JobRow).where(JobRow.state.in_(RESUMABLE)))
        reading = [*open_jobs(session), *(job for job in ended if has_folder(job))]
        named = [name for job in reading for name in _genomes_of(job.config)]
    return frozenset(Path(name).resolve() for name in named)


def open_jobs(session: Session) -> Iterable[JobRow]:
    """The jobs that wait or run: what they read has to stay."""
    return session.scalars(select(JobRow).where(JobRow.state.in_(OPEN)))


def _models_here(session: Session) -> list[ModelRow]:
    return [one for one in rows.listed(session, ModelRow, None) if (settings().home / one.folder).is_dir()]


def _jobs_that(session: Session, user: User, reads: Callable[[dict[str, Any]], bool]) -> str:
    """The open jobs whose configuration reads something, by name; empty where there is none."""
    return _named(
        [job for job in open_jobs(session) if reads(job.config)],
        lambda job: user.is_admin or job.shared or job.owner_id == user.id,
    )


def _named(found: list[Any], seen: Callable[[Any], bool]) -> str:
    """The names of those that a person may see, and how many others there are."""
    named = sorted(one.name for one in found if seen(one))
    hidden = len(found) - len(named)
    return ", ".join(named + ([f"{hidden} of other people"] if hidden else []))


def _starts_from(config: dict[str, Any], model: Path) -> bool:
    named = config.get("model")
    try:
        return isinstance(named, str) and find_bundle(named).resolve() == model.resolve()
    except (InputError, OSError, ValueError):
        return False


def _datasets_of(config: dict[str, Any]) -> Iterator[str]:
    """The datasets that a configuration names, those of its pre-training too."""
    for part in (config, config.get("pretrain")):
        for field in ("dataset", "exclude_matches", "task"):
            if isinstance(part, dict) and isinstance(named := part.get(field), str):
                yield named


def _genomes_of(config: dict[str, Any]) -> Iterator[str]:
    """The files of sequences, genes and sites that a configuration names, those of its pre-training too."""
    for part in (config, config.get("pretrain")):
        named = part.get("genomes") if isinstance(part, dict) else None
        if isinstance(named, list):
            yield from (name for name in named if isinstance(name, str))
    for field in ("sequence", "truth", "genome", "starts", "annotation"):
        if isinstance(named := config.get(field), str):
            yield str(as_path(named))


def _is(name: str, folder: Path) -> bool:
    try:
        return name == folder.name or Path(name).resolve() == folder.resolve()
    except (OSError, ValueError):
        return False


def _is_file(name: str, file: Path) -> bool:
    try:
        return Path(name).resolve() == file.resolve()
    except (OSError, ValueError):
        return False


def _same_rows(one: DatasetRow, row: DatasetRow) -> bool:
    same = bool(row.extra.get("sha256")) and one.extra.get("sha256") == row.extra.get("sha256")
    return one.id != row.id and same and (settings().home / one.folder).is_dir()


def _trained(model: ModelRow) -> dict[str, Any]:
    """What a model's bundle says of its training; nothing where it is damaged."""
    try:
        return read_bundle(settings().home / model.folder).config.trained
    except DnalmError:
        return {}


def _config_of(model: ModelRow) -> dict[str, Any]:
    config = _trained(model).get("config")
    return config if isinstance(config, dict) else {}


def _learnt_from(model: ModelRow, row: DatasetRow) -> bool:
    """Whether a model says that it learnt from the dataset with these very rows."""
    data, config = _trained(model).get("data"), _config_of(model)
    if isinstance(data, dict) and isinstance(data.get("sha256"), str):
        return bool(data["sha256"]) and data["sha256"] == row.extra.get("sha256")
    return row.name in _datasets_of(config)
