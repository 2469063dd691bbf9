"""`dnalm jobs`: put work into the lab's queue, see how far it is, stop it, go on with it, wait for it."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.fields import build
from dnalm.cli.frame import Json, examples, say
from dnalm.cli.output import print_json, print_table
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.lab.jobs import Job
    from dnalm.lab.queue import Waiting

POLL_S = 0.5

app = typer.Typer(
    help="Submit, list, show, cancel, resume, clone and share jobs, and wait for them.",
    no_args_is_help=True,
    epilog=examples(
        "dnalm jobs submit pretrain --set genomes=[ecoli-k12] --set minutes=20",
        "dnalm jobs list",
        "dnalm jobs wait JOB && dnalm jobs show JOB --json",
    ),
)

JobArgument = Annotated[str, typer.Argument(help="A job: its id, or the name of its run folder.", metavar="JOB")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any field: FIELD=VALUE, as optimizer.clip=0.5.")]


@app.command(
    "submit",
    epilog=examples(
        "dnalm jobs submit pretrain --set genomes=[ecoli-k12] --set minutes=20 --name my-lm",
        "dnalm jobs submit train --set dataset=ecoli-promoters-150 --set model=ecoli-lm",
        "dnalm jobs submit bench --set task=mouse-tata-251",
        "dnalm jobs submit scan --set model=ecoli-starts-150 --set sequence=ecoli-k12 --set parts=4",
        "dnalm jobs submit settings.yaml --limit-minutes 600 --share",
    ),
)
def submit(
    what: Annotated[
        str,
        typer.Argument(
            help="pretrain, finetune, train, track, bench, scan, or YAML with `phase`, as a run's config.yaml."
        ),
    ],
    sets: Set = None,
    name: Annotated[str | None, typer.Option(help="Name of the model that it makes.")] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="Slots (GPUs) that it trains on together.")] = None,
    limit_minutes: Annotated[float | None, typer.Option(help="It is stopped after so long.")] = None,
    share: Annotated[bool, typer.Option("--share", help="Let the whole lab see it.")] = False,
    as_json: Json = False,
) -> None:
    """Put a job into the queue. Prints its id."""
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user
    from dnalm.training.estimate import refuse_what_cannot_run

    kind, file = _kind(what)
    options = {"name": name, "compute.devices": devices}
    config = build(kind, options, file, sets or ())
    refuse_what_cannot_run(config)
    job = jobs.submit(local_user(), config, limit_minutes=limit_minutes, shared=share)
    _print_one(job, as_json, f"run folder {job.run}; it begins when a worker (`dnalm worker`, `dnalm serve`) has room")


@app.command("list", epilog=examples("dnalm jobs list", "dnalm jobs list --mine --state queued --state running"))
def list_all(
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    state: Annotated[
        list[str] | None, typer.Option(help="queued, running, succeeded, failed or cancelled; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 200,
    as_json: Json = False,
) -> None:
    """List the jobs that you may see, the newest first."""
    from dnalm.lab import jobs, queue
    from dnalm.lab.people import local_user

    found = jobs.visible(local_user(), states=_states(state or ()), mine=mine, limit=limit)
    prospects = queue.forecast() if any(job.state == jobs.JobState.QUEUED for job in found) else {}
    if as_json:
        print_json({"jobs": [_fields(job, prospects.get(job.id)) for job in found]})
        return
    header = ["job", "name", "owner", "phase", "state", "slots", "progress"]
    print_table(
        header,
        [
            [
                *(job.id, job.name, job.owner_name, job.phase, _state(job), " ".join(job.slots)),
                _progress(job, prospects.get(job.id)),
            ]
            for job in found
        ],
    )
    if not found:
        say("no jobs yet; `dnalm jobs submit` makes one")


@app.command("show", epilog=examples("dnalm jobs show JOB", "dnalm jobs show JOB --json"))
def show(job: JobArgument, as_json: Json = False) -> None:
    """Show what a job was told, where it is and what was done to it."""
    import yaml

    from dnalm.lab import audit, jobs, queue
    from dnalm.lab.people import local_user

    user = local_user()
    found = _find(job)
    waits = queue.forecast().get(found.id) if found.state == jobs.JobState.QUEUED else None
    history = audit.entries(user, subject=f"job:{found.id}")
    if as_json:
        steps = [{**asdict(entry), "at": entry.at.isoformat()} for entry in history]
        print_json({**_fields(found, waits), "history": steps})
        return
    rows = [
        *[("job", found.id), ("name", found.name), ("owner", found.owner_name), ("phase", found.phase)],
        *[
            ("state", _state(found)),
            ("engine", _engine(found)),
            ("reason", found.reason),
            ("progress", _progress(found, waits)),
        ],
        *[("run folder", found.run), ("priority", found.priority), ("shared", "with the lab" if found.shared else "")],
        *[("slots", " ".join(found.slots)), ("worker", found.worker), ("begun", f"{found.attempts} times")],
        *[("submitted", _when(found.created)), ("began", _when(found.started)), ("ended", _when(found.ended))],
    ]
    print_table(["what", "value"], [row for row in rows if row[1] not in ("", None)])
    typer.echo(yaml.safe_dump(found.config, sort_keys=False, allow_unicode=True).rstrip())


def _engine(job: Job) -> str:
    """What Slurm says of a job that it has; empty elsewhere."""
    from dnalm.lab.backends import BackendAwayError
    from dnalm.lab.backends.choice import backend_named

    if job.state != "running" or job.backend == "local" or not job.handle:
        return ""
    try:
        return backend_named(job.backend).standing(job.handle)
    except BackendAwayError as error:
        return str(error)


@app.command("cancel", epilog=examples("dnalm jobs cancel JOB"))
def cancel(job: JobArgument, as_json: Json = False) -> None:
    """Stop a job. One that runs writes a checkpoint first, so that it can be resumed."""
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user

    found = jobs.cancel(local_user(), _find(job).id)
    _print_one(found, as_json, "its worker stops it" if found.cancel_requested else "cancelled")


@app.command("resume", epilog=examples("dnalm jobs resume JOB"))
def resume(job: JobArgument, as_json: Json = False) -> None:
    """Queue a failed or cancelled job again; it goes on from its last checkpoint."""
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user

    _print_one(jobs.resume(local_user(), _find(job).id), as_json, "queued again")


@app.command("clone", epilog=examples("dnalm jobs clone JOB --set seed=1 --set optimizer.learning_rate=0.002"))
def clone(job: JobArgument, sets: Set = None, as_json: Json = False) -> None:
    """Submit a new job like another, but for the fields that --set names. Prints its id."""
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user

    found = jobs.clone(local_user(), _find(job).id, changes(sets or ()))
    _print_one(found, as_json, f"run folder {found.run}")


@app.command("share", epilog=examples("dnalm jobs share JOB", "dnalm jobs share JOB --off"))
def share(
    job: JobArgument,
    off: Annotated[bool, typer.Option("--off", help="Let only its owner and admins see it again.")] = False,
    as_json: Json = False,
) -> None:
    """Let the whole lab see a job."""
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user

    found = jobs.share(local_user(), _find(job).id, not off)
    _print_one(found, as_json, "shared with the lab" if found.shared else "private")


@app.command("rename", epilog=examples('dnalm jobs rename JOB "The night run"'))
def rename(
    job: JobArgument,
    name: Annotated[str, typer.Argument(help="What people shall call it.", metavar="NAME")],
    as_json: Json = False,
) -> None:
    """Call a job something else; its run folder and its model keep their names."""
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user

    found = jobs.rename(local_user(), _find(job).id, name)
    _print_one(found, as_json, f"called {found.name}")


@app.command("priority", epilog=examples("dnalm jobs priority JOB 10", "dnalm jobs priority JOB 0"))
def priority(
    job: JobArgument,
    value: Annotated[int, typer.Argument(help="Jobs of a higher one begin first; 0 unless someone says otherwise.")],
    as_json: Json = False,
) -> None:
    """Let a job begin before those of a lower priority; for admins."""
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user

    found = jobs.prioritise(local_user(), _find(job).id, value)
    _print_one(found, as_json, f"priority {found.priority}")


@app.command("delete", epilog=examples("dnalm jobs delete JOB"))
def delete(job: JobArgument, as_json: Json = False) -> None:
    """Delete a job that has ended, with its run folder. The models that came of it stay."""
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user

    found = _find(job)
    jobs.delete(local_user(), found.id)
    if as_json:
        print_json({"deleted": found.id, "run": found.run.name})
    else:
        say(f"deleted {found.name}, and {found.run}")


@app.command("wait", epilog=examples("dnalm jobs wait JOB", "dnalm jobs wait JOB --minutes 90"))
def wait(
    job: JobArgument,
    minutes: Annotated[float | None, typer.Option(min=0, help="Wait no longer than this.")] = None,
    as_json: Json = False,
) -> None:
    """Wait until a job has ended. Exit 0 where it succeeded, 1 where it did not or still has not ended."""
    from dnalm.lab.queue import ENDED

    found = _find(job)
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    while found.state not in ENDED and (deadline is None or time.monotonic() < deadline):
        time.sleep(POLL_S)
        found = _find(found.id)
    ended = found.state in ENDED
    _print_one(found, as_json, f"{found.state}{f': {found.reason}' if found.reason else ''}")
    if not ended or found.state != "succeeded":
        raise typer.Exit(1)


def changes(sets: list[str] | tuple[()]) -> dict[str, Any]:
    """`FIELD=VALUE` texts as dotted field to value.

    Raises:
        InputError: a text is no `FIELD=VALUE`, or its value is not valid YAML.
    """
    from dnalm.cli.fields import parse_set

    return dict(parse_set(text) for text in sets)


def _kind(what: str) -> tuple[type, Path | None]:
    """The configuration's class, and the file where `what` is one."""
    from dnalm.cli.fields import fields_of
    from dnalm.training.config import CONFIGS

    if what in CONFIGS:
        return CONFIGS[what], None
    file = Path(what)
    if not file.is_file():
        raise InputError(f"{what}: neither a phase ({', '.join(CONFIGS)}) nor a file")
    phase = fields_of(file).get("phase")
    if phase not in CONFIGS:
        raise InputError(f"{file}: the field phase is {phase!r}; wanted {', '.join(CONFIGS)}")
    return CONFIGS[phase], file


def _states(names: list[str] | tuple[()]) -> list[Any]:
    from dnalm.lab.jobs import JobState

    for name in names:
        if name not in list(JobState):
            raise InputError(f"--state {name}: wanted {', '.join(JobState)}")
    return [JobState(name) for name in names]


def _find(name: str) -> Job:
    from dnalm.lab import jobs
    from dnalm.lab.people import local_user

    user = local_user()
    return jobs.of_run(user, name.rstrip("/").rpartition("/")[2]) or jobs.find(user, name)


def _print_one(job: Job, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(_fields(job, None))
        return
    say(f"job {job.id}: {sentence}")
    typer.echo(job.id)


def _fields(job: Job, waits: Waiting | None) -> dict[str, Any]:
    """What JSON says of a job: its fields, times in ISO 8601, and how long it will wait where it does."""
    fields = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(job).items()}
    return {**fields, "waiting": asdict(waits) if waits else None}


def _state(job: Job) -> str:
    return "running (to be cancelled)" if job.cancel_requested else str(job.state)


def _progress(job: Job, waits: Waiting | None) -> str:
    """How far a job is, or how long it will wait."""
    if waits is not None:
        when = "" if waits.seconds is None else f", in about {timedelta(seconds=round(waits.seconds))}"
        return f"number {waits.position} to begin{when}"
    if job.state != "running":
        return ""
    from dnalm.training.run import RunFolder

    said = RunFolder(job.run).read_progress()
    left = f", {timedelta(seconds=round(said['eta_s']))} left" if said.get("eta_s") else ""
    return f"{said['phase']} {said['step']:,}/{said['total']:,}{left}" if "step" in said else ""


def _when(time_: datetime | None) -> str | None:
    return time_ and time_.astimezone().isoformat(sep=" ", timespec="seconds")
