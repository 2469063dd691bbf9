"""How a plain model is fitted fairly: its strength, calibration and threshold come from inner folds.

A `Trainer` knows one kind of model and fits it at several strengths at once. `cross_fit` runs it over inner
folds of the training sequences (those that share a stretch stay together), takes the strength with the best
out-of-fold likelihood, turns its scores into probabilities by a logistic curve through the out-of-fold scores
(Platt 1999), and sets the threshold for the best MCC on them. Test sequences are never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from dnalm.datasets.splits import folds_of_groups, random_folds, stretch_groups
from dnalm.errors import InputError
from dnalm.evaluation.features import Floats, Sequences, take
from dnalm.metrics import choose_threshold

Labels = NDArray[np.bool_]
# A score of each sequence, shape (n,), higher for likelier positives; best a log-odds.
Scorer = Callable[[Sequences], Floats]
# One scorer for each strength tried, always as many and in the same order.
Trainer = Callable[[Sequences, Labels, np.random.Generator], Sequence[Scorer]]

INNER_FOLDS = 4


class Predictor(Protocol):
    """What a fit gives: the probability of the positive class of each sequence, shape `(n,)`."""

    def __call__(self, sequences: Sequences) -> Floats:
        """Probabilities of sequences, given as what was fitted on: an array of one length, or a list."""
        ...


# The contract that everything compared keeps, plain model or network.
Fit = Callable[[Sequences, Labels, np.random.Generator], Predictor]


@dataclass(frozen=True)
class Fitted:
    """A fitted model with what its inner folds gave.

    Attributes:
        probability_of: the model.
        threshold: called positive from this probability up.
        out_of_fold: probability of each training sequence from a model that had not seen it, shape `(n,)`.
        strength: which of the trainer's strengths was taken.
    """

    probability_of: Scorer
    threshold: float
    out_of_fold: Floats
    strength: int = 0

    def __call__(self, sequences: Sequences) -> Floats:
        """Probability of the positive class of each sequence, shape `(n,)`."""
        return self.probability_of(sequences)


def inner_folds(
    sequences: Sequences,
    labels: Labels,
    generator: np.random.Generator,
    folds: int = INNER_FOLDS,
    *,
    grouped: bool = True,
) -> NDArray[np.int64]:
    """Stratified folds of training sequences.

    Args:
        sequences: to be dealt, n of them.
        labels: of each.
        generator: where the random order comes from.
        folds: how many; fewer where a class has fewer sequences.
        grouped: keep sequences that share a stretch together, where the groups are enough to give each fold
            both classes. False deals them freely: right when the outer split is random too, since then what
            pays inside pays outside, even where that is remembering neighbours.

    Returns:
        Fold of each, shape `(n,)`.

    Raises:
        InputError: when a class has fewer than two sequences.
    """
    fewest = int(min(labels.sum(), (~labels).sum()))
    if fewest < 2:
        raise InputError(f"fitting wants at least two sequences of each class, found {fewest} of one")
    folds = min(folds, fewest)
    groups = stretch_groups(list(sequences)) if grouped else np.zeros(0)
    if len(np.unique(groups)) >= folds:
        fold = folds_of_groups(groups, labels, folds, generator)
        if all(len(np.unique(labels[fold == one])) == 2 for one in range(folds)):
            return fold
    return random_folds(labels, folds, generator)


def platt(score: Floats, labels: Labels) -> tuple[float, float]:
    """Slope and offset of the logistic curve from score to probability."""
    spread = float(score.std()) or 1.0
    curve = LogisticRegression(C=100.0).fit(score[:, None] / spread, labels)
    return float(curve.coef_[0, 0]) / spread, float(curve.intercept_[0])


def _log_loss(probability: Floats, labels: Labels) -> float:
    right = np.where(labels, probability, 1 - probability)
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def cross_fit(trainer: Trainer, *, folds: int = INNER_FOLDS, grouped: bool = True) -> Fit:
    """Make a fit of a trainer: strength, calibration and threshold from inner folds, then all sequences.

    Args:
        trainer: what to fit.
        folds: inner folds.
        grouped: whether they keep shared stretches together, see `inner_folds`.
    """

    def fit(sequences: Sequences, labels: Labels, generator: np.random.Generator) -> Fitted:
        labels = np.asarray(labels).astype(bool)
        fold = inner_folds(sequences, labels, generator, folds, grouped=grouped)
        scores = np.zeros((0, len(labels)))
        for one in range(fold.max() + 1):
            inside = fold != one
            scorers = trainer(take(sequences, inside), labels[inside], generator)
            if len(scores) == 0:
                scores = np.zeros((len(scorers), len(labels)))
            held_out = take(sequences, ~inside)
            scores[:, ~inside] = [scorer(held_out) for scorer in scorers]
        curves = [platt(score, labels) for score in scores]
        chances = [expit(a * score + b) for score, (a, b) in zip(scores, curves, strict=True)]
        best = int(np.argmin([_log_loss(chance, labels) for chance in chances]))
        slope, offset = curves[best]
        scorer = trainer(sequences, labels, generator)[best]
        return Fitted(
            lambda wanted: expit(slope * scorer(wanted) + offset),
            choose_threshold(labels, chances[best]),
            chances[best],
            best,
        )

    return fit


def average(fits: Sequence[Fit], *, select: bool = False) -> Fit:
    """Fit several models and average their log-odds; the threshold is the averages' own, out of fold.

    The inner folds of each differ, which does no harm: each training sequence's average holds only models
    that had not seen it.

    Args:
        fits: what to average.
        select: take those, and as often, as the out-of-fold likelihood of the training sequences wants (see
            `chosen_members`); else all alike.

    Raises:
        InputError: for a fit whose result holds no out-of-fold probabilities (see `Fitted`).
    """

    def fit(sequences: Sequences, labels: Labels, generator: np.random.Generator) -> Fitted:
        fitted = [one(sequences, labels, generator) for one in fits]
        if not all(isinstance(one, Fitted) for one in fitted):
            raise InputError("an average wants fits that give out-of-fold probabilities")
        members = list(range(len(fitted)))
        if select:
            members = chosen_members([one.out_of_fold for one in fitted], labels)
        fitted = [fitted[member] for member in members]
        inside = average_log_odds([one.out_of_fold for one in fitted])
        return Fitted(
            lambda wanted: average_log_odds([one(wanted) for one in fitted]),
            choose_threshold(labels, inside),
            inside,
        )

    return fit


def chosen_members(probabilities: Sequence[Floats], labels: Labels, most: int = 10) -> list[int]:
    """Which models to average, by greedy selection with replacement (Caruana et al. 2004).

    Starting from none, the model is added that makes the average likeliest; one may be added again, which
    weighs it more. It ends when no addition helps.

    Args:
        probabilities: out-of-fold, each `(n,)`.
        labels: shape `(n,)`.
        most: members at most.

    Returns:
        The members' numbers, with repeats, at least one.
    """
    members: list[int] = []
    best = np.inf
    while len(members) < most:
        losses = [
            _log_loss(average_log_odds([probabilities[one] for one in [*members, new]]), labels)
            for new in range(len(probabilities))
        ]
        if min(losses) >= best:
            break
        best = min(losses)
        members.append(int(np.argmin(losses)))
    return members


def average_log_odds(probabilities: Sequence[Floats]) -> Floats:
    """The probability whose log-odds are the mean of the given ones' log-odds."""
    clipped = np.clip(np.stack(list(probabilities)), 1e-9, 1 - 1e-9)
    return expit(np.log(clipped / (1 - clipped)).mean(axis=0))
