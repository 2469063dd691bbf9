"""Which benchmarks there are: each a published table, with the tasks in which dnalm measures the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from dnalm.datasets import Dataset
from dnalm.errors import InputError
from dnalm.evaluation import published
from dnalm.evaluation.baselines import ANY_LENGTH
from dnalm.evaluation.networks import RANDOM
from dnalm.evaluation.results.models import find_models
from dnalm.evaluation.results.tasks import FOLDS, TASKS, Task
from dnalm.evaluation.several import PLAIN as SEVERAL

MASKED = "-masked"
_FIRST = ("mcc", "f1", "auroc", "accuracy")
AT_RANDOM = "-random"
"""Ends the name of a set whose held-out part was drawn at random, near copies not kept together."""
OWN_PLAIN = (
    *("gc_alone", "pwm", "kmer_logistic", "positional_logistic", "windowed_logistic", "stacked_wam"),
    *("gradient_boosting", "one_layer_cnn", "plain_average"),
)
"""Baselines on a set of one's own, where its sequences have one length."""


@dataclass(frozen=True)
class Bench:
    """One benchmark.

    Attributes:
        name: of the published table.
        table: as published.
        tasks: dnalm's own, the headline first: where a rule gives most answers of a set away, the set with what the
            rule reads hidden. Empty where the data are not to be had.
        sha256: of a labelled set of one's own: rows of another set that had its name are not its rows.
    """

    name: str
    table: published.Task
    tasks: tuple[Task, ...]
    sha256: str | None = None

    @property
    def figure(self) -> str:
        """The figure that most of its published rows give, as which it is shown first; of several, one aimed at."""
        aims = {name for task in self.tasks for of_split in task.aims.values() for name in of_split}
        aims.add("mcc")
        return max(_FIRST, key=lambda name: (sum(name in row.figures for row in self.table.rows), name in aims))

    @property
    def figures(self) -> tuple[str, ...]:
        """What its tables print: its first figure, MCC and accuracy, and what else a published row gives."""
        given = (name for row in self.table.rows for name in row.figures)
        return tuple(dict.fromkeys([self.figure, "mcc", "accuracy", *given]))

    @property
    def state(self) -> str:
        """What of the published data has no run of dnalm's own, and why; empty where all has, or can have, one."""
        return self.table.not_run.strip() or ("" if self.tasks else "Its recipe is not written yet.")


@cache
def benches() -> dict[str, Bench]:
    """Every benchmark by name, in the order of the published tables."""
    found = published.load()
    return {name: Bench(name, table, _tasks(name, table)) for name, table in found.tasks.items()}


def known_names() -> frozenset[str]:
    """The names of benchmarks and their tasks that everybody has; an installation may lack the published tables."""
    try:
        return frozenset(benches()) | frozenset(TASKS)
    except InputError:
        return frozenset(TASKS)


def bench(name: str) -> Bench:
    """A benchmark by its name, by that of one of its tasks, or by that of a labelled set of one's own.

    Raises:
        InputError: there is none of that name, which says which there are.
    """
    every = benches()
    for one in every.values():
        if name == one.name:
            return one
    for one in every.values():
        if name in (task.name for task in one.tasks):
            return one
    try:
        if Path(name).name != name:
            raise InputError(f"{name} is a path; a labelled set's name is wanted")
        dataset = Dataset.load(name)
    except InputError:
        raise InputError(f"there is no benchmark and no labelled set {name!r}; there are {', '.join(every)}") from None
    return _own(name, dataset)


def _own(name: str, dataset: Dataset) -> Bench:
    """A benchmark of a labelled set that nobody published: the same folds, baselines and heads."""
    one_length, several, groups = dataset.window is not None, dataset.positive is None, _groups(dataset)
    apt, reference = (OWN_PLAIN, "plain_average") if one_length else (ANY_LENGTH, "kmer_logistic")
    if several:
        apt, reference = tuple(SEVERAL), "kmer_logistic"
    task = Task(
        name,
        str(dataset.info.get("title") or dataset.name),
        "folds",
        name,
        ("grouped", "random") if groups >= FOLDS else ("random",),
        plain=apt,
        starts=(RANDOM, *find_models()),
        reference=reference,
    )
    span = f"{dataset.window} bp" if one_length else "sequences of several lengths"
    protocol = "Nothing is published on it."
    if groups < FOLDS:
        protocol += f" Its sequences are near copies of each other ({groups} groups): no grouped folds can be dealt."
    table = published.Task(title=task.title, dataset=name, span=span, protocol=protocol, rows=())
    return Bench(name, table, (task,), dataset.sha256())


def _groups(dataset: Dataset) -> int:
    """Groups of sequences that share a stretch, as the set says, or counted."""
    told = dataset.info.get("groups")
    if isinstance(told, dict) and isinstance(told.get("groups"), int):
        return told["groups"]
    return len(np.unique(dataset.groups()))


def tasks_of(name: str) -> tuple[Task, ...]:
    """The tasks that a name asks for: a benchmark's, or one task.

    Raises:
        InputError: nothing goes by that name, or its data are not to be had.
    """
    if name in TASKS:
        return (TASKS[name],)
    found = bench(name)
    if not found.tasks:
        raise InputError(f"{name} cannot be run here. {found.state}")
    return found.tasks


def _tasks(name: str, table: published.Task) -> tuple[Task, ...]:
    """Those whose data stand for the published ones: with few labels where the table is of few labels, else not."""
    few = name.endswith("few-labels")
    apt = [task for task in TASKS.values() if task.kind in ("folds", "test", "few") and (task.kind == "few") == few]
    names = (f"{table.dataset}{MASKED}", table.dataset)
    data = (*names, *(f"{one}{AT_RANDOM}" for one in names))
    return tuple(task for wanted in data for task in apt if task.data == wanted)
