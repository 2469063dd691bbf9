"""The learning curve of a run, as a picture beside its metrics."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from dnalm.training.run import RunFolder

NAMES = {
    "bits_per_base": "held-out text, bits per base",
    "loss": "validation loss, nats",
    "mcc": "validation MCC",
    "auroc": "validation AUROC",
    "accuracy": "validation accuracy",
    "train_bits_per_base": "training text, bits per base",
    "train_loss": "training loss, nats",
    "learning_rate": "learning rate",
}


def draw_curve(run: RunFolder) -> Path | None:
    """Draw `curve.png` from `metrics.jsonl`: a panel a figure, over the steps of all stages.

    Returns:
        The picture, or none where there is nothing to draw.
    """
    rows = run.metrics()
    if run.quiet or not rows:
        return None
    names = [name for name in NAMES if any(name in row for row in rows)]
    if "train_bits_per_base" in names:
        names.remove("train_loss")  # the same curve in another unit
    canvas = Canvas(figsize=(3.4 * len(names), 2.8), layout="constrained")
    axes = canvas.subplots(1, len(names), squeeze=False)[0]
    places, offsets = _places(rows)
    for axis, name in zip(axes, names, strict=True):
        points = [(place, row[name]) for place, row in zip(places, rows, strict=True) if name in row]
        axis.plot(*zip(*points, strict=True), marker=".", color="#1f77b4")
        for offset in offsets[1:]:
            axis.axvline(offset, color="#999999", linewidth=0.8, linestyle=":")
        axis.set_title(NAMES[name], fontsize=10)
        axis.set_xlabel("steps")
    path = run.path / "curve.png"
    temporary = path.with_name(f".curve.{os.getpid()}.png")
    canvas.savefig(temporary, dpi=120)
    temporary.replace(path)
    return path


def _places(rows: list[dict]) -> tuple[list[int], list[int]]:
    """Steps counted over all stages, and where each stage begins."""
    places, offsets, phase, offset, last = [], [0], rows[0]["phase"], 0, 0
    for row in rows:
        if row["phase"] != phase:
            phase, offset = row["phase"], last
            offsets.append(offset)
        last = offset + row["step"]
        places.append(last)
    return places, offsets
