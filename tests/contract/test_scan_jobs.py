"""Scans as real processes: killed at any moment, alone or several, and through the queue; the outcome is the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_house
from toy_lab import Lab, kill
from waiting import wait_for

from dnalm.lab import jobs
from dnalm.lab.job import JobState
from dnalm.lab.people import local_user
from dnalm.settings import settings
from dnalm.training.config import ScanConfig
from dnalm.training.listing import summarise
from dnalm.training.run import RunFolder

pytestmark = pytest.mark.slow

KILLS = 3
OPEN = (JobState.QUEUED, JobState.RUNNING)
FILES = ("track.tsv", "peaks.bed")


@pytest.fixture
def house(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small installation, for this process and those that it starts; gives the home."""
    monkeypatch.setenv("DNALM_SHIPPED", str(toy_house.build(tmp_path / "shipped")))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings.cache_clear()
    return home


@pytest.fixture
def alone(house: Path) -> Iterator[Lab]:
    """A lab of which nothing but the folders is needed."""
    house.mkdir(parents=True)
    found = Lab(house, {"CUDA_VISIBLE_DEVICES": ""})
    yield found
    found.close()


def config(**changes) -> ScanConfig:
    fields = {"model": toy_house.MODEL, "sequence": "toy", "formats": ["tsv"], **changes}
    return ScanConfig(**fields)


def start(folder: Path, lab: Lab) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "dnalm", "run", str(folder)], env=lab.environment)


def outcome(folder: Path) -> tuple[bytes, ...]:
    result = RunFolder(folder).result()
    result.pop("seconds_since_start_or_resume")
    return (json.dumps(result).encode(), *((folder / name).read_bytes() for name in FILES))


def pieces(folder: Path) -> list[Path]:
    return list(folder.glob("scan/*/[0-9]*.npy"))


@pytest.mark.parametrize("parts", [1, 2])
def test_killed_at_random_moments_it_comes_out_the_same(alone: Lab, tmp_path: Path, parts: int) -> None:
    told = config(parts=parts).model_dump(mode="json")
    whole = RunFolder.create(tmp_path / "whole", told).path
    assert start(whole, alone).wait(300) == 0
    cut, chance, killed = RunFolder.create(tmp_path / "cut", told).path, random.Random(), 0
    for number in range(1, KILLS + 1):
        process = start(cut, alone)
        while len(pieces(cut)) < number and process.poll() is None:  # each life gets a little further
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        killed += process.poll() is None
        kill(process)
        summarise(cut)  # the folder can be read at every such moment
    assert killed > 0
    assert start(cut, alone).wait(300) == 0
    assert outcome(cut) == outcome(whole)
    assert not (cut / "scan").exists()


def test_when_the_first_process_is_killed_its_helpers_end(alone: Lab, tmp_path: Path) -> None:
    mark = f"scan-{os.getpid()}-{time.monotonic_ns()}"
    alone.environment["DNALM_JOB"] = mark
    folder = RunFolder.create(tmp_path / "run", config(parts=3).model_dump(mode="json")).path
    process = start(folder, alone)
    job = type("Marked", (), {"id": mark})()
    wait_for(lambda: len(alone.processes_of(job)) == 3, "three processes share it")
    kill(process)
    wait_for(lambda: alone.processes_of(job) == [], "none of them goes on")


def test_through_the_queue_cancelled_and_resumed(house: Path, lab: Lab, tmp_path: Path) -> None:
    lab.start_worker()
    told = config(parts=2)
    job = jobs.submit(local_user(db=lab.db), told, db=lab.db)
    wait_for(lambda: pieces(job.run) or lab.job(job).state not in OPEN, "it scores")
    assert len(lab.job(job).slots) == 2
    lab.cancel(job)
    assert lab.wait_until_ended(job).state == JobState.CANCELLED
    assert pieces(job.run)
    wait_for(lambda: lab.processes_of(job) == [], "all of its processes end")
    lab.assert_nothing_left(job)
    lab.resume(job)
    assert lab.wait_until_ended(job).state == JobState.SUCCEEDED
    wait_for(lambda: lab.processes_of(job) == [], "all of its processes end")
    lab.assert_nothing_left(job)
    whole = RunFolder.create(tmp_path / "whole", told.model_dump(mode="json")).path
    assert start(whole, lab).wait(300) == 0
    assert outcome(job.run) == outcome(whole)
    assert list((house / "cache" / "tracks").glob("*.npz"))
