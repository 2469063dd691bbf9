"""`dnalm tracks benchmark`: models and plain baselines on the standard split, kept in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import Json, progress, say
from dnalm.cli.output import print_json, print_table
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.evaluation.scan_bench import Document, Entry, Material

COLUMNS = ("auprc", "recall_at_500_calls", "false_per_kb_at_50_recall")


def benchmark(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Models; NAME=A,B,C are the seeds of one recipe, averaged.", metavar="[MODEL...]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A JSON file to merge the figures into; else only shown.")
    ] = None,
    baselines: Annotated[bool, typer.Option("--baselines/--no-baselines", help="The plain baselines too.")] = True,
    against: Annotated[str | None, typer.Option(help="Name that the others are compared with in the table.")] = None,
    elsewhere: Annotated[
        str | None,
        typer.Option(help="Another genome, such as salmonella-lt2: how many calls lie upstream of its genes."),
    ] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Of blocks of 20 kb, for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure models on E. coli's sigma-70 starts, held out by region: 3.7 to 4.64 Mb of NC_000913.3.

    Baselines learn from the training region alone. Every pair is compared on the same resampled blocks. A model that
    says it was trained on the test region is refused.
    """
    from dnalm.evaluation import scan_bench

    if output is not None and not output.parent.is_dir():
        raise InputError(f"{output}: the folder {output.parent} is not there; make it first")
    wanted = _wanted(models or [])
    if not wanted and not baselines:
        raise InputError("--no-baselines leaves nothing to measure: name models")
    material = scan_bench.Material.read()
    entries: list[Entry] = []
    if baselines:
        say("fitting the baselines on the training regions")
        entries += scan_bench.baseline_entries(material, lambda name: say(f"scanning with {name}"))
    with _bars() as bar:
        for name, runs in wanted.items():
            entries.append(scan_bench.model_entry(name, runs, material, bar))
    command = _command(wanted, output, baselines, elsewhere)
    document = scan_bench.document_of(entries, material, seed=seed, resamples=resamples, command=command)
    if elsewhere is not None:
        document["elsewhere"] = _elsewhere(wanted, elsewhere, material, seed)
    if output is not None:
        kept = scan_bench.keep(output, document)
        say(f"{output}: {len(kept['rows'])} rows, of which {len(entries)} measured now")
    if as_json:
        print_json(document)
        return
    _print(document, against)


def _wanted(models: Sequence[str]) -> dict[str, list[str]]:
    """The runs of each row, by the row's name."""
    found: dict[str, list[str]] = {}
    for text in models:
        name, several, runs = text.partition("=")
        if not several:
            name, runs = Path(text).name, text
        if name in found:
            raise InputError(f"{name} is named twice")
        found[name] = [run for run in runs.split(",") if run]
        if not name or not found[name]:
            raise InputError(f"{text}: write a model, or NAME=MODEL,MODEL,...")
    return found


def _command(wanted: dict[str, list[str]], output: Path | None, baselines: bool, elsewhere: str | None) -> str:
    """The command that measures the same again, with models by name, wherever their folders lie."""
    runs = {name: ",".join(Path(run).name for run in several) for name, several in wanted.items()}
    parts = ["dnalm tracks benchmark", *(name if name == run else f"{name}={run}" for name, run in runs.items())]
    parts += [] if baselines else ["--no-baselines"]
    parts += ["--elsewhere", elsewhere] if elsewhere else []
    parts += ["-o", f"data/results/{output.name}"] if output else []
    return " ".join(parts)


@contextmanager
def _bars() -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """One bar, which says what is being scanned by its place only: a line says the name."""
    with progress("scanning", "sites") as advance:

        def begin(name: str) -> Callable[[int, int], None]:
            say(f"scanning with {name}")
            return advance

        yield begin


def _elsewhere(wanted: dict[str, list[str]], genome: str, material: Material, seed: int) -> Document:
    from dnalm.evaluation.scan_elsewhere import elsewhere

    say(f"predicting genes of {genome} and scanning it")
    with _bars() as bar:
        return elsewhere({name: runs[0] for name, runs in wanted.items()}, genome, material, seed=seed, progress=bar)


def _print(document: Document, against: str | None) -> None:
    from dnalm.tracks.evaluation import Comparison, Evaluation

    names = [row["name"] for row in document["rows"]]
    if against is not None and against not in names:
        raise InputError(f"--against {against}: the names here are {', '.join(names)}")
    header = ["name", "tolerance", "runs", *(name.replace("_", " ") for name in COLUMNS)]
    header += [f"AUPRC over that of {against}"] if against else []
    pairs = [Comparison.from_dict(one) for one in document["comparisons"]]
    body: list[list[Any]] = []
    for tolerance in document["settings"]["tolerances"]:
        for row in document["rows"]:
            found = Evaluation.from_dict(row["evaluation"])
            figures = found.row(tolerance=tolerance).figures
            cells = [row["name"], tolerance, len(found.runs), *(figures[name].short() for name in COLUMNS)]
            if against:
                pair = next((p for p in pairs if (p.first, p.second) == (row["name"], against)), None)
                cells.append(pair.row(tolerance=tolerance).ratios["auprc"].short() if pair else "")
            body.append(cells)
    print_table(header, body)
    other = document.get("elsewhere", {"rows": []})
    for row in other["rows"]:
        share, times = row["there"]["calls"]["1000"], row["there"]["times"]["1000"]
        say(
            f"{row['name']} on {other['genome']}: of the 1,000 highest calls {share['value']:.0%} lie within "
            f"{row['there']['reach']} bases upstream of a gene, {times['value']:.1f} times as many as by chance"
        )
