"""Sequence logos in plotly: all letters of one base are one shape, so that a logo is four shapes however long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.theme import Look
from dnalm.interpret.logo import LETTERS, polygons, stacked

MOST_LETTERS = 300
"""Positions that are drawn as letters: of more, none could be read."""


def logo_shapes(
    heights: NDArray[np.floating], colours: Look, *, offset: float = 0, axes: tuple[str, str] = ("x", "y")
) -> list[dict[str, Any]]:
    """The letters of a logo, for `figure.update_layout(shapes=...)`.

    Shapes do not answer to the mouse: a trace without ink (`markers` of opacity 0) gives the hover text.

    Args:
        heights: of the bases at each position, shape `(length, 4)`.
        colours: for the light or the dark page.
        offset: of the first position on the axis.
        axes: which axes of the figure they belong to.
    """
    letters = stacked(heights)
    shapes = []
    for base in LETTERS:
        rings = [ring for letter in letters if letter.base == base for ring in polygons(letter)]
        if rings:
            shapes.append(
                {
                    "type": "path",
                    "path": "".join(_path(ring, offset) for ring in rings),
                    "xref": axes[0],
                    "yref": axes[1],
                    "fillcolor": colours.bases[base],
                    "fillrule": "evenodd",  # an A has a hole
                    "line": {"width": 0},
                    "layer": "above",
                }
            )
    return shapes


def _path(ring: NDArray[np.float64], offset: float) -> str:
    points = "L".join(f"{x + offset:.2f},{y:.4g}" for x, y in ring)
    return f"M{points}Z"


def limits(heights: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """Lowest and highest point of some logos, with a little room."""
    high = max(float(np.where(one > 0, one, 0).sum(1).max(initial=0)) for one in heights)
    low = min(float(np.where(one < 0, one, 0).sum(1).min(initial=0)) for one in heights)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room
