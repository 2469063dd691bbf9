"""Motifs as pictures: the letters, what they add to the call, where they stand, how far apart two boxes are read."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.logo import limits, logo_shapes
from dashboard.charts.theme import Look, template
from dnalm.alphabet import BASES
from dnalm.interpret.motif import Motif
from dnalm.interpret.spacing import OPTIMUM, Spacing

HEIGHT = 250
_BEST = "#E69F00"


def motif_chart(motif: Motif, look: Look) -> go.Figure:
    """One motif: a logo in bits, a logo of what each base adds, and a histogram of its places.

    Args:
        motif: the motif.
        look: the page's colours.
    """
    titles = ("Which bases stand there", "What each base adds to the call", "Where it stands")
    chart = make_subplots(1, 3, subplot_titles=titles, horizontal_spacing=0.1)
    shapes = []
    shares = motif.counts / np.maximum(motif.counts.sum(axis=1, keepdims=True), 1)
    told = [
        "<br>".join(f"{base} {share:.0%}, adds {adds:+.2f}" for base, share, adds in zip(BASES, *rows, strict=True))
        for rows in zip(shares, motif.contributions, strict=True)
    ]
    for column, heights in ((1, motif.logo), (2, motif.contributions)):
        axes = ("x", "y") if column == 1 else ("x2", "y2")
        shapes += logo_shapes(heights, look, offset=1, axes=axes)
        tops = np.where(heights > 0, heights, 0).sum(axis=1)
        chart.add_scatter(
            x=np.arange(1, len(motif) + 1),
            y=tops / 2,
            mode="markers",
            marker={"opacity": 0, "size": 24},
            hovertext=told,
            hovertemplate="base %{x}<br>%{hovertext}<extra></extra>",
            showlegend=False,
            row=1,
            col=column,
        )
    values, counts = np.unique(motif.positions, return_counts=True)
    chart.add_bar(
        x=values,
        y=counts,
        marker={"color": look.forward},
        hovertemplate="first base at %{x}: %{y} places<extra></extra>",
        showlegend=False,
        row=1,
        col=3,
    )
    chart.update_layout(template=template(look), height=HEIGHT, margin={"l": 56, "r": 16, "t": 34, "b": 50})
    chart.update_layout(shapes=shapes, bargap=0.1, dragmode=False)
    chart.update_annotations(font={"size": 14, "color": look.text})
    low, high = limits([motif.contributions])
    ticks = {"dtick": 1, "range": [0.4, len(motif) + 0.6], "title": "base of the motif", "showgrid": False}
    chart.update_xaxes(**ticks, row=1, col=1)
    chart.update_xaxes(**ticks, row=1, col=2)
    site = "first base, from the start (+1)" if motif.anchor is not None else "first base, from the left end"
    room = max(3, 0.05 * float(np.ptp(values)))
    chart.update_xaxes(title=site, range=[values.min() - room, values.max() + room], tickformat="d", row=1, col=3)
    chart.update_yaxes(title="bits", range=[0, 2.05], row=1, col=1)
    chart.update_yaxes(title="log-odds", range=[low, high], row=1, col=2)
    chart.update_yaxes(title="places", rangemode="tozero", tickformat="d", row=1, col=3)
    return chart


def spacing_chart(spacing: Spacing, look: Look) -> go.Figure:
    """Sequences by the distance between the two boxes; the distances that suit the polymerase stand out.

    Args:
        spacing: the distances.
        look: the page's colours.
    """
    chart = go.Figure()
    for name, inside, colour in (
        ("16 to 18 bases, as nine in ten promoters have them", True, _BEST),
        ("other distances", False, look.forward),
    ):
        pairs = [pair for pair in zip(spacing.spacers, spacing.counts, strict=True) if (pair[0] in OPTIMUM) is inside]
        chart.add_bar(
            x=[pair[0] for pair in pairs],
            y=[pair[1] for pair in pairs],
            name=name,
            marker={"color": colour},
            hovertemplate="%{x} bases between them: %{y} sequences<extra></extra>",
        )
    even = len(spacing.pairs) / max(1, len(spacing.spacers))
    chart.add_scatter(
        x=[min(spacing.spacers) - 0.5, max(spacing.spacers) + 0.5],
        y=[even, even],
        mode="lines",
        line={"color": look.text, "dash": "dot", "width": 1.5},
        name="were all distances equally likely",
        hoverinfo="skip",
    )
    chart.update_layout(template=template(look), height=320, margin={"l": 60, "r": 16, "t": 40, "b": 56}, bargap=0.12)
    words = f"bases between the {spacing.upstream} and the {spacing.downstream} hexamer"
    chart.update_xaxes(title=words, dtick=1)
    chart.update_yaxes(title="sequences", tickformat="d", rangemode="tozero")
    return chart
