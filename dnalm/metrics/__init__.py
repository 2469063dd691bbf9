"""Figures with their 95 % intervals: what training, evaluation and the pages all report."""

from dnalm.metrics.binary import binary_metrics, binary_statistics, choose_threshold
from dnalm.metrics.bootstrap import Figure, block_bootstrap_mean, bootstrap_figures, resample_weights
from dnalm.metrics.multiclass import (
    confusion,
    correlation,
    multiclass_metrics,
    multiclass_statistics,
    per_class_metrics,
)
from dnalm.metrics.report import calibration_curve, evaluate_probabilities

__all__ = [
    "Figure",
    "binary_metrics",
    "binary_statistics",
    "block_bootstrap_mean",
    "bootstrap_figures",
    "calibration_curve",
    "choose_threshold",
    "confusion",
    "correlation",
    "evaluate_probabilities",
    "multiclass_metrics",
    "multiclass_statistics",
    "per_class_metrics",
    "resample_weights",
]
