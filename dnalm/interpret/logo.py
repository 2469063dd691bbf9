"""Sequence logos: letters as tall as a base's score (Schneider & Stephens 1990 had them as tall as its information)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LETTERS = "ACGT"
COLOURS = {"A": "#0B7A37", "C": "#1B56A5", "G": "#A65E00", "T": "#C2192B"}
"""The field's habit, dark enough to be read as letters on white."""
WIDTH = 0.92  # of a letter, in positions

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Letter:
    """A letter of a logo.

    Attributes:
        base: A, C, G or T.
        position: from 0; the letter is centred there.
        low: where it begins; it stands on its head where `high` is below `low`.
        high: where it ends.
    """

    base: str
    position: int
    low: float
    high: float


def stacked(heights: Floats) -> list[Letter]:
    """The letters of a logo: at each position those above zero stacked upwards, those below downwards, largest last.

    Args:
        heights: of the bases at each position, shape `(length, 4)`.
    """
    letters = []
    for position, row in enumerate(heights):
        for sign in (1, -1):
            level = 0.0
            for base in sorted(np.flatnonzero(sign * row > 0), key=lambda base: sign * row[base]):
                letters.append(Letter(LETTERS[base], position, level, level + float(row[base])))
                level += float(row[base])
    return letters


@cache
def outline(base: str) -> tuple[NDArray[np.float64], ...]:
    """The outlines of a letter within the unit square, each closed, shape `(points, 2)`; a hole is one of its own."""
    path = TextPath((0, 0), base, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    rings = path.to_polygons(closed_only=True)
    every = np.concatenate(rings)
    low, size = every.min(0), np.ptp(every, axis=0)
    return tuple((ring - low) / size for ring in rings)


def polygons(letter: Letter) -> list[NDArray[np.float64]]:
    """The outlines of a letter at its place, in positions and units of height."""
    left, scale = letter.position - WIDTH / 2, np.array([WIDTH, letter.high - letter.low])
    return [ring * scale + (left, letter.low) for ring in outline(letter.base)]


def draw_logo(axes: Axes, heights: Floats, *, offset: float = 0, colours: dict[str, str] | None = None) -> None:
    """Draw a logo with matplotlib.

    Args:
        axes: where.
        heights: of the bases at each position, shape `(length, 4)`.
        offset: of the first position on the axis.
        colours: of the letters.
    """
    for letter in stacked(heights):
        rings = [ring + np.array([offset, 0.0]) for ring in polygons(letter)]
        path = Path.make_compound_path(*(Path(ring, closed=True) for ring in rings))
        axes.add_patch(PathPatch(path, lw=0, color=(colours or COLOURS)[letter.base]))
    axes.set_xlim(offset - 0.5, offset + len(heights) - 0.5)
    total = [np.where(heights > 0, heights, 0).sum(1).max(initial=0), np.where(heights < 0, heights, 0).sum(1).min()]
    room = 0.05 * (total[0] - total[1]) or 1.0
    axes.set_ylim(total[1] - room, total[0] + room)
    axes.axhline(0, color="#5B6770", lw=0.6)


def on_bases(scores: Floats, codes: Sequence[int] | NDArray[np.uint8]) -> NDArray[np.float64]:
    """Heights with each position's score on the base that stands there: `(length, 4)` from `(length,)`."""
    heights = np.zeros((len(scores), 4))
    known = np.flatnonzero(np.asarray(codes) < 4)
    heights[known, np.asarray(codes)[known]] = np.asarray(scores)[known]
    return heights
