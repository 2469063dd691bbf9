"""What is measured: the rows of each task's table, and the units of work that each row takes."""

from __future__ import annotations

from collections.abc import Sequence

from dnalm.evaluation.networks import RANDOM
from dnalm.evaluation.results.models import FINETUNED, Models, is_network
from dnalm.evaluation.results.task_table import (
    FOLDS,
    GENOME,
    HELD_OUT,
    HUMAN,
    LANGUAGE_MODELS,
    TASKS,
    TEXT,
    WITHOUT,
    Row,
    Task,
)
from dnalm.evaluation.results.units import Unit

__all__ = ["FOLDS", "TASKS", "Row", "Task", "in_order", "rows", "side_units", "units"]


def rows(task: Task, models: Models, snapshots: Sequence[str] = ()) -> list[Row]:
    """The rows that a task's table shall have.

    Args:
        task: the task.
        models: the language models there are.
        snapshots: names among them that are points of the curve, and stand in no other table.
    """
    added = [name for name, data in WITHOUT.items() if _apt(task, data)]
    if task.kind == "curve":
        added += snapshots
    elif task.kind != "bits":  # those that were asked for by name
        added += [name for name in models if name not in {*LANGUAGE_MODELS, *HUMAN, *WITHOUT, *snapshots}]
    starts = list(dict.fromkeys([*task.starts, *(name for name in added if name in models)]))
    if task.kind == "bits":
        names = [*task.plain, *(start for start in starts if start != RANDOM)]
    else:
        names = [
            *task.plain,
            *(f"{start}+wide" for start in starts),
            *(f"{start}+{FINETUNED}+wide" for start in task.finetuned),
            *(f"{start}+ensemble" for start in task.ensembles),
        ]
    return [Row(name, split, labels) for split in task.splits for labels in (task.labels or (None,)) for name in names]


def _apt(task: Task, data: str) -> bool:
    """Whether a language model whose text held nothing of a dataset has a place in a task's table."""
    return task.kind == "bits" or task.data == data


def units(task: Task, row: Row) -> list[Unit]:
    """The units of work that a row takes, seeds in order."""
    every: list[Unit] = []
    for seed in task.seeds:
        if task.kind == "bits":
            every.append(Unit("bits", task.data, row.model, row.split, seed))
        elif task.kind in ("folds", "curve"):
            every += [Unit("fold", task.data, row.model, row.split, seed, fold) for fold in range(FOLDS)]
        else:
            every.append(Unit("test", task.data, row.model, row.split, seed, labels=row.labels))
    return every


def side_units(task: Task, row: Row) -> list[Unit]:
    """What else a row wants to know of its language model: what its text held, or its bits per base."""
    start = row.model.partition("+")[0]
    if not is_network(row.model) or start == RANDOM:
        return []
    if task.kind == "curve":
        return [Unit("bits", GENOME, start, HELD_OUT)]
    return [Unit("text", task.data, start, TEXT)]


def in_order(chosen: Sequence[Task], models: Models, snapshots: Sequence[str] = ()) -> list[Unit]:
    """All units of some tasks, each once: first seeds before second ones, the cheap and most telling first."""
    wanted: dict[Unit, tuple[int, ...]] = {}
    for place, task in enumerate(chosen):
        for row in rows(task, models, snapshots):
            for unit in [*side_units(task, row), *units(task, row)]:
                split = task.splits.index(row.split)
                wanted.setdefault(unit, (unit.seed, _cost(unit), split, place, row.labels or 0))
    return sorted(wanted, key=lambda unit: wanted[unit])


def _cost(unit: Unit) -> int:
    """Rank of what a unit takes: seconds, a minute, many minutes."""
    if is_network(unit.model):
        return 1 if unit.model.endswith("+wide") else 3
    return 2 if unit.model in ("plain_average", "one_layer_cnn") else 0
