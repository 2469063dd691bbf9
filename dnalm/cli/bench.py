"""`dnalm bench`: the published tables with dnalm's own runs beside them; measure the runs, print and export them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import Json, examples, progress, say
from dnalm.cli.output import print_json, print_table
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.evaluation.bench.entries import Entry
    from dnalm.evaluation.results.units import Unit

app = typer.Typer(
    help="List, run and print the benchmarks: published figures, and dnalm's own on the same kind of data.",
    no_args_is_help=True,
    epilog=examples(
        "dnalm bench list",
        "dnalm bench run mouse-tata-251",
        "dnalm bench table ecoli-sigma70-81 --split grouped --format latex",
        "dnalm bench report -o report",
    ),
)

Name = Annotated[str, typer.Argument(help="A benchmark, as `dnalm bench list` names it.", metavar="TASK")]
Snapshots = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A folder of language models: points of the curve MCC against bits.")
]
Into = Annotated[Path | None, typer.Option(metavar="DIR", help="Where the rows are kept; else `bench` in DNALM_HOME.")]


class Split(StrEnum):
    """How the sequences of own rows were dealt."""

    GROUPED = "grouped"
    RANDOM = "random"
    TEST = "test"
    FEW = "few-labels"


class Format(StrEnum):
    """How a table is printed."""

    TEXT = "text"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


@app.command("list", epilog=examples("dnalm bench list", "dnalm bench list --json"))
def list_all(as_json: Json = False) -> None:
    """List the benchmarks: how many published rows each has, how many rows were measured, or why none can be."""
    from dnalm.evaluation.bench.benches import benches
    from dnalm.evaluation.bench.kept import rows_of

    found = [
        {
            "task": one.name,
            "title": one.table.title,
            "published": len(one.table.rows),
            "measured": sum(len(rows_of(task)) for task in one.tasks),
            "runs": [task.name for task in one.tasks],
            "state": one.state,
        }
        for one in benches().values()
    ]
    if as_json:
        print_json({"benchmarks": found})
        return
    header = ["task", "title", "published", "measured", "state"]
    print_table(header, [[one[key] for key in header] for one in found])


@app.command(
    "run",
    epilog=examples(
        "dnalm bench run mouse-tata-251",
        "dnalm bench run ecoli-sigma70-81 --match grouped/ecoli-lm+wide --minutes 30",
        "dnalm bench run all --into data/results",
    ),
)
def run(
    name: Annotated[str, typer.Argument(help="A benchmark, or one of its runs, or `all`.", metavar="TASK")],
    model: Annotated[
        list[str] | None, typer.Option(help="Start from this language model, too, beside those that ship; repeatable.")
    ] = None,
    match: Annotated[
        list[str] | None, typer.Option(help="Only units whose name holds this; repeatable, for one or another.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Measure again what was measured before then, in local time.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="Begin no unit after so long.")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Units measured side by side; else one a GPU, or one a core.")
    ] = None,
    snapshots: Snapshots = None,
    into: Into = None,
    to_do: Annotated[bool, typer.Option("--to-do", help="Only say which units are to be measured.")] = False,
    as_json: Json = False,
) -> None:
    """Measure a benchmark: all its folds and seeds, for dnalm's models and the plain baselines.

    What is done is kept unit by unit; the same command goes on where it was stopped.
    """
    from dnalm.evaluation.bench.kept import own
    from dnalm.evaluation.bench.work import Work
    from dnalm.evaluation.results.places import processes_here

    def failed(unit: Unit, error: InputError) -> None:
        say(f"{unit.name} cannot be measured: {error}")

    work = Work.of(name, models=model or (), match=match or (), snapshots=snapshots, since=since, failed=failed)
    if to_do:
        if as_json:
            print_json({"to_do": [unit.name for unit in work.left], "of": len(work.units)})
        else:
            for unit in work.left:
                typer.echo(unit.name)
        return
    folder, done = into or own(), []
    try:
        with progress(f"measuring {name}", "units") as advance:

            def report(unit: Unit, document: dict[str, Any]) -> None:
                done.append(unit.name)
                advance(len(done), len(work.left))
                say(f"{unit.name}: {_headline(document)}, {document['seconds']:.1f} s")

            documents = work.measure(
                folder, processes=processes or processes_here(), minutes=minutes, report=report, failed=failed
            )
    finally:
        say(f"{len(done)} of {len(work.left)} units measured; rows in {folder}")
    if as_json:
        told = {"rows": {one["task"]: len(one["rows"]) for one in documents}, "impossible": list(work.impossible)}
        print_json({"measured": done, **told, "folder": folder})
    if work.impossible and not done:
        raise InputError(next(iter(work.impossible.values())))


@app.command(
    "table",
    epilog=examples(
        "dnalm bench table ecoli-sigma70-81",
        "dnalm bench table human-enhancers --figure auroc --figure accuracy --format csv -o enhancers.csv",
    ),
)
def table(
    name: Name,
    figure: Annotated[list[str] | None, typer.Option(help="A figure, as mcc; repeatable.")] = None,
    split: Annotated[Split | None, typer.Option(help="Only own rows of this split.")] = None,
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file, instead of standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Print a benchmark's table: published rows and own ones, with intervals, splits and where they differ."""
    from dnalm.evaluation.bench.benches import bench
    from dnalm.evaluation.bench.entries import entries
    from dnalm.evaluation.bench.export import export, frame, protocol_line
    from dnalm.files import write_whole
    from dnalm.metrics.binary import BINARY_FIGURES

    found = bench(name)
    figures = tuple(figure or found.figures)
    if strange := [one for one in figures if one not in BINARY_FIGURES]:
        raise InputError(f"there is no figure {strange[0]!r}; there are {', '.join(BINARY_FIGURES)}")
    rows = [one for one in entries(found) if split is None or one.row is None or one.row["split"] == split]
    if as_json:
        records = frame(rows, figures).astype(object)
        print_json({"task": found.name, "protocol": protocol_line(found, rows), "rows": records.to_dict("records")})
        return
    if format is not Format.TEXT:
        text = export(found, rows, figures, format.value)
        if output is None:
            typer.echo(text, nl=False)
        else:
            write_whole(output, text)
        return
    _print(rows, figures)
    say(protocol_line(found, rows))
    if found.state:
        say(f"not yet run: {found.state}")


@app.command(
    "report", epilog=examples("dnalm bench report -o report", "dnalm bench report --from data/results -o docs")
)
def report(
    source: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Where the rows are kept; else shipped and own ones.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where results.md and its picture go.")
    ] = Path(),
) -> None:
    """Write all that was measured as one page, results.md, with the picture of MCC against bits per base."""
    from dnalm.evaluation.bench.kept import rows_of, shipped
    from dnalm.evaluation.results.explained import read_explained
    from dnalm.evaluation.results.figure import draw_curve
    from dnalm.evaluation.results.gather import read_results
    from dnalm.evaluation.results.page import render
    from dnalm.evaluation.results.services import read_services
    from dnalm.evaluation.results.tasks import TASKS
    from dnalm.files import write_whole

    documents = {
        name: {"rows": rows_of(task)} if source is None else read_results(source, task) for name, task in TASKS.items()
    }
    output.mkdir(parents=True, exist_ok=True)
    draw_curve(documents["mcc-vs-bits"], output / "images" / "mcc-vs-bits.png")
    page = output / "results.md"
    kept = source or shipped()
    write_whole(page, render(documents, [*read_explained(kept), *read_services(kept)]))
    typer.echo(page)


def _headline(document: dict[str, Any]) -> str:
    figures = document.get("figures", {})
    if "mcc" in figures:
        return f"MCC {figures['mcc']:.3f}"
    if "bits_per_base" in figures:
        return f"{figures['bits_per_base']['value']:.3f} bits per base"
    return f"{document.get('shared')} of {document.get('of')} sequences in its text"


def _print(rows: list[Entry], figures: tuple[str, ...]) -> None:
    from dnalm.evaluation.bench.export import numbered, text_of

    marks, notes = numbered(rows)
    header = ["model", "what", "data", "split", "labels", "seeds", *figures, "source", "note"]
    print_table(
        header,
        [
            [one.model, one.what, one.data, one.split, one.labels, one.seeds]
            + [text_of(one, name) for name in figures]
            + [one.source, mark]
            for one, mark in zip(rows, marks, strict=True)
        ],
    )
    for note in notes:
        say(note)
