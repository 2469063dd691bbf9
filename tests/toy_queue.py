"""A small lab: a few people, and jobs that are rows alone, so that the order in which they begin can be worked out."""

from __future__ import annotations

from pathlib import Path

from dnalm.lab import queue
from dnalm.lab.database import Database
from dnalm.lab.job import Job, JobState, next_ticket
from dnalm.lab.people import User, add_user, local_user
from dnalm.lab.queue import WorkerInfo
from dnalm.lab.schema import JobRow


def people(*names: str) -> list[User]:
    """Members of those names, whose ids are their names."""
    return [add_user(local_user(), name, name.capitalize()) for name in names]


def enqueue(db: Database, job_id: str, owner: str, *, devices: int = 1, priority: int = 0) -> str:
    """A queued job that is its row alone."""
    with db.session() as session:
        ticket = next_ticket(session)
        session.add(
            JobRow(
                id=job_id,
                number=ticket,
                ticket=ticket,
                owner_id=owner,
                name=job_id,
                phase="pretrain",
                state=JobState.QUEUED,
                run=f"run-{job_id}",
                config={"phase": "pretrain"},
                devices=devices,
                priority=priority,
                backend="local",
            )
        )
    return job_id


def worker(name: str = "w", slots: int = 1, *, host: str | None = None) -> str:
    """A worker that is known, on a host of its own unless one is named."""
    names = tuple(f"cpu:{number}" for number in range(slots))
    queue.register(WorkerInfo(name, host or f"host-of-{name}", 1, 1.0, "local", names))
    return name


def done(job: Job) -> None:
    """The job's worker says that it succeeded."""
    assert queue.finish(job.id, job.worker, JobState.SUCCEEDED, "", 0)


def begin(name: str = "w") -> str | None:
    """What the worker begins now, by id."""
    job = queue.claim(name)
    return job and job.id


def order(name: str = "w") -> list[str]:
    """Begin and end jobs, one after another, until none is left."""
    found = []
    while job := queue.claim(name):
        found.append(job.id)
        done(job)
    return found


def genome(folder: Path) -> Path:
    """A short genome to name in a configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.fna").write_text(">toy\n" + "ACGTTGCA" * 2000 + "\n")
    return folder / "toy.fna"
