"""Deletion and insertion curves: what is left of a call as bases are replaced, in an order that is to be judged.

After Petsiuk et al. 2018 (RISE). A base cannot be blanked: no sequence lacks one. It is replaced by another's, so that
what is read stays DNA, and a model is not asked about stretches of N that it never saw. By which, there are two ways:

- `even`: a base drawn evenly of the four. All that the sequence had is at stake, its composition too.
- `shuffled`: what stands at its place in a dinucleotide shuffle of the sequence. Only order is at stake. A model that
  goes by composition still calls the shuffle: then random order takes next to nothing, and any multiple of it is large.

The first is the stricter, and the steadier where composition tells much. Every order meets the same draws: all curves
of a sequence begin and end at the same two values, and differ by the order alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.interpret.attribution import log_odds
from dnalm.model.predict import Classifier
from dnalm.sequences.shuffle import dinucleotide_shuffles

Replacement = Literal["even", "shuffled"]
REPLACEMENTS: tuple[Replacement, ...] = get_args(Replacement)
STEPS = 20
SHARES = tuple(step / STEPS for step in range(STEPS + 1))
"""Shares of the known bases that have been replaced (or put back) where a curve is read."""
EARLY = 0.2
"""Share of the bases, those ranked highest, that a person looks at first."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Curves:
    """Log-odds of one sequence along `SHARES`, for several orders.

    Attributes:
        deletion: bases replaced from the first of the order on, shape `(orders, draws, shares)`.
        insertion: the sequence's own bases put back where all were replaced, from the first on, the same shape.
    """

    deletion: Floats
    insertion: Floats

    def fall(self, until: float = 1.0) -> Floats:
        """What deletion takes from the log-odds, its mean on the way from none to a share of the bases: `(orders,)`.

        The area between the curve and its start, over the share; the mean of the draws.
        """
        last = round(until * STEPS) + 1
        return _area(self.deletion[:, :, :1] - self.deletion[:, :, :last])

    def rise(self) -> Floats:
        """What insertion adds to the log-odds, its mean on the way from none to all bases, shape `(orders,)`."""
        return _area(self.insertion - self.insertion[:, :, :1])


def _area(curves: Floats) -> Floats:
    steps = curves.shape[2] - 1
    return np.trapezoid(curves, dx=1 / steps, axis=2).mean(1)


def drawn_bases(codes: Codes, how: Replacement, count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """What bases become when they are replaced, shape `(count, length)`; unknown ones stay."""
    if how == "shuffled":
        return dinucleotide_shuffles(codes, count, generator)
    drawn = generator.integers(0, UNKNOWN, (count, len(codes)), dtype=np.uint8)
    return np.where(codes < UNKNOWN, drawn, codes).astype(np.uint8)


def replacement_curves(
    classifier: Classifier, codes: Codes, orders: NDArray[np.integer], draws: NDArray[np.uint8], target: int
) -> Curves:
    """Replace the bases of one sequence step by step.

    Args:
        classifier: the model.
        codes: the sequence, shape `(length,)`.
        orders: positions of all known bases, those to go first in front, shape `(orders, draws, known)`.
        draws: what the bases become, shape `(draws, length)`.
        target: the class, its index.

    Returns:
        The curves. The variants of a sequence are scored together.
    """
    known = orders.shape[2]
    place = np.full((*orders.shape[:2], len(codes)), known, dtype=np.int64)  # of an unknown base: never reached
    np.put_along_axis(place, orders, np.broadcast_to(np.arange(known), orders.shape), 2)
    counts = np.rint(np.array(SHARES[1:-1]) * known).astype(np.int64)
    gone = place[:, :, None] < counts[:, None]  # (orders, draws, inner shares, length)
    drawn = draws[None, :, None]
    variants = np.stack([np.where(gone, drawn, codes), np.where(gone, codes, drawn)])
    rows = np.concatenate([codes[None], draws, variants.reshape(-1, len(codes))]).astype(np.uint8)
    found = log_odds(torch.from_numpy(classifier.logits(rows)).double(), target).numpy()
    whole, shuffled = found[0], found[1 : 1 + len(draws)]
    inner = found[1 + len(draws) :].reshape(variants.shape[:-1])
    begin = np.broadcast_to(np.array(whole), (*orders.shape[:2], 1))
    end = np.broadcast_to(shuffled[None, :, None], (*orders.shape[:2], 1))
    return Curves(np.concatenate([begin, inner[0], end], 2), np.concatenate([end, inner[1], begin], 2))


def ranked(codes: Codes, scores: NDArray[np.floating]) -> Ints:
    """Positions of the known bases, the highest score first; of equals, the first in the sequence."""
    known = np.flatnonzero(codes < UNKNOWN)
    return known[np.argsort(-scores[known], kind="stable")]
