"""Whether a model reads an element at its place: where the stretch that adds most to a call lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.metrics import Figure, bootstrap_figures

Floats = NDArray[np.floating]
Weigh = Literal["sum", "absolute"]

WIDTH = 6
MINUS_10_PLACE = (-14, -5)
"""First and last base, counted from the start site, +1, without a 0."""


def strongest_stretch(scores: Floats, width: int = WIDTH, weigh: Weigh = "sum") -> int:
    """0-based offset of the stretch of one width whose bases add most together; of equals, the first.

    Args:
        scores: what each base adds, shape `(length,)`.
        width: in bases.
        weigh: `sum`, what they add to the call; `absolute`, how much they matter either way.

    Raises:
        InputError: the sequence is shorter than the stretch.
    """
    if len(scores) < width:
        raise InputError(f"a stretch of {width} bases is looked for in {len(scores)}")
    values = np.abs(scores) if weigh == "absolute" else np.asarray(scores)
    return int(np.lib.stride_tricks.sliding_window_view(values, width).sum(axis=1).argmax())


def share_at_place(
    scores: Sequence[Floats],
    anchor: int,
    *,
    generator: np.random.Generator,
    place: tuple[int, int] = MINUS_10_PLACE,
    width: int = WIDTH,
    weigh: Weigh = "sum",
    groups: NDArray[np.integer] | None = None,
    resamples: int = 1000,
) -> Figure:
    """Share of sequences whose strongest stretch overlaps a place by at least one base.

    Args:
        scores: what each base adds, n arrays of shape `(length,)`.
        anchor: offset of the start site, 0-based.
        generator: of the bootstrap.
        place: first and last base, as -14 and -5: the base before the start site is -1, the site itself +1.
        width: of the stretch.
        weigh: see `strongest_stretch`.
        groups: see `dnalm.metrics.resample_weights`.
        resamples: of the bootstrap over sequences.

    Returns:
        The share with its 95 % interval.

    Raises:
        InputError: no sequence, or a place that ends before it begins or has a base 0.
    """
    if 0 in place or place[0] > place[1]:
        raise InputError(f"a place runs from one base to a later one, and there is no base 0; found {place}")
    if not len(scores):
        raise InputError("a share wants at least one sequence; there is none")
    first, last = (anchor + (base if base < 0 else base - 1) for base in place)
    starts = np.array([strongest_stretch(one, width, weigh) for one in scores])
    hits = ((starts <= last) & (starts + width - 1 >= first)).astype(np.float64)

    def statistics(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"share": weights @ hits / weights.sum(axis=1)}

    return bootstrap_figures(statistics, len(hits), generator=generator, resamples=resamples, groups=groups)["share"]


def share_by_chance(length: int, anchor: int, place: tuple[int, int] = MINUS_10_PLACE, width: int = WIDTH) -> float:
    """Share of all stretches of a width that overlap the place: what a stretch put anywhere would reach."""
    first, last = (anchor + (base if base < 0 else base - 1) for base in place)
    starts = np.arange(length - width + 1)
    return float(((starts <= last) & (starts + width - 1 >= first)).mean())
