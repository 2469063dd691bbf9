"""Very many jobs, and two workers that want them at once: each job runs once. The work itself is a stub."""

from __future__ import annotations

import sys
import threading
from collections import Counter

import pytest
from toy_lab import Lab
from waiting import wait_for

from dnalm.lab import jobs
from dnalm.lab.care import Rules
from dnalm.lab.job import Job, JobState
from dnalm.lab.people import local_user
from dnalm.lab.worker import Worker

pytestmark = pytest.mark.slow

# A real Slurm starts about one job a second on a small machine, so it gets fewer.
JOBS = {"local": 200, "slurm": 40}
# The end of a run without the run: it says that it began, so that one that runs twice is seen, and leaves a result.
STUB = """
import os, sys
with open(sys.argv[1] + "/began", "a") as file:
    file.write(os.environ["DNALM_JOB"] + chr(10))
with open(sys.argv[1] + "/result.json", "w") as file:
    file.write('{"done": true}')
"""


def stub(job: Job) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", STUB, str(job.run)]


def test_very_many_jobs_and_two_workers(lab: Lab, engine):
    many = JOBS[engine.backend(stub).name]
    submitted = [lab.submit() for _ in range(many)]
    stop = threading.Event()
    said: list[str] = []
    workers = [
        Worker(engine.backend(stub), db=lab.db, rules=Rules(tick_s=0.02), report=said.append, label=label)
        for label in "ab"
    ]
    threads = [threading.Thread(target=worker.run_forever, args=(stop,)) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        user = local_user(db=lab.db)
        waiting = (JobState.QUEUED, JobState.RUNNING)
        wait_for(lambda: not jobs.visible(user, states=waiting, limit=many, db=lab.db), "all jobs end", 400)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    ended = [lab.job(job) for job in submitted]
    assert Counter(job.state for job in ended) == {JobState.SUCCEEDED: many}
    assert {job.attempts for job in ended} == {1}
    assert all((job.run / "began").read_text() == f"{job.id}\n" for job in ended)
    assert {job.worker for job in ended} == {worker.id for worker in workers}, "both worked"
    lab.assert_nothing_left(*ended[-2:])
    assert not [sentence for sentence in said if "trying again" in sentence]
