"""Figures of a yes-or-no classifier, and the choice of its threshold.

A sequence is called positive when its probability is at least the threshold. What has no meaning is nan,
not zero: precision when nothing was called positive, recall without positives, AUROC and AUPRC of one class.
MCC is 0 when everything was called the same (no association to see) and nan when the truth has one class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnalm.errors import InputError
from dnalm.metrics.bootstrap import Figure, Floats, Statistics, bootstrap_figures

BINARY_FIGURES = ("accuracy", "precision", "recall", "specificity", "f1", "mcc", "auroc", "auprc", "brier")
THRESHOLD_CRITERIA = ("mcc", "f1", "accuracy", "youden")


def divide(top: Floats, bottom: Floats) -> Floats:
    """Elementwise quotient, nan where the divisor is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def check_probability(probability: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """Probabilities as float64, refused when of another shape, not finite or outside 0 to 1."""
    values = np.asarray(probability, dtype=np.float64)
    if values.shape != shape:
        raise InputError(f"probabilities have shape {values.shape}, {shape} is wanted")
    # Softmax in float32 may exceed 1 by rounding; anything more is a mistake, such as logits.
    if not np.isfinite(values).all() or (len(values) and (values.min() < -1e-6 or values.max() > 1 + 1e-6)):
        raise InputError("probabilities hold a value that is not between 0 and 1")
    return values


def threshold_statistics(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> dict[str, Floats]:
    """Figures of a two-by-two table, for tables of any common shape."""
    product = (tp + fp) * (tn + fn)
    truth_margin = (tp + fn) * (tn + fp)
    with np.errstate(divide="ignore", invalid="ignore"):
        mcc = (tp * tn - fp * fn) / (np.sqrt(product) * np.sqrt(truth_margin))
    mcc = np.where(truth_margin > 0, np.where(product > 0, np.clip(mcc, -1, 1), 0.0), np.nan)
    return {
        "accuracy": divide(tp + tn, tp + fp + fn + tn),
        "precision": divide(tp, tp + fp),
        "recall": divide(tp, tp + fn),
        "specificity": divide(tn, tn + fp),
        "f1": divide(2 * tp, 2 * tp + fp + fn),
        "mcc": mcc,
    }


class Ranking:
    """AUROC and AUPRC of one ordering of the sequences, for any weights.

    The order is found once. Equal probabilities are one step of the curve, as they should be.
    """

    def __init__(self, truth: NDArray[np.bool_], probability: Floats) -> None:
        self.order = np.argsort(probability, kind="stable")
        ordered = probability[self.order]
        self.truth = truth[self.order].astype(np.float64)
        self.steps = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self.tied = len(self.steps) < len(ordered)

    def areas(self, weights: Floats) -> tuple[Floats, Floats]:
        """AUROC and AUPRC for weights `(b, n)`: each `(b,)`, nan where a class is absent."""
        ordered = weights[:, self.order]
        positive = ordered * self.truth
        if self.tied:
            ordered = np.add.reduceat(ordered, self.steps, axis=1)
            positive = np.add.reduceat(positive, self.steps, axis=1)
        negative = ordered - positive
        negatives_up_to = np.cumsum(negative, axis=1)
        positives, negatives = positive.sum(axis=1), negatives_up_to[:, -1]
        # Each positive beats the negatives below it and half of those at its own step.
        wins = np.einsum("bn,bn->b", positive, negatives_up_to - 0.5 * negative)
        auroc = divide(wins, positives * negatives)
        called_from_top = np.cumsum(ordered[:, ::-1], axis=1)[:, ::-1]
        positives_from_top = np.cumsum(positive[:, ::-1], axis=1)[:, ::-1]
        precision = np.divide(
            positives_from_top, called_from_top, out=np.zeros_like(called_from_top), where=called_from_top > 0
        )
        auprc = divide(np.einsum("bn,bn->b", positive, precision), positives)
        return auroc, np.where(negatives > 0, auprc, np.nan)


def binary_statistics(
    truth: ArrayLike,
    probability: ArrayLike,
    threshold: float | ArrayLike,
    names: tuple[str, ...] = BINARY_FIGURES,
) -> Statistics:
    """The figures of a binary classifier as a function of bootstrap weights.

    Args:
        truth: whether each sequence is positive, shape `(n,)`.
        probability: of the positive class, shape `(n,)`.
        threshold: one for all, or one for each sequence, `(n,)`: out-of-fold predictions have one a fold.
        names: the figures wanted; AUROC and AUPRC cost most.

    Returns:
        A function from weights `(b, n)` to each figure `(b,)`.

    Raises:
        InputError: for no sequences, unequal lengths, a value that is not a probability, an unknown name.
    """
    is_positive = np.asarray(truth).astype(bool)
    if is_positive.ndim != 1 or len(is_positive) == 0:
        raise InputError(f"figures want at least one labelled sequence, found labels of shape {is_positive.shape}")
    chance = check_probability(probability, is_positive.shape)
    if unknown := set(names) - set(BINARY_FIGURES):
        raise InputError(f"no figure named {sorted(unknown)[0]}: one of {', '.join(BINARY_FIGURES)} is wanted")
    called = chance >= np.broadcast_to(np.asarray(threshold, dtype=np.float64), chance.shape)
    cells = np.stack(
        [
            is_positive & called,
            ~is_positive & called,
            is_positive & ~called,
            ~is_positive & ~called,
            (chance - is_positive) ** 2,
        ],
        axis=1,
    ).astype(np.float64)
    ranking = Ranking(is_positive, chance) if {"auroc", "auprc"} & set(names) else None

    def statistics(weights: Floats) -> dict[str, Floats]:
        tp, fp, fn, tn, squared = (weights @ cells).T
        found = threshold_statistics(tp, fp, fn, tn)
        if ranking is not None:
            found["auroc"], found["auprc"] = ranking.areas(weights)
        found["brier"] = divide(squared, weights.sum(axis=1))
        return {name: found[name] for name in names}

    return statistics


def binary_metrics(
    truth: ArrayLike,
    probability: ArrayLike,
    *,
    threshold: float | ArrayLike,
    generator: np.random.Generator,
    resamples: int = 1000,
    groups: NDArray[np.integer] | None = None,
) -> dict[str, Figure]:
    """Every figure of a binary classifier, with 95 % bootstrap intervals.

    Args:
        truth: whether each sequence is positive, shape `(n,)`.
        probability: of the positive class, shape `(n,)`.
        threshold: called positive from here up; one for all or one for each sequence.
        generator: source of the resamples.
        resamples: how many; 0 gives no intervals.
        groups: group of each sequence, for a bootstrap over groups.

    Returns:
        accuracy, precision, recall, specificity, f1, mcc, auroc, auprc (average precision), brier.

    Raises:
        InputError: see `binary_statistics`.
    """
    statistics = binary_statistics(truth, probability, threshold)
    return bootstrap_figures(
        statistics, len(np.asarray(truth)), generator=generator, resamples=resamples, groups=groups
    )


def choose_threshold(truth: ArrayLike, probability: ArrayLike, by: str = "mcc") -> float:
    """The threshold that serves best on these sequences (validation, never test).

    Args:
        truth: whether each sequence is positive, shape `(n,)`, both classes present.
        probability: of the positive class, shape `(n,)`.
        by: mcc, f1, accuracy or youden (recall + specificity - 1).

    Returns:
        A value half-way between two neighbouring probabilities; of equally good ones, the nearest to 0.5.

    Raises:
        InputError: when one class is absent or `by` is unknown.
    """
    is_positive = np.asarray(truth).astype(bool)
    chance = check_probability(probability, is_positive.shape)
    if by not in THRESHOLD_CRITERIA:
        raise InputError(f"no threshold criterion named {by}: one of {', '.join(THRESHOLD_CRITERIA)} is wanted")
    if is_positive.all() or not is_positive.any():
        raise InputError("a threshold is chosen on sequences of both classes, found one class")
    values, step = np.unique(chance, return_inverse=True)
    at_step = np.bincount(step, minlength=len(values)).astype(np.float64)
    positive_at_step = np.bincount(step, weights=is_positive, minlength=len(values))
    # Candidate i calls positive everything from values[i] up.
    called = np.cumsum(at_step[::-1])[::-1]
    tp = np.cumsum(positive_at_step[::-1])[::-1]
    fp = called - tp
    fn, tn = is_positive.sum() - tp, (~is_positive).sum() - fp
    found = threshold_statistics(tp, fp, fn, tn)
    score = found["recall"] + found["specificity"] if by == "youden" else found[by]
    # The lowest candidate has nothing below it: it stands at that value itself.
    between = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2])
    best = between[score >= score.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])
