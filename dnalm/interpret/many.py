"""Many sequences explained side by side in processes of their own, in order, each with random numbers of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from dnalm.interpret.kept import Answer, Passing, Store
from dnalm.interpret.placed import Placed
from dnalm.model.bundle import CONFIG, weights_hash
from dnalm.model.predict import Classifier, load
from dnalm.side_by_side import side_by_side

SCHEMA = 1
"""Of kept answers: goes up when they, or what a task does, change."""
_AHEAD = 4  # sequences that wait at each process

Progress = Callable[[int, int], None]


class Task(Protocol):
    """What is asked of each sequence: plain data that another process can be sent."""

    def options(self) -> dict[str, Any]:
        """All that its answer depends on but for the sequence and the model, as JSON holds it."""

    def explain(
        self, classifier: Classifier, one: Placed, generator: np.random.Generator, progress: Progress | None = None
    ) -> Answer:
        """The answer."""


def generator_of(seed: int, number: int) -> np.random.Generator:
    """The random numbers of one sequence, whatever process reads it, and after whichever other."""
    return np.random.default_rng([seed, number])


def header_of(task: Task, classifier: Classifier, sequences: Sequence[Placed], seed: int) -> dict[str, Any]:
    """What answers depend on: two runs with equal headers give equal answers."""
    digest = hashlib.sha256()
    for one in sequences:
        digest.update(repr((one.id, len(one), one.site, one.region, one.record_length)).encode())
        digest.update(one.codes.tobytes())
    folder = classifier.bundle.folder
    return {
        "dnalm": "answers",
        "schema": SCHEMA,
        "task": type(task).__name__,
        "options": task.options(),
        "seed": seed,
        "model": classifier.name,
        "weights": weights_hash(folder),
        "config": hashlib.sha256((folder / CONFIG).read_bytes()).hexdigest(),
        "sequences": len(sequences),
        "input": digest.hexdigest(),
    }


def explain_many(
    task: Task,
    classifier: Classifier,
    sequences: Sequence[Placed],
    *,
    seed: int = 0,
    processes: int = 1,
    store: Store | None = None,
    progress: Progress | None = None,
    within: Progress | None = None,
) -> Iterator[Answer]:
    """Ask a task of each sequence, in order.

    One sequence at a time and with one thread: an answer depends on neither the others nor on how many processes.

    Args:
        task: what is asked.
        classifier: the model; other processes load it from its folder.
        sequences: what is asked about.
        seed: of all that is drawn.
        processes: so many at a time; with one, here.
        store: answers that are there already, and where new ones go; else memory.
        progress: called with sequences done and all.
        within: the task's own progress, where there is but one sequence left.

    Raises:
        RunError: one of the processes was ended from outside.
        InputError: from the task.
    """
    answers = Passing() if store is None else store
    left = [number for number in range(len(sequences)) if number not in answers]
    done = len(sequences) - len(left)
    if progress:
        progress(done, len(sequences))
    processes = min(processes, len(left))
    if processes > 1:
        fresh = _elsewhere(task, classifier.bundle.folder, sequences, left, seed, processes)
    else:
        fresh = _here(task, classifier, sequences, left, seed, within if len(left) == 1 else None)
    following = 0
    while following < len(sequences):
        if following in answers:
            yield Answer.from_bytes(answers.get(following))
            following += 1
            continue
        number, answer = next(fresh)
        answers.put(number, answer)
        done += 1
        if progress:
            progress(done, len(sequences))


def _here(
    task: Task,
    classifier: Classifier,
    sequences: Sequence[Placed],
    left: Sequence[int],
    seed: int,
    within: Progress | None,
) -> Iterator[tuple[int, bytes]]:
    for number in left:
        with _one_thread():
            answer = task.explain(classifier, sequences[number], generator_of(seed, number), within)
        yield number, answer.to_bytes()


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _elsewhere(
    task: Task, folder: Path, sequences: Sequence[Placed], left: Sequence[int], seed: int, processes: int
) -> Iterator[tuple[int, bytes]]:
    """Numbers and answers as they come."""
    waiting = iter(left)
    with side_by_side(processes, _begin, task, str(folder)) as pool:
        running: dict[Future[bytes], int] = {}
        while True:
            while len(running) < processes * _AHEAD and (number := next(waiting, None)) is not None:
                running[pool.submit(_explain, sequences[number], seed, number)] = number
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


_task: Task
_classifier: Classifier


def _begin(_: int, task: Task, folder: str) -> None:
    """Make a process ready: its model, and one thread."""
    global _task, _classifier
    torch.set_num_threads(1)
    loaded = load(Path(folder))
    assert isinstance(loaded, Classifier)
    _task, _classifier = task, loaded


def _explain(one: Placed, seed: int, number: int) -> bytes:
    return _task.explain(_classifier, one, generator_of(seed, number)).to_bytes()
