"""`dnalm models`: the models there are, what their cards say, how they travel, change their name and go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import Json, examples, say
from dnalm.cli.output import print_json, print_table, tell_described, tell_shared

if TYPE_CHECKING:
    from dnalm.lab.people import User
    from dnalm.model.bundle import Bundle

app = typer.Typer(
    help="List, show, rename, describe, share, delete, export and import models.",
    no_args_is_help=True,
    epilog=examples("dnalm models list", "dnalm models show ecoli-lm"),
)

Model = Annotated[str, typer.Argument(help="A model: its name, its folder, or a run's folder.", metavar="MODEL")]


@app.command("list", epilog=examples("dnalm models list", "dnalm models list --json"))
def list_models(as_json: Json = False) -> None:
    """List the models that ship and those of this installation."""
    from dnalm.model.bundle import list_bundles, read_bundle

    bundles = [read_bundle(folder) for folder in list_bundles()]
    if as_json:
        print_json({"models": [_brief(bundle) for bundle in bundles]})
        return
    header = ["name", "kind", "labels", "window", "description"]
    print_table(header, [[_brief(bundle)[key] for key in header] for bundle in bundles])
    if not bundles:
        say("no models yet; `dnalm train` makes one, `dnalm models import` takes one in")


@app.command("show", epilog=examples("dnalm models show ecoli-promoters-150", "dnalm models show ecoli-lm --json"))
def show(model: Model, as_json: Json = False) -> None:
    """Print a model's card; with --json its configuration and figures."""
    from dnalm.model.bundle import find_bundle, read_bundle

    bundle = read_bundle(find_bundle(model))
    if as_json:
        print_json({"folder": bundle.folder, "config": bundle.config, "metrics": bundle.metrics})
    else:
        typer.echo(bundle.card.rstrip() or f"{bundle.name} has no card")


@app.command("export", epilog=examples("dnalm models export ecoli-lm -o ecoli-lm.zip"))
def export(
    model: Model,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The archive; else NAME.zip here.")] = None,
    as_json: Json = False,
) -> None:
    """Write a model as one zip file, to send or keep."""
    from dnalm.model.bundle import find_bundle, read_bundle
    from dnalm.model.exchange import export_bundle

    bundle = read_bundle(find_bundle(model))
    path = export_bundle(bundle.folder, output or Path(f"{bundle.name}.zip"))
    if as_json:
        print_json({"model": bundle.name, "output": path, "bytes": path.stat().st_size})
    else:
        typer.echo(path)


@app.command("import", epilog=examples("dnalm models import ecoli-lm.zip", "dnalm models import RUN_DIR --name mine"))
def import_model(
    source: Annotated[Path, typer.Argument(help="A zip file, a model's folder or a run's folder.", metavar="SOURCE")],
    name: Annotated[str | None, typer.Option(help="The name it gets here.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a model of this name.")] = False,
    as_json: Json = False,
) -> None:
    """Take a model in: checked whole, then put among this installation's models."""
    from dnalm.lab import index
    from dnalm.lab.people import local_user

    taken = index.import_model(local_user(), source, name=name, replace=replace)
    if as_json:
        print_json({"model": taken.name, "folder": taken.folder})
    else:
        typer.echo(taken.folder)


@app.command("rename", epilog=examples("dnalm models rename pretrain-20260301-101500 our-strain-lm"))
def rename(
    model: Model, name: Annotated[str, typer.Argument(help="The name it gets.", metavar="NAME")], as_json: Json = False
) -> None:
    """Give a model of this installation another name; what came from it still knows it."""
    from dnalm.lab import index
    from dnalm.lab.people import local_user

    user = local_user()
    renamed = index.rename_model(user, _own(user, model), name)
    if as_json:
        print_json({"model": renamed.name, "folder": renamed.folder})
    else:
        typer.echo(renamed.folder)


@app.command("describe", epilog=examples('dnalm models describe our-strain-lm "Reads our strain, 2026"'))
def describe(
    model: Model, description: Annotated[str, typer.Argument(help="One line.")], as_json: Json = False
) -> None:
    """Say in a line what a model is; its own files say so then too."""
    from dnalm.lab import index
    from dnalm.lab.people import local_user

    user = local_user()
    found = index.describe_model(user, _own(user, model), description)
    tell_described("model", found.name, found.description, as_json)


@app.command("share", epilog=examples("dnalm models share our-strain-lm", "dnalm models share our-strain-lm --off"))
def share(
    model: Model,
    off: Annotated[bool, typer.Option("--off", help="Only its owner and admins see it again.")] = False,
    as_json: Json = False,
) -> None:
    """Let the whole lab see a model."""
    from dnalm.lab import index
    from dnalm.lab.people import local_user

    user = local_user()
    found = index.share_model(user, _own(user, model), not off)
    tell_shared("model", found.name, found.shared, as_json)


@app.command("delete", epilog=examples("dnalm models delete my-lm"))
def delete(model: Model, as_json: Json = False) -> None:
    """Delete a model of this installation, unless others came from it or a job is about to use it.

    The run that made it keeps its own copy.
    """
    from dnalm.lab import index
    from dnalm.lab.people import local_user

    user = local_user()
    index.delete_model(user, _own(user, model))
    if as_json:
        print_json({"deleted": model})
    else:
        say(f"deleted {model}")


def _own(user: User, name: str) -> str:
    """The id of a model by its whole name: what is to be changed or deleted is not guessed."""
    from dnalm.lab import index

    return index.model(user, name).id


def _brief(bundle: Bundle) -> dict[str, Any]:
    config = bundle.config
    return {
        "name": bundle.folder.name,
        "kind": config.kind,
        "labels": ", ".join(config.labels),
        "window": config.window,
        "description": config.description,
        "folder": bundle.folder,
    }
