"""Scores of many sequences around one site, averaged: what a class has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import Codes
from dnalm.errors import InputError
from dnalm.interpret.logo import on_bases

Floats = NDArray[np.float64]
_NORMAL = 1.96


@dataclass(frozen=True, eq=False)
class Average:
    """The mean over n sequences of one length.

    Attributes:
        letters: mean score of each base at each position, counting 0 where another stands; shape `(length, 4)`.
        mean: of each position, shape `(length,)`.
        low: lower end of its 95 % interval (normal, over sequences).
        high: upper end.
        n: sequences.
    """

    letters: Floats
    mean: Floats
    low: Floats
    high: Floats
    n: int


def average(codes: Sequence[Codes], scores: Sequence[NDArray[np.floating]]) -> Average:
    """Average scores by position.

    Args:
        codes: base codes of each sequence, all of one length.
        scores: of each base, shapes the same.

    Raises:
        InputError: there is none, or they have different lengths.
    """
    lengths = {len(one) for one in codes}
    if len(lengths) != 1:
        raise InputError(
            f"sequences of {len(lengths)} lengths; an average by position wants one length, and one or more"
        )
    letters = np.mean([on_bases(score, one) for one, score in zip(codes, scores, strict=True)], axis=0)
    values = np.asarray(scores, dtype=np.float64)
    mean = values.mean(0)
    half = _NORMAL * values.std(0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.full_like(mean, np.nan)
    return Average(letters, mean, mean - half, mean + half, len(values))
