"""Mutations as pictures: the map of every change, the scramble's curves, pairs, and bases taken out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboard.charts.logo import MOST_LETTERS, limits, logo_shapes
from dashboard.charts.positions import axis, name, site_mark
from dashboard.charts.theme import Look, heading, template
from dashboard.subject import Subject
from dnalm.alphabet import decode
from dnalm.interpret.logo import LETTERS, on_bases
from dnalm.interpret.mutation import Epistasis, Scramble

LOSS, GAIN = "#B2182B", "#2166AC"
_MAP, _LOGO = 132, 120
_CURVES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B7280")


@dataclass(frozen=True, eq=False)
class Map:
    """One map: the change by each base at each position, shape `(length, 4)`, of a sequence."""

    title: str
    subject: Subject
    change: NDArray[np.floating]
    unit: str
    clickable: bool = False


def map_figure(
    maps: Sequence[Map], look: Look, *, title: str, logos: Sequence[tuple[str, Subject, NDArray[np.floating]]] = ()
) -> go.Figure:
    """Maps of what each change does, and below them logos of what each base is worth, over one axis of positions.

    Cells are places to click: the markers of a clickable map carry the change as custom data, "at,base".

    Args:
        maps: drawn with one scale of colours for each.
        look: the colours.
        title: what to see.
        logos: title, sequence and heights `(length,)`.
    """
    count = len(logos) + len(maps)
    heights = [_MAP] * len(maps) + [_LOGO] * len(logos)
    figure = make_subplots(
        rows=count, cols=1, shared_xaxes=True, row_heights=heights, vertical_spacing=0.16 / max(2, count),
        subplot_titles=[html.escape(one.title) for one in maps] + [html.escape(one[0]) for one in logos],
    )  # fmt: skip
    shapes = []
    for number, (_, subject, worth) in enumerate(logos, len(maps) + 1):
        heights_of = on_bases(np.asarray(worth), subject.codes)
        axes = ("x" if number == 1 else f"x{number}", "y" if number == 1 else f"y{number}")
        if len(subject.codes) <= MOST_LETTERS:
            shapes += logo_shapes(heights_of, look, offset=float(subject.positions()[0]), axes=axes)
        figure.add_scatter(
            x=subject.positions(), y=worth, mode="markers" if len(subject.codes) <= MOST_LETTERS else "lines",
            marker={"size": 12, "opacity": 0}, line={"color": look.forward, "width": 1},
            hovertext=[f"{letter} at {name(subject, at)}<br>worth {value:+.3f}" for at, (letter, value) in
                       enumerate(zip(decode(subject.codes), worth, strict=True))],
            hoverinfo="text", showlegend=False, row=number, col=1,
        )  # fmt: skip
        figure.update_yaxes(range=limits([heights_of]), nticks=4, title={"text": "worth"}, row=number, col=1)
        shapes += site_mark(subject, number, look)
    for number, one in enumerate(maps, 1):
        _add_map(figure, one, number, look, place=_middle(figure, number))
        shapes += site_mark(one.subject, number, look)
    widest = max([one.subject for one in maps], key=lambda subject: len(subject.codes))
    told = axis(widest)
    figure.update_layout(
        template=template(look),
        title=heading(title, look),
        height=150 + sum(heights) + 34 * count,
        margin={"t": 84, "b": 58, "l": 56, "r": 84},
        shapes=shapes,
        dragmode="zoom",
        clickmode="event+select",
    )
    figure.update_xaxes({**told, "title": None, "showgrid": False})
    figure.update_xaxes(title=told["title"], row=count, col=1)
    figure.update_annotations(font={"size": 14, "color": look.text}, xanchor="left", x=0)
    return figure


def _middle(figure: go.Figure, number: int) -> tuple[float, float]:
    low, high = figure.layout["yaxis" if number == 1 else f"yaxis{number}"].domain
    return (low + high) / 2, high - low


def _add_map(figure: go.Figure, one: Map, number: int, look: Look, *, place: tuple[float, float]) -> None:
    subject, change = one.subject, one.change
    places = subject.positions()
    most = float(np.nanmax(np.abs(change), initial=0.0)) or 1.0
    middle = look.paper
    figure.add_heatmap(
        x=places, y=list(LETTERS), z=change.T, zmin=-most, zmax=most,
        colorscale=[[0, LOSS], [0.5, middle], [1, GAIN]], hoverinfo="skip", xgap=0, ygap=1,
        colorbar={"len": place[1] * 1.02, "y": place[0], "thickness": 11, "title": {"text": one.unit, "side": "right",
                  "font": {"size": 12}}, "nticks": 5, "tickfont": {"size": 11}},
        row=number, col=1,
    )  # fmt: skip
    at, base = (found.ravel() for found in np.indices(change.shape))
    letters = decode(subject.codes)
    own = subject.codes[at] == base
    texts = [
        f"{letters[there]} at {name(subject, there)}: the sequence's own"
        if mine
        else f"{name(subject, there)} {letters[there]}→{LETTERS[to]}<br>{change[there, to]:+.3f} {one.unit}"
        for there, to, mine in zip(at, base, own, strict=True)
    ]
    figure.add_scatter(
        x=places[at], y=[LETTERS[to] for to in base], mode="markers",
        marker={"size": [6 if mine and len(letters) <= MOST_LETTERS else 16 for mine in own],
                "symbol": ["circle" if mine else "square" for mine in own], "color": look.quiet, "line": {"width": 0},
                "opacity": [0.7 if mine and len(letters) <= MOST_LETTERS else 0 for mine in own]},
        hovertext=texts, hoverinfo="text", showlegend=False,
        customdata=[f"{there},{to}" for there, to in zip(at, base, strict=True)] if one.clickable else None,
        selected={"marker": {"opacity": 0}}, unselected={"marker": {"opacity": 0}},
        row=number, col=1,
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, tickfont={"size": 12}, fixedrange=True, row=number, col=1)


def scramble_figure(
    found: Sequence[Scramble],
    subject: Subject,
    reference: float,
    look: Look,
    *,
    title: str,
    label: str,
    log_odds: bool = False,
) -> go.Figure:
    """Mean probability, or log-odds, where a stretch of k bases is replaced, one curve a k, with all its draws.

    `reference` is the sequence's own, in the unit that is drawn.
    """
    figure, first = go.Figure(), int(subject.positions()[0])
    for number, one in enumerate(found):
        colour = _CURVES[number % len(_CURVES)]
        text = one.inserted[0] if len(one.inserted) == 1 else f"{one.k} base{'s' if one.k > 1 else ''}"
        x, drawn = one.centres + first, one.log_odds if log_odds else one.probability
        if len(drawn) > 1:
            low, high = drawn.min(0), drawn.max(0)
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]), y=np.concatenate([high, low[::-1]]), fill="toself", fillcolor=colour,
                opacity=0.13, line={"width": 0}, mode="lines", hoverinfo="skip", showlegend=False, legendgroup=text,
            )  # fmt: skip
        spread = [f"<br>standard deviation {value:.3f}" if np.isfinite(value) else "" for value in one.spread]
        figure.add_scatter(
            x=x, y=drawn.mean(0), mode="lines", line={"color": colour, "width": 2}, name=text, legendgroup=text,
            hovertext=[f"{text} from {name(subject, int(start))}<br>probability {mean:.3f}{more}"
                       for start, mean, more in zip(one.starts, one.mean, spread, strict=True)],
            hoverinfo="text",
        )  # fmt: skip
    figure.add_hline(y=reference, line={"color": look.quiet, "width": 1, "dash": "dash"})
    figure.update_layout(
        template=template(look),
        title=heading(title, look),
        height=430,
        shapes=[*figure.layout.shapes, *site_mark(subject, 1, look)],
        legend={"title": {"text": "replaced: "}},
    )
    figure.update_xaxes(axis(subject))
    words = f"{'log-odds' if log_odds else 'probability'} of {html.escape(label)}"
    figure.update_yaxes(range=None if log_odds else [-0.03, 1.03], title={"text": words})
    return figure


def pairs_figure(found: Epistasis, subject: Subject, look: Look, *, title: str) -> go.Figure:
    """The strongest interaction at each pair of positions in the window."""
    window = np.arange(found.start, found.start + len(found.single))
    names = [f"{decode(subject.codes[at : at + 1])} {name(subject, int(at))}" for at in window]
    strongest = found.strongest
    most = float(np.nanmax(np.abs(strongest))) or 1.0
    figure = go.Figure(
        go.Heatmap(
            x=names, y=names, z=strongest, zmin=-most, zmax=most,
            colorscale=[[0, LOSS], [0.5, look.paper], [1, GAIN]],
            colorbar={"title": {"text": "log-odds", "side": "right"}},
            hovertemplate="%{x} with %{y}<br>%{z:+.3f} log-odds beyond the sum of both<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        template=template(look),
        title=heading(title, look),
        width=700,
        height=640,
    )
    figure.update_xaxes(title={"text": "base"}, showgrid=False, constrain="domain")
    figure.update_yaxes(
        title={"text": "base"}, showgrid=False, autorange="reversed", scaleanchor="x", constrain="domain"
    )
    return figure


def without_figure(
    curves: Sequence[tuple[int, NDArray[np.floating]]], subject: Subject, look: Look, *, title: str
) -> go.Figure:
    """What is lost when so many bases are taken out, from each place on."""
    figure, first = go.Figure(), int(subject.positions()[0])
    for number, (size, change) in enumerate(curves):
        x = np.arange(len(change)) + first + (size - 1) / 2
        text = f"{size} base{'s' if size > 1 else ''}"
        figure.add_scatter(
            x=x, y=change, mode="lines+markers", marker={"size": 4}, name=text,
            line={"color": _CURVES[number % len(_CURVES)], "width": 1.5},
            hovertext=[f"{text} from {name(subject, at)} taken out<br>{value:+.3f} log-odds"
                       for at, value in enumerate(change)],
            hoverinfo="text",
        )  # fmt: skip
    figure.update_layout(
        template=template(look),
        title=heading(title, look),
        height=400,
        shapes=site_mark(subject, 1, look),
        legend={"title": {"text": "taken out: "}},
    )
    figure.update_xaxes(axis(subject))
    figure.update_yaxes(title={"text": "change in log-odds"})
    return figure
