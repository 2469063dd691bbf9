"""Stopped by a person, by its limit, by a full disk, by the worker's own end, while clocks jump: the state is true."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from toy_lab import Lab, freeze, kill, stop, unbroken, weights_and_metrics
from waiting import wait_for

from dnalm.lab import queue
from dnalm.lab.job import JobState
from dnalm.training.ending import INTERRUPTED
from dnalm.training.listing import summarise

pytestmark = pytest.mark.slow

# A clock of the day that a file sets: it stands for a wrong battery, a time server, a person who sets it.
JUMPING_CLOCK = """
import pathlib, time
_real, _real_ns = time.time, time.time_ns
def _jump():
    try:
        return float(pathlib.Path({file!r}).read_text() or 0)
    except (OSError, ValueError):
        return 0.0
time.time = lambda: _real() + _jump()
time.time_ns = lambda: _real_ns() + int(_jump() * 1e9)
"""
A_YEAR = 365 * 86400


def test_cancelled_it_writes_a_checkpoint_and_can_be_resumed(lab: Lab, tmp_path):
    job = lab.submit(checkpoint_seconds=1e6)  # no checkpoint but the one that SIGTERM asks for
    lab.start_worker()
    wait_for(lambda: summarise(job.run).progress.get("step", 0) > 0, "it trains")
    lab.cancel(job)
    ended = lab.wait_until_ended(job)
    assert (ended.state, ended.exit_code) == (JobState.CANCELLED, 130)
    assert "resumed from its last checkpoint" in ended.reason
    lab.assert_nothing_left(job)
    step = json.loads((job.run / "checkpoint" / "state.json").read_text())["step"]
    assert 0 < step < 400
    lab.resume(job)
    assert lab.wait_until_ended(job).state == JobState.SUCCEEDED
    assert weights_and_metrics(job.run) == unbroken(lab.config(checkpoint_seconds=1e6), tmp_path / "whole")


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace_period(lab: Lab):
    job = lab.submit(steps=100_000)
    lab.start_worker("--grace", "0.5")
    lab.wait_until_trains(job)
    freeze(*lab.processes_of(job))
    lab.cancel(job)
    ended = lab.wait_until_ended(job)
    assert ended.state == JobState.CANCELLED
    # Slurm wakes what stands still before it kills it, which may leave it the moment to end in good order.
    assert ended.exit_code in (None, INTERRUPTED)
    lab.assert_nothing_left(job)


def test_a_job_ends_at_its_limit(lab: Lab):
    job = lab.submit(steps=1_000_000, limit_minutes=0.05)
    lab.start_worker()
    ended = lab.wait_until_ended(job)
    assert ended.state == JobState.FAILED
    assert ended.reason == "reached its limit of 0.05 minutes; resume it to go on from its last checkpoint"
    lab.assert_nothing_left(job)


def may_mount(folder: Path) -> bool:
    """Make `folder` a file system of its own, of 2 MB."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with (folder / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(bytes(4096))


def forbid_large_files(pid: int) -> None:
    """Where no file system may be made: no file of this process may grow beyond 4 kB from now on."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_full_disk(lab: Lab, tmp_path):
    """One sentence, a checkpoint that is good, and it goes on when there is space."""
    runs = lab.home / "runs"
    mounted = may_mount(runs)
    try:
        job = lab.submit(steps=600)
        lab.start_worker()
        lab.wait_until_trains(job)
        if mounted:
            fill(runs)
        else:
            forbid_large_files(lab.first_process_of(job))
        ended = lab.wait_until_ended(job)
        assert ended.state == JobState.FAILED
        assert ended.reason.startswith("the disk is full" if mounted else "a file would grow beyond")
        lab.assert_nothing_left(job)
        (runs / "filler").unlink(missing_ok=True)
        lab.resume(job)
        assert lab.wait_until_ended(job).state == JobState.SUCCEEDED
        assert weights_and_metrics(job.run) == unbroken(lab.config(steps=600), tmp_path / "whole")
    finally:
        for worker in lab.workers:
            kill(worker)
        if mounted:
            subprocess.run(["umount", "-l", str(runs)], check=True)


def test_a_clock_that_jumps(lab: Lab, tmp_path):
    """A year ahead, two back, while a job with a limit runs and its worker is replaced: nothing happens to the job."""
    (tmp_path / "site").mkdir()
    offset = tmp_path / "offset"
    (tmp_path / "site" / "sitecustomize.py").write_text(JUMPING_CLOCK.format(file=str(offset)))
    job = lab.submit(steps=1500, limit_minutes=60)
    path = {"PYTHONPATH": str(tmp_path / "site")}
    worker = lab.start_worker(**path)
    lab.wait_until_trains(job)
    offset.write_text(str(A_YEAR))
    lab.wait_until_trains(job, step=json.loads((job.run / "checkpoint" / "state.json").read_text())["step"] + 1)
    kill(worker)
    offset.write_text(str(-A_YEAR))
    lab.start_worker(**path)
    ended = lab.wait_until_ended(job)
    assert (ended.state, ended.attempts) == (JobState.SUCCEEDED, 1)
    assert weights_and_metrics(job.run) == unbroken(lab.config(steps=1500), tmp_path / "whole")


def test_a_worker_that_is_stopped_leaves_no_job_without_a_keeper(lab: Lab, tmp_path):
    """On this machine the job writes a checkpoint and is queued; on an engine of its own it goes on running."""
    job = lab.submit()
    worker = lab.start_worker()
    lab.wait_until_trains(job)
    assert stop(worker) == 0
    state = lab.job(job).state
    assert state == (JobState.RUNNING if lab.processes_of(job) else JobState.QUEUED)
    lab.start_worker()
    assert lab.wait_until_ended(job).state == JobState.SUCCEEDED
    assert weights_and_metrics(job.run) == unbroken(lab.config(), tmp_path / "whole")


@pytest.fixture
def small_dashboard(tmp_path: Path) -> Path:
    """A shipped folder whose dashboard is one line."""
    folder = tmp_path / "shipped" / "dashboard"
    folder.mkdir(parents=True)
    (folder / "page.py").write_text("import streamlit as st\nst.write('hello')\n")
    (folder / "app.py").write_text("import streamlit as st\napp = st.App('page.py')\n")
    return folder.parent


def test_the_dashboard_is_gone(lab: Lab, tmp_path, small_dashboard: Path):
    """`dnalm serve` says so and ends; its job is in the queue, or runs on an engine of its own; no work is lost."""
    pytest.importorskip("streamlit")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**lab.environment, "DNALM_SHIPPED": str(small_dashboard), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "dnalm", "serve", "--port", str(port)]
    serve = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        job = lab.submit()
        assert f":{port}" in serve.stdout.readline()
        lab.wait_until_trains(job)
        children = psutil.Process(serve.pid).children()
        (dashboard,) = [child for child in children if "streamlit" in child.cmdline()]
        os.kill(dashboard.pid, signal.SIGKILL)
        _, said = serve.communicate(timeout=60)
    finally:
        serve.kill()
    assert serve.returncode == 1
    assert f"the dashboard ended by itself with exit status {-signal.SIGKILL}" in said
    assert not any(child.is_running() for child in children)
    state = lab.job(job).state
    assert state == (JobState.RUNNING if lab.processes_of(job) else JobState.QUEUED) or state == JobState.SUCCEEDED
    lab.start_worker()
    assert lab.wait_until_ended(job).state == JobState.SUCCEEDED
    assert weights_and_metrics(job.run) == unbroken(lab.config(), tmp_path / "whole")
    assert len(queue.workers(db=lab.db)) == 1
