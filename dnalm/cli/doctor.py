"""`dnalm doctor`: what this machine and this installation have, in one look."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from dnalm.cli.frame import Json

GIB = 2**30
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def doctor(as_json: Json = False) -> None:
    """Report Python, torch, devices, memory, disk, data, Chromium and the models found."""
    from dnalm.cli.output import print_json, print_table

    report = examine()
    if as_json:
        print_json(report)
        return
    print_table(["what", "found"], [(key, _text(value)) for key, value in report.items()])


def examine() -> dict[str, Any]:
    """Look at the machine and the installation.

    Returns:
        One entry a subject; sizes in GiB, None where something is absent.
    """
    from dnalm.settings import settings
    from dnalm.training.estimate import preset_lines

    here = settings()
    return {
        "dnalm": _version("dnalm"),
        "python": f"{platform.python_version()} ({sys.executable})",
        "torch": _version("torch"),
        "device": _device(),
        "slots": _slots(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "home": str(here.home),
        "home_free_gib": _free_gib(here.home),
        "data_mirror": str(here.data_mirror) if here.data_mirror and here.data_mirror.is_dir() else None,
        "chromium": chromium(),
        "streamlit": _version("streamlit"),
        "pyrodigal": _version("pyrodigal"),
        "models": _models(),
        **{f"preset_{name}": line for name, line in preset_lines().items()},
    }


def chromium() -> str | None:
    """The Chromium that browser tests and screenshots use: DNALM_CHROMIUM, else the first on the PATH."""
    named = os.environ.get("DNALM_CHROMIUM")
    if named:
        return named if os.access(named, os.X_OK) else None
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def _text(value: Any) -> str:
    if value is None:
        return "not found"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return f"cuda: {', '.join(names)}"
    if torch.backends.mps.is_available():
        return "mps"
    return f"cpu ({platform.processor() or platform.machine()}, {torch.get_num_threads()} threads)"


def _slots() -> list[str]:
    """What the queue's jobs run on here, with the memory of GPUs."""
    from dnalm.errors import RunError
    from dnalm.lab.slots import slots

    try:
        found = slots()
    except RunError as error:
        return [str(error)]
    return [
        slot.id
        if slot.memory_total is None
        else f"{slot.id} {slot.name} ({(slot.memory_used or 0) / GIB:.1f} of {slot.memory_total / GIB:.1f} GiB used)"
        for slot in found
    ]


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    except (ValueError, OSError, AttributeError):
        return None


def _free_gib(folder: Path) -> float:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / GIB


def _models() -> list[str]:
    from dnalm.model.bundle import list_bundles

    return [folder.name for folder in list_bundles()]
