"""Recipes: how each public dataset is made from the catalogue's files, the same bytes for the same seed.

A recipe (`recipe_table.py`) says what goes in; `make` builds the rows, splits them, audits them and writes the dataset
folder. The building itself is in `building.py`, `cutting.py` and `reads.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.alphabet import encode
from dnalm.datasets import catalog
from dnalm.datasets.audit import audit, group_summary
from dnalm.datasets.dataset import BY_SOURCE, BY_STRETCH, INFO, Dataset
from dnalm.datasets.recipe_table import RECIPES, Recipe
from dnalm.datasets.splits import STRETCH, stretch_groups, train_valid_test
from dnalm.datasets.windows import DEMO_REGION
from dnalm.errors import InputError
from dnalm.settings import settings

SPLIT_METHODS = ("grouped", "random")
_ID = re.compile(r"(?P<recipe>.+?)(?:-(?P<split>random))?(?:-seed(?P<seed>[0-9]{1,9}))?")


def recipe(name: str) -> Recipe:
    """A recipe by name; InputError, with the names there are, for another."""
    if name not in RECIPES:
        raise InputError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def dataset_id(name: str, *, seed: int = 0, split: str = "grouped") -> str:
    """The folder's name of a recipe's dataset: the recipe's own for its defaults, else with what differs."""
    return name + ("" if split == "grouped" else f"-{split}") + ("" if seed == 0 else f"-seed{seed}")


def of_id(name: str) -> tuple[Recipe, str, int] | None:
    """The recipe, split and seed that make the dataset of this folder's name; None where no recipe does."""
    match = _ID.fullmatch(name)
    if match is None or match["recipe"] not in RECIPES:
        return None
    split, seed = match["split"] or "grouped", int(match["seed"] or 0)
    return (
        (RECIPES[match["recipe"]], split, seed) if dataset_id(match["recipe"], seed=seed, split=split) == name else None
    )


def make(
    name: str,
    *,
    seed: int = 0,
    split: str = "grouped",
    home: str | Path | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Make a recipe's dataset in `$DNALM_HOME/datasets`, or load it where it has been made already.

    Args:
        name: one of `RECIPES`.
        seed: for the random fragments and the split.
        split: "grouped" keeps sequences that share a 20-mer on either strand on one side; "random" ignores that,
            as published splits do. In both, every row of the demo region is a test row.
        home: another DNALM_HOME.
        force: make it anew even when it is there.
        progress: called with (bytes so far, bytes in all) while a source is downloaded.

    Returns:
        The dataset, saved.

    Raises:
        InputError: an unknown recipe or split, or a source that fails its checksum.
        RunError: a source that is not there and cannot be downloaded.
    """
    chosen = recipe(name)
    if split not in SPLIT_METHODS:
        raise InputError(f"there is no split {split!r}; there are {', '.join(SPLIT_METHODS)}")
    folder = (Path(home) / "datasets" if home else settings().datasets) / dataset_id(name, seed=seed, split=split)
    made_by = _made_by(chosen, seed, split)
    if not force and (folder / INFO).is_file():
        there = Dataset.load(folder)
        if all(there.info.get(key) == value for key, value in made_by.items()):
            return there
    files = {role: catalog.fetch(entry, progress) for role, entry in chosen.sources.items()}
    dataset = build(chosen, files, seed=seed, split=split)
    described = {"name": folder.name, "title": chosen.title, "description": chosen.description}
    dataset.info = {**described, **made_by, **dataset.info}
    dataset.info["audit"] = audit(dataset)
    dataset.save(folder)
    return dataset


def means_set(name_or_folder: str | Path) -> bool:
    """Whether a folder or name is that of a labelled set: a folder, one that is here, or one that a recipe makes."""
    path = Path(name_or_folder)
    if path.exists() or len(path.parts) != 1:
        return path.is_dir()
    return of_id(path.name) is not None or (settings().datasets / path).is_dir()


def load_or_make(name_or_folder: str | Path) -> Dataset:
    """A dataset by folder or name; what a recipe makes, of any split and seed, is made where it has not been."""
    text = str(name_or_folder)
    if (meant := of_id(text)) and not (Path(text) / INFO).is_file():
        chosen, split, seed = meant
        return make(chosen.name, seed=seed, split=split)
    return Dataset.load(name_or_folder)


def build(chosen: Recipe, files: Mapping[str, Path], *, seed: int, split: str) -> Dataset:
    """The recipe's rows, split, in memory, from given files; the windows and the split have streams of their own."""
    for_rows, for_split = np.random.default_rng(seed).spawn(2)
    built = chosen.build(files, for_rows)
    table = built.table
    codes = [encode(text) for text in table["sequence"]]
    groups = stretch_groups(codes) if built.groups is None else built.groups
    table["split"] = train_valid_test(
        table["label"].to_numpy(),
        groups if split == "grouped" else np.arange(len(groups)),
        for_split,
        valid=chosen.valid,
        test=chosen.test,
        singles_only=chosen.singles_only,
        force_test=table["in_demo_region"].to_numpy(),
    )
    if chosen.hide:
        first, last = chosen.hide
        text = table["sequence"]
        table["sequence"] = text.str.slice(0, first) + "N" * (last - first) + text.str.slice(last)
    inside = table["label"][table["in_demo_region"]]
    labels = chosen.labels or tuple(sorted(set(table["label"])))
    info = {
        "labels": list(labels),
        "positive": chosen.labels[1] if chosen.labels else None,
        "window": chosen.window,
        "anchor": chosen.anchor,
        "whole": chosen.whole,
        "dropped": built.dropped,
        "notes": built.notes,
        "groups": {
            "by": BY_STRETCH if built.groups is None else BY_SOURCE,
            "stretch": STRETCH,
            **group_summary(groups),
        },
        "demo_region": {
            "region": str(DEMO_REGION),
            "rows": len(inside),
            "by_label": {label: int((inside == label).sum()) for label in labels},
            "rule": "every row that touches the region is a test row; Dataset.training leaves it out",
        },
    }
    return Dataset(table, info)


def _made_by(chosen: Recipe, seed: int, split: str) -> dict[str, Any]:
    """What decides the rows: recipe, seed, split and the sources' checksums."""
    entries = {role: catalog.entry(name) for role, name in chosen.sources.items()}
    return {
        "recipe": {
            "name": chosen.name,
            "version": chosen.version,
            "seed": seed,
            "split": split,
            "valid": chosen.valid if isinstance(chosen.valid, float) else dict(chosen.valid),
            "test": chosen.test if isinstance(chosen.test, float) else dict(chosen.test),
            "singles_only": chosen.singles_only,
            "hide": list(chosen.hide) if chosen.hide else None,
            **chosen.parameters,
        },
        "sources": [
            {
                "role": role,
                "name": entry.name,
                "sha256": entry.sha256,
                "content_sha256": entry.content_sha256,
                "source": entry.source,
                "licence": entry.licence,
                "citation": entry.citation,
            }
            for role, entry in entries.items()
        ],
    }
