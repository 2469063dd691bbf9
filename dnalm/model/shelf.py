"""The models of this installation, `$DNALM_HOME/models/NAME/`: how they get there, change their name, and go.

A finished run's bundle comes here under a free name, so that everyone finds it by that name. Its files are hard links
where the disk has them, and cost no space. What happens to it here does not touch the run.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from dnalm.errors import InputError
from dnalm.files import write_whole
from dnalm.model.bundle import CARD, CONFIG, METRICS, WEIGHTS, read_bundle, weights_hash
from dnalm.model.config import BundleConfig
from dnalm.settings import settings

FILES = (CONFIG, WEIGHTS, METRICS, CARD)
PHASES = ("pretrain", "finetune")
LONGEST_DESCRIPTION = 2000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
# Which runs' models have come here once: one that was deleted or renamed since does not come again.
_CAME = ".came"


def checked_name(text: str) -> str:
    """A name that a model can have, as it stands in paths and addresses.

    Raises:
        InputError: it cannot be one.
    """
    if _NAME.fullmatch(text) is None:
        raise InputError(f"{text!r} is no name for a model: letters, digits, dot, dash and underscore, at most 120")
    return text


@contextmanager
def changing_models() -> Iterator[Path]:
    """Hold the models of this installation alone while they change; gives their folder."""
    models = settings().models
    models.mkdir(parents=True, exist_ok=True)
    with (settings().home / ".models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield models


def shelve_run(run: Path) -> list[Path]:
    """Give the models of a finished run their place among this installation's, those of its earlier phases too.

    Doing it again does nothing. What is not done yet, or has no bundle, is passed over.

    Args:
        run: the run folder.

    Returns:
        The folders of the models that came now, the earliest phase first.

    Raises:
        BundleError: the run's bundle is damaged.
    """
    came = []
    for phase in (*PHASES, None):
        folder = run / phase if phase else run
        if (folder / "result.json").is_file() and (folder / "bundle" / WEIGHTS).is_file():
            mark = f"{run.name}.{phase}" if phase else run.name
            wanted = read_bundle((run if _whole(run) else folder) / "bundle").config.name
            target = _shelve(folder / "bundle", run.name, mark, f"{wanted[:110]}-{phase}" if phase else wanted)
            came += [target] if target else []
    return came


def _whole(run: Path) -> bool:
    return (run / "result.json").is_file() and (run / "bundle" / CONFIG).is_file()


def _shelve(bundle: Path, run: str, mark: str, wanted: str) -> Path | None:
    weights = weights_hash(bundle)
    with changing_models() as models:
        note = models / _CAME / f"{mark}.json"
        if _read_note(note).get("weights") == weights:
            return None
        target = _same_files(bundle, models) or _place(bundle, models, wanted, read_bundle(bundle).config)
        note.parent.mkdir(exist_ok=True)
        write_whole(note, json.dumps({"weights": weights, "model": target.name, "run": run}))
        return target


def _read_note(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _same_files(bundle: Path, models: Path) -> Path | None:
    """The model that a kill kept from being noted: it has the very files of this bundle."""
    for weights in models.glob(f"[!.]*/{WEIGHTS}"):
        if weights.samefile(bundle / WEIGHTS):
            return weights.parent
    return None


def _place(source: Path, models: Path, wanted: str, config: BundleConfig) -> Path:
    """Put a bundle's files under a free name, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=models, prefix=".new-") as scratch:
        building = Path(scratch) / "bundle"
        building.mkdir()
        for name in FILES:
            if (source / name).is_file():
                _link(source / name, building / name)
        for number in count(1):
            target = models / (wanted if number == 1 else f"{wanted[:115]}-{number}")
            if taken(target.name):
                continue
            write_config(building, config.model_copy(update={"name": target.name}))
            building.rename(target)
            return target
    raise AssertionError("the numbers never end")


def taken(name: str) -> bool:
    """Whether a model here or a shipped one has this name."""
    return any((root / name).exists() for root in (settings().models, settings().shipped_models))


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, target)


def write_config(folder: Path, config: BundleConfig) -> None:
    """Write a bundle's `config.json`, whole; what was linked to the old one keeps it."""
    if read_bundle(folder).config != config:
        document: dict[str, Any] = config.model_dump(mode="json", exclude_defaults=False)
        write_whole(folder / CONFIG, json.dumps(document, indent=1) + "\n")


def rename_model(name: str, new: str) -> Path:
    """Give a model of this installation another name.

    Args:
        name: the name it has.
        new: the name it gets.

    Returns:
        Its folder.

    Raises:
        InputError: there is none of that name here, or the new one is taken or no name.
    """
    checked_name(new)
    with changing_models() as models:
        old = own_folder(name)
        if new == name:
            return old
        if taken(new):
            raise InputError(f"there is a model named {new} already; choose another name")
        # The files come under the new name first: a kill leaves the model under both names, never under none.
        target = _place(old, models, new, read_bundle(old).config)
        _discard(old, models)
    return target


def describe_model(name: str, description: str) -> None:
    """Change what `config.json` of a model of this installation says that it is.

    Raises:
        InputError: there is none of that name here, or the description is too long.
    """
    text = " ".join(description.split())
    if len(text) > LONGEST_DESCRIPTION:
        raise InputError(f"a description has at most {LONGEST_DESCRIPTION:,} letters; this one has {len(text):,}")
    with changing_models():
        folder = own_folder(name)
        write_config(folder, read_bundle(folder).config.model_copy(update={"description": text}))


def delete_model(name: str) -> None:
    """Delete a model of this installation. A run that made it keeps its own bundle.

    Raises:
        InputError: there is none of that name here.
    """
    with changing_models() as models:
        _discard(own_folder(name), models)


def _discard(folder: Path, models: Path) -> None:
    # Out of sight at once, then file by file.
    with tempfile.TemporaryDirectory(dir=models, prefix=".gone-") as grave:
        folder.rename(Path(grave) / folder.name)


def own_folder(name: str) -> Path:
    """Folder of a model of this installation.

    Raises:
        InputError: there is none of that name, or it is one that ships, which nobody can change.
    """
    folder = settings().models / checked_name(name)
    if folder.is_dir():
        return folder
    if (settings().shipped_models / name).is_dir():
        raise InputError(f"{name} comes with dnalm and cannot be changed; export it and import it under another name")
    raise InputError(f"no model {name!r} in {settings().models}")


def clear_leftovers() -> int:
    """Remove what a killed process left half done; returns how many folders. Models themselves are never touched."""
    with changing_models() as models:
        found = [path for kind in (".new-", ".gone-") for path in models.glob(f"{kind}*")]
        for path in found:
            shutil.rmtree(path, ignore_errors=True)
    return len(found)


def run_of(model: Path, weights: str) -> str | None:
    """Name of the run that made a model of this installation; None where that is not known.

    Args:
        model: its folder.
        weights: SHA-256 of its weights.
    """
    found: dict[str, str] = {}
    for note in sorted((settings().models / _CAME).glob("*.json")):
        said = _read_note(note)
        if said.get("weights") == weights:
            found[said.get("model", "")] = said.get("run", "")
    # Two runs may have come to the same weights: the name that the model came under decides, else any.
    return found.get(model.name) or next(iter(found.values()), None)
