"""Which benchmarks there are: each a published table, with the tasks in which dnalm measures the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from dnalm.errors import InputError
from dnalm.evaluation import published
from dnalm.evaluation.results.tasks import TASKS, Task

MASKED = "-masked"


@dataclass(frozen=True)
class Bench:
    """One benchmark.

    Attributes:
        name: of the published table.
        table: as published.
        tasks: dnalm's own, the headline first: where a rule gives most answers of a set away, the set with what the
            rule reads hidden. Empty where the data are not to be had.
    """

    name: str
    table: published.Task
    tasks: tuple[Task, ...]

    @property
    def figure(self) -> str:
        """The figure that most of its published rows give, as which it is shown first."""
        counts = {name: sum(name in row.figures for row in self.table.rows) for name in ("mcc", "accuracy", "auroc")}
        return max(counts, key=lambda name: counts[name])

    @property
    def state(self) -> str:
        """Why there are no runs of dnalm's own; empty where there are, or can be."""
        if self.tasks:
            return ""
        return self.table.not_run or "Its recipe is not written yet."


@cache
def benches() -> dict[str, Bench]:
    """Every benchmark by name, in the order of the published tables."""
    found = published.load()
    return {name: Bench(name, table, _tasks(name, table)) for name, table in found.tasks.items()}


def bench(name: str) -> Bench:
    """A benchmark by its name, or by that of one of its tasks.

    Raises:
        InputError: there is none of that name; the sentence says which there are.
    """
    every = benches()
    for one in every.values():
        if name == one.name:
            return one
    for one in every.values():
        if name in (task.name for task in one.tasks):
            return one
    raise InputError(f"there is no benchmark {name!r}; there are {', '.join(every)}")


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
    data = (f"{table.dataset}{MASKED}", table.dataset)
    return tuple(task for wanted in data for task in apt if task.data == wanted)
