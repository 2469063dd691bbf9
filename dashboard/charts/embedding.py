"""An embedding as a scatter of points: coloured, named when pointed at, the chosen one and its neighbours ringed."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from dashboard.charts.theme import DARK, Look, template
from dnalm.interpret.calls import RIGHT, Calls
from dnalm.interpret.colouring import NO_CLASS, OTHERS, Colouring
from dnalm.interpret.embedding import Embedding, Neighbour
from dnalm.interpret.projection import Projection

HEIGHT = 620
_SECOND = {"A": "circle", "C": "square", "G": "triangle-up", "T": "diamond"}
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "x")
_SIDES = ("bottom center", "middle right", "middle left", "top center")
_QUIET = (NO_CLASS, OTHERS)
# A group of less than this share of all points is drawn larger.
_RARE = 0.03
# Named on the picture: more would lie on each other.
_NAMED = 10


def scatter(
    embedding: Embedding,
    projection: Projection,
    colours: Colouring,
    look: Look,
    *,
    title: str,
    calls: Calls | None = None,
    chosen: int | None = None,
    near: Sequence[Neighbour] = (),
) -> go.Figure:
    """Draw the points.

    Args:
        embedding: the points.
        projection: where they lie.
        colours: what colours them.
        look: the page's colours.
        title: what to look at.
        calls: of the classifier, for the words under the pointer.
        chosen: a point that is ringed and named.
        near: its nearest neighbours, named too.
    """
    chart = go.Figure()
    words = _words(embedding, calls)
    size = 9 if len(embedding) <= 1000 else 6
    if colours.numbers is not None:
        _numbers(chart, embedding, projection, colours, look, words, size)
    else:
        _groups(chart, embedding, projection, colours, look, words, size)
    marked = [one.row for one in near[:_NAMED]]
    if marked:
        _ring(chart, embedding, projection, marked, look, "its neighbours", size + 5, 1.2)
    if chosen is not None:
        name = html.escape(_short(embedding.ids[chosen]))
        _ring(chart, embedding, projection, [chosen], look, name, size + 11, 3)
        x, y = projection.points[chosen]
        # Beside the point, with a background: its neighbours' names may lie under it.
        chart.add_annotation(
            x=x,
            y=y,
            text=f"<b>{name}</b>",
            ax=34,
            ay=-38,
            arrowcolor=look.text,
            bgcolor=look.box,
            font={"size": 15, "color": look.text},
        )
    first, second = projection.axes()
    chart.update_layout(
        template=template(look),
        title={"text": html.escape(title), "x": 0, "xanchor": "left", "font": {"size": 16}},
        height=HEIGHT,
        margin={"l": 64, "r": 16, "t": 48, "b": 56},
        legend={"orientation": "h", "x": 0, "y": -0.13, "yanchor": "top", "itemsizing": "constant"},
        clickmode="event+select",
    )
    if colours.by in ("first", "last"):
        # Sixteen short names stand at the side; longer ones would take the picture's width.
        words_of = {"text": html.escape(colours.title)}
        chart.update_layout(legend={"orientation": "v", "x": 1.01, "y": 1, "yanchor": "top", "title": words_of})
    chart.update_xaxes(title=first, zeroline=False)
    chart.update_yaxes(title=second, zeroline=False)
    return chart


def _words(embedding: Embedding, calls: Calls | None) -> list[str]:
    """What is said of each point under the pointer."""
    share = embedding.gc()
    found = []
    for row, name in enumerate(embedding.ids):
        lines = [f"<b>{html.escape(_short(name))}</b>"]
        if embedding.what == "sequences":
            label = embedding.labels[row]
            lines.append(f"class: {html.escape(label)}" if label is not None else NO_CLASS)
        if calls is not None and calls.called[row] is not None:
            of = calls.speaks_of or calls.called[row] or ""
            lines.append(f"probability of {html.escape(of)}: {calls.probabilities[row]:.3f} ({calls.outcomes[row]})")
        lines.append(f"GC {share[row]:.0%}" if np.isfinite(share[row]) else "no base known")
        found.append("<br>".join(lines))
    return found


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:59]}…"


def _trace(
    projection: Projection, rows: np.ndarray, words: list[str], name: str, marker: dict[str, Any], shown: bool
) -> go.Scattergl:
    """Points that stay as bright as they are when one of them is clicked."""
    return go.Scattergl(
        x=projection.points[rows, 0],
        y=projection.points[rows, 1],
        mode="markers",
        name=name,
        marker=marker,
        selected={"marker": {"opacity": marker["opacity"]}},
        unselected={"marker": {"opacity": marker["opacity"]}},
        customdata=[[int(row)] for row in rows],
        hovertext=[words[row] for row in rows],
        hoverinfo="text",
        showlegend=shown,
    )


def _groups(
    chart: go.Figure,
    embedding: Embedding,
    projection: Projection,
    colours: Colouring,
    look: Look,
    words: list[str],
    size: int,
) -> None:
    assert colours.groups is not None
    of_point = np.array(colours.groups)
    palette = template(look).layout.colorway
    counts = {group: int((of_point == group).sum()) for group in colours.order}
    # The rarest on top and larger, or a handful of promoters would drown; the legend keeps its order.
    for group in sorted(colours.order, key=lambda one: -counts[one]):
        place = colours.order.index(group)
        colour, symbol = palette[place % len(palette)], _SYMBOLS[place % len(_SYMBOLS)]
        if colours.by in ("first", "last"):
            colour, symbol = look.bases[group[0]], _SECOND[group[-1]]
        if group in _QUIET or (colours.by == "error" and group == RIGHT):
            colour = look.quiet
        rows = np.flatnonzero(of_point == group)
        rare = len(rows) < _RARE * len(embedding)
        marker = {"size": size + 4 * rare, "color": colour, "symbol": symbol, "opacity": 0.95 if rare else 0.75}
        name = f"{html.escape(_short(group))} ({len(rows):,})"
        chart.add_trace(_trace(projection, rows, words, name, marker, True).update(legendrank=place + 1))


def _numbers(
    chart: go.Figure,
    embedding: Embedding,
    projection: Projection,
    colours: Colouring,
    look: Look,
    words: list[str],
    size: int,
) -> None:
    assert colours.numbers is not None
    known = np.isfinite(colours.numbers)
    if not known.all():
        rows = np.flatnonzero(~known)
        marker = {"size": size, "color": look.quiet, "symbol": "circle-open", "opacity": 0.8}
        chart.add_trace(_trace(projection, rows, words, f"not known ({len(rows):,})", marker, True))
    rows = np.flatnonzero(known)
    low, high = colours.limits
    # The end of the scale that is as the page's background would vanish on it.
    part = np.linspace(0.28, 1.0, 9) if look is DARK else np.linspace(0.0, 0.86, 9)
    marker = {
        "size": size,
        "color": colours.numbers[rows],
        "cmin": low,
        "cmax": high,
        "colorscale": sample_colorscale("Viridis", list(part)),
        "opacity": 0.85,
        "colorbar": {
            "title": {"text": html.escape(colours.title), "side": "right"},
            "tickformat": ".0%" if colours.by == "gc" else ".1f",
            "thickness": 14,
        },
    }
    chart.add_trace(_trace(projection, rows, words, html.escape(colours.title), marker, False))


def _ring(
    chart: go.Figure,
    embedding: Embedding,
    projection: Projection,
    rows: list[int],
    look: Look,
    name: str,
    size: int,
    width: float,
) -> None:
    x, y = projection.points[rows].T
    chart.add_scatter(
        x=x,
        y=y,
        mode="markers+text" if embedding.what == "kmers" and len(rows) > 1 else "markers",
        text=[html.escape(_short(embedding.ids[row])) for row in rows],
        textposition=[_SIDES[place % len(_SIDES)] for place in range(len(rows))],
        textfont={"color": look.text, "size": 12},
        marker={"size": size, "symbol": "circle-open", "color": look.text, "line": {"width": width}},
        name=name,
        hoverinfo="skip",
        cliponaxis=False,
    )
