"""`dnalm runs`: the run folders there are, what one says, going on with one; who sees it, and whether it stays."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dnalm.cli.frame import Json, examples, say
from dnalm.cli.output import figure_text, print_json, print_table, tell_described, tell_shared
from dnalm.cli.running import run as run_it

app = typer.Typer(
    help="List, show, resume, describe, share and delete runs.",
    no_args_is_help=True,
    epilog=examples("dnalm runs list", "dnalm runs show pretrain-20260301-101500"),
)

Run = Annotated[str, typer.Argument(help="A run: its name, or its folder.", metavar="RUN")]


@app.command("list", epilog=examples("dnalm runs list", "dnalm runs list --json"))
def list_all(as_json: Json = False) -> None:
    """List the runs of this installation, the newest first."""
    from dnalm.settings import settings
    from dnalm.training.listing import list_runs

    runs = list(list_runs())
    if as_json:
        print_json({"runs": [vars(run) for run in runs]})
        return
    rows = [[run.id, run.phase, run.state, _steps(run.progress), run.updated or run.created] for run in runs]
    print_table(["run", "phase", "state", "steps", "updated"], rows)
    if not runs:
        say(f"no runs in {settings().runs} yet; `dnalm train` makes one")


@app.command("show", epilog=examples("dnalm runs show RUN", "dnalm runs show RUN --json"))
def show(run: Run, as_json: Json = False) -> None:
    """Show what a run was told, how far it is, and how it came out."""
    from dnalm.training.listing import find_run, summarise
    from dnalm.training.run import RunFolder

    folder = find_run(run)
    found = summarise(folder)
    if as_json:
        print_json({**vars(found), **RunFolder(folder).document(), "metrics": RunFolder(folder).metrics()})
        return
    import yaml

    rows = [("folder", folder), ("phase", found.phase), ("state", found.state), ("created", found.created)]
    rows += [("stage", found.progress["phase"])] if "phase" in found.progress else []
    rows += [("steps", _steps(found.progress))]
    rows += (
        [("error", found.progress["error"])]
        if found.state not in ("succeeded", "running") and found.progress.get("error")
        else []
    )
    rows += [(name, figure_text(figure)) for name, figure in found.figures.items()]
    print_table(["what", "value"], rows)
    typer.echo(yaml.safe_dump(RunFolder(folder).document()["config"], sort_keys=False, allow_unicode=True).rstrip())


@app.command("resume", epilog=examples("dnalm runs resume pretrain-20260301-101500"))
def resume(run: Run, as_json: Json = False) -> None:
    """Go on with a run from its last checkpoint; the same as `dnalm run`."""
    run_it(run, as_json)


Own = Annotated[str, typer.Argument(help="A run of this installation, by its whole name.", metavar="RUN")]


@app.command("describe", epilog=examples('dnalm runs describe RUN "Half the data, to compare"'))
def describe(
    run: Own,
    description: Annotated[str, typer.Argument(help="One line; an empty one takes back what was written.")],
    as_json: Json = False,
) -> None:
    """Say in a line what a run is. Where a job made it, this is the job's name."""
    from dnalm.lab.people import local_user
    from dnalm.lab.runs import describe_run

    found = describe_run(local_user(), run, description)
    tell_described("run", found.name, found.description, as_json)


@app.command("share", epilog=examples("dnalm runs share RUN", "dnalm runs share RUN --off"))
def share(
    run: Own,
    off: Annotated[bool, typer.Option("--off", help="Only its owner and admins see it again.")] = False,
    as_json: Json = False,
) -> None:
    """Let the whole lab see a run. Where a job made it, the job is shared."""
    from dnalm.lab.people import local_user
    from dnalm.lab.runs import share_run

    found = share_run(local_user(), run, not off)
    tell_shared("run", found.name, found.shared, as_json)


@app.command("delete", epilog=examples("dnalm runs delete RUN"))
def delete(run: Own, as_json: Json = False) -> None:
    """Delete a run folder, and the job that made it if one did; the models that came of it stay."""
    from dnalm.lab.people import local_user
    from dnalm.lab.runs import delete_run

    delete_run(local_user(), run)
    if as_json:
        print_json({"deleted": run})
    else:
        say(f"deleted {run}")


def _steps(progress: dict[str, Any]) -> str:
    return f"{progress['step']:,}/{progress['total']:,}" if "step" in progress else ""
