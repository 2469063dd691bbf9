"""Training on a genome of 3 billion bases: resident memory, and the time until the first step.

The genome is made, not downloaded: random bases in records of a chromosome's size. What is measured does not depend on
what the bases are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import Row
from dnalm.errors import InputError, RunError
from dnalm.training.run import RunFolder

LINE = 80
_BLOCK_LINES = 100_000
_POLL_SECONDS = 0.2
_LETTERS = bytes(b"ACGT"[byte & 3] for byte in range(256))
_TRAIN = """
import sys
from pathlib import Path
from dnalm.training.config import PretrainConfig
from dnalm.training.pretrain import pretrain
genome, run, steps = sys.argv[1:]
compute = {"accelerator": "cpu", "threads": 1}
pretrain(PretrainConfig(genomes=[genome], steps=int(steps), validate_every=10**9, compute=compute), Path(run))
"""


@dataclass(frozen=True)
class Watched:
    """What a training process used.

    Attributes:
        first_step: seconds from its start to the first step reported.
        peak: bytes resident at most, from its start to the last step: the kernel's high-water mark.
        seconds: from its start to the last step.
    """

    first_step: float
    peak: int
    seconds: float


def add_arguments(commands: Any) -> None:
    """The command `large-genome`."""
    parser = commands.add_parser("large-genome", help="memory and start of training on a made genome of 3 Gb")
    parser.add_argument("--records", type=int, default=12, help="records of the made genome (12)")
    parser.add_argument("--bases", type=int, default=250_000_000, help="bases of each record (250,000,000)")
    parser.add_argument("--steps", type=int, default=1000, help="training steps to watch (1000)")
    parser.add_argument("--folder", type=Path, help="where to work; twice the genome's size is needed, and freed")
    parser.set_defaults(measure=lambda told: measure(told.records, told.bases, told.steps, told.folder))


def measure(records: int, bases: int, steps: int, folder: Path | None) -> list[Row]:
    """Make the genome, train on it, delete everything.

    Raises:
        InputError: there is not enough room.
        RunError: training ended early.
    """
    total = records * bases
    with tempfile.TemporaryDirectory(dir=folder) as name:
        free = shutil.disk_usage(name).free
        if free < 2.5 * total:
            raise InputError(f"{name}: {free / 1e9:.1f} GB are free, {2.5 * total / 1e9:.1f} are wanted; see --folder")
        genome = Path(name) / "made.fna"
        print(f"making {total:,} bases ...", file=sys.stderr, flush=True)
        write_genome(genome, records, bases)
        print(f"training {steps:,} steps ...", file=sys.stderr, flush=True)
        seen = watch(genome, Path(name), steps)
    subject = f"training on {total / 1e9:.2g} Gb"
    return [
        Row(subject, "peak resident memory, start to last step", seen.peak / 1e9, "GB", aim=1.5, at_most=True),
        Row(subject, "start to first step, corpus built", seen.first_step, "s", aim=120, at_most=True),
        Row(subject, f"start to step {steps:,}", seen.seconds, "s"),
    ]


def write_genome(path: Path, records: int, bases: int) -> None:
    """Write random bases as FASTA, a block of lines at a time."""
    generator = np.random.default_rng(0)
    with path.open("wb") as file:
        for record in range(records):
            file.write(f">made_{record + 1} random bases\n".encode())
            for start in range(0, bases, _BLOCK_LINES * LINE):
                letters = generator.bytes(min(_BLOCK_LINES * LINE, bases - start)).translate(_LETTERS)
                full = len(letters) // LINE
                lines = np.full((full, LINE + 1), ord("\n"), dtype=np.uint8)
                lines[:, :LINE] = np.frombuffer(letters, np.uint8, full * LINE).reshape(full, LINE)
                file.write(lines.data)
                if rest := letters[full * LINE :]:
                    file.write(rest + b"\n")


def watch(genome: Path, folder: Path, steps: int) -> Watched:
    """Train in a process of its own with a home of its own, and look at it until the last step is done."""
    run = folder / "run"
    environment = {**os.environ, "DNALM_HOME": str(folder / "home")}
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", _TRAIN, str(genome), str(run), str(steps)], env=environment)
    first, peak = 0.0, 0
    try:
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            progress = RunFolder(run).read_progress() if run.exists() else {}
            done = progress.get("step") or 0
            if done and not first:
                first = time.monotonic() - started
            if done >= steps:
                return Watched(first, peak, time.monotonic() - started)
            time.sleep(_POLL_SECONDS)
    finally:
        process.kill()  # after the last step: what follows measures the held-out text, and is no training
        process.wait()
    raise RunError(f"training ended with exit code {process.returncode} before step {steps}")


def _peak(pid: int) -> int:
    """Most bytes that a process has had resident; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
    return found[0] if found else 0
