"""The picture of MCC against bits per base, drawn from the rows kept in `data/results`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_POINT = "#0072b2"
_LINE = "#999999"


def points_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Rows that have both figures, from the worst language model to the best."""
    rows = [row for row in document["rows"] if "bits_per_base" in row]
    return sorted(rows, key=lambda row: -row["bits_per_base"]["value"])


def draw_curve(document: Mapping[str, Any], path: Path) -> bool:
    """Write the picture as PNG, whole.

    Args:
        document: the task's rows.
        path: where; its folder is made.

    Returns:
        False where there is no point to draw.
    """
    points = points_of(document)
    if not points:
        return False
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    bits = [point["bits_per_base"]["value"] for point in points]
    mcc = [point["figures"]["mcc"]["value"] for point in points]
    low = [value - point["figures"]["mcc"]["low"] for value, point in zip(mcc, points, strict=True)]
    high = [point["figures"]["mcc"]["high"] - value for value, point in zip(mcc, points, strict=True)]
    axes.plot(bits, mcc, color=_LINE, linewidth=1, zorder=1)
    axes.errorbar(bits, mcc, yerr=[low, high], fmt="o", color=_POINT, capsize=3, zorder=2)
    for point, x, y in zip(points, bits, mcc, strict=True):
        name = point["model"].partition("+")[0]
        axes.annotate(name, (x, y), xytext=(5, -12), textcoords="offset points", fontsize=8)
    axes.invert_xaxis()
    axes.set_title("The better the language model, the better the promoter classifier")
    axes.set_xlabel("bits per base, last 10 % of E. coli K-12 (better to the right)")
    axes.set_ylabel("MCC, grouped 5-fold, with 95 % interval")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    figure.savefig(temporary, format="png", metadata={"Software": None})
    temporary.replace(path)
    return True
