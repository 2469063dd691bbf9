"""The whole record as a strip: where genes, known starts and high scores lie, and which stretch one looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.theme import Look, template
from dashboard.charts.track_rows import text
from dnalm.tracks.bins import binned, counted

if TYPE_CHECKING:
    from dnalm.annotation import Gene, Site
    from dnalm.sequences import Record, Region
    from dnalm.tracks import Track

BINS = 400
HEIGHT = 112
_CROWDED = 0.6  # share of parts with a known start from which on their marks say nothing


@dataclass(frozen=True)
class Overview:
    """What the strip shows.

    Attributes:
        record: the record.
        region: the stretch that is looked at.
        genes: of the record.
        sites: known starts.
        sites_name: what they are.
        trained: stretches that the model was trained on.
        track: a scan of the whole record, where there is one.
    """

    record: Record
    region: Region
    genes: Sequence[Gene] = ()
    sites: Sequence[Site] = ()
    sites_name: str = "known starts"
    trained: Sequence[Region] = ()
    track: Track | None = None


def overview_figure(shown: Overview, colours: Look) -> go.Figure:
    """The strip: forward above the line, reverse below; a drag over it chooses a stretch."""
    figure = go.Figure()
    length = len(shown.record)
    for one in shown.trained:
        figure.add_vrect(
            x0=one.start + 0.5, x1=one.end + 0.5, fillcolor=colours.trained, opacity=0.3, line_width=0, layer="below"
        )
    if shown.track is not None:
        _scores(figure, shown.track, colours)
    else:
        _genes(figure, shown, colours)
    _starts(figure, shown, colours)
    _here(figure, shown, colours)
    # Points without ink, so that a click anywhere goes there, and a drag always holds something.
    middles = (np.arange(BINS) + 0.5) * length / BINS
    figure.add_trace(
        go.Scatter(
            x=middles,
            y=np.zeros(BINS),
            mode="markers",
            marker={"size": 18, "opacity": 0, "color": colours.text},
            hovertemplate="%{x:,.0f}<br>click to go there, drag to choose a stretch<extra></extra>",
            selected={"marker": {"opacity": 0}},
            unselected={"marker": {"opacity": 0}},
            showlegend=False,
        )
    )
    figure.update_layout(
        template=template(colours),
        height=HEIGHT,
        margin={"l": 70, "r": 16, "t": 20, "b": 24},
        dragmode="select",
        selectdirection="h",
        showlegend=False,
        bargap=0,
        barmode="overlay",
    )
    figure.add_annotation(
        text=f"{text(words(shown))} Drag or click to go there.",
        x=0,
        xref="x domain",
        xanchor="left",
        y=1,
        yref="y domain",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12, "color": colours.quiet},
    )
    figure.update_xaxes(range=[0.5, length + 0.5], tickformat=",d", showgrid=False)
    figure.update_yaxes(
        range=[-1.2, 1.2], tickvals=[0.6, -0.6], ticktext=["+", "−"], ticks="", fixedrange=True, showgrid=False
    )
    return figure


def words(shown: Overview) -> str:
    """What the strip shows, in a line for those who look at it and those who hear it."""
    drawn = "highest scores" if shown.track is not None else "genes" if shown.genes else ""
    parts = [
        drawn,
        "known starts red" if any(map(len, _starts_at(shown).values())) else "",
        "in training shaded" if shown.trained else "",
    ]
    told = ", ".join(filter(None, parts))
    return f"All of {shown.record.id}{': ' + told if told else ''}."


def _scores(figure: go.Figure, track: Track, colours: Look) -> None:
    for strand, scores in track.strands().items():
        bins = binned(track.positions, scores, 2 * BINS)
        side, colour = (1, colours.forward) if strand == "+" else (-1, colours.reverse)
        line = {"color": colour, "width": 1}
        figure.add_trace(
            go.Scatter(x=bins.positions + 1, y=side * bins.high, line=line, fill="tozeroy", hoverinfo="skip")
        )


def _genes(figure: go.Figure, shown: Overview, colours: Look) -> None:
    length = len(shown.record)
    for strand, side in (("+", 1), ("-", -1)):
        middles = [(gene.start + gene.end) // 2 for gene in shown.genes if gene.strand == strand]
        at, counts = counted(np.array(middles, dtype=np.int64), 0, length, BINS)
        figure.add_trace(
            go.Bar(
                x=at + 1,
                y=side * 0.85 * counts / max(counts.max(initial=0), 1),
                width=length / BINS,
                marker={"color": colours.gene, "line": {"width": 0}},
                hoverinfo="skip",
            )
        )


def _starts(figure: go.Figure, shown: Overview, colours: Look) -> None:
    """A red tick in each part that has a known start."""
    for strand, here in _starts_at(shown).items():
        figure.add_trace(
            go.Scatter(
                x=here + 1,
                y=np.full(len(here), 1.05 if strand == "+" else -1.05),
                mode="markers",
                marker={"symbol": "line-ns", "size": 7, "line": {"width": 1.5, "color": colours.known}},
                hoverinfo="skip",
            )
        )


def _starts_at(shown: Overview) -> dict[str, np.ndarray]:
    """Parts with a known start, of strands where these do not crowd the strip."""
    found = {}
    for strand in ("+", "-"):
        places = [site.position for site in shown.sites if site.strand == strand and site.record == shown.record.id]
        at, counts = counted(np.array(places, dtype=np.int64), 0, len(shown.record), BINS)
        here = np.flatnonzero(counts)
        found[strand] = at[here] if len(here) <= _CROWDED * BINS else at[:0]
    return found


def _here(figure: go.Figure, shown: Overview, colours: Look) -> None:
    """Where one is: a frame, and a pointer that can be seen where the frame is thinner than a pixel."""
    length, region = len(shown.record), shown.region
    stretches = [(region.start, min(region.end, length))]
    if region.end > length:
        stretches.append((0, region.end - length))
    for low, high in stretches:
        figure.add_vrect(
            x0=low + 0.5,
            x1=high + 0.5,
            fillcolor=colours.text,
            opacity=0.22,
            line={"color": colours.text, "width": 2},
        )
    middle = (region.start + region.end) / 2 % length
    figure.add_annotation(
        x=middle,
        y=-1.2,
        text="▲",
        showarrow=False,
        yanchor="top",
        yshift=6,
        font={"size": 13, "color": colours.text},
        hovertext=text(str(region)),
    )
