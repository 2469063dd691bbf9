"""ROC, precision-recall and calibration of a row's predictions, thinned to what a picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from dnalm.evaluation.folds import OutOfFold
from dnalm.metrics.report import calibration_curve

POINTS = 200
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """The three curves of one seed's predictions.

    Attributes:
        roc: false positive rate and recall, `(points,)` each.
        precision_recall: recall and precision, `(points,)` each.
        calibration: mean probability given and share found positive, a point for each tenth that holds sequences.
        calibration_n: sequences in each of those.
        error: expected calibration error.
        positives: share of the sequences that are positive: the precision of calling all.
    """

    roc: tuple[Floats, Floats]
    precision_recall: tuple[Floats, Floats]
    calibration: tuple[Floats, Floats]
    calibration_n: NDArray[np.int64]
    error: float
    positives: float


def curves(run: OutOfFold) -> Curves:
    """The curves of one seed; steps are kept, points between them left out where there are too many."""
    false_positive, recall, _ = roc_curve(run.truth, run.probability)
    precision, sensitivity, _ = precision_recall_curve(run.truth, run.probability)
    found = calibration_curve(run.truth, run.probability)
    bins = found["bins"]
    return Curves(
        _thin(false_positive, recall),
        _thin(sensitivity, precision),
        (np.array([one["predicted"] for one in bins]), np.array([one["observed"] for one in bins])),
        np.array([one["n"] for one in bins]),
        found["error"],
        float(run.truth.mean()),
    )


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    if len(x) <= POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, POINTS).round().astype(int))
    return x[kept], y[kept]
