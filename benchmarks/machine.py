"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def describe() -> str:
    """Processor, cores, how busy they are, and the versions that matter, in one line."""
    found = [f"Python {platform.python_version()}"]
    for package in ("torch", "numpy", "fastai", "biopython"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    cores = os.cpu_count() or 1
    return (
        f"{_processor()}, {cores} cores, load {os.getloadavg()[0]:.1f} at the start, "
        f"{torch.get_num_threads()} thread; {', '.join(found)}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
