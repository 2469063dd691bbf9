"""The run folder: the whole truth about one piece of work, readable without a database, whole at every instant."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, distributed

from dnalm.errors import InputError, RunError
from dnalm.files import replacing, write_whole
from dnalm.settings import PACKAGE_ROOT


def versions() -> dict[str, str]:
    """Versions that a result depends on, and the machine's kind."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in ("dnalm", "torch", "numpy", "scikit-learn", "lightning-fabric"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    commit = _commit()
    return {**found, "commit": commit} if commit else found


def _commit() -> str | None:
    if not (PACKAGE_ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(PACKAGE_ROOT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


class RunFolder:
    """Reads and writes `config.yaml`, `metrics.jsonl`, `progress.json`, `log.txt`, `checkpoint/`, `result.json`.

    The process that trains writes; everyone else only reads.

    Args:
        path: the folder.
        quiet: write nothing (all processes of a distributed run but the first).
    """

    def __init__(self, path: Path, *, quiet: bool = False) -> None:
        self.path = path
        self.quiet = quiet

    @classmethod
    def create(cls, path: Path, config: dict[str, Any]) -> RunFolder:
        """Make a new run folder.

        Raises:
            InputError: there is something at `path` already.
        """
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise InputError(f"{path}: there is a run there already; resume it, or name another folder") from None
        return cls._begin(path, config)

    @classmethod
    def create_among(cls, runs: Path, name: str, config: dict[str, Any]) -> RunFolder:
        """Make a new run folder below `runs`: `name`, or where there is one already, `name-2` and so on."""
        for number in count(1):
            path = runs / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                path.mkdir(parents=True)
                return cls._begin(path, config)
        raise AssertionError("the numbers never end")

    @classmethod
    def _begin(cls, path: Path, config: dict[str, Any]) -> RunFolder:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        document = {"config": config, "versions": versions(), "created": created}
        write_whole(path / "config.yaml", yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        return cls(path)

    @classmethod
    def open_or_create(cls, path: Path, config: dict[str, Any]) -> RunFolder:
        """The run folder at `path`, or a new one there, which the first of several processes makes.

        Raises:
            InputError: the run there was told something else.
        """
        together = distributed.is_available() and distributed.is_initialized()
        first = not together or distributed.get_rank() == 0
        if first and not (path / "config.yaml").exists():
            cls.create(path, config)
        if together:
            distributed.barrier()
        run = cls(path)
        if run.document()["config"] != config:
            raise InputError(f"{path}: the run there has another configuration; name another folder")
        return run

    def document(self) -> dict[str, Any]:
        """All of `config.yaml`.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        path = self.path / "config.yaml"
        try:
            document = yaml.safe_load(path.read_text())
        except FileNotFoundError:
            raise InputError(f"{self.path}: no run here (there is no config.yaml)") from None
        except yaml.YAMLError as error:
            raise InputError(f"{path}: not valid YAML: {error}") from None
        if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
            raise InputError(f"{path}: the field `config` is missing")
        return document

    def record(self, name: str, values: dict[str, Any]) -> None:
        """Add facts found while running (data hashes, the plan) to `config.yaml`."""
        if self.quiet:
            return
        document = self.document()
        document[name] = values
        write_whole(self.path / "config.yaml", yaml.safe_dump(document, sort_keys=False, allow_unicode=True))

    def log(self, text: str) -> None:
        """Append a line to `log.txt`, with the time."""
        if not self.quiet:
            with (self.path / "log.txt").open("a") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")

    def metric(self, **values: Any) -> None:
        """Append one object to `metrics.jsonl`."""
        if not self.quiet:
            with (self.path / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(values) + "\n")

    def trim_metrics(self, rows: int) -> None:
        """Keep the first `rows` objects: what a killed process wrote after its last checkpoint is written again."""
        if not self.quiet:
            write_whole(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in self.metrics()[:rows]))

    def metrics(self) -> list[dict[str, Any]]:
        """All objects of `metrics.jsonl`; a last line cut short by a kill is left out."""
        path = self.path / "metrics.jsonl"
        rows = []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return rows

    def progress(self, **values: Any) -> None:
        """Write `progress.json` whole: state, phase, step, total, rate, eta_s."""
        if not self.quiet:
            write_whole(self.path / "progress.json", json.dumps({**values, "updated": time.time(), "pid": os.getpid()}))

    def read_progress(self) -> dict[str, Any]:
        """What `progress.json` says; empty before the first."""
        return _read_json(self.path / "progress.json")

    def finish(self, result: dict[str, Any]) -> None:
        """Write `result.json` and say so in `progress.json`: the run is done."""
        if not self.quiet:
            write_whole(self.path / "result.json", json.dumps(result, indent=1))
            self.progress(**{**self.read_progress(), "state": "succeeded", "eta_s": 0})

    def result(self) -> dict[str, Any]:
        """What `result.json` says; empty while the run is not done."""
        return _read_json(self.path / "result.json")

    def save_checkpoint(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Keep what is needed to go on from here: tensors first, then the small file that names them."""
        if self.quiet:
            return
        folder = self.path / "checkpoint"
        folder.mkdir(exist_ok=True)
        name = f"{state['phase']}-{state['step']}.safetensors"
        with replacing(folder / name) as temporary:
            save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, temporary)
        write_whole(folder / "state.json", json.dumps({**state, "tensors": name}))
        for old in folder.iterdir():
            if old.name not in (name, "state.json"):
                old.unlink(missing_ok=True)

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The last checkpoint, or none.

        Raises:
            RunError: it is damaged.
        """
        state = _read_json(self.path / "checkpoint" / "state.json")
        if not state:
            return None
        path = self.path / "checkpoint" / str(state["tensors"])
        try:
            with safe_open(path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}, state  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise RunError(f"{path}: the checkpoint cannot be read ({error}); start the run anew") from None

    @contextmanager
    def failing_plainly(self) -> Iterator[None]:
        """Turn a failure into one sentence in `progress.json` and the log, and leave the folder readable."""
        try:
            yield
        except KeyboardInterrupt:
            self._note_end("interrupted", "interrupted; resume it to go on from the last checkpoint")
            raise
        except Exception as error:
            sentence = explain(error)
            self._note_end("failed", sentence)
            if isinstance(error, InputError) or sentence == str(error):
                raise
            raise RunError(sentence) from error

    def _note_end(self, state: str, sentence: str) -> None:
        # Where the disk is full one of the two may still fit; the sentence reaches the terminal in any case.
        with suppress(OSError):
            self.log(sentence)
        with suppress(OSError):
            self.progress(**{**self.read_progress(), "state": state, "error": sentence})


def explain(error: BaseException) -> str:
    """One sentence that says what to change."""
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EFBIG or "File too large" in text:
        return "a file would grow beyond what the system allows (ulimit -f): raise that limit, then resume the run"
    if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "quota exceeded" in text:
        return "the disk is full: free some space where the run folder is, then resume the run"
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return "out of memory: take fewer lanes or a smaller batch, fewer tokens a step, or a smaller model"
    return text or type(error).__name__


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RunError(f"{path}: damaged ({error}); delete it, or start the run anew") from None
