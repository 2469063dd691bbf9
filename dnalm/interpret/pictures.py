"""Pictures of one sequence: what its bases add, what changes to them do, and where a scramble hurts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from dnalm.interpret.attribution import Attribution
from dnalm.interpret.logo import COLOURS, draw_logo, on_bases
from dnalm.interpret.mutation import Epistasis, Saturation, probability_of
from dnalm.interpret.placed import Placed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.floating]

ROW = 150
"""Bases in a row: of more, letters are too narrow to be read."""
MOST_ROWS = 4
"""Of letters; a longer sequence is drawn as a line."""
BINS = 1200
"""Columns of a heat map of a long sequence; each shows the strongest change among its bases."""
SITE = "#D81B30"
GREY, INK = "#5B6770", "#1F2A30"
FLAT = 0.05
"""Change in probability below which a picture of probabilities would show a straight line."""
GIVEN = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
_DIVERGING = "RdBu"  # red takes away, blue adds; readable to the colour-blind


@dataclass(frozen=True, eq=False)
class Curve:
    """One kind of change along a sequence.

    Attributes:
        name: for the legend.
        places: where each stands, in positions from 0, shape `(n,)`.
        log_odds: with the change, of each draw, shape `(draws, n)`.
        given: whether it is of something that was chosen, and not one of a row of sizes.
    """

    name: str
    places: Floats
    log_odds: Floats
    given: bool = False


def draw_saliency(one: Placed, found: Attribution) -> Figure:
    """Letters as tall as what each base adds to the log-odds; of a long sequence a line.

    Args:
        one: the sequence.
        found: its attribution.
    """
    rows = _rows(len(one))
    figure, grid = _figure(len(rows), 2.0 if len(rows) > 1 else 3.2)
    against = f" against its {found.baseline} baseline" if found.baseline else ""
    _title(
        figure,
        f"Which bases of {one.id} make {found.model} say {found.label} (probability {found.probability:.3g})",
        f"{found.method}{against}. {found.warning}",
    )
    heights = on_bases(found.bases, one.codes)
    limits = _limits(found.bases)
    for axes, (first, last) in zip(grid[:, 0], rows, strict=True):
        if last - first > ROW:
            _profile(axes, found.bases)
        else:
            draw_logo(axes, heights[first:last], offset=first)
        axes.set_ylim(*limits)
        axes.set_ylabel("adds (log-odds)")
        _positions(axes, one, first, last)
    _name_positions(grid[-1, 0], one)
    return figure


def draw_saturation(one: Placed, found: Saturation) -> Figure:
    """A heat map of every base changed to every other, under letters as tall as what each base is worth.

    Args:
        one: the sequence.
        found: its mutations.
    """
    rows = _rows(len(one))
    figure, grid = _figure(2 * len(rows), 1.55, ratios=[3, 2] * len(rows))
    probability, letters = float(probability_of(np.float64(found.reference))), len(rows) > 1 or len(one) <= ROW
    _title(
        figure,
        f"What each mutation of {one.id} does to {found.model}'s call {found.label} (probability {probability:.3g})",
        f"{'Letters' if letters else 'Line'}: how much a base is worth, its log-odds less the mean of the other"
        " three's. Squares: red takes from the call, blue adds to it"
        + (", a dot is the base that is there." if letters else "; each column shows the strongest of a few bases."),
    )
    heights, limits = on_bases(found.bases, one.codes), _limits(found.bases)
    most = float(np.abs(found.change).max()) or 1.0
    for number, (first, last) in enumerate(rows):
        above, squares = grid[2 * number, 0], grid[2 * number + 1, 0]
        if last - first > ROW:
            _profile(above, found.bases)
        else:
            draw_logo(above, heights[first:last], offset=first)
        above.set_ylim(*limits)
        above.set_ylabel("worth\n(log-odds)")
        _positions(above, one, first, last)
        above.tick_params(labelbottom=False)
        image = squares.imshow(
            _strongest(found.change[first:last]).T,
            aspect="auto",
            cmap=_DIVERGING,
            vmin=-most,
            vmax=most,
            interpolation="nearest",
            extent=(first - 0.5, last - 0.5, 3.5, -0.5),
        )
        if last - first <= ROW:
            known = first + np.flatnonzero(one.codes[first:last] < 4)
            squares.plot(known, one.codes[known], ".", color=GREY, ms=2.5)
        squares.set_yticks(range(4), "ACGT")
        for label in squares.get_yticklabels():
            label.set(color=COLOURS[label.get_text()], fontweight="bold")
        _positions(squares, one, first, last)
    _name_positions(grid[-1, 0], one)
    figure.colorbar(image, ax=list(grid[:, 0]), label="change in log-odds", pad=0.01, aspect=30)
    return figure


def draw_pairs(one: Placed, found: Epistasis) -> Figure:
    """The strongest interaction of each pair of positions in a window.

    Args:
        one: the sequence.
        found: the pairs.
    """
    figure = Figure(figsize=(9, 8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _title(
        figure,
        f"Which pairs of bases of {one.id} matter together",
        "The strongest of nine double changes at each pair: how far it differs from the sum of the two alone.",
    )
    values = np.array(found.strongest)
    np.fill_diagonal(values, np.nan)
    window = len(values)
    most = float(np.nanmax(np.abs(values), initial=0)) or 1.0
    image = axes.imshow(values, cmap=_DIVERGING, vmin=-most, vmax=most, interpolation="nearest")
    text = one.text[found.start : found.start + window]
    size = 9 if window <= 25 else 6
    names = [f"{base} {one.number(found.start + at)}" for at, base in enumerate(text)]
    axes.set_xticks(range(window), names, rotation=90, fontsize=size)
    axes.set_yticks(range(window), names, fontsize=size)
    counted = "base and its number" + (" from the start site (+1)" if one.site is not None else "")
    axes.set(xlabel=counted, ylabel=counted)
    figure.colorbar(image, ax=axes, label="interaction (log-odds): both less the sum of each", shrink=0.8)
    return figure


def draw_changes(one: Placed, names: Sequence[str], before: float, after: Floats, label: str) -> Figure:
    """A bar from the sequence's probability to that with each change.

    Args:
        one: the sequence.
        names: what the changes are called; the first `MOST_ROWS` * 15 are drawn.
        before: probability of the class.
        after: with each change, shape `(n,)`.
        label: the class.
    """
    names, after = names[: MOST_ROWS * 15], after[: MOST_ROWS * 15]
    figure = Figure(figsize=(9, 1.6 + 0.28 * max(3, len(names))), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _title(figure, f"What changes of {one.id} do to the call {label}", f"Unchanged: probability {before:.3g}.")
    at = np.arange(len(names))
    colours = np.where(after < before, "#B2182B", "#2166AC")
    axes.barh(at, after - before, left=before, color=colours, height=0.7)
    axes.plot(after, at, "o", color=INK, ms=4)
    axes.set_yticks(at, [_plain(name if len(name) <= 40 else f"{name[:37]}...") for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.axvline(before, color=GREY, lw=1)
    axes.set_xlim(-0.01, 1.01)
    axes.set_xlabel(f"probability of {_plain(label)}")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_curves(one: Placed, curves: Sequence[Curve], before: float, title: str, label: str) -> Figure:
    """Probability along a sequence, one curve for each kind of change, the start site in red.

    Where no mean probability moves by `FLAT`, as with a sequence that is called beyond doubt, log-odds are drawn.

    Args:
        one: the sequence.
        curves: what is drawn.
        before: log-odds without a change.
        title: says what to see.
        label: the class.
    """
    sure = float(probability_of(np.float64(before)))
    flat = max(float(np.abs(probability_of(curve.log_odds).mean(0) - sure).max()) for curve in curves) < FLAT
    drawn = any(len(curve.log_odds) > 1 for curve in curves)
    figure, grid = _figure(1, 4.4)
    axes = grid[0, 0]
    _title(figure, title, "Mean over the draws, and one standard deviation to both sides." if drawn else "")
    axes.axhline(before if flat else sure, color=GREY, lw=1, ls="--", label="unchanged")
    for number, curve in enumerate(curves):
        shade = 0.88 * number / max(1, len(curves) - 1)
        colour = GIVEN[number % len(GIVEN)] if curve.given else colormaps["viridis"](shade)
        draws = curve.log_odds if flat else probability_of(curve.log_odds)
        mean = draws.mean(0)
        if len(draws) > 1:
            spread = draws.std(0, ddof=1)
            low, high = (mean - spread, mean + spread) if flat else np.clip([mean - spread, mean + spread], 0, 1)
            axes.fill_between(curve.places, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(
            curve.places, mean, color=colour, lw=1.6 if len(one) <= MOST_ROWS * ROW else 0.7, label=_plain(curve.name)
        )
    axes.set_ylabel(f"{'log-odds' if flat else 'probability'} of {_plain(label)}")
    if not flat:
        axes.set_ylim(-0.03, 1.02)
    _positions(axes, one, 0, len(one))
    if len(one) <= ROW:
        foot = axes.get_xaxis_transform()
        for position, base in enumerate(one.text):
            told = {"color": COLOURS.get(base, GREY), "fontsize": 7, "fontweight": "bold", "transform": foot}
            axes.text(position, 0.01, base, ha="center", va="bottom", **told)
    _name_positions(axes, one)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False, ncols=8)
    return figure


def _rows(length: int) -> list[tuple[int, int]]:
    """Stretches that are drawn under one another, alike in length; one of everything where there would be too many."""
    count = -(-length // ROW)
    if count > MOST_ROWS:
        return [(0, length)]
    edges = np.linspace(0, length, count + 1).round().astype(int).tolist()
    return list(pairwise(edges))


def _figure(rows: int, height: float, ratios: Sequence[float] | None = None) -> tuple[Figure, NDArray]:
    figure = Figure(figsize=(14, 0.9 + height * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, 1, squeeze=False, height_ratios=ratios)


def _title(figure: Figure, title: str, more: str) -> None:
    figure.suptitle(_plain(title), fontsize=12)
    if more.strip():
        figure.axes[0].set_title(_plain(more.strip()), fontsize=9, loc="left", color=INK)


def _plain(text: str) -> str:
    return text.replace("$", r"\$")  # a name is text, not mathematics


def _limits(values: Floats) -> tuple[float, float]:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _profile(axes: Axes, values: Floats) -> None:
    """Many bases: the strongest of each few, up and down."""
    bins = _edges(len(values))
    middle = (bins[:-1] + bins[1:] - 1) / 2
    for choose, colour in ((np.maximum, "#2166AC"), (np.minimum, "#B2182B")):
        axes.fill_between(middle, choose(choose.reduceat(values, bins[:-1]), 0), step="mid", color=colour, lw=0)
    axes.axhline(0, color=GREY, lw=0.6)


def _strongest(change: Floats) -> Floats:
    """Changes `(length, 4)`; of a long sequence the strongest of each few bases, sign and all."""
    if len(change) <= BINS:
        return change
    bins = _edges(len(change))
    low, high = np.minimum.reduceat(change, bins[:-1]), np.maximum.reduceat(change, bins[:-1])
    return np.where(-low > high, low, high)


def _edges(length: int) -> NDArray[np.int64]:
    return np.linspace(0, length, min(length, BINS) + 1).round().astype(np.int64)


def _positions(axes: Axes, one: Placed, first: int, last: int) -> None:
    """Number the bases and mark the site."""
    axes.set_xlim(first - 0.5, last - 0.5)
    axes.spines[["top", "right"]].set_visible(False)
    if one.site is not None:
        step = _step(last - first)
        marks = [*range(one.site, first - 1, -step), *range(one.site + step - 1, last, step)]
        axes.xaxis.set_major_locator(FixedLocator([mark for mark in marks if first <= mark < last]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: one.number(round(x))))
        if first <= one.site < last:
            axes.axvline(one.site, color=SITE, lw=1.4, zorder=0.5)
    elif one.region is not None:
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{one.on_record(round(x)) + 1:,}"))
    else:
        axes.xaxis.set_major_locator(FixedLocator([0, *range(_step(last - first) - 1, last, _step(last - first))]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{round(x) + 1:,}"))


def _step(bases: int) -> int:
    return next(step for step in (5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10**9) if bases / step <= 20)


def _name_positions(axes: Axes, one: Placed) -> None:
    if one.site is not None:
        said = "base, counted from the start site (+1, red)"
    elif one.region is not None:
        said = f"position in {one.region.record}" + (", read backwards" if one.region.strand == "-" else "")
    else:
        said = "base"
    axes.set_xlabel(_plain(said))
