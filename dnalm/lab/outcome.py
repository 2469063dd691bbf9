"""How a job's process ended, read from its run folder alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

EXIT = "exit.json"
RESULT = "result.json"
OUTPUT = "process.txt"
"""What the processes of a job say, standard output and error of all attempts: a backend writes it."""


@dataclass(frozen=True)
class Outcome:
    """What a run folder says of the process that has ended.

    Attributes:
        state: succeeded, failed, interrupted (it was told to stop); None where the process left no record: it was
            killed, or its machine died.
        reason: one sentence; empty where there is nothing to say.
        code: its exit status; None where it is not known.
    """

    state: Literal["succeeded", "failed", "interrupted"] | None
    reason: str = ""
    code: int | None = None


def outcome(run: Path) -> Outcome:
    """How the run in a folder ended. Ask once its process is gone.

    A `result.json` is the end of a run whatever came after it. `progress.json` is not asked: it may speak of an earlier
    attempt, and a run that lived to see its end has left an `exit.json`.
    """
    if not run.is_dir():
        return Outcome("failed", f"{run}: the run folder is gone")
    if _read(run / RESULT):
        return Outcome("succeeded", code=0)
    told = _read(run / EXIT)
    state, code = told.get("state"), told.get("code")
    if state not in ("succeeded", "failed", "interrupted"):
        return Outcome(None)
    return Outcome(state, str(told.get("reason", "")), code if isinstance(code, int) else None)


def clear(run: Path) -> None:
    """Take away the record of an earlier attempt, which would pass for that of the next."""
    (run / EXIT).unlink(missing_ok=True)


def checkpoint_mark(run: Path) -> str:
    """Stands for the last checkpoint of a run and of the phases below it: another one has another mark."""
    digest = hashlib.sha256()
    for pattern in ("checkpoint/state.json", RESULT):
        for path in (run / pattern, *sorted(run.glob(f"*/{pattern}"))):
            try:
                digest.update(f"{path.relative_to(run)}\0".encode() + path.read_bytes())
            except FileNotFoundError:
                continue
    return digest.hexdigest()[:16]


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
