"""Ranked calls against known sites, as sums over blocks of genome: every figure of them, for any weights of the blocks.

Ranked from the highest score down, calls are a ladder: at each known site's rung stands how many calls score at least
as high as the call that found it, and how many of those are right. Kept block by block, the rungs of a resampled genome
are a matrix product, so that a thousand resamples of a thousand sites take a moment (block bootstrap: Künsch 1989;
neighbouring calls and sites share operons and composition, so whole stretches are drawn, not single sites).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

RECALL_AT_CALLS = (250, 500, 1000)
AT_RECALLS = (0.25, 0.5, 0.75)
OFFSET_CALLS = 500
"""Distances from the true site are of the sites found by so many highest calls: of all calls, which lie everywhere,
any site has one near by chance."""
CURVE = np.arange(1, 101) / 100
"""Recalls at which the curve is kept."""


class Ranked(NamedTuple):
    """Calls and sites of one part, strand and tolerance, in arrays; blocks are numbered from 0."""

    scores: Floats
    """Of each call, shape `(calls,)`."""
    right: Flags
    """Whether each call is right."""
    finds: Flags
    """Whether each call is the one that finds some site."""
    call_block: Integers
    site_score: Floats
    """Score of the call that finds each site, -inf where none does; shape `(sites,)`."""
    site_block: Integers
    site_offset: Integers
    """Bases from each site to the call that finds it, positive downstream; any where none does."""


@dataclass(frozen=True)
class _Rungs:
    """Counts by block up to each found site's rung; shapes `(blocks, found)`."""

    calls: Floats
    right: Floats
    finds: Floats


class Ladder:
    """All figures of one ranking, as functions of the blocks' weights.

    Args:
        ranked: the calls and sites.
        kilobases: length of each block, shape `(blocks,)`.
        threshold: the least score of a call at the model's own threshold; None leaves those figures out.
    """

    def __init__(self, ranked: Ranked, kilobases: Floats, threshold: float | None = None) -> None:
        self.sites, self.calls = len(ranked.site_score), len(ranked.scores)
        self.kilobases = kilobases
        found = np.flatnonzero(np.isfinite(ranked.site_score))
        self._found = found[np.argsort(-ranked.site_score[found], kind="stable")]
        self._site_block = ranked.site_block
        order = np.argsort(-ranked.scores, kind="stable")
        falling = -ranked.scores[order]
        self._scores_found = ranked.site_score[self._found]
        upto = np.searchsorted(falling, -self._scores_found, side="right")
        self._rungs = _rungs(ranked, order, upto, len(kilobases))
        above = np.searchsorted(falling, -self._scores_found, side="left")
        self._above = _rungs(ranked, order, above, len(kilobases)).calls
        self.offsets = self._near_calls(ranked, upto)
        self._threshold = None
        if threshold is not None:
            called = int(np.searchsorted(falling, -threshold, side="right"))
            over = int((self._scores_found >= threshold).sum())
            self._threshold = (_rungs(ranked, order, np.array([called]), len(kilobases)), over)

    def _near_calls(self, ranked: Ranked, upto: Integers) -> Integers:
        """Offsets of the sites found by the highest calls, in the order of `_found`; at least by those of one score."""
        self._near = int((upto <= max(OFFSET_CALLS, upto[:1].sum())).sum())
        return ranked.site_offset[self._found[: self._near]]

    def statistics(self, weights: Floats) -> dict[str, Floats]:
        """Every figure of resamples.

        Args:
            weights: how often each block was drawn, shape `(b, blocks)`.

        Returns:
            Each figure by name, shape `(b,)`; nan where it has no meaning.
        """
        sites = weights[:, self._site_block]
        total, kilobases = sites.sum(axis=1), weights @ self.kilobases
        found = sites[:, self._found]
        calls, right, finds = (weights @ part for part in (self._rungs.calls, self._rungs.right, self._rungs.finds))
        figures = {
            "auprc": _share((found * _share(right, calls, 0.0)).sum(axis=1), total),
            "auprc_once": _share((found * _share(finds, calls, 0.0)).sum(axis=1), total),
        }
        above = weights @ self._above
        for most in RECALL_AT_CALLS:
            # Calls of one score stand in no order: of so many of them, the sites' share is found on average.
            among = np.clip(_share(most - above, calls - above, 1.0), 0, 1) * (above <= most)
            figures[f"recall_at_{most}_calls"] = _share((found * among).sum(axis=1), total)
        reached = np.cumsum(found, axis=1)
        for recall in AT_RECALLS:
            name = f"at_{round(100 * recall)}_recall"
            wrong, precision = _at_recall(recall, reached, total, calls, right)
            figures[f"false_per_kb_{name}"] = wrong / kilobases
            figures[f"precision_{name}"] = precision
        figures |= self._at_threshold(weights, sites, total, kilobases)
        offsets = np.abs(self.offsets)
        for name, share in (("lower_quartile", 0.25), ("median", 0.5), ("upper_quartile", 0.75)):
            figures[f"distance_{name}"] = _quantile(offsets, found[:, : self._near], share)
        return figures

    def _at_threshold(self, weights: Floats, sites: Floats, total: Floats, kilobases: Floats) -> dict[str, Floats]:
        if self._threshold is None:
            return {}
        rungs, over = self._threshold
        calls, right = (weights @ rungs.calls)[:, 0], (weights @ rungs.right)[:, 0]
        return {
            "recall": _share(sites[:, self._found[:over]].sum(axis=1), total),
            "precision": _share(right, calls),
            "calls_per_kb": calls / kilobases,
            "false_per_kb": (calls - right) / kilobases,
        }

    def curve(self) -> dict[str, list[float | None]]:
        """Precision, false calls per kb and score where each recall of `CURVE` is first reached; None where never."""
        calls, right = self._rungs.calls.sum(axis=0), self._rungs.right.sum(axis=0)
        recall = np.arange(1, len(self._found) + 1) / max(self.sites, 1)
        # Rounded, since 0.29 * 100 sites would miss the 29th by a hair.
        place = np.searchsorted(np.round(recall, 9), CURVE)
        columns = {
            "precision": right / np.maximum(calls, 1),
            "false_per_kb": (calls - right) / self.kilobases.sum(),
            "score": self._scores_found,
        }
        return {
            name: [float(values[at]) if at < len(values) else None for at in place.tolist()]
            for name, values in columns.items()
        }


def _rungs(ranked: Ranked, order: Integers, upto: Integers, blocks: int) -> _Rungs:
    """How many calls, right ones and finding ones of each block stand among the first `upto` of the ranking."""
    step = np.searchsorted(upto, np.arange(len(order)), side="right")  # the first rung that counts each call
    cell = ranked.call_block[order] * (len(upto) + 1) + step

    def counted(flags: Flags | None) -> Floats:
        weight = None if flags is None else flags[order].astype(np.float64)
        cells = np.bincount(cell, weights=weight, minlength=blocks * (len(upto) + 1))
        return np.cumsum(cells.reshape(blocks, -1), axis=1)[:, :-1].astype(np.float64)

    return _Rungs(counted(None), counted(ranked.right), counted(ranked.finds))


def _share(part: Floats, whole: Floats, otherwise: float = np.nan) -> Floats:
    return np.divide(part, whole, out=np.full(np.shape(part), otherwise), where=whole > 0)


def _at_recall(recall: float, reached: Floats, total: Floats, calls: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Wrong calls and precision where a share of the sites is first found, each `(b,)`; nan where it never is."""
    wrong, precision = np.full(len(total), np.nan), np.full(len(total), np.nan)
    enough = reached >= recall * total[:, None] - 1e-9
    rows = np.flatnonzero(enough.any(axis=1) & (total > 0))
    if not len(rows):
        return wrong, precision
    at = enough[rows].argmax(axis=1)
    wrong[rows] = calls[rows, at] - right[rows, at]
    precision[rows] = _share(right[rows, at], calls[rows, at])
    return wrong, precision


def _quantile(values: Integers, weights: Floats, share: float) -> Floats:
    """The least value up to which a share of the weight lies, for each row of weights `(b, n)`; nan without weight."""
    if not len(values):
        return np.full(len(weights), np.nan)
    order = np.argsort(values, kind="stable")
    grown = np.cumsum(weights[:, order], axis=1)
    at = (grown >= share * grown[:, -1:] - 1e-9).argmax(axis=1)
    return np.where(grown[:, -1] > 0, values[order][at].astype(np.float64), np.nan)
