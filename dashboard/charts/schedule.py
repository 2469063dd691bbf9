"""The schedule of a training as a picture: the learning rate over the steps, and which layers learn when."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.theme import Look, template
from dnalm.training.outline import PHASES, PlannedStage, layer_names

_POINTS = 120
_NARROWEST = 0.22
STAGES = {"head": "head alone", "all": "all layers"}


def schedule_figure(stages: Sequence[PlannedStage], colours: Look) -> go.Figure:
    """Draw a schedule: one column a phase, the learning rate above, the layers below.

    Args:
        stages: in order; those of one phase stand together.
        colours: for the light or the dark page.
    """
    phases = [(phase, list(of)) for phase, of in groupby(stages, key=lambda stage: stage.phase)]
    counts = np.array([sum(stage.steps for stage in of) for _, of in phases], dtype=float)
    widths = np.maximum(counts / counts.sum(), _NARROWEST)
    figure = make_subplots(
        rows=2,
        cols=len(phases),
        shared_xaxes=True,
        vertical_spacing=0.06,
        horizontal_spacing=0.09,
        row_heights=[0.55, 0.45],
        column_widths=list(widths / widths.sum()),
        column_titles=[f"<b>{PHASES[phase]}</b>" for phase, _ in phases],
    )
    for column, (_, of) in enumerate(phases, start=1):
        _phase(figure, column, of, colours)
    figure.update_layout(
        template=template(colours),
        height=380,
        showlegend=False,
        margin={"l": 130, "r": 16, "t": 40, "b": 50},
    )
    found = all(stage.peak is None for stage in stages)
    figure.update_yaxes(title_text="Share of highest rate" if found else "Learning rate", row=1, col=1)
    return figure


def _phase(figure: go.Figure, column: int, stages: Sequence[PlannedStage], colours: Look) -> None:
    names = layer_names(len(stages[0].factors) - 2)
    first = 0
    for number, stage in enumerate(stages):
        steps = np.unique(np.linspace(0, max(0, stage.steps - 1), _POINTS).astype(int))
        rates = np.array([stage.rate(int(step)) for step in steps])
        line = {"color": colours.forward if number % 2 == 0 else colours.reverse, "width": 2.5}
        text = f"{STAGES.get(stage.name, stage.name)}: step %{{x:,}}<br>rate %{{y:.2g}}<extra></extra>"
        figure.add_trace(
            go.Scatter(x=steps + first, y=rates, mode="lines", line=line, hovertemplate=text), row=1, col=column
        )
        for name, factor in zip(names, stage.factors, strict=True):
            if factor > 0:
                # A stage's bar on its layer's row: the fainter, the more slowly that layer learns.
                figure.add_trace(
                    go.Bar(
                        x=[stage.steps],
                        y=[name],
                        base=[first],
                        orientation="h",
                        marker={"color": line["color"], "opacity": 0.25 + 0.75 * factor, "line": {"width": 0}},
                        hovertemplate=f"{name}, {STAGES.get(stage.name, stage.name)}<br>"
                        f"learns at {factor:.2g} of the rate above<extra></extra>",
                    ),
                    row=2,
                    col=column,
                )
        first += stage.steps
        if number + 1 < len(stages):
            figure.add_vline(first, line={"color": colours.quiet, "width": 1, "dash": "dot"}, row="all", col=column)
    figure.update_yaxes(rangemode="tozero", tickformat="~g", nticks=5, row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=names, showticklabels=column == 1, row=2, col=column)
    figure.update_xaxes(title_text="Training step", tickformat="~s", range=[0, first], row=2, col=column)
    figure.update_layout(barmode="overlay")


def schedule_alt(stages: Sequence[PlannedStage]) -> str:
    """The picture in words."""
    parts = []
    for phase, of in groupby(stages, key=lambda stage: stage.phase):
        listed = ", ".join(f"{STAGES.get(stage.name, stage.name)} for {stage.steps:,} steps" for stage in of)
        parts.append(f"{PHASES[phase]}: {listed}")
    return "The learning rate over the steps, and the layers that learn. " + "; ".join(parts) + "."
