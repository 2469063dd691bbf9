"""Processes that work side by side, and that end with the one that started them or when it has no more use for them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from dnalm.errors import RunError


@contextmanager
def side_by_side(processes: int, begin: Callable[..., None], *told: Any) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes, each started anew, as CUDA asks for.

    Whatever ends the block early ends them at once, in the middle of their work; so does the end of the process that
    started them, however it came. Ctrl-C, which reaches all of a terminal's processes, is left to that one.

    Args:
        processes: how many.
        begin: makes each ready: called in it with its number, counted from 0, and `told`.
        told: what can be sent to another process.

    Raises:
        RunError: a process was ended from outside.
    """
    context = get_context("spawn")
    turn, (here, there) = context.Value("i", 0), context.Pipe(duplex=False)
    # Only this process holds `there`: the others see it close when this one lets go of it, or is no more.
    with here, there, ProcessPoolExecutor(processes, context, _begin, (here, turn, begin, told)) as pool:
        try:
            for _ in range(processes):
                pool.submit(_ready)
            yield pool
        except BrokenProcessPool:
            raise RunError(
                "a process was ended from outside, perhaps for want of memory: fewer --processes need less; what was "
                "done before is kept"
            ) from None
        except BaseException:
            # Leaving the pool would wait for all that was handed out.
            pool.shutdown(wait=False, cancel_futures=True)
            there.close()
            raise


def _begin(here: Connection, turn: Any, begin: Callable[..., None], told: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(here,), daemon=True).start()
    with turn.get_lock():
        number = turn.value
        turn.value += 1
    begin(number, *told)


def _ready() -> None:
    # The pool's thread watches the processes that were there when it last woke, and a process is started just after it
    # is woken: the death of the last one would be missed. The ends of these wake it once more.
    return


def _end_with(here: Connection) -> None:
    # Nothing is ever sent: there is something to read only when the other end has closed.
    here.poll(None)
    os._exit(1)
