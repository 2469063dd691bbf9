"""Figures of several models side by side: a point and its 95 % interval each."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from dashboard.charts.theme import Look, template
from dashboard.figures import Shown

_STEP = 0.16


def interval_figure(figures: Mapping[str, Sequence[Shown]], look: Look) -> go.Figure:
    """Draw each model's figures, those of one name beside each other.

    Args:
        figures: by model; all models have the same names.
        look: the colours.
    """
    titles = list(dict.fromkeys(one.title for row in figures.values() for one in row))
    chart = go.Figure()
    for place, (model, row) in enumerate(figures.items()):
        shift = (place - (len(figures) - 1) / 2) * _STEP
        chart.add_scatter(
            x=[one.value for one in row],
            y=[titles.index(one.title) + shift for one in row],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [one.high - one.value if one.high is not None else 0 for one in row],
                "arrayminus": [one.value - one.low if one.low is not None else 0 for one in row],
                "thickness": 2,
            },
            mode="markers",
            marker={"size": 10, "symbol": place % 5},
            name=html.escape(model),
            hovertext=[f"{html.escape(model)}<br>{one.title}: {one}" for one in row],
            hoverinfo="text",
        )
    chart.update_layout(
        template=template(look),
        height=round(130 + 26 * len(titles) * max(2, len(figures))),
        margin={"l": 120, "r": 16, "t": 24 + 24 * ((len(figures) + 2) // 3), "b": 48},
    )
    chart.update_xaxes(title="value, with its 95 % interval")
    ticks = list(range(len(titles)))
    chart.update_yaxes(tickvals=ticks, ticktext=titles, range=[len(titles) - 0.5, -0.5], zeroline=False)
    return chart
