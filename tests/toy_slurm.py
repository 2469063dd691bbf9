"""A real Slurm on this machine for a test, started and stopped by the scripts of `deploy/slurm/`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from waiting import wait_for

from dnalm.lab.backends import Backend
from dnalm.lab.backends.slurm import SlurmBackend
from dnalm.lab.job import Job

DEPLOY = Path(__file__).resolve().parents[1] / "deploy" / "slurm"
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")


class Cluster:
    """Daemons in a folder of their own.

    Args:
        nodes: on this machine; each with two GPUs that do not exist, and sixteen cores.
    """

    def __init__(self, nodes: int = 1) -> None:
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        missing = [name for name in DAEMONS if shutil.which(name, path=path) is None]
        if missing:
            pytest.skip(os.environ.get("DNALM_NO_SLURM") or f"needs a real Slurm, and {missing[0]} is not installed")
        # A socket lies in it, whose path may be about 100 letters long: shorter than those of pytest.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.environment = {**os.environ, "PATH": path, "SLURM_CONF": str(self.folder / "slurm.conf")}
        script = ["bash", str(DEPLOY / "start.sh"), str(self.folder), str(nodes)]
        done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, *argv: str) -> str:
        """What one of Slurm's programs prints."""
        return subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout.strip()

    def kill_controller(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the controller, and wait until nobody answers. After SIGTERM it has written down what it knows."""
        pid = int((self.folder / "slurmctld.pid").read_text())
        os.kill(pid, how)
        wait_for(lambda: _state(pid) in ("", "Z"), "the controller ends")

    def start_controller(self) -> None:
        subprocess.run(["slurmctld"], env=self.environment, timeout=60, check=True)
        wait_for(self.answers, "the controller answers")

    def answers(self) -> bool:
        ping = subprocess.run(["scontrol", "ping"], env=self.environment, capture_output=True, text=True, check=False)
        return "is UP" in ping.stdout

    def stop(self) -> None:
        done = subprocess.run(["bash", str(DEPLOY / "stop.sh"), str(self.folder)], timeout=60, check=False)
        assert done.returncode == 0
        assert not self.folder.exists()


class SlurmEngine:
    """A cluster of one node, as the queue's tests want their backends."""

    def start(self, folder: Path) -> None:
        self.cluster = Cluster()

    def environment(self) -> dict[str, str]:
        wanted = {"DNALM_BACKEND": "slurm", "DNALM_SLOTS": "2", "DNALM_SLURM_CPUS": "1", "CUDA_VISIBLE_DEVICES": ""}
        return {**wanted, "SLURM_CONF": self.cluster.environment["SLURM_CONF"]}

    def backend(self, command: Callable[[Job], Sequence[str]]) -> Backend:
        return SlurmBackend(command)

    def stop(self) -> None:
        self.cluster.stop()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
