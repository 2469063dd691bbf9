"""Tasks that outlive a page: their turns, progress, cancel, failure, and the processes that they start."""

from __future__ import annotations

import threading

import pytest

from dashboard import background
from dashboard.background import TaskState
from dnalm.errors import InputError, RunError


@pytest.fixture(autouse=True)
def none_left():
    yield
    for task in background.under_way():
        background.cancel(task.key)
        background.wait(task.key, 20)
    background._tasks.clear()


def test_a_task_reports_its_progress_and_its_end():
    go, told = threading.Event(), threading.Event()

    def work(task):
        task.progress(3, 10)
        told.set()
        go.wait(20)

    task = background.start("t:one", "One", work)
    assert told.wait(20)
    assert background.find("t:one") is task
    assert (task.state, task.done, task.total) == (TaskState.RUNNING, 3, 10)
    assert background.under_way("t:") == [task]
    # Asked for again while it runs, it is the same task.
    assert background.start("t:one", "One", work) is task
    go.set()
    assert background.wait("t:one", 20).state == TaskState.DONE
    background.forget("t:one")
    assert background.find("t:one") is None


def test_a_failure_has_its_sentence_and_a_bug_does_not_hang_the_page():
    def bad(task):
        raise InputError("mine.csv, line 3: bad")

    background.start("t:bad", "Bad", bad)
    task = background.wait("t:bad", 20)
    assert (task.state, task.message) == (TaskState.FAILED, "mine.csv, line 3: bad")


def test_some_run_the_rest_wait_and_a_waiting_one_can_be_cancelled(monkeypatch):
    go = threading.Event()
    running = threading.Semaphore(0)

    def work(task):
        running.release()
        go.wait(20)
        task.check()

    tasks = [background.start(f"t:{n}", str(n), work) for n in range(background.AT_A_TIME + 1)]
    for _ in range(background.AT_A_TIME):
        assert running.acquire(timeout=20)
    (waiting,) = [task for task in tasks if task.state == TaskState.WAITING]
    background.cancel(waiting.key)
    assert background.wait(waiting.key, 20).state == TaskState.CANCELLED
    monkeypatch.setattr(background, "MOST_UNDER_WAY", background.AT_A_TIME)
    with pytest.raises(RunError, match="under way already"):
        background.start("t:more", "More", work)
    go.set()
    ended = [background.wait(task.key, 20).state for task in tasks if task is not waiting]
    assert ended == [TaskState.DONE] * background.AT_A_TIME
    assert not running.acquire(blocking=False)


def test_a_command_gives_its_json_its_sentence_and_dies_when_cancelled(home, monkeypatch):
    found = {}

    def listing(task):
        found.update(background.run_dnalm(task, "data", "list", "--json"))

    background.start("t:list", "List", listing)
    assert background.wait("t:list", 300).state == TaskState.DONE
    assert "ecoli-sigma70-81" in found["recipes"]

    background.start("t:bad", "Bad", lambda task: background.run_dnalm(task, "data", "make", "no-such-recipe"))
    task = background.wait("t:bad", 300)
    assert task.state == TaskState.FAILED
    assert task.message.startswith("there is no recipe 'no-such-recipe'")

    # A process that reads an endless standard input of nothing is told to go, and goes.
    monkeypatch.setattr(background.sys, "executable", "/bin/sleep")
    monkeypatch.setattr(background, "_python_path", lambda: [])
    original = background.subprocess.Popen

    def sleeping(words, **options):
        return original(["/bin/sleep", "600"], **options)

    monkeypatch.setattr(background.subprocess, "Popen", sleeping)
    background.start("t:slow", "Slow", lambda task: background.run_dnalm(task, "x"))
    while not background._processes:
        assert background.find("t:slow").under_way
    (process,) = background._processes
    background.cancel("t:slow")
    assert background.wait("t:slow", 20).state == TaskState.CANCELLED
    assert process.poll() is not None
    assert not background._processes
