"""`python -m benchmarks.results`: measure what `docs/results.md` shows, and write it.

Every unit of work is kept in `$DNALM_HOME/results` as soon as it is done, so a run that was stopped goes on where it
was. The figures go to `data/results/`, the page to `docs/results.md`. What the lab's services reach is measured by
commands of their own (`python -m benchmarks.queue`) and shown on the same page.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from dnalm.errors import DnalmError, InputError
from dnalm.evaluation.results.figure import draw_curve
from dnalm.evaluation.results.gather import gather, read_results
from dnalm.evaluation.results.models import find_models
from dnalm.evaluation.results.page import render
from dnalm.evaluation.results.run import can_run, is_done, run
from dnalm.evaluation.results.services import read_services
from dnalm.evaluation.results.tasks import TASKS, Task, in_order
from dnalm.evaluation.results.units import Store, Unit
from dnalm.files import write_whole
from dnalm.settings import PACKAGE_ROOT

DATA = PACKAGE_ROOT / "data" / "results"
DOCS = PACKAGE_ROOT / "docs"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("--only", action="append", metavar="TASK", help=f"a task, or several: {', '.join(TASKS)}")
    parser.add_argument(
        "--match", action="append", default=[], metavar="TEXT", help="only units whose name holds TEXT (see --list)"
    )
    parser.add_argument("--minutes", type=float, help="begin no unit after so long")
    parser.add_argument("--processes", type=int, default=1, help="units measured side by side")
    parser.add_argument("--snapshots", type=Path, metavar="DIR", help="folder of language models: points of the curve")
    parser.add_argument("--list", action="store_true", help="say what there is to measure, and what is done")
    parser.add_argument("--render", action="store_true", help="write the figures and the page from what is done")
    parser.add_argument("--data", type=Path, default=DATA, help="where the figures are kept")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the page and its picture go")
    return parser


def chosen_tasks(names: list[str] | None) -> list[Task]:
    for name in names or []:
        if name not in TASKS:
            raise InputError(f"there is no task {name!r}; there are {', '.join(TASKS)}")
    return [TASKS[name] for name in names] if names else list(TASKS.values())


def say(unit: Unit, document: dict[str, Any]) -> None:
    figures = document.get("figures", {})
    shown = figures.get("mcc", figures.get("bits_per_base", {"value": document.get("shared")}))
    value = shown["value"] if isinstance(shown, dict) else shown
    print(f"{unit.name}  {value if value is None else round(value, 4)}  {document['seconds']:.1f} s", flush=True)


def write(
    tasks: list[Task], store: Store, models: dict[str, Path], snapshots: list[str], data: Path, docs: Path
) -> None:
    """Gather the tasks' rows, and draw the page and the picture from the rows of all tasks."""
    for task in tasks:
        gather(task, store, models, data, snapshots)
    documents = {name: read_results(data, task) for name, task in TASKS.items()}
    draw_curve(documents["mcc-vs-bits"], docs / "images" / "mcc-vs-bits.png")
    docs.mkdir(parents=True, exist_ok=True)
    write_whole(docs / "results.md", render(documents, read_services(data)))


def main(argv: list[str] | None = None) -> int:
    told = arguments().parse_args(argv)
    try:
        tasks, store = chosen_tasks(told.only), Store()
        shipped = find_models()
        models = find_models(told.snapshots)
        snapshots = [name for name in models if name not in shipped]
        units = [unit for unit in in_order(tasks, models, snapshots) if all(text in unit.name for text in told.match)]
        if told.list:
            for unit in units:
                there = can_run(unit, models)
                print("no such model" if not there else "done" if is_done(unit, store, models) else "to do", unit.name)
            return 0
        try:
            if not told.render:
                run(units, store, models, processes=told.processes, minutes=told.minutes, report=say)
        finally:
            write(tasks, store, models, snapshots, told.data, told.docs)
    except DnalmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        print("stopped; what is done is kept, and the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
