"""ROC, precision-recall and calibration of a row's predictions, thinned to what a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from dnalm.evaluation.folds import OutOfFold, Run
from dnalm.evaluation.results.intervals import mean_figures
from dnalm.metrics import Figure
from dnalm.metrics.report import calibration_curve

POINTS = 200
_SEED = 0  # of the bootstrap: the same predictions give the same interval
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """The curves of one seed's predictions.

    Attributes:
        roc: false positive rate and recall, `(points,)` each; None of several classes.
        precision_recall: recall and precision, `(points,)` each; None of several classes.
        calibration: mean probability given and share found positive, a point for each tenth that holds sequences; of
            several classes the probability of the class that was called, and the share that it was right.
        calibration_n: sequences in each of those.
        error: expected calibration error.
        positives: share of the sequences that are positive: the precision of calling all. None of several classes.
    """

    roc: tuple[Floats, Floats] | None
    precision_recall: tuple[Floats, Floats] | None
    calibration: tuple[Floats, Floats]
    calibration_n: NDArray[np.int64]
    error: float
    positives: float | None


def curves(run: Run) -> Curves:
    """The curves of one seed; steps are kept, points between them left out where there are too many."""
    roc = precision_recall = positives = None
    if isinstance(run, OutOfFold):
        false_positive, recall, _ = roc_curve(run.truth, run.probability)
        precision, sensitivity, _ = precision_recall_curve(run.truth, run.probability)
        roc, precision_recall = _thin(false_positive, recall), _thin(sensitivity, precision)
        positives = float(run.truth.mean())
        found = calibration_curve(run.truth, run.probability)
    else:
        found = calibration_curve(run.called == run.truth, run.probability)
    bins = found["bins"]
    return Curves(
        roc,
        precision_recall,
        (np.array([one["predicted"] for one in bins]), np.array([one["observed"] for one in bins])),
        np.array([one["n"] for one in bins]),
        found["error"],
        positives,
    )


def brier(runs: Sequence[Run], groups: NDArray[np.integer] | None) -> Figure | None:
    """Mean squared error of the probability given, over the seeds (Brier 1950); None of several classes.

    Args:
        runs: of one row, seed by seed.
        groups: group of each sequence, drawn whole; None draws sequences.
    """
    if not isinstance(runs[0], OutOfFold):
        return None
    return mean_figures(runs, figures=("brier",), groups=groups, generator=np.random.default_rng(_SEED))["brier"]


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    if len(x) <= POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, POINTS).round().astype(int))
    return x[kept], y[kept]
