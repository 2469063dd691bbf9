"""Figures of a classifier of several classes: overall, macro-averaged, and of each class against the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from dnalm.errors import InputError
from dnalm.metrics.binary import Ranking, check_probability, divide, threshold_statistics
from dnalm.metrics.bootstrap import Figure, Floats, Statistics, bootstrap_figures

PER_CLASS_FIGURES = ("precision", "recall", "specificity", "f1", "auroc", "auprc")


def confusion(truth: ArrayLike, called: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Confusion matrix: rows are the truth, columns what was called, shape `(classes, classes)`."""
    pair = np.asarray(truth, dtype=np.int64) * classes + np.asarray(called, dtype=np.int64)
    return np.bincount(pair, minlength=classes * classes).reshape(classes, classes)


def correlation(tables: ArrayLike) -> Floats:
    """MCC of confusion matrices: R_K of Gorodkin 2004, which for two classes is the ordinary MCC.

    Args:
        tables: rows are the truth, columns what was called, shape `(..., classes, classes)`.

    Returns:
        Shape `(...)`: 0 where one class alone was called, nan where the truth holds one class alone.
    """
    counts = np.asarray(tables, dtype=np.float64)
    total, right = counts.sum(axis=(-2, -1)), np.trace(counts, axis1=-2, axis2=-1)
    of_truth, of_calls = counts.sum(axis=-1), counts.sum(axis=-2)
    cross = right * total - (of_truth * of_calls).sum(axis=-1)
    spread_calls = total**2 - (of_calls**2).sum(axis=-1)
    spread_truth = total**2 - (of_truth**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mcc = cross / np.sqrt(spread_calls * spread_truth)
    return np.where(spread_truth > 0, np.where(spread_calls > 0, mcc, 0.0), np.nan)


def _rates(tables: Floats) -> dict[str, Floats]:
    """One-against-rest figures of each class from confusion matrices `(b, c, c)`: each `(b, c)`."""
    tp = np.diagonal(tables, axis1=1, axis2=2)
    fp, fn = tables.sum(axis=1) - tp, tables.sum(axis=2) - tp
    found = threshold_statistics(tp, fp, fn, tables.sum(axis=(1, 2))[:, None] - tp - fp - fn)
    return {name: found[name] for name in ("precision", "recall", "specificity", "f1")}


def _macro(values: Floats, present: NDArray[np.bool_]) -> Floats:
    """Mean over the classes that the resample holds; a class never called has precision 0 here."""
    return divide(np.where(present, np.nan_to_num(values), 0.0).sum(axis=1), present.sum(axis=1).astype(float))


def _tables_of(
    truth: NDArray[np.int64], called: NDArray[np.int64], classes: int
) -> Callable[[Floats], NDArray[np.float64]]:
    """Confusion matrices of bootstrap weights `(b, n)`, shape `(b, classes, classes)`."""
    cell = sp.csr_array(
        (np.ones(len(truth)), (np.arange(len(truth)), truth * classes + called)), shape=(len(truth), classes**2)
    )
    return lambda weights: (cell.T @ weights.T).T.reshape(len(weights), classes, classes)


def _of_tables(tables: Floats) -> dict[str, Floats]:
    """Figures that need the calls alone."""
    present, each = tables.sum(axis=2) > 0, _rates(tables)
    found = {
        "accuracy": divide(np.trace(tables, axis1=1, axis2=2), tables.sum(axis=(1, 2))),
        "mcc": correlation(tables),
    }
    return found | {f"macro_{name}": _macro(each[name], present) for name in ("precision", "recall", "f1")}


def called_statistics(truth: ArrayLike, called: ArrayLike, classes: int) -> Statistics:
    """Figures of calls alone, as a function of bootstrap weights: accuracy, mcc, and macro precision, recall and f1.

    Args:
        truth: class number of each sequence, shape `(n,)`.
        called: the class that it was called, shape `(n,)`.
        classes: how many.
    """
    tables_of = _tables_of(np.asarray(truth, dtype=np.int64), np.asarray(called, dtype=np.int64), classes)
    return lambda weights: _of_tables(tables_of(weights))


def multiclass_statistics(truth: ArrayLike, probability: ArrayLike, *, per_class: bool = False) -> Statistics:
    """Figures of a classifier of c classes as a function of bootstrap weights.

    Args:
        truth: class number of each sequence, shape `(n,)`.
        probability: shape `(n, c)`, rows that sum to 1; the largest is called.
        per_class: give also each class's figures, named `class/figure`.

    Returns:
        A function from weights `(b, n)` to each figure `(b,)`.
    """
    classes = np.asarray(probability).shape[-1]
    number = np.asarray(truth, dtype=np.int64)
    if number.ndim != 1 or len(number) == 0:
        raise InputError(f"figures want at least one labelled sequence, found labels of shape {number.shape}")
    chance = check_probability(probability, (len(number), classes))
    if number.min() < 0 or number.max() >= classes:
        raise InputError(f"class numbers run from {number.min()} to {number.max()}, 0 to {classes - 1} is wanted")
    tables_of = _tables_of(number, chance.argmax(axis=1), classes)
    hot = np.eye(classes)[number]
    squared = ((chance - hot) ** 2).sum(axis=1)
    rankings = [Ranking(number == one, chance[:, one]) for one in range(classes)]

    def statistics(weights: Floats) -> dict[str, Floats]:
        tables = tables_of(weights)
        found = _of_tables(tables)
        present, each = tables.sum(axis=2) > 0, _rates(tables)
        areas = [ranking.areas(weights) for ranking in rankings]
        each["auroc"] = np.stack([roc for roc, _ in areas], axis=1)
        each["auprc"] = np.stack([pr for _, pr in areas], axis=1)
        several = present.sum(axis=1) > 1
        for name in ("auroc", "auprc"):
            found[f"macro_{name}"] = np.where(several, _macro(each[name], present), np.nan)
        found["brier"] = divide(weights @ squared, weights.sum(axis=1))
        if per_class:
            for one in range(classes):
                found |= {f"{one}/{name}": each[name][:, one] for name in PER_CLASS_FIGURES}
        return found

    return statistics


def per_class_metrics(
    figures: dict[str, Figure], labels: Sequence[str], truth: ArrayLike
) -> dict[str, dict[str, Figure]]:
    """The figures named `class/figure`, gathered by label; each figure's n is the class's own count."""
    support = np.bincount(np.asarray(truth, dtype=np.int64), minlength=len(labels))
    return {
        label: {
            name: Figure(found.value, found.low, found.high, int(support[one]))
            for name in PER_CLASS_FIGURES
            for found in [figures[f"{one}/{name}"]]
        }
        for one, label in enumerate(labels)
    }


def multiclass_metrics(
    truth: ArrayLike,
    probability: ArrayLike,
    labels: Sequence[str],
    *,
    generator: np.random.Generator,
    resamples: int = 1000,
    groups: NDArray[np.integer] | None = None,
) -> dict[str, Figure | dict[str, dict[str, Figure]]]:
    """Every figure of a classifier of several classes, with 95 % bootstrap intervals.

    Macro figures are means over the classes that occur, each counting alike; a class never called has
    precision 0 in the mean. The Brier score is the sum over classes (0 to 2), as Brier defined it.

    Args:
        truth: class number of each sequence, shape `(n,)`.
        probability: shape `(n, c)`.
        labels: the c names.
        generator: source of the resamples.
        resamples: how many; 0 gives no intervals.
        groups: group of each sequence, for a bootstrap over groups.

    Returns:
        accuracy, mcc, macro_precision, macro_recall, macro_f1, macro_auroc, macro_auprc, brier, and
        `per_class`: for each label its precision, recall, specificity, f1, auroc and auprc against the rest.

    Raises:
        InputError: for shapes that do not fit, or values that are not probabilities.
    """
    if np.asarray(probability).ndim != 2 or np.asarray(probability).shape[1] != len(labels):
        raise InputError(f"probabilities have shape {np.asarray(probability).shape} for {len(labels)} labels")
    statistics = multiclass_statistics(truth, probability, per_class=True)
    figures = bootstrap_figures(
        statistics, len(np.asarray(truth)), generator=generator, resamples=resamples, groups=groups
    )
    overall: dict[str, Figure | dict[str, dict[str, Figure]]] = {
        name: figure for name, figure in figures.items() if "/" not in name
    }
    overall["per_class"] = per_class_metrics(figures, labels, truth)
    return overall
