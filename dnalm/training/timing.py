"""How long a training step takes here: a few real steps on made-up sequence, in a process of their own, kept.

`python -m dnalm.training.timing` is that process: it reads from standard input, as JSON, what to time, and prints
seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationError
from torch import nn
from torch.nn import functional

from dnalm.errors import RunError
from dnalm.files import write_whole
from dnalm.model.classifier import Member
from dnalm.model.config import Checked, EncoderConfig, MemberConfig, TrackMemberConfig
from dnalm.model.language_model import AWDLanguageModel
from dnalm.model.track_model import TrackMember
from dnalm.settings import settings
from dnalm.training.config import ComputeConfig
from dnalm.training.loop import make_fabric
from dnalm.training.machine import processor, this_machine

_SECONDS = 2.0
_LEAST_STEPS, _MOST_STEPS = 2, 100
_LONGEST = 180.0  # seconds after which a timing is given up
_KEPT = 30 * 24 * 3600.0  # seconds for which one is believed: drivers, neighbours and clock rates change
# One at a time: two at once would each find the machine half as fast as it is.
_ALONE = threading.Lock()


class Workload(Checked):
    """What a step does.

    Attributes:
        member: a classifier's member; none for a language model.
        track: a track model's network.
        learns: whether its encoder learns along.
        classes: of the classifier, or of the language model's head.
    """

    encoder: EncoderConfig | None = None
    head: Literal["continuation", "vocabulary"] = "continuation"
    member: MemberConfig | None = None
    track: TrackMemberConfig | None = None
    learns: bool = True
    classes: int = 2
    rows: int = Field(ge=1, description="lanes, or sequences in a batch, of one process")
    length: int = Field(ge=1, description="bases of each")
    context: int = Field(0, ge=0, description="bases at either end that a track model's encoder alone reads")
    compute: ComputeConfig = ComputeConfig()


class Timing(Checked):
    """Seconds, measured.

    Attributes:
        step: a whole training step.
        forward: reading a batch without a gradient.
        gigaflops: of a large matrix product, in 32 bits.
    """

    step: float
    forward: float
    gigaflops: float


def timing(work: Workload, *, measure: bool = True) -> Timing | None:
    """Seconds of a step on this machine, from the cache where the same was timed before.

    What was timed more than 30 days ago, or on another kind of machine, by another PyTorch or dnalm, is timed anew.

    Args:
        work: what a step does.
        measure: whether to time it where that has not been done; it takes 5 to 20 seconds.

    Returns:
        The timing; None where it is not known and not to be measured.

    Raises:
        RunError: the steps fail here, for one because memory is short.
    """
    kept = settings().cache / "timings" / f"{_key(work)}.json"
    with _ALONE:
        if (known := _read(kept)) or not measure:
            return known
        found = _measured(work)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, found.model_dump_json())
        for old in kept.parent.glob("*.json"):
            if not _is_fresh(old):
                old.unlink(missing_ok=True)
    return found


def _read(kept: Path) -> Timing | None:
    try:
        return Timing.model_validate_json(kept.read_text()) if _is_fresh(kept) else None
    except (OSError, ValidationError):
        return None


def _is_fresh(kept: Path) -> bool:
    try:
        # One from the future was written by a clock that was wrong then, or is now.
        return abs(time.time() - kept.stat().st_mtime) < _KEPT
    except OSError:
        return False


def _key(work: Workload) -> str:
    machine = this_machine(settings().home)
    gpus = [name for name, _ in machine.gpus]
    kind = [platform.system(), platform.machine(), processor(), machine.cores, gpus, os.environ.get("OMP_NUM_THREADS")]
    here = [*kind, torch.__version__, dnalm_version()]
    return hashlib.sha256(json.dumps([work.model_dump(mode="json"), here]).encode()).hexdigest()[:20]


def dnalm_version() -> str:
    """The version of dnalm; empty where it was not installed."""
    try:
        return version("dnalm")
    except PackageNotFoundError:
        return ""


def _measured(work: Workload) -> Timing:
    command = [sys.executable, "-m", "dnalm.training.timing"]
    try:
        done = subprocess.run(
            command, input=work.model_dump_json(), capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"a few steps took longer than {_LONGEST:.0f} s here: take a smaller model or batch") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise RunError(f"a step of this size cannot be done here: {said[-1] if said else 'the process was killed'}")
    return Timing.model_validate_json(done.stdout.strip().splitlines()[-1])


def measure(work: Workload) -> Timing:
    """Time some steps in this process."""
    fabric = make_fabric(work.compute.model_copy(update={"devices": 1}))
    module: nn.Module = (
        TrackMember(work.track)
        if work.track
        else Member(work.member, work.classes)
        if work.member
        else AWDLanguageModel(work.encoder, work.head)
    )
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-5)
    model, optimizer = fabric.setup(module, optimizer)
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 4, (work.rows, work.length), dtype=torch.uint8, generator=generator).to(fabric.device)
    lengths = torch.full((work.rows,), work.length, device=fabric.device)
    targets = torch.arange(work.rows, device=fabric.device) % work.classes

    def loss() -> torch.Tensor:
        if work.track:
            ahead, back = model(codes, work.context, frozen=not work.learns)
            return sum(part.mean() for said in (ahead, back) for part in said)
        if work.member:
            return functional.cross_entropy(model(codes, lengths).float(), targets)
        return model(codes).mean()

    def step() -> None:
        value = loss()
        optimizer.zero_grad()
        fabric.backward(value)
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        optimizer.step()
        value.item()

    def read() -> None:
        with torch.no_grad():
            loss().item()

    return Timing(step=_time(step), forward=_time(read), gigaflops=_gigaflops())


def _time(work: Any) -> float:
    """Median seconds: one step that was interrupted by something else does not count."""
    work()
    taken: list[float] = []
    while len(taken) < _LEAST_STEPS or (sum(taken) < _SECONDS and len(taken) < _MOST_STEPS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2]


def _gigaflops() -> float:
    size = 1024
    square = torch.rand(size, size)
    return 2 * size**3 / _time(lambda: square @ square) / 1e9


if __name__ == "__main__":
    print(measure(Workload.model_validate_json(sys.stdin.read())).model_dump_json())
