"""Rows under a scan, over the same axis: genes as arrows, the letters of both strands, what each base adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.charts.logo import limits, logo_shapes
from dashboard.charts.theme import Look
from dnalm.alphabet import UNKNOWN, Codes, complement
from dnalm.tracks import Track
from dnalm.tracks.bins import counted
from dnalm.tracks.picture import arrow, shown_gene

if TYPE_CHECKING:
    from dnalm.annotation import Gene

MOST_ARROWS = 400
"""Genes that are drawn one by one; of more, the picture shows how many lie where."""
_DENSITY_BINS = 300


@dataclass(frozen=True, eq=False)
class Logo:
    """What each base adds to the call at one site.

    Attributes:
        start: position of the first base on the track's axis, 0-based.
        heights: of the bases as they are read along the site's strand, in forward order, shape `(length, 4)`.
        title: of the row.
        strand: along which it is read.
    """

    start: int
    heights: NDArray[np.floating]
    title: str
    strand: str


def genes(figure: go.Figure, track: Track, annotated: Sequence[Gene], colours: Look, row: int) -> None:
    """Arrows with names, forward above; of a long stretch, how densely the genes of each strand lie."""
    placed = [(place, gene) for gene in annotated if (place := shown_gene(gene, track))]
    if len(placed) > MOST_ARROWS:
        _density(figure, track, placed, colours, row)
    else:
        _arrows(figure, track, placed, colours, row)
    figure.update_yaxes(
        range=[-1, 1],
        tickvals=[0.5, -0.5],
        ticktext=["genes +", "genes −"],
        ticks="",
        fixedrange=True,
        showgrid=False,
        zeroline=False,
        row=row,
        col=1,
    )


_PlacedGenes = Sequence[tuple[tuple[int, int], "Gene"]]


def _arrows(figure: go.Figure, track: Track, placed: _PlacedGenes, colours: Look, row: int) -> None:
    span = track.end - track.start
    corners = [[*arrow(*place, gene.strand, head=span / 130)] for place, gene in placed]
    x = [value for shape in corners for value in (*(corner[0] + 1 for corner in shape), shape[0][0] + 1, None)]
    y = [value for shape in corners for value in (*(corner[1] for corner in shape), shape[0][1], None)]
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            fill="toself",
            fillcolor=colours.gene,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        ),
        row=row,
        col=1,
    )
    wide = [min(high, track.end) - max(low, track.start) for (low, high), _ in placed]
    figure.add_trace(
        go.Scatter(
            x=[(max(low, track.start) + min(high, track.end)) / 2 for (low, high), _ in placed],
            y=[0.5 if gene.strand == "+" else -0.5 for _, gene in placed],
            mode="text",
            # A name is written where it fits; hovering names every gene.
            text=[
                text(gene.name) if width > span * 0.009 * max(len(gene.name), 3) else ""
                for (_, gene), width in zip(placed, wide, strict=True)
            ],
            textfont={"size": 11, "color": "white"},
            customdata=[
                [text(gene.name), gene.start + 1, gene.end, gene.strand, text(gene.kind)] for _, gene in placed
            ],
            hovertemplate="%{customdata[0]} (%{customdata[4]}, %{customdata[3]} strand)<br>"
            "%{customdata[1]:,} to %{customdata[2]:,}<extra></extra>",
            showlegend=False,
        ),
        row=row,
        col=1,
    )


def _density(figure: go.Figure, track: Track, placed: _PlacedGenes, colours: Look, row: int) -> None:
    for strand, side in (("+", 1), ("-", -1)):
        middles = np.array([(low + high) // 2 for (low, high), gene in placed if gene.strand == strand])
        at, counts = counted(middles, track.start, track.end, _DENSITY_BINS)
        width = (track.end - track.start) / _DENSITY_BINS
        figure.add_trace(
            go.Bar(
                x=at + 1,
                y=side * counts / max(counts.max(initial=0), 1),
                width=width,
                marker={"color": colours.gene, "line": {"width": 0}},
                customdata=counts,
                hovertemplate=f"%{{customdata:.0f}} genes on the {strand} strand around %{{x:,.0f}}<extra></extra>",
                showlegend=False,
            ),
            row=row,
            col=1,
        )
    figure.update_layout(barmode="overlay")


def letters(figure: go.Figure, track: Track, codes: Codes, strand: str, colours: Look, row: int) -> None:
    """The bases of a strand, each at its place: the reverse strand's are read from right to left."""
    shown = codes if strand == "+" else complement(codes)
    heights = np.zeros((len(shown), 4))
    known = np.flatnonzero(shown < UNKNOWN)
    heights[known, shown[known]] = 1
    axes = (f"x{row}", f"y{row}")
    figure.update_layout(
        shapes=[*figure.layout.shapes, *logo_shapes(heights, colours, offset=track.start + 1, axes=axes)]
    )
    _hidden(figure, track.start, np.full(len(shown), 0.5), [f"{'ACGTN'[code]} ({strand})" for code in shown], row)
    ends = "5′ … 3′" if strand == "+" else "3′ … 5′"
    figure.update_yaxes(
        range=[-0.05, 1.05], tickvals=[0.5], ticktext=[ends], ticks="", fixedrange=True, showgrid=False,
        zeroline=False, row=row, col=1,
    )  # fmt: skip


def logo(figure: go.Figure, track: Track, one: Logo, colours: Look, row: int) -> None:
    """What each base adds, as letters as tall as that."""
    first, last = max(one.start, track.start), min(one.start + len(one.heights), track.end)
    heights = one.heights[first - one.start : last - one.start]
    if not len(heights):
        return
    axes = (f"x{row}", f"y{row}")
    figure.update_layout(shapes=[*figure.layout.shapes, *logo_shapes(heights, colours, offset=first + 1, axes=axes)])
    worth = heights.sum(axis=1)
    _hidden(figure, first, worth, [f"adds {value:+.2f} log-odds" for value in worth], row)
    low, high = limits([heights])
    high += 0.3 * (high - low)  # for the title
    figure.update_yaxes(
        range=[low, high], nticks=4, title={"text": "log-odds", "font": {"size": 12}}, fixedrange=True, row=row, col=1
    )
    figure.add_annotation(
        text=text(one.title), x=0, xref="x domain", xanchor="left", y=1, yref="y domain", yanchor="top",
        showarrow=False, font={"size": 12, "color": colours.quiet}, row=row, col=1,
    )  # fmt: skip


def _hidden(figure: go.Figure, start: int, values: np.ndarray, words: Sequence[str], row: int) -> None:
    """Shapes do not answer to the pointer: points without ink do."""
    figure.add_trace(
        go.Scatter(
            x=np.arange(start + 1, start + 1 + len(values)),
            y=values,
            mode="markers",
            marker={"size": 12, "opacity": 0},
            text=list(words),
            hovertemplate="%{x:,}: %{text}<extra></extra>",
            showlegend=False,
        ),
        row=row,
        col=1,
    )


def text(name: str) -> str:
    """A name from a file, for plotly, which reads some tags: nothing in it is a tag."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
