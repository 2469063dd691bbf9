"""The predictions behind a task's rows, sequence by sequence: what curves, paired tests and disagreements need.

They are kept beside the rows, in `predictions/TASK.parquet`: a line for each sequence of the dataset, and for each
row and seed two columns, the probability in thousandths and whether it was called positive. Of several classes, they
are the probability of the class that was called, and its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.evaluation.folds import Calls, OutOfFold, Run
from dnalm.files import replacing

THOUSAND = 1000
GROUP = "group"
TRUTH = "truth"


def predictions_file(folder: Path, task: str) -> Path:
    """Where a task's predictions are kept."""
    return folder / "predictions" / f"{task}.parquet"


def column(split: str, model: str, seed: int, what: str) -> str:
    """The name of a row's column of one seed; `what` is `probability` or `called`."""
    return f"{split}/{model}/seed{seed}/{what}"


def columns_of(split: str, model: str, run: Run, rows: NDArray[np.int64], count: int) -> dict[str, pd.Series]:
    """One seed's predictions as two columns over the whole dataset; empty where a sequence was not predicted.

    Args:
        split: of the row.
        model: of the row.
        run: its predictions of one seed.
        rows: the row in the dataset of each prediction.
        count: sequences of the dataset.
    """
    probability = pd.array([pd.NA] * count, dtype="UInt16")
    called = pd.array([pd.NA] * count, dtype="boolean" if isinstance(run, OutOfFold) else "Int16")
    probability[rows] = np.round(run.probability * THOUSAND).astype(np.uint16)
    called[rows] = run.called
    return {
        column(split, model, run.seed, "probability"): pd.Series(probability),
        column(split, model, run.seed, "called"): pd.Series(called),
    }


def write(path: Path, fixed: Mapping[str, Any], columns: Mapping[str, pd.Series]) -> None:
    """Bring a task's predictions up to date: columns of other rows stay, unless the dataset is another one.

    Args:
        path: see `predictions_file`.
        fixed: columns of the dataset: the truth and the group of each sequence.
        columns: new ones.
    """
    frame = pd.DataFrame(fixed)
    old = _old(path)
    same = old is not None and len(old) == len(frame)
    if same and all(np.array_equal(old[name], frame[name]) for name in fixed if name in old):
        replaced = {name.rsplit("/", 2)[0] for name in columns}
        frame = old[[name for name in old if name.rsplit("/", 2)[0] not in replaced]]
    frame = pd.concat([frame, pd.DataFrame(dict(columns))], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")


def _old(path: Path) -> pd.DataFrame | None:
    try:
        return pd.read_parquet(path) if path.is_file() else None
    except (OSError, ValueError):  # damaged: what is measured from now on is kept anew
        return None


def has(path: Path, split: str, model: str, seeds: Iterable[int]) -> bool:
    """Whether a file has a row's predictions of all these seeds; a damaged one has none."""
    if not path.is_file():
        return False
    try:
        there = set(pq.read_schema(path).names)
    except (OSError, ValueError):  # pyarrow's own errors are ValueErrors
        return False
    return all(column(split, model, seed, "called") in there for seed in seeds)


def read(path: Path, split: str, model: str, seeds: Iterable[int]) -> tuple[list[Run], pd.DataFrame]:
    """A row's predictions, seed by seed, in the order of the dataset's rows.

    Returns:
        The predictions, to a thousandth, each with a threshold on the side of it that its call says; and of each
        prediction the row in the dataset (the index) and its group.

    Raises:
        InputError: the file has no such row.
    """
    wanted = [column(split, model, seed, what) for seed in seeds for what in ("probability", "called")]
    try:
        table = pd.read_parquet(path, columns=[TRUTH, GROUP, *wanted])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: no predictions of {model} on {split}: {error}") from error
    table = table[table[wanted[0]].notna()]
    if not pd.api.types.is_bool_dtype(table[TRUTH]):
        return [_calls(table, split, model, seed) for seed in seeds], table[[GROUP]]
    truth, zeros = table[TRUTH].to_numpy(dtype=bool), np.zeros(len(table), dtype=np.int64)
    runs: list[Run] = []
    for seed in seeds:
        probability = table[column(split, model, seed, "probability")].to_numpy(dtype=np.float64) / THOUSAND
        called = table[column(split, model, seed, "called")].to_numpy(dtype=bool)
        # The threshold is a fold's own: called or not is what counts, so each gets one on the right side of it.
        threshold = np.where(called, probability, probability + 1 / THOUSAND)
        runs.append(OutOfFold(model, seed, zeros, truth, probability, threshold, ()))
    return runs, table[[GROUP]]


def _calls(table: pd.DataFrame, split: str, model: str, seed: int) -> Calls:
    truth, called = (table[name].to_numpy(dtype=np.int64) for name in (TRUTH, column(split, model, seed, "called")))
    probability = table[column(split, model, seed, "probability")].to_numpy(dtype=np.float64) / THOUSAND
    return Calls(model, seed, truth, called, probability, int(max(truth.max(), called.max())) + 1)
