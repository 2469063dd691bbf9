"""Is one model better than another on the same sequences? The difference of a figure, resampled in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from dnalm.errors import InputError
from dnalm.evaluation.folds import OutOfFold, Run
from dnalm.metrics import Figure
from dnalm.metrics.bootstrap import Floats, bootstrap_figures


def paired_difference(
    first: OutOfFold | Sequence[OutOfFold],
    second: OutOfFold | Sequence[OutOfFold],
    figure: str = "mcc",
    *,
    generator: np.random.Generator,
    resamples: int = 1000,
    groups: NDArray[np.integer] | None = None,
) -> Figure:
    """The first model's figure minus the second's, with a 95 % interval.

    Each resample draws the same sequences for both models, and for all seeds, so what makes a sequence hard for
    both cancels. Over several seeds the figure is the mean of the seeds' figures.

    Args:
        first: out-of-fold predictions of one model, of one seed or several.
        second: of the other, of as many seeds, of the same sequences.
        figure: accuracy, precision, recall, specificity, f1, mcc, auroc, auprc or brier.
        generator: source of the resamples.
        resamples: how many.
        groups: group of each sequence, shape `(n,)`: draws whole groups.

    Returns:
        The difference; an interval above 0 says that the first figure is larger.

    Raises:
        InputError: when the sequences or seeds do not correspond.
    """
    pairs = list(zip(_runs(first), _runs(second), strict=False))
    if not pairs or len(_runs(first)) != len(_runs(second)):
        raise InputError(
            f"a paired difference wants as many seeds of both, found {len(_runs(first))} and {len(_runs(second))}"
        )
    n = len(pairs[0][0].truth)
    for run in (run for pair in pairs for run in pair):
        if not np.array_equal(run.truth, pairs[0][0].truth):
            raise InputError(f"{run.name} (seed {run.seed}) was not run on the same sequences in the same order")
    of_pairs = [tuple(_statistic(run, figure) for run in pair) for pair in pairs]

    def statistics(weights: Floats) -> dict[str, Floats]:
        return {figure: np.mean([one(weights) - other(weights) for one, other in of_pairs], axis=0)}

    return bootstrap_figures(statistics, n, generator=generator, resamples=resamples, groups=groups)[figure]


def _runs(given: OutOfFold | Sequence[OutOfFold]) -> list[OutOfFold]:
    return [given] if isinstance(given, OutOfFold) else list(given)


def _statistic(run: OutOfFold, figure: str):  # noqa: ANN202 - a closure of one statistic
    statistics = run.statistics((figure,))
    return lambda weights: statistics(weights)[figure]


@dataclass(frozen=True)
class McNemar:
    """The sequences that only one of two models calls right.

    Attributes:
        first_only: called right by the first model alone.
        second_only: called right by the second alone.
        p: exact two-sided probability of a split at least as uneven, were both equally good.
    """

    first_only: int
    second_only: int
    p: float


def mcnemar(first: Run, second: Run) -> McNemar:
    """McNemar's exact test on two models' calls of the same sequences.

    Raises:
        InputError: when the sequences do not correspond.
    """
    if not np.array_equal(first.truth, second.truth):
        raise InputError(f"{first.name} and {second.name} were not run on the same sequences in the same order")
    right = [run.called == run.truth for run in (first, second)]
    first_only, second_only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    discordant = first_only + second_only
    p = float(binomtest(first_only, discordant, 0.5).pvalue) if discordant else 1.0
    return McNemar(first_only, second_only, p)
