"""Where the rows of the tasks are kept: those that ship, and those that this installation measured itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnalm.evaluation.results.gather import read_results
from dnalm.evaluation.results.tasks import Task
from dnalm.settings import settings


def shipped() -> Path:
    """The folder of results that come with dnalm."""
    return settings().shipped_data / "results"


def own() -> Path:
    """The folder of results that this installation measured."""
    return settings().home / "bench"


def rows_of(task: Task) -> list[dict[str, Any]]:
    """A task's rows: this installation's own take the place of shipped ones of the same model, split and labels.

    Raises:
        InputError: a file is damaged.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for folder in (shipped(), own()):
        for row in read_results(folder, task)["rows"]:
            found[row["model"], row["split"], row["labels"]] = row
    return list(found.values())
