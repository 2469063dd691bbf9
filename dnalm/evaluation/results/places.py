"""Where units are measured side by side: each process has a GPU of its own, or a share of the cores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import torch

from dnalm.settings import settings
from dnalm.training.machine import GIB, this_machine

UNIT_MEMORY = 4 * GIB  # what the largest sets' units were seen to take, and some to spare


def processes_here() -> int:
    """How many units are measured side by side where nobody says it: one a GPU, else one a core while memory lasts.

    A core is a thread that PyTorch may take, so that OMP_NUM_THREADS, which the queue gives its jobs, bounds it.
    """
    if gpus := torch.cuda.device_count():
        return gpus
    memory = this_machine(settings().home).memory
    return max(1, min(torch.get_num_threads(), (memory or UNIT_MEMORY) // UNIT_MEMORY))


def devices_of(processes: int, gpus: int, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The GPU of each process, as CUDA_VISIBLE_DEVICES calls it, in turn; empty without GPUs.

    Args:
        processes: how many there are.
        gpus: how many this process sees.
        environment: where CUDA_VISIBLE_DEVICES may leave some out.
    """
    if not gpus:
        return []
    named = [one.strip() for one in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()][:gpus]
    names: Sequence[str] = named or [str(number) for number in range(gpus)]
    return [names[number % len(names)] for number in range(processes)]


def begin(number: int, threads: int, devices: Sequence[str]) -> None:
    """Begin process `number`: take its share of the threads, and its GPU, before CUDA has begun in it."""
    torch.set_num_threads(threads)
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[number]
