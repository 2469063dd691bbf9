"""What the engine below the queue says of a job, as why Slurm lets it wait: asked for all pages, and never waited for.

Slurm may take many seconds to answer, or not answer at all; a page shows what it said last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError

from dnalm.errors import DnalmError
from dnalm.lab.backends import Backend
from dnalm.lab.backends.choice import backend_named
from dnalm.lab.backends.slurm_words import in_words
from dnalm.lab.jobs import Job

# How old an answer may be, and how long the first look at a job waits for one; seconds.
FRESH_S = 5.0
PATIENCE_S = 1.0
AWAY = "Slurm cannot be asked from here at the moment."
_REMEMBERED = 500


class Engine:
    """Asks the engine, one question at a time, for all sessions of this process.

    Args:
        named: gives the backend of a name; another only in tests.
    """

    def __init__(self, named: Callable[[str], Backend] = backend_named) -> None:
        self.named = named
        self._lock = threading.Lock()
        self._one = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._backends: dict[str, Backend] = {}
        self._said: dict[str, tuple[float, str]] = {}
        self._asked: dict[str, Future[None]] = {}

    def standing(self, job: Job) -> str:
        """Why a running job does not run yet, in a sentence; empty where it does, or nothing is known."""
        if job.backend == "local" or not job.handle:
            return ""
        with self._lock:
            known = self._said.get(job.handle)
            if known and time.monotonic() - known[0] < FRESH_S:
                return known[1]
            asked = self._asked.get(job.handle)
            if asked is None:
                asked = self._asked[job.handle] = self._one.submit(self._ask, job.backend, job.handle)
        if known is None:
            try:
                asked.result(timeout=PATIENCE_S)
            except NotYetError:
                return ""
        with self._lock:
            return self._said.get(job.handle, (0.0, ""))[1]

    def _ask(self, backend: str, handle: str) -> None:
        text = AWAY
        try:
            if backend not in self._backends:
                self._backends[backend] = self.named(backend)
            text = in_words(self._backends[backend].standing(handle))
        except DnalmError:
            pass  # said by the text
        finally:
            with self._lock:
                self._said[handle] = time.monotonic(), text
                self._asked.pop(handle, None)
                for old in list(self._said)[:-_REMEMBERED]:
                    del self._said[old]


engine = Engine()
"""The one that all sessions of this process share."""
