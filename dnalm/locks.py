"""Locks that a process holds for its life: the system lets go of them however the process ends, `kill -9` included.

They say what a process number in a file cannot: numbers are used again, and another machine's mean nothing here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUN_LOCK = "lock"
"""The file in a run folder that the process which trains holds locked."""

PATIENCE_S = 2.0
"""How long an attempt lasts, in seconds: whoever only looks holds the lock for less than a millisecond."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
"""What a file system without locks answers. There the work goes on unguarded, as it would without this module."""


class HeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def held(path: Path, *, patience: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock in the file `path`, which is made where it is absent and stays.

    The file is not passed on to programs that the process starts.

    Args:
        path: the file.
        patience: seconds before another holder is believed.

    Raises:
        HeldError: another process has it.
        OSError: the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        end = time.monotonic() + patience
        while not _take(descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= end:
                raise HeldError(str(path))
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock in the file `path`; False where there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _take(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True
