"""An embedding's picture and numbers as files: PNG, SVG, TSV, NPZ."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dnalm.alphabet import decode
from dnalm.interpret.calls import Calls
from dnalm.interpret.colouring import Colouring
from dnalm.interpret.embedding import (
    Embedding,
    Neighbour,
    nearest,
    reverse_complement_ranks,
    reverse_complement_rows,
    similarities,
)
from dnalm.interpret.projection import TITLES, Projection

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The field's habit: A green, C blue, G orange, T red.
_BASES = {"A": "#0B7A37", "C": "#1B56A5", "G": "#A65E00", "T": "#C2192B"}
_SECOND = {"A": "o", "C": "s", "G": "^", "T": "D"}
# Okabe & Ito's colours, told apart by the colour-blind too; with the marks, ten groups and more.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKS = ("o", "s", "^", "D", "v")


def table(
    embedding: Embedding, projection: Projection, *, calls: Calls | None = None, chosen: int | None = None
) -> pd.DataFrame:
    """The points as a table, a row each.

    Args:
        embedding: the points.
        projection: their picture.
        calls: of the classifier, where there is one.
        chosen: a point whose similarity to each is to be told.

    Returns:
        Columns id, x, y (no unit), gc (share), nearest and nearest_similarity (cosine, in the full space); of k-mers
        reverse_complement and reverse_complement_rank (among its neighbours, 1 the nearest; empty where it is itself);
        of sequences length (bases), class, and with `calls` called, probability (of the positive class, else of the
        one called) and outcome; with `chosen` similarity and rank (0 is the point itself).
    """
    row, value = nearest(embedding)
    frame = pd.DataFrame({"id": embedding.ids, "x": projection.points[:, 0], "y": projection.points[:, 1]})
    frame["gc"] = embedding.gc()
    frame["nearest"] = [embedding.ids[i] for i in row]
    frame["nearest_similarity"] = value.astype(float)
    if embedding.what == "kmers":
        other, ranks = reverse_complement_rows(embedding), reverse_complement_ranks(embedding)
        frame["reverse_complement"] = [embedding.ids[i] if i >= 0 else "" for i in other]
        frame["reverse_complement_rank"] = pd.array([int(rank) or None for rank in ranks], dtype="Int64")
    else:
        frame["length"] = [len(codes) for codes in embedding.codes]
        frame["class"] = list(embedding.labels)
    if calls is not None:
        frame["called"], frame["probability"] = list(calls.called), calls.probabilities
        frame["outcome"] = list(calls.outcomes)
    if chosen is not None:
        near = similarities(embedding, chosen).astype(float)
        order = np.argsort(-near, kind="stable")
        order = np.concatenate([[chosen], order[order != chosen]])
        rank = np.empty(len(near), dtype=np.int64)
        rank[order] = np.arange(len(near))
        frame["similarity"], frame["rank"] = near, rank
    return frame


def tsv_text(frame: pd.DataFrame) -> str:
    """A table as tab-separated text with a header line; six digits, empty where nothing is known."""
    tidy = frame.map(lambda cell: cell.replace("\t", " ").replace("\n", " ") if isinstance(cell, str) else cell)
    return tidy.to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n")


def npz_bytes(embedding: Embedding, projection: Projection, calls: Calls | None = None) -> bytes:
    """The vectors themselves, for NumPy: ids, points, vectors, sequences, and what is known of each; no pickle."""
    arrays: dict[str, np.ndarray] = {
        "id": np.array(embedding.ids),
        "points": projection.points,
        "vectors": embedding.vectors,
        "sequence": np.array([decode(codes) for codes in embedding.codes]),
        "gc": embedding.gc(),
        "model": np.array(embedding.model),
        "method": np.array(projection.method),
    }
    if projection.variance is not None:
        arrays["variance"] = np.array(projection.variance)
    if projection.trust is not None:
        arrays["trustworthiness"] = np.array(projection.trust.value)
    if embedding.what == "sequences":
        arrays["class"] = np.array([label or "" for label in embedding.labels])
    if calls is not None:
        arrays["called"] = np.array([label or "" for label in calls.called])
        arrays["probability"] = calls.probabilities
        arrays["outcome"] = np.array(calls.outcomes)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def title_of(embedding: Embedding, projection: Projection) -> str:
    """What the picture shows, in one line."""
    what = f"{len(embedding.ids[0])}-mers" if embedding.what == "kmers" else "sequences"
    return f"{len(embedding):,} {what} as {embedding.model} places them, by {TITLES[projection.method]}"


def faithfulness(projection: Projection) -> str:
    """How far the picture can be believed, in a sentence or two."""
    words = ""
    if projection.variance is not None:
        words = f"The two axes keep {sum(projection.variance):.1%} of the variance. "
    if projection.trust is None:
        return words + "There are too few points to say how faithful the picture is."
    trust = projection.trust
    return words + f"Trustworthiness {trust.value:.3f} ({trust.k} neighbours of {trust.points:,} points)."


def draw(
    embedding: Embedding,
    projection: Projection,
    colours: Colouring,
    *,
    chosen: int | None = None,
    near: Sequence[Neighbour] = (),
) -> Figure:
    """Draw the points.

    Args:
        embedding: the points.
        projection: where they lie.
        colours: what colours them.
        chosen: a point that is ringed and named.
        near: its neighbours, named too.
    """
    figure = Figure(figsize=(10, 7.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    figure.suptitle(title_of(embedding, projection), fontsize=12)
    axes.set_title(faithfulness(projection), fontsize=9)
    size = 30 if len(embedding) <= 1000 else 12
    if colours.numbers is not None:
        _numbers(figure, axes, projection, colours, size)
    else:
        _groups(axes, projection, colours, size)
    for row in [*([chosen] if chosen is not None else []), *(one.row for one in near)]:
        own = row == chosen
        x, y = projection.points[row]
        axes.scatter(
            [x], [y], s=140 if own else 80, facecolors="none", edgecolors="black", linewidths=2 if own else 0.8
        )
        axes.annotate(
            embedding.ids[row].replace("$", r"\$"),
            (x, y),
            xytext=(7, 6),
            textcoords="offset points",
            fontsize=9 if own else 7,
            fontweight="bold" if own else "normal",
        )
    first, second = projection.axes()
    axes.set_xlabel(first)
    axes.set_ylabel(second)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _numbers(figure: Figure, axes: Axes, projection: Projection, colours: Colouring, size: int) -> None:
    assert colours.numbers is not None
    known = np.isfinite(colours.numbers)
    x, y = projection.points.T
    axes.scatter(x[~known], y[~known], s=size, facecolors="none", edgecolors="#8A949C", linewidths=0.6)
    low, high = colours.limits
    drawn = axes.scatter(
        x[known], y[known], c=colours.numbers[known], s=size, cmap="cividis", vmin=low, vmax=high, linewidths=0
    )
    figure.colorbar(drawn, ax=axes, label=colours.title.replace("$", r"\$"))


def _groups(axes: Axes, projection: Projection, colours: Colouring, size: int) -> None:
    assert colours.groups is not None
    of_point = np.array(colours.groups)
    for place, group in enumerate(colours.order):
        colour, mark = _COLOURS[place % len(_COLOURS)], _MARKS[place % len(_MARKS)]
        if colours.by in ("first", "last"):
            colour, mark = _BASES[group[0]], _SECOND[group[-1]]
        inside = of_point == group
        axes.scatter(
            *projection.points[inside].T,
            s=size,
            c=colour,
            marker=mark,
            alpha=0.8,
            linewidths=0,
            label=f"{group} ({int(inside.sum()):,})".replace("$", r"\$"),
        )
    axes.legend(
        title=colours.title, loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, title_fontsize=8, frameon=False
    )
