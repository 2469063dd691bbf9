"""Where the rows of the tasks are kept: those that ship, and those that this installation measured itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dnalm.evaluation.results.gather import read_results
from dnalm.evaluation.results.predictions import predictions_file
from dnalm.evaluation.results.tasks import Task
from dnalm.evaluation.results.units import Store
from dnalm.settings import settings


def shipped() -> Path:
    """The folder of results that come with dnalm."""
    return settings().shipped_data / "results"


def own() -> Path:
    """The folder of results that this installation measured."""
    return settings().home / "bench"


def rows_of(task: Task) -> list[dict[str, Any]]:
    """A task's rows: this installation's own take the place of shipped ones of the same model, split and labels.

    A run that was broken off after fewer seeds takes no place.

    Raises:
        InputError: a file is damaged.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for folder in (shipped(), own()):
        for row in read_results(folder, task)["rows"]:
            key = (row["model"], row["split"], row["labels"])
            if key not in found or not _is_less(row, found[key]):
                found[key] = row
    return list(found.values())


def forget(name: str) -> None:
    """Delete what was measured on a labelled set of one's own, which is being deleted itself."""
    for path in (own() / f"{name}.json", predictions_file(own(), name)):
        path.unlink(missing_ok=True)
    shutil.rmtree(Store().folder / name, ignore_errors=True)


def _is_less(row: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a row is of the same data, weights and settings as another, and of fewer seeds."""
    return row["fingerprint"] == other["fingerprint"] and len(row["seeds"]) < len(other["seeds"])
