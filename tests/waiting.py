"""Waiting for what another process does, on a machine that may be busy with other things."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 120


def wait_for(condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait until a condition holds; `what` says what for."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)
