"""What the machine at hand has to train with: memory, GPUs, cores, free disk."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Machine:
    """Sizes in bytes.

    Attributes:
        memory: main memory that a process can have, the container's limit where that is less; None where unknown.
        disk_free: free where runs are written.
        cores: processor cores that this process may use.
        gpus: name and memory of each GPU.
    """

    memory: int | None
    disk_free: int
    cores: int
    gpus: tuple[tuple[str, int], ...]

    def text(self) -> str:
        """In a few words: what trains here."""
        memory = f"{self.memory / GIB:.0f} GiB of memory" if self.memory else "memory unknown"
        if not self.gpus:
            return f"{self.cores} processor core{'s' if self.cores != 1 else ''}, {memory}, no GPU"
        names = ", ".join(f"{name} ({size / GIB:.0f} GiB)" for name, size in self.gpus)
        return f"{names}; {self.cores} cores, {memory}"


def this_machine(folder: Path) -> Machine:
    """Look at this machine.

    Args:
        folder: where runs are written; the disk that it lies, or will lie, on is the one that counts.
    """
    while not folder.exists():
        folder = folder.parent
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(_memory(), shutil.disk_usage(folder).free, cores, _gpus())


def processor() -> str:
    """What the processor is called, as `AMD EPYC 7763 64-Core Processor`; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model", "cpu model")))
    return next(named, platform.processor())


def _memory() -> int | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    for path in map(Path, _CGROUP_LIMITS):
        try:
            total = min(total, int(path.read_text()))
        except (OSError, ValueError):  # no such file, or the word "max"
            continue
    return total


def _gpus() -> tuple[tuple[str, int], ...]:
    import torch

    if not torch.cuda.is_available():
        return ()
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return tuple((gpu.name, gpu.total_memory) for gpu in found)
