"""Runs units of work in order, in one process or several, within a budget of time; what is done stays done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dnalm.errors import InputError
from dnalm.evaluation.results.measure import fingerprint, measure
from dnalm.evaluation.results.models import Models, start_of
from dnalm.evaluation.results.places import begin, devices_of
from dnalm.evaluation.results.units import Store, Unit
from dnalm.side_by_side import side_by_side

Report = Callable[[Unit, dict[str, Any]], None]


def can_run(unit: Unit, models: Models) -> bool:
    """Whether the language model that a unit wants is there."""
    if unit.kind == "text" or (unit.kind == "bits" and not unit.model.startswith(("markov-", "mixture-"))):
        return unit.model in models
    start = start_of(unit.model)
    return start is None or start in models


def is_done(unit: Unit, store: Store, models: Models, since: datetime | None = None) -> bool:
    """Whether it was measured with the data, weights and settings of now, and not before `since`."""
    found = store.current(unit, fingerprint(unit, models)) if store.path(unit).is_file() else None
    return found is not None and (since is None or datetime.fromisoformat(found["finished"]) >= since)


def pending(
    units: Sequence[Unit],
    store: Store,
    models: Models,
    failed: Callable[[Unit, InputError], None] | None = None,
    since: datetime | None = None,
) -> Iterator[Unit]:
    """Units that can be measured and have not been, or not `since`, in order; looked up one by one, as asked for.

    A unit whose data or model cannot be read raises InputError, or is left out and told to `failed`, where given.
    """
    for unit in units:
        try:
            wanted = can_run(unit, models) and not is_done(unit, store, models, since)
        except InputError as error:
            if failed is None:
                raise
            failed(unit, error)
            continue
        if wanted:
            yield unit


def run_unit(unit: Unit, models: Models, folder: Path) -> dict[str, Any]:
    """Measure one unit and keep it."""
    document = measure(unit, models)
    Store(folder).write(unit, document)
    return document


def run(
    units: Sequence[Unit],
    store: Store,
    models: Models,
    *,
    processes: int = 1,
    minutes: float | None = None,
    report: Report | None = None,
    failed: Callable[[Unit, InputError], None] | None = None,
    since: datetime | None = None,
) -> int:
    """Measure what is pending.

    Args:
        units: in order.
        store: where they are kept.
        models: folders of the language models by name.
        processes: units measured side by side, each with its share of the threads and a GPU, where there are some.
        minutes: no unit is begun after so long.
        report: called as each is done.
        failed: called with a unit that cannot be measured, and the others go on; None: the first ends the run.
        since: what was measured before is measured again; None: nothing is.

    Returns:
        How many were measured.
    """
    end = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    # Looked up as they are begun: another process may have measured some meanwhile.
    left, done = pending(units, store, models, failed, since), 0

    def settle(unit: Unit, outcome: Callable[[], dict[str, Any]]) -> None:
        nonlocal done
        try:
            document = outcome()
        except InputError as error:
            if failed is None:
                raise
            failed(unit, error)
            return
        done += 1
        if report:
            report(unit, document)

    if processes <= 1:
        for unit in left:
            if time.monotonic() >= end:
                break
            settle(unit, partial(run_unit, unit, models, store.folder))
        return done
    threads = max(1, torch.get_num_threads() // processes)
    devices = devices_of(processes, torch.cuda.device_count())
    with side_by_side(processes, begin, threads, devices) as pool:
        running: dict[Future[dict[str, Any]], Unit] = {}
        while True:
            while len(running) < processes and time.monotonic() < end and (unit := next(left, None)) is not None:
                running[pool.submit(run_unit, unit, dict(models), store.folder)] = unit
            if not running:
                return done
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                settle(running.pop(future), future.result)
