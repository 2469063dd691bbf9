"""The run folders there are, and what each says of itself: read only, so that anyone may look at any time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dnalm.errors import InputError
from dnalm.locks import RUN_LOCK, is_held
from dnalm.settings import settings
from dnalm.training.run import RunFolder

CONFIG = "config.yaml"


@dataclass(frozen=True)
class RunSummary:
    """One run as its folder tells it.

    Attributes:
        folder: the run folder.
        phase: pretrain, finetune, train or track.
        state: waiting (nothing done yet), running, succeeded, failed, interrupted, or stopped: it was running when
            its process died.
        progress: what `progress.json` says; empty before the first.
        created: when the folder was made, ISO 8601; empty where the folder does not say.
        result: what `result.json` says; empty while the run is not done.
    """

    folder: Path
    phase: str
    state: str
    progress: dict[str, Any]
    created: str
    result: dict[str, Any]

    @property
    def id(self) -> str:
        """The run's name: that of its folder."""
        return self.folder.name

    @property
    def figures(self) -> dict[str, dict[str, Any]]:
        """What was measured: on held-out text, or on the test sequences; empty while there is nothing."""
        return self.result.get("figures") or (self.result.get("test") or {}).get("figures") or {}

    @property
    def updated(self) -> str:
        """When the run last said how far it is, ISO 8601; empty before the first time."""
        when = self.progress.get("updated")
        return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds") if when else ""


def summarise(folder: Path) -> RunSummary:
    """Read one run folder.

    Raises:
        InputError: there is no run in it.
    """
    run = RunFolder(folder)
    document, progress, result = run.document(), run.read_progress(), run.result()
    phase = str(document["config"].get("phase", ""))
    return RunSummary(
        folder, phase, _state(folder, progress, result), progress, str(document.get("created", "")), result
    )


def list_runs() -> Iterator[RunSummary]:
    """All runs in `DNALM_HOME`, the newest first. A folder whose configuration cannot be read is left out."""
    folders = [path.parent for path in settings().runs.glob(f"*/{CONFIG}")]
    for folder in sorted(folders, key=lambda path: (path / CONFIG).stat().st_mtime, reverse=True):
        try:
            yield summarise(folder)
        except InputError:
            continue


def find_run(name: str | Path) -> Path:
    """Folder of a run given by its name in `DNALM_HOME`, or by its own folder.

    Raises:
        InputError: there is none.
    """
    path = Path(name)
    if (path / CONFIG).is_file():
        return path
    if len(path.parts) == 1 and path.name not in (".", "..") and (settings().runs / path / CONFIG).is_file():
        return settings().runs / path
    raise InputError(f"no run {str(name)!r}: neither a folder with {CONFIG} nor a name in {settings().runs}")


def _state(folder: Path, progress: dict[str, Any], result: dict[str, Any]) -> str:
    if result:
        return "succeeded"
    # The lock is sure, also on another machine and after a restart; a process number is not.
    locked = is_held(folder / RUN_LOCK)
    if locked or not progress:
        return "running" if locked else "waiting"
    state = str(progress.get("state", "running"))
    alive = not (folder / RUN_LOCK).exists() and _alive(progress.get("pid"))
    return "stopped" if state == "running" and not alive else state


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another person's process
        return True
    return True
