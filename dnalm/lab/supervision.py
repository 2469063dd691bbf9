"""What a supervisor must remember of a job though it die itself: `supervision.json` in the run folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from dnalm.files import write_whole

FILE = "supervision.json"
Why = Literal["", "limit"]


class Supervision(BaseModel):
    """Notes on one job.

    Attributes:
        deaths: how often in a row its process ended without a word and without a new checkpoint.
        attempt: the attempt (`Job.attempts`) whose death was counted last.
        checkpoint: the mark of the last checkpoint when it last did.
        stopping: why it is being stopped by us; empty where it is not, or a person asked for it.
    """

    deaths: int = 0
    attempt: int = 0
    checkpoint: str = ""
    stopping: Why = ""


def read(run: Path) -> Supervision:
    """The notes on a run; fresh ones where there are none that can be read."""
    try:
        return Supervision.model_validate_json((run / FILE).read_text())
    except (OSError, ValidationError):
        return Supervision()


def write(run: Path, notes: Supervision) -> None:
    """Keep the notes; where the disk is full they are lost, which costs another attempt at most."""
    with suppress(OSError):
        write_whole(run / FILE, notes.model_dump_json())


def forget(run: Path) -> None:
    """Begin anew: the job ended, or a person resumed it."""
    with suppress(OSError):
        (run / FILE).unlink(missing_ok=True)


def note_death(run: Path, mark: str, attempt: int) -> int:
    """Count a death, each attempt's once; the first with a new checkpoint is number 1 again.

    Args:
        run: the run folder.
        mark: of its last checkpoint.
        attempt: which attempt died.

    Returns:
        How many there were in a row.
    """
    notes = read(run)
    if notes.attempt == attempt and notes.deaths:
        return notes.deaths
    deaths = notes.deaths + 1 if notes.checkpoint == mark else 1
    write(run, Supervision(deaths=deaths, attempt=attempt, checkpoint=mark))
    return deaths
