"""Draw a scan to a file: probability along the sequence, both strands, known starts red, genes as arrows.

A long track is drawn in as many bins as the picture has columns: the highest score of each, and where a bin holds many
sites the mean, too, so that a whole genome takes seconds and a few hundred kilobytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from dnalm.files import picture_bytes, replacing
from dnalm.tracks import colours
from dnalm.tracks.bins import binned
from dnalm.tracks.peaks import Peak
from dnalm.tracks.scan import Track

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dnalm.annotation import Gene, Site

# Columns of the picture, two a pixel of the PNG; sites in one from which on the mean is another story than the highest;
# marks from which on they are drawn small.
_COLUMNS = 2640
_MANY = 50
_CROWD = 400


def draw(
    track: Track,
    *,
    sites: Sequence[Site] = (),
    sites_name: str = "known starts",
    genes: Sequence[Gene] = (),
    peaks: Sequence[Peak] = (),
    threshold: float | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a track as a figure: the forward strand above zero, the reverse strand mirrored below.

    Args:
        track: the scores.
        sites: known starts, drawn red on their strand's side.
        sites_name: what they are, for the legend.
        genes: drawn as arrows in a row of their own.
        peaks: calls, drawn as open circles.
        threshold: drawn as a dashed line on both sides.
        title: the figure's title; says what was scanned with which model when None.
    """
    # Margins that hold whatever is drawn: finding the least ones would mean drawing everything twice.
    figure = Figure(figsize=(12, 4.6), dpi=110)
    figure.subplots_adjust(left=0.06, right=0.965, top=0.87, bottom=0.115, hspace=0.05)
    FigureCanvasAgg(figure)
    rows = 2 if genes else 1
    grid = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[6, 1][:rows])
    main = grid[0, 0]
    figure.suptitle(title or f"Probability of {track.label} along {track.record}, by {track.model}", fontsize=12)
    _scores(main, track)
    if threshold is not None:
        for side in _sides(track):
            main.axhline(side * threshold, color=colours.THRESHOLD, lw=0.8, ls="--")
    _sites(main, track, sites, sites_name)
    _peaks(main, track, peaks)
    if main.get_legend_handles_labels()[0]:
        # Above the scores: inside, it would lie on the marks of known starts.
        main.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False, ncols=6)
    if genes:
        _genes(grid[1, 0], track, genes)
    bottom = grid[-1, 0]
    bottom.set_xlim(track.start + 0.5, track.end + 0.5)
    bottom.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    bottom.set_xlabel(f"position in {track.record} (bases)")
    return figure


def write_picture(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG or SVG, as the name says, whole or not at all."""
    path = Path(path)
    content = picture_bytes(figure, path.suffix.lstrip(".").lower())
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def shown_at(position: int, track: Track) -> int | None:
    """Place of a position of the record on the track's axis, which runs on past the origin; None outside."""
    for place in (position, position + track.record_length):
        if track.start <= place < track.end:
            return place
    return None


def shown_gene(gene: Gene, track: Track) -> tuple[int, int] | None:
    """Start and end on the track's axis of a gene that overlaps the region; None where it does not."""
    if gene.record != track.record:
        return None
    for lap in (-track.record_length, 0, track.record_length):
        if gene.start + lap < track.end and gene.end + lap > track.start:
            return gene.start + lap, gene.end + lap
    return None


def _sides(track: Track) -> list[int]:
    return [1 if strand == "+" else -1 for strand in track.strands()]


def _scores(axes: Axes, track: Track) -> None:
    names = {"+": "forward strand", "-": "reverse strand"}
    for strand, scores in track.strands().items():
        side = 1 if strand == "+" else -1
        curve = binned(track.positions, scores, _COLUMNS)
        many = curve.sites > _MANY
        label = names[strand] + (f", highest of {curve.sites:,} sites" if many else "")
        _fill(axes, curve.positions, side * curve.high, colours.STRANDS[strand], 0.4 if many else 0.9, label)
        if many:
            _fill(axes, curve.positions, side * curve.mean, colours.STRANDS[strand], 1, f"{names[strand]}, mean")
    sides = _sides(track)
    low, high = (-1.12 if -1 in sides else 0), (1.12 if 1 in sides else 0)
    axes.set_ylim(low, high)
    axes.set_yticks([tick for tick in (-1, -0.5, 0, 0.5, 1) if low <= tick <= high])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{abs(y):g}"))
    axes.axhline(0, color="black", lw=0.6)
    axes.set_ylabel("← reverse · probability · forward →" if len(sides) == 2 else "probability")
    axes.spines[["top", "right"]].set_visible(False)


def _fill(
    axes: Axes, positions: NDArray[np.int64], values: NDArray[np.float32], colour: str, alpha: float, label: str
) -> None:
    axes.fill_between(positions + 1, 0, values, color=colour, alpha=alpha, lw=0.4, label=label)


def _sites(axes: Axes, track: Track, sites: Sequence[Site], name: str) -> None:
    for strand in track.strands():
        same = [site for site in sites if (site.record, site.strand) == (track.record, strand)]
        places = [shown_at(site.position, track) for site in same]
        positions = [place + 1 for place in places if place is not None]
        if not positions:
            continue
        side = 1 if strand == "+" else -1
        axes.vlines(positions, 0, side, color=colours.KNOWN, lw=0.9, alpha=0.55, zorder=0.5)
        axes.scatter(
            positions,
            np.full(len(positions), side * 1.05),
            marker="v" if side > 0 else "^",
            s=26 if len(positions) <= _CROWD else 8,
            color=colours.KNOWN,
            label=name if name not in axes.get_legend_handles_labels()[1] else None,
        )


def _peaks(axes: Axes, track: Track, peaks: Sequence[Peak]) -> None:
    shown = [(shown_at(peak.position, track), peak) for peak in peaks if peak.strand in track.strands()]
    points = [(place + 1, peak) for place, peak in shown if place is not None]
    if points:
        axes.scatter(
            [place for place, _ in points],
            [peak.probability if peak.strand == "+" else -peak.probability for _, peak in points],
            s=18 if len(points) <= _CROWD else 5,
            facecolors="none",
            edgecolors="black",
            linewidths=0.7 if len(points) <= _CROWD else 0.4,
            label="called peaks",
        )


def _genes(axes: Axes, track: Track, genes: Sequence[Gene]) -> None:
    span = track.end - track.start
    arrows = []
    for gene in genes:
        place = shown_gene(gene, track)
        if place is None:
            continue
        low, high = place
        arrows.append(arrow(low, high, gene.strand, head=span / 120))
        # A name is written where it fits: about one letter for each 1/150 of the picture.
        middle = (max(low, track.start) + min(high, track.end)) / 2
        if len(gene.name) * span / 130 < high - low:
            level = 0.5 if gene.strand == "+" else -0.5
            axes.text(middle, level, gene.name, ha="center", va="center", fontsize=6, color="white", clip_on=True)
    axes.add_collection(PolyCollection(arrows, facecolors=colours.GENE, linewidths=0))
    axes.set_ylim(-1, 1)
    axes.set_yticks([0.5, -0.5], ["genes +", "genes -"], fontsize=7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def arrow(start: int, end: int, strand: str, *, head: float) -> list[tuple[float, float]]:
    """Corners of a gene's arrow, forward genes above zero and reverse ones below, in (bases, row) units.

    Args:
        start: first base, 0-based.
        end: one past the last.
        strand: "+" or "-".
        head: length of the arrow's head in bases; the whole gene when that is shorter.
    """
    head = min(head, end - start)
    low, middle, high = (0.1, 0.5, 0.9) if strand == "+" else (-0.9, -0.5, -0.1)
    tail, tip = (start, end) if strand == "+" else (end, start)
    neck = tip - head if strand == "+" else tip + head
    return [(tail, low), (neck, low), (tip, middle), (neck, high), (tail, high)]
