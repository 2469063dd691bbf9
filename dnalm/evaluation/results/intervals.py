"""Figures of a model over several seeds, and their difference to another model's, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.evaluation.folds import Calls, Run
from dnalm.metrics import Figure
from dnalm.metrics.bootstrap import Floats, bootstrap_figures

FIGURES = ("mcc", "accuracy", "auroc", "auprc", "precision", "recall", "specificity")
CALL_FIGURES = ("mcc", "accuracy", "precision", "recall", "f1")
"""Of several classes."""


def mean_figures(
    runs: Sequence[Run],
    *,
    generator: np.random.Generator,
    minus: Sequence[Run] | None = None,
    figures: Sequence[str] | None = None,
    groups: NDArray[np.integer] | None = None,
    resample_runs: bool = False,
    resamples: int = 1000,
) -> dict[str, Figure]:
    """Mean of each figure over runs, of the same sequences.

    Every resample draws the same sequences for all runs, and for the runs that are subtracted.

    Args:
        runs: predictions, one of each seed or draw.
        generator: source of the resamples.
        minus: as many runs of another model, in the same order: the difference is returned.
        figures: their names; None: all.
        groups: group of each sequence; whole groups are drawn.
        resample_runs: draw the runs anew too: right where each was trained on its own draw of labels, which is
            then part of the chance.
        resamples: how many.

    Raises:
        InputError: the runs are not of the same sequences, or not as many of both models.
    """
    other = list(minus) if minus is not None else []
    if figures is None:
        figures = CALL_FIGURES if runs and isinstance(runs[0], Calls) else FIGURES
    if not runs or (minus is not None and len(other) != len(runs)):
        raise InputError(f"found {len(runs)} runs and {len(other)} to subtract: as many of both are wanted")
    for run in [*runs, *other]:
        if not np.array_equal(run.truth, runs[0].truth):
            raise InputError(f"{run.name} (seed {run.seed}) was not run on the same sequences in the same order")
    of_runs, of_other = ([run.statistics(figures) for run in some] for some in (runs, other))

    def statistics(weights: Floats) -> dict[str, Floats]:
        values = [one(weights) for one in of_runs]
        subtracted = [one(weights) for one in of_other]
        picked = np.repeat(np.arange(len(runs))[:, None], len(weights), axis=1)
        if resample_runs and not (weights == 1).all():
            picked = generator.integers(len(runs), size=picked.shape)
        found = {}
        for name in figures:
            stack = np.stack([value[name] for value in values])
            if subtracted:
                stack = stack - np.stack([value[name] for value in subtracted])
            found[name] = np.take_along_axis(stack, picked, axis=0).mean(axis=0)
        return found

    return bootstrap_figures(statistics, len(runs[0].truth), generator=generator, resamples=resamples, groups=groups)
