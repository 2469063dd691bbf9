"""A benchmark as a run: measured in a run folder, so that the queue can start it, stop it and go on with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnalm.errors import InputError
from dnalm.evaluation.bench.benches import tasks_of
from dnalm.evaluation.bench.kept import own
from dnalm.evaluation.results.gather import gather
from dnalm.evaluation.results.models import find_models
from dnalm.evaluation.results.run import pending, run
from dnalm.evaluation.results.tasks import in_order
from dnalm.evaluation.results.units import Store, Unit
from dnalm.training.config import BenchConfig
from dnalm.training.run import RunFolder

MEASURING = "measuring"
Progress = Callable[[dict[str, Any]], None]


def measure_bench(config: BenchConfig, path: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Measure what a benchmark's table still lacks; what was measured stays measured, whatever happens to the run.

    Args:
        config: what to measure.
        path: the run folder; made where it is not there.
        progress: called after each unit.

    Returns:
        What `result.json` holds: the benchmark, how many units were measured and the rows that its tasks have.

    Raises:
        InputError: there is no such benchmark, or its data are not to be had.
        RunError: the run cannot go on.
    """
    folder = RunFolder.open_or_create(path, config.model_dump(mode="json"))
    with folder.failing_plainly():
        tasks, store, models = tasks_of(config.task), Store(), find_models(config.models)
        units = [unit for unit in in_order(tasks, models) if all(text in unit.name for text in config.match)]
        folder.log(f"looking for what is to be measured among {len(units):,} units")
        impossible: list[str] = []

        def failed(unit: Unit, error: InputError) -> None:
            impossible.append(unit.name)
            folder.log(f"{unit.name} cannot be measured: {error}")

        left = list(pending(units, store, models, failed))
        folder.log(f"{len(left):,} of {len(units):,} units are to be measured")
        began, done = time.monotonic(), 0

        def say(unit: Unit | None, document: dict[str, Any] | None) -> None:
            spent = time.monotonic() - began
            told = {
                "state": "running",
                "phase": MEASURING,
                "step": done,
                "total": len(left),
                "eta_s": spent / done * (len(left) - done) if done else None,
            }
            folder.progress(**told)
            if unit is not None and document is not None:
                folder.log(f"{unit.name} in {document['seconds']:.1f} s")
                folder.save_checkpoint({}, {"phase": MEASURING, "step": done})
            if progress:
                progress(told)

        def report(unit: Unit, document: dict[str, Any]) -> None:
            nonlocal done
            done += 1
            say(unit, document)

        say(None, None)
        try:
            run(left, store, models, processes=config.processes, minutes=config.minutes, report=report, failed=failed)
        finally:
            documents = [gather(task, store, models, own()) for task in tasks]
        result = {
            "bench": config.task,
            "measured": done,
            "left": len(left) - done,
            "impossible": impossible,
            "rows": {one["task"]: len(one["rows"]) for one in documents},
            "seconds_since_start_or_resume": time.monotonic() - began,
        }
        folder.finish(result)
        return result
