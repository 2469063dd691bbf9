"""Seqlets: the stretches of a sequence that a model reads, found in what each base adds to the call.

A seqlet (Shrikumar et al. 2018, TF-MoDISco) is a short stretch whose bases together add more than stretches of shuffled
scores do. Sums over every width asked for are compared with those of a null in units of its spread, the best stretches
that do not overlap are taken from the scores and from the null alike, and the threshold is the lowest at which the null
yields no more than the wanted share: a target-decoy estimate of the false discovery rate (Elias & Gygi 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError

Floats = NDArray[np.floating]

WIDTHS = range(4, 11)
FDR = 0.2
SHUFFLES = 10
# A stretch less than this many spreads over the null's mean is no candidate: most noise stays out of the counting.
_LEAST = 1.0
_BLOCK_CELLS = 1 << 22


@dataclass(frozen=True)
class Seqlet:
    """One stretch that the model reads.

    Attributes:
        sequence: index of its sequence.
        start: 0-based offset in it.
        end: one past its last base.
        contribution: what its bases add together, in the scores' unit (log-odds).
        strength: that sum, in spreads of the null over the null's mean at this width.
        q_value: the lowest false discovery rate at which it would be found.
    """

    sequence: int
    start: int
    end: int
    contribution: float
    strength: float
    q_value: float


@dataclass(frozen=True)
class Seqlets:
    """The seqlets of many sequences, the strongest first.

    Attributes:
        found: the seqlets.
        sequences: how many sequences were looked through.
        fdr: the false discovery rate that was asked for.
        estimated_fdr: what the null says it is among those found; nan where none is.
        null: what the null was, in words.
    """

    found: tuple[Seqlet, ...]
    sequences: int
    fdr: float
    estimated_fdr: float
    null: str


def find_seqlets(
    scores: Sequence[Floats],
    *,
    generator: np.random.Generator,
    null: Sequence[Floats] | None = None,
    widths: Sequence[int] = WIDTHS,
    fdr: float = FDR,
    shuffles: int = SHUFFLES,
) -> Seqlets:
    """Find the stretches that add more to a call than chance would have them.

    Args:
        scores: what each base adds, n arrays of shape `(length,)`; negate them to find what speaks against the call.
        generator: shuffles the scores.
        null: scores of sequences without motifs, such as dinucleotide-shuffled ones, of any number and length; None
            takes the scores themselves with their positions shuffled within each sequence.
        widths: of the stretches, in bases.
        fdr: the share of the seqlets that may be chance's.
        shuffles: of each sequence's positions, where `null` is None.

    Returns:
        The seqlets, the strongest first; those of one sequence do not overlap.

    Raises:
        InputError: there are no sequences, one is shorter than every width, or a score is not a number.
    """
    if not len(scores):
        raise InputError("seqlets are looked for in the scores of at least one sequence; there is none")
    if not 0 < fdr < 1:
        raise InputError(f"a false discovery rate lies between 0 and 1, not at {fdr}")
    real = _padded(scores, widths)
    if null is None:
        copies = [_positions_shuffled(real, generator) for _ in range(shuffles)]
        told = f"the scores with their positions shuffled, {shuffles} times"
    else:
        copies = [_padded(null, widths)]
        told = f"scores of {len(null):,} shuffled sequences"
    ratio = len(real) / sum(len(copy) for copy in copies)
    spreads = [_mean_and_spread(copies, width) for width in widths]
    targets = _candidates(real, widths, spreads)
    decoys = np.concatenate([_candidates(copy, widths, spreads).strength for copy in copies])
    q_values = _q_values(targets.strength, decoys, ratio)
    order = np.argsort(-targets.strength, kind="stable")
    kept = [row for row in order if q_values[row] <= fdr]
    found = tuple(targets.seqlet(row, real, float(q_values[row])) for row in kept)
    return Seqlets(found, len(real), fdr, max((one.q_value for one in found), default=float("nan")), told)


def _padded(scores: Sequence[Floats], widths: Sequence[int]) -> Floats:
    """The scores as one array, nan behind the shorter ones' ends."""
    longest = max(len(row) for row in scores)
    if longest < min(widths):
        raise InputError(
            f"the sequences have at most {longest} bases; a stretch of {min(widths)} or more is looked for"
        )
    out = np.full((len(scores), longest), np.nan)
    for row, values in zip(out, scores, strict=True):
        if not np.isfinite(values).all():
            raise InputError("a score is not a number: seqlets are looked for where every base has one")
        row[: len(values)] = values
    return out


def _positions_shuffled(scores: Floats, generator: np.random.Generator) -> Floats:
    """Each row's scores in another order; what lies behind a row's end stays there."""
    keys = np.where(np.isnan(scores), np.inf, generator.random(scores.shape))
    return np.take_along_axis(scores, np.argsort(keys, axis=1, kind="stable"), axis=1)


def _sums(scores: Floats, width: int) -> Floats:
    """Sums over stretches of one width, shape `(n, length - width + 1)`; nan where a stretch runs over the end."""
    if scores.shape[1] < width:
        return np.empty((len(scores), 0))
    running = np.concatenate([np.zeros((len(scores), 1)), np.cumsum(np.nan_to_num(scores), axis=1)], axis=1)
    sums = running[:, width:] - running[:, :-width]
    return np.where(np.isnan(scores[:, width - 1 :]), np.nan, sums)


def _mean_and_spread(copies: Sequence[Floats], width: int) -> tuple[float, float]:
    sums = np.concatenate([_sums(copy, width).ravel() for copy in copies])
    sums = sums[np.isfinite(sums)]
    spread = float(sums.std()) if len(sums) else 0.0
    return (float(sums.mean()) if len(sums) else 0.0), spread or 1.0


@dataclass(frozen=True)
class _Candidates:
    """Stretches that do not overlap: one entry each in four arrays of one length."""

    sequence: NDArray[np.int64]
    start: NDArray[np.int64]
    width: NDArray[np.int64]
    strength: Floats

    def seqlet(self, row: int, scores: Floats, q_value: float) -> Seqlet:
        sequence, start, width = (int(values[row]) for values in (self.sequence, self.start, self.width))
        contribution = float(scores[sequence, start : start + width].sum())
        return Seqlet(sequence, start, start + width, contribution, float(self.strength[row]), q_value)


def _candidates(scores: Floats, widths: Sequence[int], spreads: Sequence[tuple[float, float]]) -> _Candidates:
    """The best stretch of each sequence, then the best that does not overlap it, and so on."""
    cells = max(1, scores.shape[1] * len(widths))
    rows = max(1, _BLOCK_CELLS // cells)
    parts = []
    for first in range(0, len(scores), rows):
        found = _of_block(scores[first : first + rows], widths, spreads)
        parts.append((found[0] + first, *found[1:]))
    return _Candidates(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _of_block(scores: Floats, widths: Sequence[int], spreads: Sequence[tuple[float, float]]) -> tuple[NDArray, ...]:
    n, length = scores.shape
    strength = np.full((n, len(widths), length), -np.inf)
    for index, (width, (mean, spread)) in enumerate(zip(widths, spreads, strict=True)):
        sums = _sums(scores, width)
        strength[:, index, : sums.shape[1]] = np.where(np.isnan(sums), -np.inf, (sums - mean) / spread)
    taken: list[tuple[NDArray, ...]] = []
    alive, place = np.arange(n), np.arange(length)
    wide = np.asarray(list(widths))
    while len(alive):
        flat = strength[alive].reshape(len(alive), -1)
        best = flat.argmax(axis=1)
        values = flat[np.arange(len(alive)), best]
        good = values > _LEAST
        alive, best, values = alive[good], best[good], values[good]
        index, start = best // length, best % length
        taken.append((alive, start, wide[index], values))
        # What overlaps begins before the end of what was taken, and ends behind its beginning.
        overlaps = (place < (start + wide[index])[:, None])[:, None, :] & (place + wide[:, None] > start[:, None, None])
        strength[alive] = np.where(overlaps, -np.inf, strength[alive])
    return tuple(np.concatenate(values) for values in zip(*taken, strict=True))


def _q_values(strength: Floats, decoys: Floats, ratio: float) -> Floats:
    """False discovery rate at each candidate's strength, made monotone; one decoy more than seen is counted."""
    order = np.argsort(-strength, kind="stable")
    ahead = len(decoys) - np.searchsorted(np.sort(decoys), strength[order], side="left")
    rate = np.minimum(1.0, (ahead + 1) * ratio / np.arange(1, len(order) + 1))
    q_values = np.empty(len(order))
    q_values[order] = np.minimum.accumulate(rate[::-1])[::-1]
    return q_values
