"""Motifs as a picture file: their letters, what they add, and where they stand; then the distance of the boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dnalm.interpret.logo import draw_logo
from dnalm.interpret.motif import Motif
from dnalm.interpret.motif_report import MotifReport
from dnalm.interpret.spacing import OPTIMUM

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 12
"""Motifs in one picture, those that add most."""
BAR, BEST = "#0072B2", "#E69F00"


def draw_motifs(report: MotifReport) -> Figure:
    """Draw a report: a row for each motif, and one for the spacing where a box was found."""
    shown = report.motifs.motifs[:MOST]
    spacing = report.spacing if report.spacing is not None and report.reads_a_box else None
    rows = max(1, len(shown)) + (spacing is not None)
    figure = Figure(figsize=(12, 0.8 + 2.1 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"What {report.model} reads in {len(report.used):,} sequences that it calls {report.label}")
    grid = figure.subplots(rows, 3, squeeze=False, width_ratios=[3, 3, 3])
    if not shown:
        for axes in grid[0]:
            axes.axis("off")
        grid[0, 1].text(0.5, 0.5, "No stretch stands out often enough to be a motif.", ha="center")
    for number, motif in enumerate(shown):
        _row(grid[number], motif, report)
    if spacing is not None:
        for axes in grid[-1, 1:]:
            axes.remove()
        wide = figure.add_subplot(grid[-1, 0].get_gridspec()[-1, :])
        grid[-1, 0].remove()
        colours = [BEST if one in OPTIMUM else BAR for one in spacing.spacers]
        wide.bar(spacing.spacers, spacing.counts, color=colours, width=0.85)
        wide.set_xticks(spacing.spacers)
        wide.set_xlabel("bases between the -35 and the -10 hexamer (16 to 18, where promoters have them, in orange)")
        wide.set_ylabel("sequences")
    return figure


def _row(axes: NDArray, motif: Motif, report: MotifReport) -> None:
    letters, adds, places = axes
    match = report.best_match(motif.name)
    known = f"; like {match.known}, q {match.q_value:.2g}" if match else ""
    letters.set_title(f"{motif.name}: {motif.consensus}, {len(motif.sites):,} places{known}", loc="left", fontsize=10)
    draw_logo(letters, motif.logo, offset=1)
    letters.set_ylim(0, 2)
    letters.set_ylabel("bits")
    draw_logo(adds, motif.contributions, offset=1)
    adds.set_ylabel("adds (log-odds)")
    for one in (letters, adds):
        one.xaxis.set_major_locator(MaxNLocator(integer=True))
        one.set_xlabel("base of the motif")
    _positions(places, motif)


def _positions(axes: Axes, motif: Motif) -> None:
    values, counts = np.unique(motif.positions, return_counts=True)
    axes.bar(values, counts, color=BAR, width=0.9)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("places")
    axes.set_xlabel("first base, from the start (+1)" if motif.anchor is not None else "first base")
