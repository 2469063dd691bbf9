"""A figure with its 95 % interval, and the resampling that gives the interval.

A bootstrap resample is held as weights: how often each sequence was drawn. Then a figure of a resample is a
weighted sum, and a thousand resamples are a matrix product rather than a thousand loops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError

Floats = NDArray[np.float64]
# Given weights (b, n), a statistic of each of the b resamples, by name.
Statistics = Callable[[Floats], Mapping[str, Floats]]

LOW_HIGH = (2.5, 97.5)
# Weights held at once: 16 MB, which stays near the cache, and bounds the memory whatever n is.
_BLOCK_CELLS = 2_000_000


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Attributes:
        value: the figure on the sequences as they are; nan where it has no meaning (AUROC of one class).
        low: lower end of the 95 % percentile interval; nan where none was asked for or too few resamples had
            a value.
        high: upper end.
        n: how many sequences (or bases, for bits per base) it was measured on.
    """

    value: float
    low: float
    high: float
    n: int

    def as_dict(self) -> dict[str, float | int | None]:
        """The figure for JSON, which has no nan: that becomes None."""
        return {
            "value": _jsonable(self.value),
            "low": _jsonable(self.low),
            "high": _jsonable(self.high),
            "n": self.n,
        }

    def short(self) -> str:
        """Three significant digits, with the interval where there is one; nothing where the figure has no meaning."""
        if math.isnan(self.value):
            return ""
        return f"{self.value:.3g}" + ("" if math.isnan(self.low) else f" [{self.low:.3g}, {self.high:.3g}]")

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def _jsonable(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def resample_weights(
    n: int,
    generator: np.random.Generator,
    resamples: int = 1000,
    groups: NDArray[np.integer] | None = None,
) -> Iterator[Floats]:
    """Draw bootstrap resamples as weights, a block of them at a time.

    Args:
        n: number of sequences.
        generator: source of the draws.
        resamples: how many resamples in all.
        groups: group of each sequence, shape `(n,)`. Given, whole groups are drawn with replacement (cluster
            bootstrap), since sequences that resemble each other are not independent evidence.

    Yields:
        float64 weights, shape `(b, n)`: how often each sequence stands in each resample of the block.
    """
    member = None
    units = n
    if groups is not None:
        names, member = np.unique(groups, return_inverse=True)
        units = len(names)
    rows = max(1, _BLOCK_CELLS // max(n, 1))
    for first in range(0, resamples, rows):
        b = min(rows, resamples - first)
        draws = generator.integers(units, size=(b, units))
        draws += np.arange(b)[:, None] * units
        weights = np.bincount(draws.ravel(), minlength=b * units).reshape(b, units).astype(np.float64)
        yield weights if member is None else weights[:, member]


def percentile_interval(samples: Floats) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of a figure's resampled values.

    Resamples without a value (nan: a resample that drew one class only, say) are left out; where fewer than
    half have one, the interval is nan.
    """
    usable = samples[np.isfinite(samples)]
    if len(usable) == 0 or 2 * len(usable) < len(samples):
        return math.nan, math.nan
    low, high = np.percentile(usable, LOW_HIGH)
    return float(low), float(high)


def bootstrap_figures(
    statistics: Statistics,
    n: int,
    *,
    generator: np.random.Generator,
    resamples: int = 1000,
    groups: NDArray[np.integer] | None = None,
) -> dict[str, Figure]:
    """Figures with intervals from a function of weights.

    Args:
        statistics: takes weights `(b, n)` and gives each statistic as `(b,)`.
        n: number of sequences.
        generator: source of the resamples.
        resamples: 0 gives figures without an interval.
        groups: see `resample_weights`.

    Returns:
        A figure a statistic, in the statistics' order.
    """
    if groups is not None and len(groups) != n:
        raise InputError(f"groups has {len(groups)} entries for {n} sequences: one each is wanted")
    point = statistics(np.ones((1, n)))
    blocks = [statistics(weights) for weights in resample_weights(n, generator, resamples, groups)]
    figures = {}
    for name, value in point.items():
        low, high = math.nan, math.nan
        if blocks and np.isfinite(value[0]):
            low, high = percentile_interval(np.concatenate([block[name] for block in blocks]))
        figures[name] = Figure(float(value[0]), low, high, n)
    return figures


def block_bootstrap_mean(
    values: NDArray[np.floating],
    block: int,
    generator: np.random.Generator,
    resamples: int = 1000,
) -> Figure:
    """Mean of a series whose neighbours are alike, such as the bits that each base of a genome costs.

    The circular block bootstrap (Politis and Romano 1992): stretches of `block` neighbours are drawn with
    replacement, wrapping at the end, as many as cover the series. A bootstrap over single bases would give an
    interval far too narrow.

    Args:
        values: the series in its order, shape `(n,)`.
        block: neighbours drawn together, in entries of `values`; longer than the correlation reaches.
        generator: source of the draws.
        resamples: how many.

    Returns:
        The mean, its interval, and n.

    Raises:
        InputError: for an empty series or a block under 1.
    """
    series = np.asarray(values, dtype=np.float64)
    n = len(series)
    if n == 0 or block < 1:
        raise InputError(f"a block bootstrap wants values and a block of at least 1, found {n} values, block {block}")
    block = min(block, n)
    running = np.concatenate([[0.0], np.cumsum(np.concatenate([series, series[: block - 1]]))])
    block_means = (running[block:] - running[:-block]) / block
    blocks = math.ceil(n / block)
    rows = max(1, _BLOCK_CELLS // blocks)
    means = [
        block_means[generator.integers(n, size=(min(rows, resamples - first), blocks))].mean(axis=1)
        for first in range(0, resamples, rows)
    ]
    low, high = percentile_interval(np.concatenate(means)) if means else (math.nan, math.nan)
    return Figure(float(series.mean()), low, high, n)
