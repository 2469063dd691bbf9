"""`dnalm run`: what a run folder's config.yaml says, from its last checkpoint where there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from dnalm.cli.frame import INTERRUPTED, Json, console, say
from dnalm.cli.output import figure_text, print_json
from dnalm.errors import InputError


def run(
    folder: Annotated[str, typer.Argument(help="A run folder, or its name.", metavar="RUN_DIR")],
    as_json: Json = False,
) -> None:
    """Run what a run folder's config.yaml says, from its last checkpoint where there is one."""
    from dnalm.training.ending import is_helper
    from dnalm.training.listing import find_run, summarise

    path = find_run(folder)
    # Several processes of one run all come here; only the one that writes has to look first.
    if not is_helper() and summarise(path).state == "succeeded":
        say(f"{path}: done already")
        _print_result(path, as_json)
        return
    execute(path, as_json)


def execute(folder: Path, as_json: bool) -> None:
    """Run the phase of a run folder, keep a record of how it ended, and print its path, or how it came out.

    Raises:
        InputError: another process trains this run.
    """
    from dnalm.training.ending import is_helper, recorded

    try:
        with recorded(folder), _bar() as report:
            _run_phase(folder, report)
    except KeyboardInterrupt:
        say(f"interrupted; go on with `dnalm run {folder}`")
        raise typer.Exit(INTERRUPTED) from None
    if not is_helper():
        _shelve(folder)
        _print_result(folder, as_json)


def _shelve(folder: Path) -> None:
    """Let a run of this installation give its model a name that everyone finds."""
    from dnalm.model.shelf import shelve_run
    from dnalm.settings import settings

    if folder.resolve().parent == settings().runs.resolve():
        for model in shelve_run(folder.resolve()):
            say(f"model {model.name}")


def _run_phase(folder: Path, report: Callable[[dict[str, Any]], None]) -> None:
    from pydantic import ValidationError

    from dnalm.cli.fields import sentence_of
    from dnalm.training.config import (
        ANY_CONFIG,
        BenchConfig,
        FinetuneConfig,
        PretrainConfig,
        ScanConfig,
        TrackTrainConfig,
    )
    from dnalm.training.run import RunFolder

    try:
        config = ANY_CONFIG.validate_python(RunFolder(folder).document()["config"])
    except ValidationError as error:
        raise InputError(sentence_of(error, folder / "config.yaml")) from None
    if isinstance(config, PretrainConfig):
        from dnalm.training.pretrain import pretrain

        pretrain(config, folder, report)
    elif isinstance(config, FinetuneConfig):
        from dnalm.training.finetune import finetune

        finetune(config, folder, report)
    elif isinstance(config, TrackTrainConfig):
        from dnalm.evaluation.track_run import train_track

        train_track(config, folder, report)
    elif isinstance(config, BenchConfig):
        from dnalm.evaluation.bench.job import measure_bench

        measure_bench(config, folder, report)
    elif isinstance(config, ScanConfig):
        from dnalm.evaluation.scan_run import run_scan

        run_scan(config, folder, report)
    else:
        from dnalm.training.classify import train

        train(config, folder, report)


@contextmanager
def _bar() -> Iterator[Callable[[dict[str, Any]], None]]:
    """A bar for each stage on standard error: its loss, its rate and the time left as the run itself states it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=console(), disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, Any] = {}

        def report(progress: dict[str, Any]) -> None:
            phase = str(progress["phase"])
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=progress["total"], text="")
            bar.update(tasks[phase], completed=progress["step"], total=progress["total"], text=_pace(progress))

        yield report


def _pace(progress: dict[str, Any]) -> str:
    left = timedelta(seconds=round(progress.get("eta_s") or 0))
    if "rate" not in progress:
        return f"{left} left" if progress.get("eta_s") else ""
    if "loss" not in progress:
        return f"{progress['rate']:,.0f} {progress['unit']}, {left} left"
    return f"loss {progress.get('loss', float('nan')):.4f}, {progress['rate']:,.0f} {progress['unit']}, {left} left"


def _print_result(folder: Path, as_json: bool) -> None:
    from dnalm.training.listing import summarise

    found = summarise(folder)
    if as_json:
        print_json({"run": found.folder, "phase": found.phase, "state": found.state, "result": found.result})
        return
    for name, figure in found.figures.items():
        say(f"{name} {figure_text(figure)}")
    typer.echo(folder)
