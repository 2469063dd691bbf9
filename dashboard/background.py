"""Work that outlives a page's reload: downloads, and sets being made. Nothing trains here.

A task has a key that stands in the address, so that a reload, or another browser, finds it again. A few run at a
time, each in a thread that waits for the network or for a `dnalm` process; the rest wait their turn.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from dnalm.errors import DnalmError, InputError, RunError

AT_A_TIME = 2
MOST_UNDER_WAY = 20
MOST_REMEMBERED = 200
GRACE = 5.0  # seconds between asking a process to stop and killing it
_ROOT = Path(__file__).resolve().parent.parent


class TaskState(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CancelledError(DnalmError):
    """The person does not want the task's result any more."""


@dataclass
class Task:
    """One piece of work. Its thread writes the fields, pages read them.

    Attributes:
        key: stands in the address.
        title: what is done, for people.
        owner: id of the person who asked for it; empty where it is for everyone.
        state: where it stands.
        step: what it is doing, in words.
        done: how much of the step, in `unit`.
        total: of how much; 0 where that is not known.
        message: one sentence when it failed.
        begun: when it was asked for, `time.monotonic()` in seconds.
        ended: when it ended, likewise; 0 before.
    """

    key: str
    title: str
    owner: str = ""
    state: TaskState = TaskState.WAITING
    step: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    begun: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    _cancel: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def under_way(self) -> bool:
        """Whether it waits or runs."""
        return self.state in (TaskState.WAITING, TaskState.RUNNING)

    @property
    def seconds(self) -> float:
        """How long it has taken so far, in seconds."""
        return (self.ended or time.monotonic()) - self.begun

    def progress(self, done: int, total: int) -> None:
        """Note how far the step is, and stop here if the person has cancelled."""
        self.done, self.total = done, total
        self.check()

    def check(self) -> None:
        """Stop here, with `CancelledError`, if the person has cancelled."""
        if self._cancel.is_set():
            raise CancelledError(f"{self.title}: cancelled")


Work = Callable[[Task], None]

_tasks: dict[str, Task] = {}
_lock = threading.Lock()
_turns = threading.BoundedSemaphore(AT_A_TIME)
_processes: set[subprocess.Popen[str]] = set()


def start(key: str, title: str, work: Work, *, owner: str = "", at_once: bool = False) -> Task:
    """Begin a task, or give the one of this key that is under way.

    Args:
        key: names it in the address.
        title: what is done, for people.
        work: does it; calls `progress` or `check` now and then, and raises DnalmError or OSError where it fails.
        owner: id of the person who asks.
        at_once: do not wait for a turn: it is short, and someone looks at the page.

    Raises:
        RunError: too many are under way.
    """
    with _lock:
        there = _tasks.get(key)
        if there and there.under_way:
            return there
        if sum(task.under_way for task in _tasks.values()) >= MOST_UNDER_WAY:
            raise RunError(f"{MOST_UNDER_WAY} downloads and sets are under way already; try again when some are done.")
        task = Task(key, title, owner)
        _tasks.pop(key, None)
        _tasks[key] = task
        for old in [old.key for old in _tasks.values() if not old.under_way][:-MOST_REMEMBERED]:
            del _tasks[old]
    threading.Thread(target=_run, args=(task, work, at_once), name=f"task-{key}", daemon=True).start()
    return task


def find(key: str) -> Task | None:
    """The task of this key, under way or ended, if it is remembered."""
    return _tasks.get(key)


def under_way(prefix: str = "") -> list[Task]:
    """The tasks that wait or run and whose key begins so, the oldest first."""
    with _lock:
        return [task for task in _tasks.values() if task.under_way and task.key.startswith(prefix)]


def cancel(key: str) -> None:
    """Ask a task to stop; it does so at its next step, a waiting one at once."""
    task = _tasks.get(key)
    if task:
        task._cancel.set()


def forget(key: str) -> None:
    """Let go of a task that has ended."""
    with _lock:
        if key in _tasks and not _tasks[key].under_way:
            del _tasks[key]


def wait(key: str, seconds: float) -> Task:
    """Wait until a task has ended, `seconds` at most; it is for scripts and tests."""
    end = time.monotonic() + seconds
    while (task := _tasks[key]).under_way and time.monotonic() < end:
        time.sleep(0.02)
    return task


def _run(task: Task, work: Work, at_once: bool) -> None:
    state, message = TaskState.FAILED, "it ended unexpectedly; the server's own log says why."
    taken = False
    try:
        while not at_once and not (taken := _turns.acquire(timeout=0.2)):
            task.check()
        task.check()
        task.state = TaskState.RUNNING
        work(task)
        state, message = TaskState.DONE, ""
    except CancelledError:
        state, message = TaskState.CANCELLED, ""
    except (DnalmError, OSError) as error:
        message = str(error)
    finally:
        if taken:
            _turns.release()
        task.ended, task.message, task.state = time.monotonic(), message, state


def run_dnalm(task: Task, *arguments: str) -> dict[str, Any]:
    """Run one `dnalm` command in a process group of its own, until it ends or the task is cancelled.

    Args:
        task: whose work it is.
        arguments: the command's words, `--json` among them.

    Returns:
        The JSON object that it printed.

    Raises:
        InputError: it refused its input; the sentence is its own.
        RunError: it failed otherwise.
        CancelledError: the person cancelled; the process and its children are gone.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, _python_path())])}
    process = subprocess.Popen(
        [sys.executable, "-m", "dnalm", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _processes.add(process)
    try:
        output, errors = _collect(task, process)
    finally:
        _stop(process)
        _processes.discard(process)
    if process.returncode:
        said = [line for line in errors.strip().splitlines() if line.startswith("dnalm: ")]
        sentence = said[-1].removeprefix("dnalm: ") if said else f"dnalm ended with exit status {process.returncode}"
        raise (InputError if process.returncode == InputError.exit_code else RunError)(sentence)
    return json.loads(output)


def _collect(task: Task, process: subprocess.Popen[str]) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            task.check()


def _python_path() -> Sequence[str]:
    return os.environ.get("PYTHONPATH", "").split(os.pathsep)


def _stop(process: subprocess.Popen[str]) -> None:
    """Stop a process and its children, kindly first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue


@atexit.register
def _stop_all() -> None:
    """Leave no process behind when the server ends."""
    for process in list(_processes):
        _stop(process)
