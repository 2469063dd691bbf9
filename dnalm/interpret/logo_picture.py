"""Several logos of one place in a file: methods or models below each other, over one axis of positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dnalm.interpret.logo import draw_logo

SITE = "#D81B30"
MOST_LETTERS = 400
"""Positions that are drawn as letters; more as a line."""


@dataclass(frozen=True, eq=False)
class Logo:
    """One row: its title, heights of the bases `(length, 4)`, and the place of its first position on the axis."""

    title: str
    heights: NDArray[np.floating]
    first: int


def draw_logos(
    logos: Sequence[Logo], *, title: str, ticks: Sequence[tuple[int, str]], axis: str, site: int | None = None
) -> Figure:
    """Draw logos.

    Args:
        logos: at least one.
        title: of the whole.
        ticks: places on the axis and what they are called.
        axis: its title.
        site: place of the start site, marked red.
    """
    figure = Figure(figsize=(14, 1.1 + 1.9 * len(logos)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(logos), 1, sharex=True, squeeze=False)[:, 0]
    figure.suptitle(title.replace("$", r"\$"), fontsize=12)
    for axes, one in zip(grid, logos, strict=True):
        if len(one.heights) <= MOST_LETTERS:
            draw_logo(axes, one.heights, offset=one.first)
        else:
            places = one.first + np.arange(len(one.heights))
            axes.plot(places, one.heights.sum(1), lw=0.7)
            axes.axhline(0, color="#5B6770", lw=0.6)
        if site is not None:
            axes.axvline(site, color=SITE, lw=1, ls=":")
        axes.set_title(one.title.replace("$", r"\$"), fontsize=9, loc="left")
        axes.set_ylabel("log-odds")
        axes.spines[["top", "right"]].set_visible(False)
    bottom = grid[-1]
    first = min(one.first for one in logos)
    last = max(one.first + len(one.heights) for one in logos)
    bottom.set_xlim(first - 0.6, last - 0.4)
    bottom.set_xticks([place for place, _ in ticks], [name for _, name in ticks])
    bottom.set_xlabel(axis)
    return figure
