"""What the index says of models, datasets and runs, and how it is read from their folders, which are the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from dnalm.datasets.dataset import INFO, TABLE
from dnalm.errors import InputError
from dnalm.lab.lineage import Origin, Parent, Stage, origin
from dnalm.lab.notes import described
from dnalm.model.bundle import CONFIG, WEIGHTS, read_bundle, weights_hash
from dnalm.model.shelf import FILES, LONGEST_DESCRIPTION, run_of
from dnalm.settings import settings
from dnalm.training.run import RunFolder

RUN_CONFIG = "config.yaml"


@dataclass(frozen=True)
class Facts:
    """What a folder says of itself. `extra` is JSON; `stamp` in it changes when the folder's files do."""

    name: str
    description: str
    created: datetime
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Indexed:
    """What every entry of the index has.

    Attributes:
        id: opaque, and the same after a rename; it may stand in an address.
        name: by which commands and addresses know it.
        folder: where it is.
        owner: the id of whoever owns it, `owner_name` how they are called; empty for what ships.
        shared: the whole lab may see it, not only its owner and admins.
        description: one line, for people.
        created: when it was made, UTC.
    """

    id: str
    name: str
    folder: Path
    owner: str
    owner_name: str
    shared: bool
    description: str
    created: datetime


@dataclass(frozen=True)
class IndexedModel(Indexed):
    """A model.

    Attributes:
        kind: language-model, classifier or track; `stage` tells fine-tuned ones apart.
        shipped: it comes with dnalm, everyone sees it and nobody changes it.
        parents: names of the models that it came from, the nearest first, as they were called then.
        size_bytes: its files together.
        weights: SHA-256 of its weights.
        run: name of the run that made it; None where that is not known.
        origin: what its lineage is drawn from.
    """

    kind: str
    stage: Stage
    shipped: bool
    parents: tuple[str, ...]
    size_bytes: int
    weights: str
    run: str | None
    origin: Origin


@dataclass(frozen=True)
class IndexedDataset(Indexed):
    """A dataset. `rows` is its number of sequences; `positive` the class that a probability would speak of."""

    rows: int
    labels: tuple[str, ...]
    positive: str | None
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class IndexedRun(Indexed):
    """A run folder. `job` is the id of the job that made it; None where a command did."""

    phase: str
    job: str | None


def model_folders() -> Iterator[Path]:
    """Folders of this installation's own models."""
    yield from _holding(settings().models, CONFIG)


def shipped_folders() -> Iterator[Path]:
    """Folders of the models that ship; one that has an own model's name is hidden by it."""
    own = {folder.name for folder in model_folders()}
    yield from (folder for folder in _holding(settings().shipped_models, CONFIG) if folder.name not in own)


def dataset_folders() -> Iterator[Path]:
    """Folders of this installation's datasets."""
    yield from _holding(settings().datasets, INFO)


def run_folders() -> Iterator[Path]:
    """Folders of this installation's runs."""
    yield from _holding(settings().runs, RUN_CONFIG)


def _holding(root: Path, file: str) -> Iterator[Path]:
    if root.is_dir():
        yield from (path.parent for path in sorted(root.glob(f"[!.]*/{file}")))


def model_stamp(folder: Path) -> list[int]:
    """Changes when a model's files do."""
    return _stamp(folder, FILES)


def dataset_stamp(folder: Path) -> list[int]:
    """Changes when a dataset's files do."""
    return _stamp(folder, (INFO, TABLE))


def run_stamp(folder: Path) -> list[int]:
    """Changes when a run's configuration does, not with its progress."""
    return _stamp(folder, (RUN_CONFIG,))


def _stamp(folder: Path, names: tuple[str, ...]) -> list[int]:
    stamp = []
    for name in names:
        try:
            status = (folder / name).stat()
        except OSError:
            stamp += [0, 0]
        else:
            stamp += [status.st_mtime_ns, status.st_size]
    return stamp


def model_facts(folder: Path) -> Facts:
    """Read a bundle's small files, and the hash of its weights; kept until its files change.

    Raises:
        BundleError: it cannot be read.
    """
    return _model_facts(folder, tuple(model_stamp(folder)))


@lru_cache(maxsize=1024)
def _model_facts(folder: Path, stamp: tuple[int, ...]) -> Facts:
    config = read_bundle(folder).config
    try:
        weights = weights_hash(folder)
    except OSError as error:
        raise InputError(f"{folder / WEIGHTS}: cannot be read: {error.strerror}") from None
    said = origin("", folder.name, config, weights)
    extra = {
        "stamp": list(stamp),
        "kind": config.kind,
        "stage": said.stage.value,
        "weights": weights,
        "parents": [[parent.name, parent.weights] for parent in said.parents],
        "genomes": list(said.genomes),
        "size": sum(stamp[1::2]),
        "run": run_of(folder, weights),
    }
    return Facts(folder.name, config.description[:LONGEST_DESCRIPTION], _changed(folder / WEIGHTS), extra)


def model_origin(model: str, facts: Facts) -> Origin:
    """What the lineage is drawn from."""
    parents = tuple(Parent(name, weights) for name, weights in facts.extra["parents"])
    stage, genomes = Stage(facts.extra["stage"]), tuple(facts.extra["genomes"])
    return Origin(model, facts.name, facts.extra["weights"], stage, parents, genomes)


def dataset_facts(folder: Path) -> Facts:
    """Read a dataset's description, not its sequences.

    Raises:
        InputError: it cannot be read.
    """
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        created = _changed(folder / TABLE)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{folder}: cannot be read as a dataset: {error}") from None
    if not isinstance(info, dict):
        raise InputError(f"{folder / INFO}: one JSON object is wanted")
    labels = info.get("labels")
    stamp = dataset_stamp(folder)
    extra = {
        "stamp": stamp,
        "rows": info.get("rows") if isinstance(info.get("rows"), int) else 0,
        "labels": [str(label) for label in labels] if isinstance(labels, list) else [],
        "positive": info.get("positive") if isinstance(info.get("positive"), str) else None,
        "sha256": str(info.get("sha256", "")),
        "size": sum(stamp[1::2]),
    }
    said = described(folder, "") or str(info.get("title") or info.get("name") or "")
    return Facts(folder.name, said[:LONGEST_DESCRIPTION], created, extra)


def run_facts(folder: Path) -> Facts:
    """Read what a run was told.

    Raises:
        InputError: it cannot be read.
    """
    document = RunFolder(folder).document()
    try:
        created = datetime.fromisoformat(str(document.get("created", "")))
    except ValueError:
        created = _changed(folder / RUN_CONFIG)
    created = created.replace(tzinfo=UTC) if created.tzinfo is None else created
    extra = {"stamp": run_stamp(folder), "phase": str(document["config"].get("phase", ""))}
    return Facts(folder.name, described(folder, "") or str(document["config"].get("name") or ""), created, extra)


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
