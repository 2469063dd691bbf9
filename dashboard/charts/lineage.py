"""The picture of where models came from: boxes in columns, genome to classifier, joined by curves."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping

import plotly.graph_objects as go

from dashboard.charts.theme import Look, template
from dnalm.lab.lineage import Lineage, Node, Stage

ROW = 62
"""Pixels from one box to the next."""
HALF_WIDTH, HALF_HEIGHT = 0.4, 0.36
HEADINGS = {
    Stage.GENOME: "Genome",
    Stage.LANGUAGE_MODEL: "Language model",
    Stage.FINE_TUNED: "Fine-tuned",
    Stage.CLASSIFIER: "Classifier",
}
_LINE, _LINES = 24, 2
_SWEEPS = 4


def lineage_figure(lineage: Lineage, look: Look, *, focus: str | None = None) -> go.Figure:
    """Draw a lineage; a click on a model's box gives its name as `customdata`.

    Args:
        lineage: nodes and edges.
        look: the colours.
        focus: id of the model that the picture is about: its box is filled.
    """
    stages = [stage for stage in Stage if any(node.stage is stage for node in lineage.nodes)]
    column = {stage: place for place, stage in enumerate(stages)}
    height = _rows(lineage, column)
    nodes = {node.key: node for node in lineage.nodes}
    places = {key: (column[node.stage], height[key]) for key, node in nodes.items()}
    deepest = max(height.values(), default=0.0)
    figure = go.Figure()
    figure.update_layout(
        template=template(look),
        height=round(ROW * (deepest + 1) + 62),
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        showlegend=False,
        shapes=[_curve(places[parent], places[child], look) for parent, child in lineage.edges]
        + [_box(nodes[key], place, look, focus) for key, place in places.items()],
        dragmode=False,
    )
    hidden = {"visible": False, "fixedrange": True}
    figure.update_xaxes(range=[-0.5, max(len(stages), 3) - 0.5], **hidden)
    figure.update_yaxes(range=[deepest + 0.6, -0.6], **hidden)
    for stage in stages:
        figure.add_annotation(
            x=column[stage],
            y=1,
            yref="paper",
            yanchor="bottom",
            text=HEADINGS[stage],
            showarrow=False,
            font={"size": 13, "color": look.quiet},
        )
    for key, (x, y) in places.items():
        colour = look.text if nodes[key].model or nodes[key].stage is Stage.GENOME else look.quiet
        text = _label(nodes[key].name)
        figure.add_annotation(x=x, y=y, text=text, showarrow=False, font={"size": 13, "color": colour})
    _add_targets(figure, nodes, places)
    return figure


def _add_targets(figure: go.Figure, nodes: Mapping[str, Node], places: Mapping[str, tuple[float, float]]) -> None:
    """Unseen points all over each box, which say what it is and take the click."""
    xs, ys, names, words = [], [], [], []
    for key, (x, y) in places.items():
        for step in range(-3, 4):
            xs.append(x + step * HALF_WIDTH / 3.5)
            ys.append(y)
            names.append(nodes[key].name if nodes[key].model else "")
            words.append(_hover(nodes[key]))
    figure.add_scatter(
        x=xs,
        y=ys,
        mode="markers",
        marker={"size": 44, "symbol": "square", "opacity": 0},
        customdata=names,
        hovertext=words,
        hoverinfo="text",
    )


def _hover(node: Node) -> str:
    name = html.escape(node.name)
    if node.stage is Stage.GENOME:
        return f"{name}: a genome that was read"
    if node.model is None:
        return f"{name}: not here any more, or not shared with you"
    return f"{name}: {node.stage.value}; click to look at it"


def _label(name: str) -> str:
    """A name on at most two lines; what the reader may not take for a tag."""
    lines = textwrap.wrap(name, _LINE, max_lines=_LINES, placeholder="…", break_on_hyphens=True)
    return "<br>".join(html.escape(line) for line in lines)


def _box(node: Node, place: tuple[float, float], look: Look, focus: str | None) -> dict:
    x, y = place
    chosen = focus is not None and node.model == focus
    here = node.model is not None
    return {
        "type": "rect",
        "x0": x - HALF_WIDTH,
        "x1": x + HALF_WIDTH,
        "y0": y - HALF_HEIGHT,
        "y1": y + HALF_HEIGHT,
        "layer": "below",
        "line": {
            "color": look.forward if here else look.quiet,
            "width": 3 if chosen else 1.5,
            "dash": "solid" if here or node.stage is Stage.GENOME else "dot",
        },
        "fillcolor": look.box if chosen else "rgba(0,0,0,0)",
    }


def _curve(start: tuple[float, float], end: tuple[float, float], look: Look) -> dict:
    (x0, y0), (x1, y1) = start, end
    x0, x1 = x0 + HALF_WIDTH, x1 - HALF_WIDTH
    if x1 <= x0:  # two of one column: from box to box, around the outside
        x1, middle = x1 + 2 * HALF_WIDTH, x0 + 0.1
    else:
        middle = (x0 + x1) / 2
    path = f"M {x0},{y0} C {middle},{y0} {middle},{y1} {x1},{y1}"
    return {"type": "path", "path": path, "layer": "below", "line": {"color": look.quiet, "width": 1.5}}


def _rows(lineage: Lineage, column: Mapping[Stage, int]) -> dict[str, float]:
    """A row for each node: neighbours near each other, columns centred."""
    columns: list[list[str]] = [[] for _ in column]
    for node in lineage.nodes:
        columns[column[node.stage]].append(node.key)
    neighbours: dict[str, list[str]] = {node.key: [] for node in lineage.nodes}
    for parent, child in lineage.edges:
        neighbours[parent].append(child)
        neighbours[child].append(parent)
    tallest = max(map(len, columns), default=0)
    rows: dict[str, float] = {}

    def lay(keys: list[str]) -> None:
        offset = (tallest - len(keys)) / 2
        rows.update({key: place + offset for place, key in enumerate(keys)})

    def middle(key: str) -> tuple[float, float]:
        near = [rows[other] for other in neighbours[key]]
        return (sum(near) / len(near) if near else rows[key], rows[key])

    for keys in columns:
        lay(keys)
    for sweep in range(_SWEEPS):
        for keys in columns if sweep % 2 == 0 else reversed(columns):
            keys.sort(key=middle)
            lay(keys)
    return rows
