"""Which sequences only one of two models calls right, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from dnalm.errors import InputError
from dnalm.evaluation.folds import Run


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
