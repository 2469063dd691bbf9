"""Work that a page waits for: a few at a time on a server that others use too, and for a bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dnalm.errors import RunError

AT_A_TIME = 2
PATIENCE_S = 10.0
"""How long one waits for a place."""
TIME_LIMIT = 20.0
"""Of the work, in seconds; what is known to take longer is not begun."""
_places = threading.BoundedSemaphore(AT_A_TIME)


@contextmanager
def a_turn(limit: float = TIME_LIMIT) -> Iterator[Callable[[int, int], None]]:
    """Wait for one of the few places, then work for a bounded time.

    Args:
        limit: seconds.

    Yields:
        `progress(done, total)`, which ends the work when its time is over.

    Raises:
        RunError: no place became free, or the time is over.
    """
    if not _places.acquire(timeout=PATIENCE_S):
        raise RunError("Other people's pictures are being made; try again in a few seconds.")
    end = time.monotonic() + limit

    def stop_late(done: int, total: int) -> None:
        if time.monotonic() > end and done < total:
            raise RunError(
                f"It was stopped after {limit:.0f} s, when {done:,} of {total:,} were done: choose less, or run it at"
                " the shell with `dnalm explain`."
            )

    try:
        yield stop_late
    finally:
        _places.release()
