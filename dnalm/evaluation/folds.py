"""Run anything that fits and predicts over folds and seeds, and keep every sequence's out-of-fold prediction."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnalm.errors import InputError
from dnalm.evaluation.features import Floats, Sequences, take
from dnalm.evaluation.fitting import Fit, Labels, inner_folds
from dnalm.metrics import Figure, binary_metrics, binary_statistics, choose_threshold
from dnalm.metrics.bootstrap import Statistics
from dnalm.metrics.multiclass import called_statistics

THRESHOLD_FOLDS = 3


@dataclass(frozen=True)
class OutOfFold:
    """Each sequence's prediction by the model that had not seen it.

    Attributes:
        name: of the model.
        seed: of the fits.
        fold: of each sequence, shape `(n,)`.
        truth: whether each is positive, shape `(n,)`.
        probability: of the positive class, shape `(n,)`.
        threshold: of each sequence's fold, shape `(n,)`: chosen on that fold's training sequences.
        seconds: what each fold took to fit and predict, in order.
    """

    name: str
    seed: int
    fold: NDArray[np.int64]
    truth: Labels
    probability: Floats
    threshold: Floats
    seconds: tuple[float, ...]

    @property
    def called(self) -> Labels:
        """Whether each was called positive."""
        return self.probability >= self.threshold

    def take(self, rows: NDArray[np.int64]) -> OutOfFold:
        """The predictions of some of the sequences."""
        parts = {name: getattr(self, name)[rows] for name in ("fold", "truth", "probability", "threshold")}
        return replace(self, **parts)

    def statistics(self, figures: Sequence[str]) -> Statistics:
        """Figures as a function of bootstrap weights."""
        return binary_statistics(self.truth, self.probability, self.threshold, tuple(figures))

    def metrics(
        self,
        generator: np.random.Generator,
        *,
        resamples: int = 1000,
        groups: NDArray[np.integer] | None = None,
    ) -> dict[str, Figure]:
        """Figures of all out-of-fold predictions together, with bootstrap intervals over sequences or groups."""
        return binary_metrics(
            self.truth,
            self.probability,
            threshold=self.threshold,
            generator=generator,
            resamples=resamples,
            groups=groups,
        )

    def by_fold(self, figure: str = "mcc") -> Floats:
        """One figure of each fold, shape `(folds,)`."""
        generator = np.random.default_rng(0)  # no resamples are drawn
        values = []
        for one in np.unique(self.fold):
            inside = self.fold == one
            found = binary_metrics(
                self.truth[inside],
                self.probability[inside],
                threshold=self.threshold[inside],
                generator=generator,
                resamples=0,
            )
            values.append(found[figure].value)
        return np.array(values)


@dataclass(frozen=True)
class Calls:
    """Each sequence's call among several classes, by the model that had not seen it.

    Attributes:
        name: of the model.
        seed: of the fits.
        truth: class number of each, shape `(n,)`.
        called: the class that it was called, shape `(n,)`.
        probability: of the class that it was called, shape `(n,)`.
        classes: how many.
    """

    name: str
    seed: int
    truth: NDArray[np.int64]
    called: NDArray[np.int64]
    probability: Floats
    classes: int

    def take(self, rows: NDArray[np.int64]) -> Calls:
        """The predictions of some of the sequences."""
        return replace(self, **{name: getattr(self, name)[rows] for name in ("truth", "called", "probability")})

    def statistics(self, figures: Sequence[str]) -> Statistics:
        """Figures as a function of bootstrap weights; precision, recall and f1 are means over the classes."""
        of_calls = called_statistics(self.truth, self.called, self.classes)

        def statistics(weights: Floats) -> dict[str, Floats]:
            found = of_calls(weights)
            return {name: found[name if name in found else f"macro_{name}"] for name in figures}

        return statistics


Run = OutOfFold | Calls
"""Predictions of one seed."""


def _threshold_of(fit: Fit, sequences: Sequences, labels: Labels, generator: np.random.Generator) -> float:
    """The threshold of a fit that brings none: chosen on out-of-fold predictions of the training sequences."""
    fold = inner_folds(sequences, labels, generator, THRESHOLD_FOLDS)
    chance = np.zeros(len(labels))
    for one in range(fold.max() + 1):
        inside = fold != one
        predict = fit(take(sequences, inside), labels[inside], generator)
        chance[~inside] = predict(take(sequences, ~inside))
    return choose_threshold(labels, chance)


def run_folds(
    name: str,
    fit: Fit,
    sequences: Sequences,
    labels: ArrayLike,
    fold: ArrayLike,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> OutOfFold:
    """Fit on all folds but one, predict that one, in turn.

    Args:
        name: of the model, for tables.
        fit: `fit(sequences, labels, generator)` gives `predict(sequences)`, which gives the probability of the
            positive class `(n,)`. Where what it gives has a `threshold`, chosen on the training sequences,
            that is used; else one is chosen here on three inner folds, which costs three fits more.
        sequences: uint8 codes `(n, length)`, or a list of 1-D codes.
        labels: whether each is positive, shape `(n,)`.
        fold: of each sequence, shape `(n,)`, from 0.
        seed: each fold's generator is made of the seed and the fold's number, so a fold gives the same alone.
        progress: called with (folds done, folds).

    Returns:
        The out-of-fold predictions.

    Raises:
        InputError: when lengths do not fit, or a fold's training sequences are of one class.
    """
    truth = np.asarray(labels).astype(bool)
    folds = np.asarray(fold, dtype=np.int64)
    if not len(sequences) == len(truth) == len(folds):
        raise InputError(f"found {len(sequences)} sequences, {len(truth)} labels and {len(folds)} folds")
    probability, threshold = np.zeros(len(truth)), np.zeros(len(truth))
    seconds: list[float] = []
    names = np.unique(folds)
    for one in names:
        inside = folds != one
        if len(np.unique(truth[inside])) < 2:
            raise InputError(f"without fold {one} the training sequences are of one class")
        start = time.perf_counter()
        generator = np.random.default_rng([seed, int(one)])
        training = take(sequences, inside)
        predict = fit(training, truth[inside], generator)
        probability[~inside] = predict(take(sequences, ~inside))
        cut = getattr(predict, "threshold", None)
        if cut is None:
            cut = _threshold_of(fit, training, truth[inside], generator)
        threshold[~inside] = cut
        seconds.append(time.perf_counter() - start)
        if progress is not None:
            progress(len(seconds), len(names))
    return OutOfFold(name, seed, folds, truth, probability, threshold, tuple(seconds))


def run_seeds(
    name: str,
    fit: Fit,
    sequences: Sequences,
    labels: ArrayLike,
    folds: Mapping[int, ArrayLike],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[OutOfFold]:
    """`run_folds` for each seed's own folds: one result a seed, in order.

    Args:
        name: of the model.
        fit: see `run_folds`.
        sequences: see `run_folds`.
        labels: see `run_folds`.
        folds: seed to the fold of each sequence.
        progress: called with (seeds done, seeds).
    """
    results = []
    for seed, fold in folds.items():
        results.append(run_folds(name, fit, sequences, labels, fold, seed=seed))
        if progress is not None:
            progress(len(results), len(folds))
    return results
