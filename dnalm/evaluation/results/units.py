"""Units of work: the smallest measurement, kept in a file of its own, so that a killed run loses one at most."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from dnalm.errors import InputError
from dnalm.files import write_whole
from dnalm.settings import settings

SCHEMA = 1
Kind = Literal["bits", "text", "fold", "test"]


@dataclass(frozen=True)
class Unit:
    """One measurement.

    Attributes:
        kind: `bits`: bits per base of a language model; `text`: what its training text held of a dataset; `fold`:
            a classifier on one fold; `test`: a classifier on a dataset's test split.
        data: the dataset, or the genome.
        model: what is measured; see `dnalm.evaluation.results.models`.
        split: how the data were dealt: `grouped` or `random` folds, else the split's name.
        seed: of the folds, of the draw of the labels, or of the training.
        fold: which fold is predicted.
        labels: how many labelled sequences are trained on; None: all.
    """

    kind: Kind
    data: str
    model: str
    split: str
    seed: int = 0
    fold: int | None = None
    labels: int | None = None

    @property
    def name(self) -> str:
        """Its name, which is also its file's below the folder of results."""
        parts = [self.model]
        if self.labels is not None:
            parts.append(f"labels{self.labels}")
        parts.append(f"seed{self.seed}")
        if self.fold is not None:
            parts.append(f"fold{self.fold}")
        return f"{self.data}/{self.split}/{'.'.join(parts)}"


class Store:
    """The units' files, `NAME.json` below a folder; by default `$DNALM_HOME/results`."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or settings().home / "results"

    def path(self, unit: Unit) -> Path:
        """Where the unit's file is, or would be."""
        return self.folder / f"{unit.name}.json"

    def read(self, unit: Unit) -> dict[str, Any] | None:
        """What was measured, whatever it was measured with; None where nothing was.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path(unit)
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path}: not JSON: {error}; delete it to measure it again") from error

    def current(self, unit: Unit, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
        """What was measured with just these data, weights and settings; None where it has to be measured."""
        found = self.read(unit)
        return found if found and found.get("fingerprint") == fingerprint else None

    def write(self, unit: Unit, document: dict[str, Any]) -> Path:
        """Keep a measurement, whole."""
        path = self.path(unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"schema": SCHEMA, "unit": asdict(unit), **document}) + "\n")
        return path


def machine_kind() -> str:
    """The processor, the cores that may be used, and the GPU where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    kind = f"{_processor()}, {cores} cores"
    return f"{kind}, {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else kind


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
