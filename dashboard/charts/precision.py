"""The precision-recall curve of the calls in a picture, with the threshold that is set."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.theme import Look, heading, template
from dnalm.tracks.verdicts import Sliding

HEIGHT = 250
MOST_STEPS = 1_000


def precision_recall(sliding: Sliding, threshold: float, colours: Look) -> go.Figure:
    """Precision over recall at every threshold, the one that is set marked.

    Args:
        sliding: of a stretch with known starts and calls.
        threshold: probability.
        colours: for the light or the dark page.
    """
    precision, recall = sliding.precision, sliding.recall
    steps = np.unique(np.linspace(0, len(recall) - 1, MOST_STEPS).astype(int)) if len(recall) else np.empty(0, int)
    figure = go.Figure(
        go.Scatter(
            x=recall[steps],
            y=precision[steps],
            mode="lines",
            line={"color": colours.forward, "width": 2},
            customdata=sliding.scores[steps],
            hovertemplate="recall %{x:.2f}, precision %{y:.2f}<br>threshold %{customdata:.2f}<extra></extra>",
        )
    )
    at = sliding.at(threshold)
    if at:
        figure.add_trace(
            go.Scatter(
                x=[recall[at - 1]],
                y=[precision[at - 1]],
                mode="markers",
                marker={"size": 12, "color": colours.known, "line": {"width": 2, "color": colours.text}},
                hovertemplate=f"threshold {threshold:.2f}<br>recall %{{x:.2f}}, precision %{{y:.2f}}<extra></extra>",
            )
        )
    figure.update_layout(
        template=template(colours),
        title=heading("What does the threshold trade?", colours),
        height=HEIGHT,
        margin={"l": 58, "r": 12, "t": 40, "b": 48},
        showlegend=False,
        dragmode=False,
    )
    figure.update_xaxes(range=[-0.03, 1.03], title_text="recall", tickvals=[0, 0.5, 1], fixedrange=True)
    figure.update_yaxes(range=[-0.03, 1.05], title_text="precision", tickvals=[0, 0.5, 1], fixedrange=True)
    return figure
