"""One running job as its worker looks after it: begin it, hold it to what was said, and say rightly how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dnalm.lab import queue, supervision
from dnalm.lab.backends import Backend, StartError
from dnalm.lab.database import Database
from dnalm.lab.job import Job, JobState
from dnalm.lab.outcome import OUTPUT, Outcome, checkpoint_mark, clear, outcome
from dnalm.locks import RUN_LOCK, is_held

LONGEST_LINE = 300
WORKER_STOPPED = "its worker was stopped; it goes on from its last checkpoint"


@dataclass(frozen=True)
class Rules:
    """How a worker behaves.

    Attributes:
        tick_s: seconds between two looks.
        beat_s: seconds between two signs of life.
        grace_s: seconds that a job has to write its checkpoint when it is stopped.
        silence_s: seconds without a sign of life after which a worker on another machine is taken for dead.
        deaths: how often in a row a job's process may die without a new checkpoint before the job has failed.
        clock: seconds that only grow, whatever is done to the clock of the day.
    """

    tick_s: float = 1.0
    beat_s: float = 5.0
    grace_s: float = 30.0
    silence_s: float = 300.0
    deaths: int = 3
    clock: Callable[[], float] = time.monotonic


class Care:
    """Looks after the jobs of one worker, one call a look.

    What it keeps in memory are times alone: everything that must outlive it stands in the row or the run folder.
    """

    def __init__(
        self, worker: str, backend: Backend, rules: Rules, report: Callable[[str], None], db: Database | None = None
    ) -> None:
        self.worker, self.backend, self.rules, self.report, self.db = worker, backend, rules, report, db
        self.handles: dict[str, str] = {}
        self._asked: dict[str, float] = {}
        self._killed: set[str] = set()
        self._seen: dict[str, float] = {}

    def look(self, job: Job) -> None:
        """Do for a job what is due.

        Raises:
            DatabaseError: what was to be written could not be; the next look does it.
            BackendAwayError: the engine does not answer; the next look asks again.
            OSError: its folder cannot be read or written.
        """
        if job.handle is None:
            self._begin(job)
            return
        self.handles[job.id] = job.handle
        if self.backend.alive(job.handle):
            self._hold(job, job.handle)
        else:
            self.backend.kill(job.handle)  # whatever its first process left behind
            self._settle(job)

    def stop(self, job: Job) -> bool:
        """Have a job end for the worker's own end: it goes back to the queue. True once it has."""
        handle = job.handle or self.handles.get(job.id) or self.backend.find(job)
        if handle is not None and self.backend.alive(handle):
            self._end(job, handle)
            return False
        if handle is not None:
            self.backend.kill(handle)
        self._settle(job, planned=True)
        return True

    def lost(self, job_id: str) -> None:
        """End the processes of a job that is no longer this worker's: another took this worker for dead."""
        handle = self.handles.pop(job_id)
        self.report(f"job {job_id}: is no longer this worker's; ending what runs of it here")
        self.backend.kill(handle)

    def _begin(self, job: Job) -> None:
        # A worker may have died, or the database gone away, between the start and the note of it.
        handle = self.backend.find(job)
        if handle is None:
            if job.cancel_requested:
                self._finish(job, JobState.CANCELLED, "cancelled before it began", None)
                return
            if not job.run.is_dir() or outcome(job.run).state == "succeeded":
                self._settle(job)
                return
            if is_held(job.run / RUN_LOCK):  # someone trains it by hand: then it is not for us to do
                return
            clear(job.run)
            notes = supervision.read(job.run)
            if notes.stopping:
                supervision.write(job.run, notes.model_copy(update={"stopping": ""}))
            try:
                handle = self.backend.start(job, job.slots)
            except StartError as error:
                self._died(job, str(error))
                return
            self.report(
                f"job {job.id} ({job.name} of {job.owner_name}): started on {', '.join(job.slots) or 'the engine'}"
            )
        self.handles[job.id] = handle
        if not queue.attach(job.id, self.worker, handle, db=self.db):
            self.lost(job.id)

    def _hold(self, job: Job, handle: str) -> None:
        """Stop a job that a person wants stopped, or whose time is over."""
        if job.cancel_requested:
            self._end(job, handle)
        elif job.limit_minutes is not None and self._age(job, handle) >= 60 * job.limit_minutes:
            notes = supervision.read(job.run)
            if notes.stopping != "limit":  # written down first: another worker may see the end of it
                supervision.write(job.run, notes.model_copy(update={"stopping": "limit"}))
            self._end(job, handle)

    def _age(self, job: Job, handle: str) -> float:
        now = self.rules.clock()
        first = self._seen.setdefault(job.id, now)
        age = self.backend.age(handle)
        return now - first if age is None else age

    def _end(self, job: Job, handle: str) -> None:
        """Ask once; after the grace period, insist."""
        now = self.rules.clock()
        if job.id not in self._asked:
            self._asked[job.id] = now
            self.backend.terminate(handle)
        elif now - self._asked[job.id] >= self.rules.grace_s and job.id not in self._killed:
            self.report(f"job {job.id}: did not end within {self.rules.grace_s:g} s, killing it")
            self.backend.kill(handle)
            self._killed.add(job.id)

    def _settle(self, job: Job, *, planned: bool = False) -> None:
        """Write down how a job ended whose processes are gone."""
        found = outcome(job.run)
        if found.state == "succeeded":
            self._finish(job, JobState.SUCCEEDED, "", 0)
        elif job.cancel_requested:
            self._finish(job, JobState.CANCELLED, "cancelled; it can be resumed from its last checkpoint", found.code)
        elif supervision.read(job.run).stopping == "limit":
            limit = f"reached its limit of {job.limit_minutes:g} minutes" if job.limit_minutes else "reached its limit"
            self._finish(job, JobState.FAILED, f"{limit}; resume it to go on from its last checkpoint", found.code)
        elif found.state == "failed":
            self._finish(job, JobState.FAILED, found.reason, found.code)
        elif planned:
            self._requeue(job, WORKER_STOPPED)
        else:
            self._died(job, _why(found))

    def _died(self, job: Job, why: str) -> None:
        deaths = supervision.note_death(job.run, checkpoint_mark(job.run), job.attempts)
        if deaths < self.rules.deaths:
            self._requeue(job, f"{why}; it goes on from its last checkpoint")
            return
        last = _last_line(job)
        said = f"; the last it said: {last}" if last else ""
        self._finish(job, JobState.FAILED, f"{why}, {deaths} times in a row without a new checkpoint{said}", None)

    def _finish(self, job: Job, state: JobState, reason: str, code: int | None) -> None:
        queue.finish(job.id, self.worker, state, reason, code, db=self.db)
        self.report(f"job {job.id}: {state}" + (f" ({reason})" if reason else ""))
        supervision.forget(job.run)
        self._forget(job)

    def _requeue(self, job: Job, reason: str) -> None:
        queue.requeue(job.id, self.worker, reason, db=self.db)
        self.report(f"job {job.id}: queued again ({reason})")
        self._forget(job)

    def _forget(self, job: Job) -> None:
        self.handles.pop(job.id, None)
        self._asked.pop(job.id, None)
        self._seen.pop(job.id, None)
        self._killed.discard(job.id)


def _why(found: Outcome) -> str:
    if found.state == "interrupted" and found.code != 1:
        return "its process was stopped from outside"
    return found.reason.partition(";")[0] or "its process ended without saying why"


def _last_line(job: Job) -> str:
    """The last line of what the processes wrote."""
    try:
        with (job.run / OUTPUT).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:LONGEST_LINE] for line in reversed(lines) if line.strip()), "")
