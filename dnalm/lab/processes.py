"""Processes by more than their number, which the system uses again.

By when they were made, and by a mark that they carry.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import cache
from pathlib import Path

import psutil

MARK = "DNALM_JOB"
"""The variable in the environment that marks all processes of a job, wherever they move."""

_SWEEPS = 50
_PAUSE_S = 0.02


def birth(pid: int) -> str | None:
    """What tells a process from all others that had or will have its number; None where it has ended.

    On Linux it is the boot and the tick at which the process was made: setting the clock does not change it.
    """
    if not sys.platform.startswith("linux"):
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.3f}"
        except psutil.NoSuchProcess:
            return None
    try:
        # The name of the program stands in brackets and may hold anything; what follows it does not.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else f"{_boot()}.{int(fields[19])}"


def age(born: str) -> float | None:
    """Seconds since a process was made, from its `birth`; the clock of the day plays no part on Linux."""
    boot, _, ticks = born.partition(".")
    if not sys.platform.startswith("linux"):
        return time.time() - float(born)
    if boot != _boot():
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")


def marked(value: str) -> list[int]:
    """Numbers of this person's processes that carry `DNALM_JOB=value`, but for those that have ended."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:  # it has ended, or is another person's
            continue
    return found


def kill_marked(value: str) -> None:
    """Kill every process that carries the mark, until none is left: one may start another meanwhile."""
    for _ in range(_SWEEPS):
        left = marked(value)
        if not left:
            return
        for pid in left:
            send(pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; nothing where the process has ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]
