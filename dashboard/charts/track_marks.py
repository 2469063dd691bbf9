"""What stands on the picture of a scan: known starts, calls, and stretches that the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.charts.theme import Look
from dashboard.charts.track_rows import text
from dashboard.state import Place
from dnalm.tracks import Track
from dnalm.tracks.picture import shown_at

if TYPE_CHECKING:
    from dnalm.annotation import Site
    from dnalm.sequences import Region
    from dnalm.tracks.verdicts import Judged

MOST_MARKS = 1_500
"""Marks of one kind: of more, the highest calls, and known starts at even steps, are drawn."""
VERDICTS = {
    "right": "Peak at a known start",
    "wrong": "Peak, no known start there",
    "unknown": "Peak, nothing known there",
}
# A tick, a cross, a ring: shape and size tell them apart where colours do not.
_SYMBOLS = {"right": "line-ns", "wrong": "x-thin", "unknown": "circle-open"}
_SIZES = {"right": (15, 3.0), "wrong": (7, 1.3), "unknown": (7, 1.3)}
_Placed = list[tuple[int, int, "Site"]]


def placed(track: Track, sites: Sequence[Site]) -> _Placed:
    """Place on the axis, side (1 or -1) and site of those that lie in the picture."""
    found = [
        (at + 1, 1 if site.strand == "+" else -1, site)
        for site in sites
        if site.record == track.record
        and site.strand in track.strands()
        and (at := shown_at(site.position, track)) is not None
    ]
    step = -(-len(found) // MOST_MARKS)
    return found[:: max(step, 1)]


def trained(figure: go.Figure, stretches: Sequence[Region], track: Track, colours: Look) -> None:
    """Shade what the model was trained on."""
    for one in stretches:
        low, high = max(one.start, track.start), min(one.end, track.end)
        if low < high:
            figure.add_vrect(
                x0=low + 0.5,
                x1=high + 0.5,
                fillcolor=colours.trained,
                opacity=0.3,
                line_width=0,
                layer="below",
                row=1,
                col=1,
            )
            figure.add_annotation(
                x=(low + high) / 2,
                y=-1.13 if "-" in track.strands() else 0.02,
                yanchor="bottom",
                text="in training",
                showarrow=False,
                font={"size": 12, "color": colours.quiet},
                row=1,
                col=1,
            )


def stems(figure: go.Figure, marked: _Placed, colours: Look) -> None:
    """A thin line below the scores at each known start: one trace, in which a gap parts each from the next."""
    if not marked:
        return
    figure.add_trace(
        go.Scatter(
            x=[value for at, _, _ in marked for value in (at, at, None)],
            y=[value for _, side, _ in marked for value in (0, side * 1.04, None)],
            mode="lines",
            line={"color": colours.known, "width": 1.5},
            opacity=0.55,
            hoverinfo="skip",
            showlegend=False,
        ),
        row=1,
        col=1,
    )


def known(figure: go.Figure, marked: _Placed, name: str, colours: Look) -> None:
    """A red triangle at the edge for each known start."""
    if not marked:
        return
    figure.add_trace(
        go.Scatter(
            x=[at for at, _, _ in marked],
            y=[side * 1.08 for _, side, _ in marked],
            mode="markers",
            name=name,
            marker={
                "symbol": ["triangle-down" if side > 0 else "triangle-up" for _, side, _ in marked],
                "color": colours.known,
                "size": 10 if len(marked) < 300 else 6,
            },
            customdata=[[str(Place(site.position, site.strand)), text(site.name)] for _, _, site in marked],
            hovertemplate="%{customdata[1]} known start at %{x:,}<br>click for its sequence<extra></extra>",
            unselected={"marker": {"opacity": 1}},
        ),
        row=1,
        col=1,
    )


def calls(figure: go.Figure, track: Track, judged: Sequence[Judged], colours: Look) -> None:
    """A tick at the tip of each call, by what is known of it: colour and shape differ."""
    paint = {"right": colours.right, "wrong": colours.peak, "unknown": colours.quiet}
    highest = sorted(judged, key=lambda one: -one.peak.probability)[:MOST_MARKS]
    scale = 1.0 if len(highest) < 300 else 0.6
    for verdict, name in VERDICTS.items():
        here = [
            (at, one)
            for one in highest
            if one.verdict == verdict and (at := shown_at(one.peak.position, track)) is not None
        ]
        if not here:
            continue
        peaks = [one.peak for _, one in here]
        figure.add_trace(
            go.Scatter(
                x=[at + 1 for at, _ in here],
                y=[peak.probability * (1 if peak.strand == "+" else -1) for peak in peaks],
                mode="markers",
                name=name,
                marker={
                    "symbol": _SYMBOLS[verdict],
                    "color": paint[verdict],
                    "size": scale * _SIZES[verdict][0],
                    "line": {"width": scale * _SIZES[verdict][1], "color": paint[verdict]},
                },
                customdata=[[str(Place(one.peak.position, one.peak.strand)), *_said(one)] for _, one in here],
                hovertemplate="peak at %{x:,}, probability %{customdata[1]:.3f}<br>%{customdata[2]}"
                "<br>click for its sequence<extra></extra>",
                unselected={"marker": {"opacity": 1}},
            ),
            row=1,
            col=1,
        )


def _said(one: Judged) -> tuple[float, str]:
    words = {"wrong": "no known start within the tolerance", "unknown": "no table of starts speaks of this place"}
    if one.verdict == "right" and one.site is not None and one.offset is not None:
        name = text(one.site.name) or "a known start"
        return one.peak.probability, f"{name}, {abs(one.offset)} bases {'downstream' if one.offset > 0 else 'upstream'}"
    return one.peak.probability, words.get(one.verdict, "")
