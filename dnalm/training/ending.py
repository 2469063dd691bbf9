"""One process a run, and a record of how it ended: `lock` and `exit.json` in the run folder.

A supervisor reads the record; where there is none, the process was killed. The record says what the process itself
knew, `result.json` alone says that the run is done.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from torch import distributed

from dnalm.errors import DnalmError, InputError
from dnalm.files import write_whole
from dnalm.locks import RUN_LOCK, HeldError, held, is_held
from dnalm.training.run import explain

EXIT = "exit.json"
RESERVE = ".exit-reserve"
LEADER = "DNALM_LEADER"
INTERRUPTED = 130
_PR_SET_PDEATHSIG = 1
_RESERVE_BYTES = 16_384  # room for the record and its name, where the run fills the disk
_LOST = ("connection closed by peer", "connection reset by peer", "broken pipe", "connection refused")


def is_helper() -> bool:
    """Whether this is one of several processes of a run, and not the one that writes."""
    return any(int(os.environ.get(name) or 0) > 0 for name in ("LOCAL_RANK", "RANK"))


def is_running(folder: Path) -> bool:
    """Whether a process trains the run in `folder` at this moment, on whichever machine shares its file system."""
    return is_held(folder / RUN_LOCK)


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Be the one process of the run in `folder` while the block runs, and write `exit.json` when it ends.

    SIGTERM raises KeyboardInterrupt in the block, as Ctrl-C does. A helper of a run of several processes holds no
    lock and writes nothing: it ends with the process that does.

    Raises:
        InputError: another process trains this run; its record is left alone.
    """
    if is_helper() or "TORCHELASTIC_RUN_ID" in os.environ:
        _end_with_parent()
    if is_helper():
        yield
        return
    try:
        with held(folder / RUN_LOCK):
            (folder / EXIT).unlink(missing_ok=True)
            with suppress(OSError):
                (folder / RESERVE).write_bytes(bytes(_RESERVE_BYTES))
            try:
                with _leading(), _sigterm_as_interrupt():
                    yield
            except BaseException as error:
                _write(folder, *_told(error))
                raise
            else:
                _write(folder, 0, "succeeded", "")
    except HeldError:
        raise InputError(f"{folder}: another process trains this run already; wait for it, or stop it first") from None


def _told(error: BaseException) -> tuple[int, str, str]:
    """Exit code, state and sentence for the way the block ended."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted", "told to stop; it goes on from its last checkpoint"
    if _lost_another(error):
        return 1, "interrupted", "one of the run's processes was lost; it goes on from its last checkpoint"
    code = error.exit_code if isinstance(error, DnalmError) else 1
    text = explain(error)
    name = type(error).__name__
    return code, "failed", text if isinstance(error, DnalmError | OSError) or text == name else f"{name}: {text}"


def _lost_another(error: BaseException) -> bool:
    """Whether a process that trained together with this one went away: no fault of the run's."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return False
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause).lower()
        if isinstance(cause, distributed.DistError) or any(sign in text for sign in _LOST):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _write(folder: Path, code: int, state: str, reason: str) -> None:
    text = json.dumps({"code": code, "state": state, "reason": reason})
    # Where the disk is full, what was kept free for this record makes room for it.
    with suppress(OSError):
        (folder / RESERVE).unlink(missing_ok=True)
    with suppress(OSError):
        write_whole(folder / EXIT, text)


@contextmanager
def _leading() -> Iterator[None]:
    """Tell the helpers that this process starts whose they are."""
    os.environ[LEADER] = str(os.getpid())
    try:
        yield
    finally:
        os.environ.pop(LEADER, None)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_with_parent() -> None:
    """Have the system kill this process when the one that started it ends, however that ends (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have ended before the line above: then another process is the parent by now.
    leader = os.environ.get(LEADER)
    if leader and "TORCHELASTIC_RUN_ID" not in os.environ and os.getppid() != int(leader):
        os._exit(1)
