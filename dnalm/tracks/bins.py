"""Fewer points than sites: lowest, mean and highest score of each bin, for a picture as wide as a screen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.tracks.windows import Scores

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Binned:
    """A curve in bins of so many neighbouring sites.

    Attributes:
        positions: of the highest score of each bin, 0-based, ascending, shape `(n,)`: a peak stays where it is.
        low: lowest score of each bin, shape `(n,)`; nan where the bin has none.
        mean: its mean.
        high: its highest.
        sites: sites in a bin; 1 where every site is a bin of its own.
    """

    positions: NDArray[np.int64]
    low: Floats
    mean: Floats
    high: Floats
    sites: int

    def __len__(self) -> int:
        return len(self.positions)


def binned(positions: NDArray[np.int64], scores: Scores, most: int) -> Binned:
    """Put neighbouring sites together until there are few enough bins.

    Args:
        positions: sites, ascending, shape `(n,)`.
        scores: theirs; nan where a site has none.
        most: bins, 1 or more; fewer sites than this stay as they are.

    Returns:
        At most `most` bins, which hold every site once, in order.
    """
    sites = max(1, -(-len(positions) // most))
    if sites == 1:
        return Binned(positions, scores, scores, scores, 1)
    rest = -len(scores) % sites
    table = np.concatenate([scores, np.full(rest, np.nan, dtype=np.float32)]).reshape(-1, sites)
    empty = np.isnan(table)
    scored = (~empty).sum(axis=1)
    best = np.where(empty, -np.inf, table).argmax(axis=1)
    rows = np.arange(len(table))
    high = table[rows, best]
    low = np.where(scored > 0, np.where(empty, np.inf, table).min(axis=1), np.nan)
    total = np.where(empty, 0, table).sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        mean = np.where(scored > 0, total / scored, np.nan)
    return Binned(
        positions[rows * sites + best], low.astype(np.float32), mean.astype(np.float32), high.astype(np.float32), sites
    )


def counted(places: NDArray[np.integer], start: int, end: int, bins: int) -> tuple[NDArray[np.float64], Floats]:
    """How many places lie in each of so many equal parts of a stretch.

    Args:
        places: 0-based positions, any order; those outside are left out.
        start: first base of the stretch.
        end: one past its last.
        bins: parts.

    Returns:
        The parts' middles in bases and the counts, each shape `(bins,)`.
    """
    counts, edges = np.histogram(places, bins=bins, range=(start, end))
    return (edges[:-1] + edges[1:]) / 2, counts.astype(np.float32)
