"""What a benchmark still lacks, and the measuring of it: the same from the shell and as a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dnalm.errors import InputError
from dnalm.evaluation.bench.benches import tasks_of
from dnalm.evaluation.results.gather import gather
from dnalm.evaluation.results.models import find_models
from dnalm.evaluation.results.run import Report, pending, run
from dnalm.evaluation.results.tasks import TASKS, Task, in_order
from dnalm.evaluation.results.units import Store, Unit

EVERYTHING = "all"
Told = Callable[[Unit, InputError], None]


@dataclass(frozen=True)
class Work:
    """Units of one benchmark, or of all.

    Attributes:
        tasks: whose rows they are.
        models: folders of the language models by name.
        points: names among them that are points of the curve of MCC against bits per base.
        units: all that were asked for, in order.
        left: those that are still to be measured.
        since: what was measured before counts as not measured; None: all counts.
        impossible: names of those whose data or model cannot be read, and the reason.
    """

    tasks: Sequence[Task]
    models: Mapping[str, Path]
    points: Sequence[str]
    units: Sequence[Unit]
    left: Sequence[Unit]
    since: datetime | None = None
    impossible: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        *,
        models: Sequence[str] = (),
        match: Sequence[str] = (),
        snapshots: Path | None = None,
        since: datetime | None = None,
        failed: Told | None = None,
    ) -> Work:
        """Look up what is to be measured.

        Args:
            name: a benchmark, one of its tasks, or `all`.
            models: language models to start from beside those that ship.
            match: only units whose names hold one of these.
            snapshots: a folder of language models that are points of the curve.
            since: measure again what was measured before; without an offset, in local time.
            failed: told of units that cannot be measured.

        Raises:
            InputError: there is no such benchmark, or its data are not to be had.
        """
        tasks = tuple(TASKS.values()) if name == EVERYTHING else tasks_of(name)
        asked = find_models(models)
        found = asked if snapshots is None else find_models(models, snapshots)
        points = [one for one in found if one not in asked]
        units = [
            unit for unit in in_order(tasks, found, points) if not match or any(text in unit.name for text in match)
        ]
        impossible: dict[str, str] = {}
        since = since.astimezone() if since else None
        left = list(pending(units, Store(), found, _noting(impossible, failed), since))
        return cls(tasks, found, points, units, left, since, impossible)

    def measure(
        self,
        folder: Path,
        *,
        processes: int = 1,
        minutes: float | None = None,
        report: Report | None = None,
        failed: Told | None = None,
    ) -> list[dict[str, Any]]:
        """Measure what is left, and bring the tasks' rows in `folder` up to date, whatever ends it.

        Args:
            folder: where the rows are kept.
            processes: units measured side by side.
            minutes: no unit is begun after so long.
            report: called as each is done.
            failed: told of units that cannot be measured; the others go on.

        Returns:
            What each task's file holds.
        """
        store, noted = Store(), _noting(self.impossible, failed)
        try:
            run(
                self.left,
                store,
                self.models,
                processes=processes,
                minutes=minutes,
                report=report,
                failed=noted,
                since=self.since,
            )
        finally:
            documents = [gather(task, store, self.models, folder, self.points) for task in self.tasks]
        return documents


def _noting(impossible: dict[str, str], failed: Told | None) -> Told:
    def note(unit: Unit, error: InputError) -> None:
        impossible[unit.name] = str(error)
        if failed:
            failed(unit, error)

    return note
