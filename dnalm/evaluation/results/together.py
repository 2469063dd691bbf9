"""What two models reach together: the mean of their log-odds, from predictions that are kept.

Where that is ahead of both, they know different things. Nothing is fitted, and nothing chosen: each model's
probabilities were calibrated on inner folds of its training sequences, so the mean is called positive from 0.5 up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.evaluation.fitting import average_log_odds
from dnalm.evaluation.folds import OutOfFold, Run
from dnalm.evaluation.results import predictions
from dnalm.evaluation.results.intervals import mean_figures

FIGURES = ("mcc", "accuracy", "auroc")
_SEED = 0  # of the bootstrap: the same predictions give the same interval
# Predictions are kept in thousandths: one of 0 or 1 is anything up to half a thousandth from it.
_NEAREST = 0.5 / predictions.THOUSAND


def together(first: Sequence[Run], second: Sequence[Run]) -> list[OutOfFold]:
    """Two models' predictions averaged, seed by seed.

    Args:
        first: one's runs.
        second: the other's, of the same seeds in the same order, on the same sequences.

    Raises:
        InputError: they are of several classes, or of other seeds or sequences.
    """
    found = []
    for one, other in zip(first, second, strict=True):
        if not isinstance(one, OutOfFold) or not isinstance(other, OutOfFold):
            raise InputError("calls among several classes hold one probability each, which cannot be averaged")
        if one.seed != other.seed or not np.array_equal(one.truth, other.truth):
            raise InputError(f"{one.name} and {other.name} are of other seeds or sequences")
        both = [np.clip(run.probability, _NEAREST, 1 - _NEAREST) for run in (one, other)]
        mean = average_log_odds(both)
        found.append(
            replace(one, name=f"{one.name} with {other.name}", probability=mean, threshold=np.full(len(mean), 0.5))
        )
    return found


def with_other(ours: Sequence[Run], theirs: Sequence[Run], groups: NDArray[np.integer] | None) -> dict[str, Any] | None:
    """Figures of a model averaged with another, and what that adds to the other alone.

    Args:
        ours: its runs.
        theirs: the other's, as `together` wants them.
        groups: group of each sequence, drawn whole; None draws sequences.

    Returns:
        `seeds`, and `figures` and `gain` with 95 % intervals from paired resamples; None of several classes.
    """
    if not isinstance(ours[0], OutOfFold):
        return None
    both = together(ours, theirs)
    figures, gain = (
        mean_figures(both, minus=minus, figures=FIGURES, groups=groups, generator=np.random.default_rng(_SEED))
        for minus in (None, theirs)
    )
    return {
        "seeds": [run.seed for run in both],
        "figures": {name: figure.as_dict() for name, figure in figures.items()},
        "gain": {name: figure.as_dict() for name, figure in gain.items()},
    }
