"""A benchmark as a run: measured in a run folder, so that the queue can start it, stop it and go on with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnalm.errors import InputError
from dnalm.evaluation.bench.kept import own
from dnalm.evaluation.bench.work import Work
from dnalm.evaluation.results.places import processes_here
from dnalm.evaluation.results.units import Unit
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
        folder.log("looking for what is to be measured")

        def failed(unit: Unit, error: InputError) -> None:
            folder.log(f"{unit.name} cannot be measured: {error}")

        work = Work.of(config.task, models=config.models, match=config.match, since=config.since, failed=failed)
        folder.log(f"{len(work.left):,} of {len(work.units):,} units are to be measured")
        began, done = time.monotonic(), 0

        def say(unit: Unit | None, document: dict[str, Any] | None) -> None:
            spent = time.monotonic() - began
            told = {
                "state": "running",
                "phase": MEASURING,
                "step": done,
                "total": len(work.left),
                "eta_s": spent / done * (len(work.left) - done) if done else None,
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
        processes = config.processes or processes_here()
        documents = work.measure(own(), processes=processes, minutes=config.minutes, report=report, failed=failed)
        result = {
            "bench": config.task,
            "measured": done,
            "left": len(work.left) - done,
            "impossible": list(work.impossible),
            "rows": {one["task"]: len(one["rows"]) for one in documents},
            "seconds_since_start_or_resume": time.monotonic() - began,
        }
        folder.finish(result)
        return result
