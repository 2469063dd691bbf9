"""kill -9 whatever runs: each job is in the state that is true, and ends with the weights of an unbroken run."""

from __future__ import annotations

import os
import signal

import pytest
from toy_lab import Lab, kill, unbroken, weights_and_metrics
from waiting import wait_for

from dnalm.lab import queue
from dnalm.lab.job import JobState

pytestmark = pytest.mark.slow


def test_the_job_is_killed(lab: Lab, tmp_path):
    """It goes back to the queue, and on from its checkpoint."""
    job = lab.submit()
    lab.start_worker()
    lab.wait_until_trains(job)
    os.kill(lab.first_process_of(job), signal.SIGKILL)
    ended = lab.wait_until_ended(job)
    assert (ended.state, ended.attempts, ended.reason) == (JobState.SUCCEEDED, 2, "")
    assert weights_and_metrics(job.run) == unbroken(lab.config(), tmp_path / "whole")
    lab.assert_nothing_left(job)


def test_the_worker_is_killed(lab: Lab, tmp_path):
    """The job goes on undisturbed; the next worker takes it over and sees its end."""
    job = lab.submit(steps=1500)
    worker = lab.start_worker()
    lab.wait_until_trains(job)
    first, process = lab.job(job).worker, lab.first_process_of(job)
    kill(worker)
    assert lab.job(job).state == JobState.RUNNING
    lab.start_worker()
    wait_for(lambda: lab.job(job).worker != first, "it is taken over")
    assert lab.first_process_of(job) == process
    ended = lab.wait_until_ended(job)
    assert (ended.state, ended.attempts) == (JobState.SUCCEEDED, 1)
    assert [other.pid for other in queue.workers(db=lab.db)] == [lab.workers[1].pid]
    lab.assert_nothing_left(job)


def test_the_job_ends_while_no_worker_looks(lab: Lab):
    """The next worker reads what it said of its end: nothing is run twice."""
    job = lab.submit(steps=50)
    worker = lab.start_worker()
    wait_for(lambda: lab.processes_of(job), "it starts")
    kill(worker)
    wait_for(lambda: not lab.processes_of(job), "it ends")
    assert lab.job(job).state == JobState.RUNNING
    lab.start_worker()
    ended = lab.wait_until_ended(job)
    assert (ended.state, ended.attempts) == (JobState.SUCCEEDED, 1)


def test_both_are_killed(lab: Lab, tmp_path):
    job = lab.submit()
    worker = lab.start_worker()
    lab.wait_until_trains(job)
    kill(worker)
    os.kill(lab.first_process_of(job), signal.SIGKILL)
    assert lab.job(job).state == JobState.RUNNING
    lab.start_worker()
    ended = lab.wait_until_ended(job)
    assert (ended.state, ended.attempts) == (JobState.SUCCEEDED, 2)
    assert weights_and_metrics(job.run) == unbroken(lab.config(), tmp_path / "whole")
    lab.assert_nothing_left(job)


@pytest.mark.parametrize("which", ["the first", "another"])
def test_one_of_several_processes_of_a_job_is_killed(lab: Lab, which: str):
    """The others end with it: none is left behind, and none trains alongside the next attempt."""
    job = lab.submit(devices=2, steps=1500)
    lab.start_worker()
    lab.wait_until_trains(job)
    before = lab.processes_of(job)
    first = lab.first_process_of(job)
    helper = next(pid for pid in before if pid != first)
    os.kill(first if which == "the first" else helper, signal.SIGKILL)
    wait_for(lambda: not set(lab.processes_of(job)) & set(before), "all of its processes end")
    wait_for(lambda: lab.job(job).attempts == 2, "it is begun again")
    lab.cancel(job)
    assert lab.wait_until_ended(job).state == JobState.CANCELLED
    lab.assert_nothing_left(job)
