"""`dnalm data`: the catalogue of public data, the recipes that make labelled sets, and their audit."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import Advance, Json, examples, progress, say
from dnalm.cli.output import figure_text, print_json, print_table, tell_described, tell_shared
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.datasets import Dataset

app = typer.Typer(
    help="List, fetch, make and audit data; describe, share and delete sets and uploads.",
    no_args_is_help=True,
    epilog=examples("dnalm data list", "dnalm data make ecoli-promoters-150", "dnalm data audit ecoli-promoters-150"),
)


class Split(StrEnum):
    """How sequences are put into training, validation and test."""

    GROUPED = "grouped"
    RANDOM = "random"


@app.command("list", epilog=examples("dnalm data list", "dnalm data list --json"))
def list_data(as_json: Json = False) -> None:
    """List the catalogue's files, the recipes, the sets made so far and the sequences that were uploaded."""
    from dnalm.datasets import catalog
    from dnalm.datasets.recipes import RECIPES
    from dnalm.lab.people import local_user
    from dnalm.lab.uploads import uploads
    from dnalm.settings import settings

    entries = catalog.load()
    brought = uploads(local_user())
    made = sorted(path.parent.name for path in settings().datasets.glob("*/dataset.json"))
    if as_json:
        fields = ("key", "name", "owner", "owner_name", "shared", "description", "path", "size_bytes")
        told = [{field: getattr(one, field) for field in fields} for one in brought]
        print_json({"catalog": list(entries.values()), "recipes": list(RECIPES), "datasets": made, "uploads": told})
        return
    rows = [["file", name, entry.title] for name, entry in entries.items()]
    rows += [["recipe", name, "made" if name in made else "dnalm data make " + name] for name in RECIPES]
    rows += [["dataset", name, str(settings().datasets / name)] for name in made if name not in RECIPES]
    rows += [["upload", one.key, f"{one.name} of {one.owner_name}"] for one in brought]
    print_table(["what", "name", "title"], rows)


@app.command("fetch", epilog=examples("dnalm data fetch ecoli-k12-genome"))
def fetch(
    names: Annotated[list[str], typer.Argument(help="Names in the catalogue.", metavar="NAME...")],
    as_json: Json = False,
) -> None:
    """Bring files of the catalogue here, checked, and print where they are."""
    from dnalm.datasets import catalog

    for name in names:
        catalog.entry(name)  # a misspelt name is said before anything is downloaded
    paths = {}
    for name in names:
        with progress(f"fetching {name}", "bytes") as advance:
            paths[name] = catalog.fetch(name, progress=partial(_downloaded, advance))
        if not as_json:
            typer.echo(paths[name])
    if as_json:
        print_json({"files": paths})


@app.command(
    "make",
    epilog=examples(
        "dnalm data make ecoli-promoters-150",
        "dnalm data make ecoli-sigma70-81 --seed 3",
        "dnalm data make mine table.csv --label class --positive enhancer",
        "dnalm data make mine positives.fa negatives.fa --labels enhancer,other",
    ),
)
def make(
    name: Annotated[str, typer.Argument(help="A recipe, see `dnalm data list`; with files, the new set's name.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Your own: one table with labels, or two FASTA files, positives first.", metavar="[FILE]..."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same split.")] = 0,
    split: Annotated[
        Split, typer.Option(help="grouped: what shares a stretch stays together; random: as published.")
    ] = Split.GROUPED,
    sequence: Annotated[str | None, typer.Option(help="The table's column with the bases, by name or number.")] = None,
    label: Annotated[str | None, typer.Option(help="The table's column with the labels.")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="The table's column with the names.")] = None,
    positive: Annotated[str | None, typer.Option(help="The positive one of two labels.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="The two FASTA files' labels, POSITIVE,NEGATIVE.", metavar="LABEL,LABEL")
    ] = None,
    valid: Annotated[float | None, typer.Option(help="Share for validation; 0.1 without it.")] = None,
    test: Annotated[float | None, typer.Option(help="Share for the test; 0.15 without it.")] = None,
    test_file: Annotated[Path | None, typer.Option(help="A table of its own for the test part.")] = None,
    drop_unusable: Annotated[
        bool, typer.Option("--drop-unusable", help="Leave out rows that cannot be used, and say how many.")
    ] = False,
    drop_copies: Annotated[
        bool, typer.Option("--drop-copies", help="Leave out copies, and what stands under two labels.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a labelled set, by a recipe or of your own files, and print its folder."""
    own: dict[str, Any] = {
        "sequence": sequence,
        "label": label,
        "id": id_column,
        "positive": positive,
        "labels": _two(labels),
        "valid": valid,
        "test": test,
        "test_file": test_file,
        "drop_unusable": drop_unusable or None,
        "drop_copies": drop_copies or None,
    }
    given = {key: value for key, value in own.items() if value is not None}
    if files:
        from dnalm.datasets.files import make_from_files

        dataset = make_from_files(name, *files, seed=seed, split=split.value, **given)
    else:
        from dnalm.datasets import recipes

        if given:
            raise InputError(f"--{next(iter(given)).replace('_', '-')} is for a set of your own files: name the files")
        dataset = recipes.make(name, seed=seed, split=split.value)
    _print_made(dataset, as_json)


def _print_made(dataset: Dataset, as_json: bool) -> None:
    if as_json:
        print_json({"folder": dataset.folder, **dataset.info})
        return
    typer.echo(dataset.folder)
    for reason, number in (dataset.info.get("dropped") or {}).items():
        say(f"left out {number:,}: {reason}")
    for one, counts in dataset.counts().items():
        say(f"{one}: " + ", ".join(f"{count:,} {part}" for part, count in counts.items()))


@app.command(
    "windows",
    epilog=examples(
        "dnalm data windows human-starts GRCh38.fa.gz epdnew.bed",
        "dnalm data windows my-starts genome.fna annotation.gff3 --kind mRNA --upstream 200 --downstream 50",
    ),
)
def windows(
    name: Annotated[str, typer.Argument(help="The new set's name.")],
    genome: Annotated[Path, typer.Argument(help="The genome's sequences.", metavar="GENOME")],
    starts: Annotated[Path, typer.Argument(help="Start sites: a table, BED, or an annotation.", metavar="STARTS")],
    upstream: Annotated[int, typer.Option(min=0, help="Bases before a site, on its strand.")] = 500,
    downstream: Annotated[int, typer.Option(min=1, help="Bases from the site on, itself included.")] = 500,
    per_site: Annotated[float, typer.Option(help="Random windows for each window at a site.")] = 1.0,
    kind: Annotated[str | None, typer.Option(help="Of an annotation, the starts of these: CDS, mRNA or gene.")] = None,
    circular: Annotated[bool, typer.Option("--circular", help="The genome's sequences are circular.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same windows and split.")] = 0,
    split: Annotated[
        Split, typer.Option(help="grouped: what shares a stretch stays together; random.")
    ] = Split.GROUPED,
    as_json: Json = False,
) -> None:
    """Make a labelled set of windows around a genome's start sites, against windows from elsewhere."""
    from dnalm.datasets.files import make_from_genome

    choices = {"upstream": upstream, "downstream": downstream, "per_site": per_site, "kind": kind}
    _print_made(
        make_from_genome(name, genome, starts, circular=circular, seed=seed, split=split.value, **choices), as_json
    )


def _two(labels: str | None) -> tuple[str, str] | None:
    if labels is None:
        return None
    names = [name.strip() for name in labels.split(",")]
    if len(names) != 2:
        raise InputError(f"--labels {labels}: wanted two, the positive one first, as enhancer,other")
    return names[0], names[1]


@app.command("audit", epilog=examples("dnalm data audit ecoli-promoters-150", "dnalm data audit DIR --json"))
def audit(
    dataset: Annotated[str, typer.Argument(help="A labelled set: its name, or its folder.", metavar="DATASET")],
    as_json: Json = False,
) -> None:
    """Report duplicates, leaks across the split, and what length and GC alone achieve."""
    from dnalm.datasets import Dataset
    from dnalm.datasets.audit import audit as examine

    report = examine(Dataset.load(dataset))
    if as_json:
        print_json(report)
    else:
        print_table(["what", "found"], list(_flat(report)))


Own = Annotated[
    str,
    typer.Argument(
        help="A labelled set of this installation, by its whole name, or an uploaded sequence, as `dnalm data list` "
        "names it (upload-…).",
        metavar="DATASET",
    ),
]


@app.command("describe", epilog=examples('dnalm data describe mine "Enhancers of our strain, 2026"'))
def describe(
    dataset: Own,
    description: Annotated[str, typer.Argument(help="One line; an empty one takes back what was written.")],
    as_json: Json = False,
) -> None:
    """Say in a line what a labelled set, or an uploaded sequence, holds."""
    from dnalm.lab import index, uploads
    from dnalm.lab.people import local_user

    user = local_user()
    if _is_upload(dataset):
        kept = uploads.describe_upload(user, uploads.upload(user, dataset).id, description)
        tell_described("upload", kept.key, kept.description, as_json)
        return
    found = index.describe_dataset(user, index.dataset(user, dataset).id, description)
    tell_described("dataset", found.name, found.description, as_json)


@app.command("share", epilog=examples("dnalm data share mine", "dnalm data share mine --off"))
def share(
    dataset: Own,
    off: Annotated[bool, typer.Option("--off", help="Only its owner and admins see it again.")] = False,
    as_json: Json = False,
) -> None:
    """Let the whole lab see a labelled set, or an uploaded sequence."""
    from dnalm.lab import index, uploads
    from dnalm.lab.people import local_user

    user = local_user()
    if _is_upload(dataset):
        kept = uploads.share_upload(user, uploads.upload(user, dataset).id, not off)
        tell_shared("upload", kept.key, kept.shared, as_json)
        return
    found = index.share_dataset(user, index.dataset(user, dataset).id, not off)
    tell_shared("dataset", found.name, found.shared, as_json)


@app.command("delete", epilog=examples("dnalm data delete mine"))
def delete(dataset: Own, as_json: Json = False) -> None:
    """Delete a labelled set or an uploaded sequence, unless a job is about to read it or a model was trained on it."""
    from dnalm.lab import index, uploads
    from dnalm.lab.people import local_user

    user = local_user()
    if _is_upload(dataset):
        uploads.delete_upload(user, uploads.upload(user, dataset).id)
    else:
        index.delete_dataset(user, index.dataset(user, dataset).id)
    if as_json:
        print_json({"deleted": dataset})
    else:
        say(f"deleted {dataset}")


def _is_upload(name: str) -> bool:
    from dnalm.lab.upload_store import KEY

    return KEY.fullmatch(name) is not None


def _downloaded(advance: Advance, done: int, total: int) -> None:
    advance(done, total or None)  # a size that the server does not tell comes as 0


def _flat(report: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """A nested report as rows; a figure as `value (low to high, n)`."""
    rows: list[tuple[str, Any]] = []
    for key, value in report.items():
        name = f"{above}{key}"
        if hasattr(value, "as_dict"):
            value = value.as_dict()
        if isinstance(value, dict) and set(value) == {"value", "low", "high", "n"}:
            rows.append((name, figure_text(value)))
        elif isinstance(value, dict):
            rows += _flat(value, f"{name}.")
        elif isinstance(value, float):
            rows.append((name, f"{value:.4g}"))
        else:
            rows.append((name, str(value) if isinstance(value, Path | list) else value))
    return rows
