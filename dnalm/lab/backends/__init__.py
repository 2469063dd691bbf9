"""Where jobs run: what a worker asks of the engine below it, whichever that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from dnalm.errors import DnalmError
from dnalm.lab.job import Job


class StartError(DnalmError):
    """A job could not be started now: it goes back to the queue, and is given up after a few times."""


class BackendAwayError(DnalmError):
    """The engine does not answer at the moment: nothing is known of its jobs; ask again."""


@runtime_checkable
class Backend(Protocol):
    """Starts, watches and stops the process, or processes, of a job: `python -m dnalm run RUN_DIR`.

    A handle is a string that finds the job again from another process, and after a restart; it never means another
    job, even where the system has used a process number again. What became of a job is not asked here: the run folder
    says it. No call blocks for longer than a few seconds.

    Any call but `slots` raises BackendAwayError where the engine cannot be asked now.

    Attributes:
        name: as in `Job.backend`.
        anywhere: whether a worker on another machine can look after the jobs of one that died.
    """

    name: str
    anywhere: bool

    def slots(self) -> tuple[str, ...]:
        """What can be leased: jobs run side by side; empty where the engine has a queue of its own and no limit."""
        ...

    def start(self, job: Job, slots: Sequence[str]) -> str:
        """Start a job on leased slots, its output in `process.txt`; gives its handle.

        Raises:
            StartError: it cannot be started.
        """
        ...

    def find(self, job: Job) -> str | None:
        """The handle of a job that was started, where the worker died before it could write it down; else None."""
        ...

    def alive(self, handle: str) -> bool:
        """Whether the engine still has the job: waiting in the engine's own queue, or running."""
        ...

    def age(self, handle: str) -> float | None:
        """Seconds that the job has run, by a clock that nobody sets; None where that is not known."""
        ...

    def standing(self, handle: str) -> str:
        """What the engine says of a job, in its own words; empty where it has nothing to say."""
        ...

    def terminate(self, handle: str) -> None:
        """Ask the job to write a checkpoint and end (SIGTERM, to its first process alone). Nothing where it is gone."""
        ...

    def kill(self, handle: str) -> None:
        """End every process of the job, those too that its first process left behind. Nothing where there is none."""
        ...
