"""The lab that the queue's contract tests work in, once for each backend.

How a backend joins: add a class to `ENGINES` that starts what the backend needs once a session (`start`, which skips
with the reason where it cannot), gives the environment in which `dnalm worker` and the jobs run, and stops it again.
The tests themselves ask nothing of a backend: they look at rows, run folders, and at the processes of a job, which
carry `DNALM_JOB` in their environment wherever they run, so the engine's nodes have to be this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest
from toy_lab import Lab
from toy_slurm import SlurmEngine

from dnalm.lab.backends import Backend
from dnalm.lab.backends.local import LocalBackend
from dnalm.lab.job import Job


class Engine(Protocol):
    """What a backend brings to its tests."""

    def start(self, folder: Path) -> None:
        """Start what it needs, with files in `folder`; `pytest.skip` where that cannot be."""

    def environment(self) -> dict[str, str]:
        """Variables of the processes of a lab."""

    def backend(self, command: Callable[[Job], Sequence[str]]) -> Backend:
        """The backend with another command than `dnalm run`: for the test with very many jobs alone."""

    def stop(self) -> None:
        """Stop everything that was started."""


class LocalEngine:
    """This machine."""

    def start(self, folder: Path) -> None:
        pass

    def environment(self) -> dict[str, str]:
        return {"DNALM_BACKEND": "local", "DNALM_SLOTS": "2", "CUDA_VISIBLE_DEVICES": ""}

    def backend(self, command: Callable[[Job], Sequence[str]]) -> Backend:
        return LocalBackend(command)

    def stop(self) -> None:
        pass


ENGINES: dict[str, type[Engine]] = {"local": LocalEngine, "slurm": SlurmEngine}


@pytest.fixture(scope="session", params=list(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A backend's engine, started."""
    found = ENGINES[request.param]()
    found.start(tmp_path_factory.mktemp(request.param))
    yield found
    found.stop()


@pytest.fixture
def lab(engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on that engine; whatever still runs of it is killed at the end."""
    home.mkdir(parents=True)
    for name, value in engine.environment().items():
        monkeypatch.setenv(name, value)
    made = Lab(home, engine.environment())
    yield made
    made.close()
