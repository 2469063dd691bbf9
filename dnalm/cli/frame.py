"""What all commands share: errors as one sentence with the right exit code, examples, notes, progress."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from dnalm.errors import DnalmError

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import Console

INTERRUPTED = 130

# What a person can mend without reading a traceback: wrong path, no permission, no room.
_MENDABLE = {
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR),
    *(errno.ENOSPC, errno.EROFS, errno.EDQUOT),
}

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
Advance = Callable[[int, int | None], None]


class SentenceGroup(TyperGroup):
    """The root group: turns the errors that a person can act on into `dnalm: sentence` and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; other exceptions are bugs and keep their traceback."""
        try:
            return super().invoke(ctx)
        except DnalmError as error:
            say(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            say("interrupted; no half-written result was left behind")
            raise typer.Exit(INTERRUPTED) from error
        except OSError as error:
            if error.errno not in _MENDABLE:
                raise
            where = f"{error.filename}: " if error.filename else ""
            say(f"{where}{(error.strerror or 'cannot be used').lower()}")
            raise typer.Exit(1) from error


def say(sentence: str) -> None:
    """Write one line to standard error, marked as ours."""
    typer.echo(f"dnalm: {sentence}", err=True)


def examples(*commands: str) -> str:
    """The examples under a command's help: one a line."""
    lines = (line.replace("[", "\\[") for line in commands)
    return "\n".join(["[bold]Examples[/bold]", *(f"  [dim]$[/dim] {line}" for line in lines)])


def console() -> Console:
    """A rich console on standard error."""
    from rich.console import Console

    return Console(stderr=True)


@contextmanager
def on_stop_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let a handler take Ctrl-C, SIGTERM and SIGHUP, and put back what took them before."""
    # SIGINT too: a shell starts background jobs with it ignored, and a supervisor may still send it.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, old in before:
            signal.signal(number, old)


@contextmanager
def progress(what: str, unit: str = "") -> Iterator[Advance]:
    """Show a bar with the time left on standard error, where that is a terminal.

    Args:
        what: what is being done, in a few words.
        unit: what is counted, as "bases".

    Yields:
        `advance(done, total)`; a total of None is one not known.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
