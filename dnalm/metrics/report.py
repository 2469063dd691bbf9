"""The one door to a classifier's figures: what `dnalm evaluate`, a run's result and the pages all hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnalm.errors import InputError
from dnalm.metrics.binary import binary_metrics, check_probability
from dnalm.metrics.multiclass import confusion, multiclass_metrics


def calibration_curve(truth: ArrayLike, probability: ArrayLike, bins: int = 10) -> dict[str, Any]:
    """Whether a probability means what it says: of the sequences given about 0.8, are 80 % positive?

    Args:
        truth: whether what the probability speaks of was so, shape `(n,)`.
        probability: shape `(n,)`.
        bins: equal widths between 0 and 1.

    Returns:
        `bins`: for each bin that holds sequences its low and high end, the mean probability predicted, the
        share observed and n; `error`: the expected calibration error, the mean gap weighted by n.
    """
    happened = np.asarray(truth).astype(bool)
    chance = check_probability(probability, happened.shape)
    place = np.clip((chance * bins).astype(np.int64), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    predicted = np.bincount(place, weights=chance, minlength=bins)
    observed = np.bincount(place, weights=happened, minlength=bins)
    rows = [
        {
            "low": one / bins,
            "high": (one + 1) / bins,
            "predicted": float(predicted[one] / count[one]),
            "observed": float(observed[one] / count[one]),
            "n": int(count[one]),
        }
        for one in np.flatnonzero(count).tolist()
    ]
    error = float(np.abs(predicted - observed).sum() / len(chance)) if len(chance) else None
    return {"bins": rows, "error": error}


def _class_numbers(truth: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    number = {label: one for one, label in enumerate(labels)}
    if len(number) != len(labels) or len(labels) < 2:
        raise InputError(f"labels {list(labels)} are not two or more different names")
    strange = sorted({label for label in truth if label not in number})
    if strange:
        raise InputError(f"label {strange[0]!r} is not one of the classifier's: {', '.join(labels)}")
    return np.array([number[label] for label in truth], dtype=np.int64)


def evaluate_probabilities(
    truth: Sequence[str],
    probability: ArrayLike,
    labels: Sequence[str],
    positive: str | None = None,
    threshold: float | None = None,
    *,
    generator: np.random.Generator,
    resamples: int = 1000,
    groups: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Everything there is to say about a classifier's probabilities on labelled sequences, ready for JSON.

    Args:
        truth: the label of each sequence, n of them.
        probability: shape `(n, c)`, columns as `labels`.
        labels: the classifier's c labels.
        positive: for two labels, the one that the figures speak of; the second when None.
        threshold: for two labels, called positive from here up; 0.5 when None. Several classes have none:
            the largest probability is called.
        generator: source of the bootstrap resamples.
        resamples: how many; 0 gives no intervals.
        groups: group of each sequence, shape `(n,)`, for a bootstrap over groups.

    Returns:
        `n`, `labels`, `positive`, `threshold`, `resamples`, `figures` (name to value, low, high, n),
        `confusion` (labels, and matrix with the truth in rows), `calibration` (see `calibration_curve`;
        of the called class when there are several), and `per_class` (label to figures; empty for two).

    Raises:
        InputError: for a label that the classifier does not have, or shapes that do not fit.
    """
    number = _class_numbers(truth, labels)
    chance = check_probability(probability, (len(number), len(labels)))
    if len(number) == 0:
        raise InputError("there are no labelled sequences to evaluate on")
    report: dict[str, Any] = {"n": len(number), "labels": list(labels), "resamples": resamples}
    if len(labels) == 2:
        positive = labels[1] if positive is None else positive
        if positive not in labels:
            raise InputError(f"positive label {positive!r} is not one of {', '.join(labels)}")
        column = list(labels).index(positive)
        cut = 0.5 if threshold is None else float(threshold)
        is_positive, score = number == column, chance[:, column]
        figures = binary_metrics(
            is_positive, score, threshold=cut, generator=generator, resamples=resamples, groups=groups
        )
        called = np.where(score >= cut, column, 1 - column)
        calibration = calibration_curve(is_positive, score)
        per_class: dict[str, Any] = {}
    else:
        cut = None
        figures = multiclass_metrics(number, chance, labels, generator=generator, resamples=resamples, groups=groups)
        each = figures.pop("per_class")
        per_class = {
            label: {name: figure.as_dict() for name, figure in of_class.items()} for label, of_class in each.items()
        }
        called = chance.argmax(axis=1)
        calibration = calibration_curve(called == number, chance.max(axis=1))
    return report | {
        "positive": positive,
        "threshold": cut,
        "figures": {name: figure.as_dict() for name, figure in figures.items()},
        "confusion": {"labels": list(labels), "matrix": confusion(number, called, len(labels)).tolist()},
        "calibration": calibration,
        "per_class": per_class,
    }
