"""The picture of where models came from: boxes in columns, genome to classifier, joined by curves."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

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
    Stage.TRACK: "Track model",
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
    routes = _routes(lineage, column)
    height = _rows(lineage, column, routes.values())
    nodes = {node.key: node for node in lineage.nodes}
    places = {key: (column[node.stage], height[key]) for key, node in nodes.items()}
    stops = {key: places[key] if key in places else (int(key.split(":")[1]), height[key]) for key in height}
    deepest = max(height.values(), default=0.0)
    figure = go.Figure()
    figure.update_layout(
        template=template(look),
        height=round(ROW * (deepest + 1) + 62),
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        showlegend=False,
        shapes=[_curve([stops[key] for key in route], look) for route in routes.values()]
        + [_box(nodes[key], place, look, focus) for key, place in places.items()],
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
        marker={"size": 44, "symbol": "square", "color": "rgba(0,0,0,0)"},
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
    """A name on at most two lines, of like length; what the reader may not take for a tag."""
    breaks = [place + 1 for place, letter in enumerate(name[:-1]) if letter in "-_."]
    halves = [(name[:place], name[place:]) for place in breaks if max(place, len(name) - place) <= _LINE]
    if len(name) > _LINE and halves:
        lines = list(min(halves, key=lambda pair: max(map(len, pair))))
    else:
        lines = textwrap.wrap(name, _LINE, max_lines=_LINES, placeholder="…")
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


def _curve(stops: Sequence[tuple[float, float]], look: Look) -> dict:
    """A line from the right of one box to the left of another, level where it passes a column between."""
    (x, y), *passed, (end, bottom) = stops
    path = f"M {x + HALF_WIDTH},{y}"
    x += HALF_WIDTH
    for over, height in passed:
        middle = (x + over - HALF_WIDTH) / 2
        path += f" C {middle},{y} {middle},{height} {over - HALF_WIDTH},{height} L {over + HALF_WIDTH},{height}"
        x, y = over + HALF_WIDTH, height
    if end - HALF_WIDTH < x:  # two of one column: around the outside
        path += f" C {x + 0.1},{y} {x + 0.1},{bottom} {end + HALF_WIDTH},{bottom}"
    else:
        middle = (x + end - HALF_WIDTH) / 2
        path += f" C {middle},{y} {middle},{bottom} {end - HALF_WIDTH},{bottom}"
    return {"type": "path", "path": path, "layer": "below", "line": {"color": look.quiet, "width": 1.5}}


def _routes(lineage: Lineage, column: Mapping[Stage, int]) -> dict[tuple[str, str], list[str]]:
    """The way of each edge: its two nodes, and a place of its own in every column that it passes between them."""
    stage = {node.key: column[node.stage] for node in lineage.nodes}
    return {
        (parent, child): [
            parent,
            *(f"pass:{place}:{parent}>{child}" for place in range(stage[parent] + 1, stage[child])),
            child,
        ]
        for parent, child in lineage.edges
    }


def _rows(lineage: Lineage, column: Mapping[Stage, int], routes: Iterable[list[str]]) -> dict[str, float]:
    """A row for each node and each passing edge: neighbours near each other, columns centred."""
    columns: list[list[str]] = [[] for _ in column]
    neighbours: dict[str, list[str]] = {}
    for node in lineage.nodes:
        columns[column[node.stage]].append(node.key)
        neighbours[node.key] = []
    for route in routes:
        for key in route[1:-1]:
            columns[int(key.split(":")[1])].append(key)
            neighbours[key] = []
        for above, below in pairwise(route):
            neighbours[above].append(below)
            neighbours[below].append(above)
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
