"""`dnalm worker`: run the jobs of the queue on this machine, or on the cluster that it can reach."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from dnalm.cli.frame import on_stop_signals, say

if TYPE_CHECKING:
    from types import FrameType

GRACE_S = 30.0
RETRY_S = 5.0

Grace = Annotated[float, typer.Option(min=0, help="Seconds that a job has to write its checkpoint when it is stopped.")]


def worker(
    backend: Annotated[str | None, typer.Option(help="local or slurm; else DNALM_BACKEND.")] = None,
    grace: Grace = GRACE_S,
    tick: Annotated[float, typer.Option(min=0.01, max=60, help="Seconds between two looks at the jobs.")] = 1.0,
    tries: Annotated[
        int,
        typer.Option(min=1, help="Times in a row that a job may die without a new checkpoint before it has failed."),
    ] = 3,
    leave_jobs: Annotated[
        bool, typer.Option("--leave-jobs", help="When stopped, let jobs run on for the next worker of this machine.")
    ] = False,
) -> None:
    """Run the jobs of the queue until Ctrl-C or SIGTERM.

    When it is stopped, its jobs write a checkpoint and go back to the queue. When it is killed, they go on, and the
    next worker takes them over.
    """
    from dnalm.lab.backends.choice import backend_named
    from dnalm.lab.care import Rules
    from dnalm.lab.worker import Worker
    from dnalm.settings import settings

    engine = backend_named(backend or settings().backend)
    stop = threading.Event()
    with _setting(stop):
        if not _reach_database(stop):
            return
        rules = Rules(tick_s=tick, grace_s=grace, deaths=tries)
        supervisor = Worker(engine, rules=rules, leave_jobs=leave_jobs, report=say)
        slots = ", ".join(supervisor.slots) or "no limit of its own"
        say(f"worker {supervisor.id} on {engine.name}: {slots}")
        supervisor.run_forever(stop)
    say("the worker has stopped")


def _reach_database(stop: threading.Event) -> bool:
    """Wait until the database answers: it may start later than this. False where `stop` came first."""
    from dnalm.lab.database import DatabaseError, database

    said = False
    while not stop.is_set():
        try:
            database()
        except DatabaseError as error:
            if not said:
                say(f"{error}; trying again")
                said = True
            stop.wait(RETRY_S)
        else:
            return True
    return False


def _setting(stop: threading.Event) -> AbstractContextManager[None]:
    """The first SIGTERM, SIGHUP or Ctrl-C sets `stop`; the second one ends the process without waiting for the jobs."""

    def note(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    return on_stop_signals(note)
