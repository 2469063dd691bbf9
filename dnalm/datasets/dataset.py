"""A labelled dataset: a table of sequences with their split, and the description of where it came from.

On disk it is a folder of two files: `sequences.parquet` (id, sequence, label, split, source, in_demo_region)
and `dataset.json` (recipe, sources with checksums, counts, what was dropped and why, leak, audit).
The same recipe and seed write the same bytes: nothing in them depends on the time or the machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dnalm.alphabet import Codes, encode
from dnalm.datasets.splits import SPLITS
from dnalm.datasets.stretches import stretch_groups
from dnalm.errors import InputError
from dnalm.files import replacing
from dnalm.settings import settings

TABLE = "sequences.parquet"
INFO = "dataset.json"
SCHEMA = 1
BY_STRETCH = "shared stretch"
BY_SOURCE = "source record"
"""What makes sequences a group that stays on one side of a split."""
COLUMNS = ("id", "sequence", "label", "split", "source", "in_demo_region")


@dataclass
class Dataset:
    """Labelled sequences with their split.

    Attributes:
        table: one row a sequence: `id` (unique), `sequence` (letters ACGTN), `label`, `split` ("train",
            "valid" or "test"), `source` (`record:start-end(strand)`, 1-based inclusive, where known; else the
            file and header it came from), `in_demo_region` (True where it touches E. coli 800,000 to
            840,000, the region that no shipped classifier may learn from).
        info: what `dataset.json` holds; see `docs/datasets.md`.
        folder: where it was loaded from or saved to.
    """

    table: pd.DataFrame
    info: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def __post_init__(self) -> None:
        if "in_demo_region" not in self.table:
            self.table = self.table.assign(in_demo_region=False)
        where = self.folder / TABLE if self.folder else "the dataset's table"
        missing = [name for name in COLUMNS if name not in self.table]
        if missing:
            raise InputError(f"{where} has no column {missing[0]!r}; it needs {', '.join(COLUMNS)}")
        if self.table.empty:
            raise InputError(f"{where} holds no sequence")
        strange = set(self.table["split"]) - set(SPLITS)
        if strange:
            raise InputError(f"{where} has split {sorted(map(str, strange))[0]!r}; wanted: {', '.join(SPLITS)}")
        twice = self.table["id"][self.table["id"].duplicated()]
        if len(twice):
            raise InputError(f"{where} has the id {twice.iloc[0]!r} twice; ids must be unique")
        if self.positive is not None and self.positive not in self.labels:
            raise InputError(f"{where}: the positive label {self.positive!r} is not among {self.labels}")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def name(self) -> str:
        """The name that people see."""
        return str(self.info.get("name") or (self.folder.name if self.folder else "dataset"))

    @property
    def labels(self) -> list[str]:
        """The labels in their fixed order, a classifier's columns; the positive one of two is last."""
        known = self.info.get("labels")
        return [str(label) for label in known] if known else sorted(set(self.table["label"]))

    @property
    def positive(self) -> str | None:
        """The positive label of a binary set; None for several classes."""
        return self.info.get("positive")

    @property
    def window(self) -> int | None:
        """Length of the sequences in bases, where all have one length."""
        lengths = self.table["sequence"].str.len().unique()
        return int(lengths[0]) if len(lengths) == 1 else None

    @property
    def anchor(self) -> int | None:
        """0-based offset in each sequence of the site that the label speaks of; None where there is none."""
        return self.info.get("anchor")

    @property
    def whole(self) -> bool:
        """Whether the label speaks of the whole sequence and of no place in it, as of enhancers; False if not told."""
        return bool(self.info.get("whole", False))

    @property
    def grouped_by(self) -> str:
        """What makes sequences near copies of each other here: `BY_STRETCH` or `BY_SOURCE`."""
        return str((self.info.get("groups") or {}).get("by", BY_STRETCH))

    def part(self, split: str) -> pd.DataFrame:
        """All rows of one split, demo region included."""
        return self.table[self.table["split"] == split]

    def training(self, split: str = "train") -> pd.DataFrame:
        """Rows of a split that a classifier may learn from: those of the demo region are left out."""
        rows = self.part(split)
        return rows[~rows["in_demo_region"]]

    def codes(self, rows: pd.DataFrame | None = None) -> list[Codes]:
        """The sequences of `rows` (default: all) as codes, n arrays of shape `(length,)`."""
        return [encode(text) for text in (self.table if rows is None else rows)["sequence"]]

    def targets(self, rows: pd.DataFrame | None = None) -> np.ndarray:
        """Index into `labels` of each row (default: all): int64, shape `(n,)`."""
        index = {label: number for number, label in enumerate(self.labels)}
        return np.array([index[label] for label in (self.table if rows is None else rows)["label"]], dtype=np.int64)

    def groups(self, rows: pd.DataFrame | None = None) -> NDArray[np.int64]:
        """Group of each row (default: all) that a grouped split keeps whole, from 0 up, shape `(n,)`.

        Sequences that share a stretch on either strand; where the set says so, those cut from one record: reads of
        genes that all resemble each other would be one group.
        """
        chosen = self.table if rows is None else rows
        if self.grouped_by == BY_SOURCE:
            return np.unique(chosen["source"].str.rpartition(":")[0], return_inverse=True)[1]
        return stretch_groups(self.codes(chosen))

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of sequences of each label in each split: `{label: {split: n}}`."""
        cross = pd.crosstab(self.table["label"], self.table["split"])
        cross = cross.reindex(index=self.labels, columns=list(SPLITS), fill_value=0)
        return {str(label): {part: int(row[part]) for part in SPLITS} for label, row in cross.iterrows()}

    def sha256(self) -> str:
        """Checksum of the table's content (id, sequence, label, split), the same on every machine."""
        digest = hashlib.sha256()
        for row in self.table[["id", "sequence", "label", "split"]].itertuples(index=False):
            digest.update("\t".join(map(str, row)).encode() + b"\n")
        return digest.hexdigest()

    def save(self, folder: str | Path) -> Path:
        """Write the two files into `folder`, each whole or not at all; `dataset.json` comes last.

        Returns:
            The folder.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.info = {"schema": SCHEMA, **self.info, "rows": len(self), "counts": self.counts()}
        self.info["sha256"] = self.sha256()
        with replacing(folder / TABLE) as temporary:
            self.table[list(COLUMNS)].to_parquet(temporary, index=False, compression="zstd")
        with replacing(folder / INFO) as temporary:
            temporary.write_text(json.dumps(self.info, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        self.folder = folder
        return folder

    @classmethod
    def load(cls, folder_or_name: str | Path) -> Dataset:
        """Read a dataset folder, or the dataset of that name in `$DNALM_HOME/datasets`.

        Raises:
            InputError: there is none, or its files are damaged or do not belong together.
        """
        folder = Path(folder_or_name)
        if not (folder / INFO).is_file() and len(folder.parts) == 1:
            folder = settings().datasets / folder_or_name
        if not (folder / INFO).is_file():
            raise InputError(
                f"no dataset {str(folder_or_name)!r}: neither a folder with {INFO} nor a name in "
                f"{settings().datasets}; a recipe's dataset is made by `dnalm data make {folder_or_name}`"
            )
        try:
            info = json.loads((folder / INFO).read_text(encoding="utf-8"))
            table = pd.read_parquet(folder / TABLE)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} cannot be read as a dataset: {error}") from error
        if not isinstance(info, dict) or info.get("schema") != SCHEMA:
            raise InputError(f"{folder / INFO} is not of schema {SCHEMA}, the one that this dnalm reads")
        dataset = cls(table, info, folder)
        if info.get("sha256") != dataset.sha256():
            raise InputError(f"{folder / TABLE} was changed or damaged: {INFO} has another checksum")
        return dataset

    @classmethod
    def from_files(cls, *paths: str | Path, **choices: Any) -> Dataset:
        """Make a dataset from a lab's own file or files; see `dnalm.datasets.files.from_files`."""
        from dnalm.datasets.files import from_files

        return from_files(*paths, **choices)


def table_of(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a table with the columns of a dataset, in order and with fixed types."""
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    table["in_demo_region"] = table["in_demo_region"].astype(bool)
    return table
