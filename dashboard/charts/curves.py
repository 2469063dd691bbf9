"""The learning curves of one run or several: bits per base, MCC, loss and learning rate, one above the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.charts.theme import Look, template
from dashboard.run_reading import Curves, Series

# Points drawn of a curve: about one a pixel column of half a screen. More cost every refresh and show nothing.
MOST_POINTS = 500
MOST_RUNS = 6
"""Runs drawn at once: there are so many colours that can be told apart."""
_OTHERS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00")


@dataclass(frozen=True)
class Line:
    """A figure in `metrics.jsonl` and how it is drawn: what was measured as marks, the training's own as a line."""

    figure: str
    name: str
    measured: bool


@dataclass(frozen=True)
class Panel:
    """One row of the picture."""

    title: str
    axis: str
    lines: tuple[Line, ...]
    height: float = 1.0


PANELS = (
    Panel(
        "Bits per base: the lower, the better it foretells the next base (2 is chance)",
        "bits per base",
        (Line("train_bits_per_base", "training text", False), Line("bits_per_base", "held-out text", True)),
    ),
    Panel(
        "MCC on validation sequences: 1 is perfect, 0 is chance",
        "MCC",
        (Line("mcc", "validation sequences", True),),
    ),
    Panel(
        "Loss: the lower, the better",
        "nats",
        (
            Line("train_loss", "training sequences", False),
            Line("loss", "validation sequences", True),
            Line("valid_loss", "validation regions", True),
        ),
    ),
    Panel(
        "Learning rate: how large a step each update takes",
        "rate",
        (Line("learning_rate", "learning rate", False),),
        0.45,
    ),
)
STAGES = {
    "pretrain": "pre-training",
    "finetune": "fine-tuning",
    "head": "head alone",
    "all": "all layers",
    "wide": "fitting the wide head",
    "annotation": "learning the annotation",
    "track": "training on every base",
    "measuring": "measuring, unit by unit",
    "scanning": "scanning",
    "writing": "writing its files",
}


def stage_name(stage: str) -> str:
    """What people call a stage: `top-2` is the head with the last two layers."""
    layers = stage.removeprefix("top-")
    if layers != stage:
        return f"head and last {layers} layers" if layers != "1" else "head and last layer"
    for what, words in {"annotation-": "learning the annotation", "network-": "on every base"}.items():
        network = stage.removeprefix(what)
        if network != stage:
            return f"network {network}, {words}"
    return STAGES.get(stage, stage)


@dataclass(frozen=True)
class Shown:
    """A run in the picture."""

    name: str
    curves: Curves


def panels_of(runs: Sequence[Shown]) -> list[Panel]:
    """The rows that there is something to show in."""
    return [panel for panel in PANELS if any(len(series.places) for _, _, series in _lines(panel, runs))]


def curves_figure(runs: Sequence[Shown], colours: Look, *, smoothing: float = 0.0) -> go.Figure:
    """Draw the curves; they share the axis of steps, so that zooming into one zooms all.

    Args:
        runs: at least one that has a point; with several each has a colour.
        colours: for the light or the dark page.
        smoothing: weight of what came before in the running mean of a training curve, 0 (none) to below 1. What was
            measured on held-out or validation sequences is drawn as it is.
    """
    panels = panels_of(runs)
    palette = (colours.forward, *_OTHERS, colours.reverse)
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": []}
    in_legend: set[tuple[int, bool]] = set()
    for row, (panel, (bottom, top)) in enumerate(zip(panels, _rows(panels), strict=True), start=1):
        for number, line, series in _lines(panel, runs):
            alone = len(runs) == 1
            colour = palette[2 if alone and line.measured else number]
            label = line.name if alone else f"{runs[number].name}: {line.name}"
            key = (number, line.measured)
            shown = line.figure != "learning_rate" and key not in in_legend
            in_legend |= {key} if shown else set()
            for trace in _traces(line, series, runs[number].curves, colour, label, smoothing):
                place = {"xaxis": f"x{row}", "yaxis": f"y{row}", "legendgroup": f"{number}-{line.measured}"}
                data.append({"showlegend": shown, **trace, **place})
        last = row == len(panels)
        layout[f"xaxis{row}"] = {"anchor": f"y{row}", "matches": f"x{len(panels)}", "showticklabels": last}
        layout[f"yaxis{row}"] = {"anchor": f"x{row}", "domain": [bottom, top], "title": {"text": panel.axis}}
        if panel.axis == "MCC":
            layout[f"yaxis{row}"]["range"] = [_lowest(panel, runs), 1.03]
        layout["annotations"].append(_title(panel, top, colours))
    layout[f"xaxis{len(panels)}"] |= {"title": {"text": "steps (one step is one update of the weights)"}}
    if len(runs) == 1:
        _stages(layout, runs[0].curves, len(panels), colours)
    layout["template"] = template(colours)
    layout["height"] = int(140 + 190 * sum(panel.height for panel in panels))
    layout["margin"] = {"l": 76, "r": 16, "t": 64, "b": 56}
    layout["legend"] = {"y": 1.0, "yref": "container", "yanchor": "top"}
    layout["hovermode"] = "closest"
    layout["uirevision"] = "keep"  # a refresh keeps the zoom
    # From plain values in one go: figure by figure it would take ten times as long, at every refresh.
    return go.Figure({"data": data, "layout": layout})


def _rows(panels: Sequence[Panel]) -> list[tuple[float, float]]:
    """Bottom and top of each row, as shares of the picture's height, from the top down."""
    gap = 0.22  # of a whole panel's height: room for the next one's title
    whole = sum(panel.height for panel in panels) + gap * (len(panels) - 1)
    found, top = [], whole
    for panel in panels:
        found.append((max(0.0, (top - panel.height) / whole), top / whole))
        top -= panel.height + gap
    return found


def _title(panel: Panel, top: float, colours: Look) -> dict[str, Any]:
    font = {"size": 14, "color": colours.text}
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": top, "yref": "paper", "yanchor": "bottom"}
    return {"text": f"<b>{panel.title}</b>", "showarrow": False, "font": font, **place}


def _lines(panel: Panel, runs: Sequence[Shown]) -> list[tuple[int, Line, Series]]:
    """Run number, line and points of all that a panel shows."""
    found = []
    for number, run in enumerate(runs[:MOST_RUNS]):
        for line in panel.lines:
            series = run.curves.series.get(line.figure)
            if series is not None and line.figure == "train_loss":
                # A language model's is shown in bits per base; nats a token would be the same curve again.
                bits = run.curves.series.get("train_bits_per_base")
                kept = np.isin(series.places, bits.places, invert=True) if bits else slice(None)
                series = Series(series.places[kept], series.values[kept])
            if series is not None and len(series.places):
                found.append((number, line, series))
    return found


def _traces(
    line: Line, series: Series, curves: Curves, colour: str, label: str, smoothing: float
) -> list[dict[str, Any]]:
    places, values = thinned(series.places, series.values)
    hover = f"{label}: %{{y:.4g}}<br>step %{{x:,}}<extra></extra>"
    # One point is no line.
    mode = "lines+markers" if line.measured or len(places) == 1 else "lines"
    trace = {"type": "scatter", "mode": mode, "name": label, "hovertemplate": hover, "marker": {"size": 6}}
    trace["line"] = {"color": colour, "width": 2 if line.measured else 1.6}
    if line.measured or line.figure == "learning_rate" or smoothing <= 0:
        return [{**trace, "x": places, "y": values}]
    faint = {"opacity": 0.3, "hoverinfo": "skip", "hovertemplate": None, "showlegend": False}
    calm = thinned(series.places, smoothed(series, curves.stages, smoothing))[1]
    return [{**trace, "x": places, "y": values, **faint}, {**trace, "x": places, "y": calm}]


def smoothed(series: Series, stages: Sequence[tuple[str, int]], weight: float) -> NDArray[np.float64]:
    """The running mean in which each point counts `weight` times what the next one counts; anew in each stage."""
    out = np.empty_like(series.values)
    bounds = [0, *(int(np.searchsorted(series.places, begin, side="right")) for _, begin in stages), len(out)]
    for first, last in pairwise(bounds):
        if last > first:
            out[first:last] = pd.Series(series.values[first:last]).ewm(alpha=1 - weight).mean()
    return out


def thinned(
    places: NDArray[np.int64], values: NDArray[np.float64], most: int = MOST_POINTS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points, or where there are more than `most` the mean of each bin of neighbours; the last point stays."""
    step = -(-len(places) // most)
    if step <= 1:
        return places.astype(np.float64), values
    whole = (len(places) - 1) // step * step
    x, y = (part[:whole].reshape(-1, step).mean(axis=1) for part in (places.astype(np.float64), values))
    return np.append(x, float(places[-1])), np.append(y, values[whole:].mean())


def _lowest(panel: Panel, runs: Sequence[Shown]) -> float:
    lowest = min(float(series.values.min()) for _, _, series in _lines(panel, runs))
    return min(-0.03, lowest - 0.03)


def _stages(layout: dict[str, Any], curves: Curves, rows: int, colours: Look) -> None:
    """A dotted line through all rows where each stage begins, and its name."""
    if len(curves.stages) < 2:
        return
    line = {"color": colours.quiet, "width": 1, "dash": "dot"}
    place = {"xref": f"x{rows}", "yref": "paper"}
    layout["shapes"] = [
        {"type": "line", "x0": begin, "x1": begin, "y0": 0, "y1": 1, "line": line, **place}
        for _, begin in curves.stages[1:]
    ]
    font = {"size": 12, "color": colours.quiet}
    turned = {"textangle": -90, "showarrow": False, "xanchor": "left", "yanchor": "top", "y": 1, "font": font}
    layout["annotations"] += [
        {"x": begin, "text": stage_name(name), **turned, **place} for name, begin in curves.stages
    ]
