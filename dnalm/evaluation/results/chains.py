"""Grouped folds where repeats chain many sequences to one group: what each row reaches on all others.

Groups are kept whole, so the largest lies in one fold and is judged by a model that met none like it: where it is a
large share of the set, that one group may decide who is ahead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dnalm.evaluation.results import predictions
from dnalm.evaluation.results.intervals import mean_figures

GROUPED = "grouped"
LEAST_SHARE = 0.1
"""Of the set: smaller groups decide little."""
FIGURES = ("mcc", "accuracy")
_SEED = 0  # of the bootstrap: the same predictions give the same interval


def without_largest(path: Path, model: str, seeds: list[int]) -> dict[str, Any] | None:
    """Figures of a row of grouped folds on all sequences but those of the largest group.

    Args:
        path: the task's predictions (`dnalm.evaluation.results.predictions`).
        model: of the row.
        seeds: of the row.

    Returns:
        `largest` and `of`, in sequences, and `figures` with 95 % intervals over the other groups; None where no group
        is a large share, or the row's predictions are not kept.

    Raises:
        InputError: the file cannot be read.
    """
    if not predictions.has(path, GROUPED, model, seeds):
        return None
    runs, table = predictions.read(path, GROUPED, model, seeds)
    groups = table[predictions.GROUP].to_numpy()
    names, counts = np.unique(groups, return_counts=True)
    if counts.max() < LEAST_SHARE * len(groups):
        return None
    rest = np.flatnonzero(groups != names[counts.argmax()])
    figures = mean_figures(
        [run.take(rest) for run in runs],
        figures=FIGURES,
        groups=groups[rest],
        generator=np.random.default_rng(_SEED),
    )
    return {
        "largest": int(counts.max()),
        "of": len(groups),
        "figures": {name: figure.as_dict() for name, figure in figures.items()},
    }
