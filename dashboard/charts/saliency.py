"""Saliency as logos, one row a method or model, with the site and the elements of a promoter marked."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboard.charts.logo import MOST_LETTERS, limits, logo_shapes
from dashboard.charts.positions import axis, names, site_mark
from dashboard.charts.theme import Look, heading, template
from dashboard.subject import Subject
from dnalm.interpret.logo import LETTERS

ROW = 165
_ABOVE, _BELOW = 92, 62


@dataclass(frozen=True, eq=False)
class Row:
    """One logo.

    Attributes:
        title: what it is.
        subject: the sequence, by whose positions it is drawn.
        heights: of the bases at each position, shape `(length, 4)`.
        unit: of the heights.
        spread: low and high of each position's height, where known, each `(length,)`.
    """

    title: str
    subject: Subject
    heights: NDArray[np.floating]
    unit: str = "log-odds"
    spread: tuple[NDArray[np.floating], NDArray[np.floating]] | None = None


@dataclass(frozen=True)
class Element:
    """A known element: its places on the axis, half-open, and its name."""

    start: int
    end: int
    name: str


def saliency_figure(
    rows: Sequence[Row], look: Look, *, title: str, elements: Sequence[Element] = (), same_scale: bool = False
) -> go.Figure:
    """Logos below each other over one axis of positions.

    Args:
        rows: at least one; the first row's sequence gives the axis, together with what others have beyond it.
        look: the colours.
        title: what to see.
        elements: drawn behind the letters.
        same_scale: one scale for all rows.
    """
    figure = make_subplots(
        rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=min(0.09, 0.26 / len(rows)),
        subplot_titles=[html.escape(row.title) for row in rows] if len(rows) > 1 else None,
    )  # fmt: skip
    common = limits([row.heights for row in rows])
    shapes = []
    for number, row in enumerate(rows, 1):
        low, high = common if same_scale else limits([row.heights])
        shapes += _elements(elements, number, look) + site_mark(row.subject, number, look)
        places = row.subject.positions()
        values = row.heights.sum(1)
        if len(places) <= MOST_LETTERS:
            axes = ("x" if number == 1 else f"x{number}", "y" if number == 1 else f"y{number}")
            shapes += logo_shapes(row.heights, look, offset=float(places[0]), axes=axes)
        else:
            _bars(figure, row, number, look)
        if row.spread is not None:
            _interval(figure, row, number, look)
        figure.add_scatter(
            x=places,
            y=values,
            mode="markers",
            marker={"size": 14, "opacity": 0},
            hovertext=[
                f"{text}<br>{value:+.3f} {html.escape(row.unit)}"
                for text, value in zip(names(row.subject), values, strict=True)
            ],
            hoverinfo="text",
            showlegend=False,
            row=number,
            col=1,
        )
        figure.update_yaxes(range=[low, high], title={"text": row.unit}, row=number, col=1, nticks=5)
    figure.update_layout(
        template=template(look),
        title=heading(title, look),
        height=_ABOVE + _BELOW + ROW * len(rows) + 30 * (len(rows) - 1),
        margin={"t": _ABOVE, "b": _BELOW, "l": 64, "r": 12},
        shapes=shapes,
        bargap=0,
        legend={"x": 1, "xanchor": "right", "y": 1, "yref": "container", "yanchor": "top"},
        dragmode="zoom",
    )
    widest = max(rows, key=lambda row: len(row.subject.codes)).subject
    figure.update_xaxes(axis(widest))
    figure.update_xaxes(title=None)
    figure.update_xaxes(title={"text": axis(widest)["title"]["text"]}, row=len(rows), col=1)
    figure.update_annotations(font={"size": 14, "color": look.text}, xanchor="left", x=0)
    _name_elements(figure, elements, look)
    return figure


def _bars(figure: go.Figure, row: Row, number: int, look: Look) -> None:
    places = row.subject.positions()
    for base, letter in enumerate(LETTERS):
        here = np.flatnonzero(row.heights[:, base])
        marker = {"color": look.bases[letter], "line_width": 0}
        figure.add_bar(
            x=places[here], y=row.heights[here, base], name=letter, marker=marker,
            showlegend=number == 1, legendgroup=letter, hoverinfo="skip", width=1, row=number, col=1,
        )  # fmt: skip


def _interval(figure: go.Figure, row: Row, number: int, look: Look) -> None:
    assert row.spread is not None
    places = row.subject.positions()
    middle = (row.spread[0] + row.spread[1]) / 2
    figure.add_scatter(
        x=places, y=middle, error_y={"array": row.spread[1] - middle, "color": look.quiet, "thickness": 1, "width": 0},
        mode="markers", marker={"size": 1, "color": look.quiet}, hoverinfo="skip", showlegend=False, row=number, col=1,
    )  # fmt: skip


def _references(number: int) -> tuple[str, str]:
    return ("x" if number == 1 else f"x{number}"), ("y domain" if number == 1 else f"y{number} domain")


def _elements(elements: Sequence[Element], number: int, look: Look) -> list[dict[str, object]]:
    xref, yref = _references(number)
    return [
        {
            "type": "rect", "xref": xref, "yref": yref, "x0": one.start - 0.5, "x1": one.end - 0.5, "y0": 0, "y1": 1,
            "fillcolor": look.box, "line": {"width": 0}, "layer": "below",
        }
        for one in elements
    ]  # fmt: skip


def _name_elements(figure: go.Figure, elements: Sequence[Element], look: Look) -> None:
    for one in elements:
        figure.add_annotation(
            x=(one.start + one.end - 1) / 2, y=0, yref="y domain", xref="x", text=one.name, showarrow=False,
            yanchor="bottom", font={"size": 12, "color": look.quiet},
        )  # fmt: skip
