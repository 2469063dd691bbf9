"""Benchmarks as pictures: every row's figure with its interval; ROC, precision-recall and calibration; few labels."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.theme import Look, template
from dashboard.figures import TITLES
from dnalm.evaluation.bench.curves import Curves
from dnalm.evaluation.bench.entries import Entry, Kind, Value

KINDS: dict[Kind, str] = {"dnalm": "dnalm", "plain": "plain baselines", "published": "as published"}
_SYMBOLS: dict[Kind, str] = {"dnalm": "circle", "plain": "square", "published": "diamond-open"}
_ROW = 25


def label_of(one: Entry) -> str:
    """A row's name beside others of its group."""
    parts = [one.model, *([one.what] if one.kind == "published" and one.what else [])]
    return ", ".join(parts)


def _with_seeds(one: Entry) -> str:
    """The same, and of how few seeds it is where not all were run."""
    return label_of(one) + (f", {one.partial}" if one.partial else "")


def figures_chart(rows: Sequence[Entry], figure: str, look: Look, *, ticked: Sequence[str] = ()) -> go.Figure:
    """One figure of every row that has it, the best on top, with 95 % intervals where they are known.

    Args:
        rows: of the table.
        figure: its name.
        look: the colours.
        ticked: ids of rows that are set off.
    """
    shown: list[Entry | None] = []
    headings: list[tuple[int, str]] = []
    # From the bottom up, as the axis counts: a group's rows, then a line of its own for its heading.
    for group in reversed(list(dict.fromkeys(one.group for one in rows if figure in one.figures))):
        inside = [one for one in rows if one.group == group and figure in one.figures]
        shown += [*sorted(inside, key=lambda one: one.figures[figure].value), None]
        headings.append((len(shown) - 1, group))
    names = [
        "" if one is None else f"{'▸ ' if one.id in ticked else ''}{html.escape(_with_seeds(one))}" for one in shown
    ]
    colours: dict[Kind, str] = {"dnalm": look.forward, "plain": look.quiet, "published": look.known}
    chart = go.Figure()
    for kind, title in KINDS.items():
        found = [
            (place, one.figures[figure]) for place, one in enumerate(shown) if one is not None and one.kind == kind
        ]
        places, values = [place for place, _ in found], [value for _, value in found]
        chart.add_scatter(
            x=[one.value for one in values],
            y=places,
            error_x=_intervals(values) | {"thickness": 2, "width": 0},
            mode="markers",
            marker={"size": 10, "symbol": _SYMBOLS[kind], "color": colours[kind]},
            name=title,
            hovertext=[f"{names[place]}<br>{_words(one)}" for place, one in zip(places, values, strict=True)],
            hoverinfo="text",
        )
    for place, group in headings:
        chart.add_annotation(
            x=0,
            y=place,
            xref="paper",
            text=f"<b>{html.escape(group)}</b>",
            showarrow=False,
            xanchor="left",
            font={"color": look.text},
        )
    chart.update_layout(
        template=template(look),
        height=110 + _ROW * max(3, len(shown)),
        margin={"l": 330, "r": 16, "t": 40, "b": 56},
        showlegend=True,
    )
    chart.update_xaxes(title=f"{TITLES.get(figure, figure)}, with its 95 % interval where there is one")
    chart.update_yaxes(tickvals=list(range(len(shown))), ticktext=names, range=[-0.6, len(shown) - 0.4], zeroline=False)
    return chart


def _intervals(values: Sequence[Value]) -> dict[str, Any]:
    """Plotly's error bars: from a figure to the ends of its interval, nothing where there is none."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if one.high is None else one.high - one.value for one in values],
        "arrayminus": [0 if one.low is None else one.value - one.low for one in values],
    }


def _words(value: Value) -> str:
    interval = "" if value.low is None else f" (95 % {value.low:.3f} to {value.high:.3f})"
    return f"{value.value:.3f}{interval}"


class _Panel(NamedTuple):
    """One of the curves: of which attribute, its titles, and whether chance is its diagonal."""

    name: str
    title: str
    x: str
    y: str
    diagonal: bool


_PANELS = (
    _Panel("roc", "ROC", "false positive rate", "recall", True),
    _Panel("precision_recall", "Precision and recall", "recall", "precision", False),
    _Panel("calibration", "Calibration", "probability given", "share found so", True),
)


def curves_chart(found: Mapping[str, Curves], look: Look) -> go.Figure:
    """ROC, precision-recall and calibration of several rows side by side; of several classes calibration alone.

    Args:
        found: by the row's name.
        look: the colours.
    """
    panels = [one for one in _PANELS if all(getattr(curve, one.name) is not None for curve in found.values())]
    titles = [one.title for one in panels]
    chart = make_subplots(1, len(panels), subplot_titles=titles, horizontal_spacing=0.08)
    palette = template(look).layout.colorway
    for place, (name, one) in enumerate(found.items()):
        colour = palette[place % len(palette)]
        style = {"color": colour, "dash": ("solid", "dash", "dot")[place // len(palette) % 3], "width": 2}
        for column, panel in enumerate(panels, start=1):
            x, y = getattr(one, panel.name)
            hover = f"{html.escape(name)}<br>%{{x:.3f}}, %{{y:.3f}}<extra></extra>"
            chart.add_scatter(
                x=x,
                y=y,
                mode="lines+markers" if panel.name == "calibration" else "lines",
                line=style,
                name=html.escape(name),
                legendgroup=name,
                showlegend=column == 1,
                hovertemplate=hover,
                row=1,
                col=column,
            )
    for column, panel in enumerate(panels, start=1):
        line = {"color": look.quiet, "dash": "dot", "width": 1}
        if panel.diagonal:
            chart.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line=line, row=1, col=column)
        chart.update_xaxes(title=panel.x, range=[-0.01, 1.01], row=1, col=column)
        chart.update_yaxes(title=panel.y, range=[-0.01, 1.02], row=1, col=column)
    chart.update_layout(
        template=template(look), height=420 + 22 * len(found), margin={"l": 60, "r": 16, "t": 60, "b": 56}
    )
    chart.update_layout(legend={"y": -0.22, "yanchor": "top", "orientation": "v"})
    return chart


def few_chart(rows: Sequence[Entry], figure: str, look: Look) -> go.Figure:
    """A figure against the number of labels: a panel for each set, a line a model, 95 % intervals at each size.

    Args:
        rows: those of a benchmark of few labels; the published ones stand in the last panel.
        figure: its name.
        look: the colours.
    """
    usable = [one for one in rows if figure in one.figures and one.labels is not None]
    panels = list(dict.fromkeys(one.group for one in usable if one.row is not None)) or [usable[0].group]
    chart = make_subplots(1, len(panels), subplot_titles=[_wrapped(one) for one in panels], shared_yaxes=True)
    names = list(dict.fromkeys(_line_of(one) for one in usable))
    palette = template(look).layout.colorway
    drawn: set[str] = set()
    for column, group in enumerate(panels, start=1):
        here = [one for one in usable if one.group == group or (one.row is None and column == len(panels))]
        for name in names:
            found = sorted((one for one in here if _line_of(one) == name), key=lambda one: one.labels or 0)
            if not found:
                continue
            colour = look.known if found[0].kind == "published" else palette[names.index(name) % len(palette)]
            values = [one.figures[figure] for one in found]
            chart.add_scatter(
                x=[one.labels for one in found],
                y=[one.value for one in values],
                error_y=_intervals(values) | {"thickness": 1.5, "width": 3},
                mode="lines+markers",
                line={"dash": _DASHES[found[0].kind], "width": 2, "color": colour},
                name=html.escape(name),
                legendgroup=name,
                showlegend=name not in drawn,
                hovertemplate=f"{html.escape(name)}, %{{x:,}} labels: %{{y:.3f}}<extra></extra>",
                row=1,
                col=column,
            )
            drawn.add(name)
    sizes = sorted({one.labels for one in usable if one.labels})
    chart.update_layout(template=template(look), height=500, margin={"l": 70, "r": 16, "t": 70, "b": 56})
    chart.update_layout(legend={"y": -0.2, "yanchor": "top"})
    chart.update_xaxes(title="labelled sequences to learn from", type="log", tickvals=sizes, ticktext=sizes)
    chart.update_yaxes(title=TITLES.get(figure, figure), col=1)
    return chart


_DASHES: dict[Kind, str] = {"dnalm": "solid", "plain": "dot", "published": "dash"}


def _line_of(one: Entry) -> str:
    return "as published" if one.kind == "published" else one.model


def _wrapped(title: str) -> str:
    return title.replace(", start", ",<br>start")
