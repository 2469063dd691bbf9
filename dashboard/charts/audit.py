"""Pictures of a dataset's audit: parts, leaks, GC, lengths, copies, and what one number alone achieves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.theme import Look, template
from dnalm.datasets.profile import Histogram

# Told apart by lightness too, so that they survive print and colour blindness.
PARTS = {"train": ("Training", "#0072B2"), "valid": ("Validation", "#E69F00"), "test": ("Test", "#009E73")}
LABELS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
MOST_LABELS = len(LABELS)
SHORT_NAME = 32


@dataclass(frozen=True)
class Alone:
    """What one simple rule achieves: a point with its interval.

    Attributes:
        name: the rule, as the axis says it.
        value: AUROC or accuracy, 0 to 1.
        low: lower end of the 95 % interval.
        high: upper end.
    """

    name: str
    value: float
    low: float
    high: float


def short(label: str) -> str:
    """A label that fits beside an axis, as text: what plotly would take for markup is made harmless."""
    cut = label if len(label) <= SHORT_NAME else label[: SHORT_NAME - 1] + "…"
    return cut.replace("&", "&amp;").replace("<", "&lt;")


def parts_figure(counts: Mapping[str, Mapping[str, int]], look: Look) -> go.Figure:
    """Sequences of each label in each part of the split, stacked.

    Args:
        counts: label to part to number.
        look: colours of the page.
    """
    names = [short(label) for label in counts]
    figure = go.Figure()
    for part, (title, colour) in PARTS.items():
        numbers = [row.get(part, 0) for row in counts.values()]
        figure.add_bar(
            y=names,
            x=numbers,
            name=title,
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            text=[f"{number:,}" if number else "" for number in numbers],
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"%{{y}}, {title.lower()}: %{{x:,}}<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_yaxes(autorange="reversed", ticks="")
    return _finish(figure, look, "Sequences", "", rows=len(names))


def leak_figure(found: Mapping[str, Any], at_random: Mapping[str, Any], near: str, look: Look) -> go.Figure:
    """Share of validation and test sequences that have a near copy among the training sequences, here and by chance.

    Args:
        found: part to `shared`, `of` and `share`, of this split.
        at_random: the same, had the rows been dealt at random.
        near: what makes a near copy, in words that go on after "sequences that".
        look: colours of the page.
    """
    figure = go.Figure()
    highest = 0.0
    for title, leaks, colour in (
        ("This split", found, look.forward),
        ("The same sequences dealt at random", at_random, look.quiet),
    ):
        shares = [100 * (leaks[part]["share"] or 0) for part in ("valid", "test")]
        highest = max(highest, *shares)
        figure.add_bar(
            y=["Validation", "Test"],
            x=shares,
            name=title,
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            text=[f"{leaks[part]['shared']:,} of {leaks[part]['of']:,}" for part in ("valid", "test")],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text} (%{x:.1f} %)<extra></extra>",
        )
    figure.update_xaxes(range=[0, min(118.0, max(highest * 1.3, 5))], ticksuffix=" %")
    figure.update_yaxes(autorange="reversed", ticks="")
    return _finish(figure, look, f"Sequences that {near}", "", rows=4)


def spread_figure(histogram: Histogram, look: Look, title: str, *, percent: bool = False) -> go.Figure:
    """How a feature spreads in each label: outlines over shares, so that labels of any size compare.

    Args:
        histogram: counts in bins, label by label.
        look: colours of the page.
        title: of the x axis.
        percent: whether the feature is a share, shown in %.
    """
    scale = 100 if percent else 1
    edges = histogram.edges * scale
    figure = go.Figure()
    for number, (label, shares) in enumerate(list(histogram.shares().items())[:MOST_LABELS]):
        colour = LABELS[number]
        figure.add_scatter(
            x=edges,
            y=100 * np.append(shares, shares[-1]),
            name=short(label),
            mode="lines",
            line={"shape": "hv", "color": colour, "width": 2},
            fill="tozeroy",
            fillcolor=_faint(colour),
            hovertemplate=f"from %{{x:,.4~g}}: %{{y:.1f}} % of {short(label)}<extra></extra>",
        )
    held = np.flatnonzero(sum(histogram.counts.values()))
    if len(held):
        figure.update_xaxes(range=_around(edges, held, histogram))
    if _grows(histogram.edges):
        figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(rangemode="tozero", ticksuffix=" %")
    figure.update_xaxes(ticksuffix=" %" if percent else "")
    return _finish(figure, look, title, "Share of the label's sequences", height=340)


def copies_figure(rows: Sequence[tuple[str, int]], total: int, look: Look) -> go.Figure:
    """Counts of copies of several kinds, as bars.

    Args:
        rows: what is counted, and how many.
        total: sequences in the dataset; the axis goes no further.
        look: colours of the page.
    """
    highest = max(number for _, number in rows)
    figure = go.Figure(
        go.Bar(
            y=[name for name, _ in rows],
            x=[number for _, number in rows],
            orientation="h",
            marker={"color": look.forward, "line": {"width": 0}},
            text=[f"{number:,}" for _, number in rows],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}}: %{{x:,}} of {total:,}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, max(highest * 1.15, 5)])
    figure.update_yaxes(autorange="reversed", ticks="")
    return _finish(figure, look, "Sequences", "", rows=len(rows))


def alone_figure(rules: Sequence[Alone], look: Look, title: str) -> go.Figure:
    """What each simple rule achieves, with its 95 % interval, between guessing and perfect; `title` of the x axis."""
    figure = go.Figure(
        go.Scatter(
            x=[rule.value for rule in rules],
            y=[rule.name for rule in rules],
            mode="markers+text",
            text=[f"{rule.value:.3f}" for rule in rules],
            textposition="top center",
            marker={"size": 12, "color": look.forward},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [rule.high - rule.value for rule in rules],
                "arrayminus": [rule.value - rule.low for rule in rules],
                "color": look.forward,
                "thickness": 2,
                "width": 6,
            },
            customdata=[(rule.low, rule.high) for rule in rules],
            hovertemplate="%{y}: %{x:.3f} (95 % %{customdata[0]:.3f} to %{customdata[1]:.3f})<extra></extra>",
            cliponaxis=False,
        )
    )
    for at, words in ((0.5, "guessing"), (1.0, "perfect")):
        figure.add_vline(at, line={"color": look.quiet, "dash": "dot", "width": 1})
        figure.add_annotation(
            x=at, y=1, yref="paper", yanchor="bottom", text=words, showarrow=False, font={"color": look.quiet}
        )
    figure.update_xaxes(range=[0.44, 1.03])
    figure.update_yaxes(range=[len(rules) - 0.4, -0.9], ticks="")  # room above the first point's number
    return _finish(figure, look, title, "", rows=len(rules) + 1)


def _around(edges: np.ndarray, held: np.ndarray, histogram: Histogram) -> list[float]:
    """The part of the axis that holds anything, in the axis' own numbers."""
    first, last = float(edges[held[0]]), float(edges[held[-1] + 1])
    if _grows(histogram.edges):
        return [float(np.log10(max(first, 1e-9))), float(np.log10(last))]
    edge = 0.03 * (last - first)
    return [max(0.0, first - edge), last + edge]


def _grows(edges: np.ndarray) -> bool:
    return len(edges) > 2 and edges[-1] - edges[-2] > 2 * (edges[1] - edges[0])


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _finish(
    figure: go.Figure, look: Look, x_title: str, y_title: str, *, rows: int = 0, height: int | None = None
) -> go.Figure:
    figure.update_layout(
        template=template(look),
        height=height or 130 + 46 * max(rows, 1),
        margin={"l": 16, "r": 24, "t": 44, "b": 56},
        legend={"traceorder": "normal"},
    )
    figure.update_xaxes(title=x_title, automargin=True)
    figure.update_yaxes(title=y_title, automargin=True)
    return figure
