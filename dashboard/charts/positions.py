"""The axis of a sequence's positions: from a start site, +1 without a zero before it, or from the first base."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from dashboard.charts.theme import Look
from dashboard.subject import Subject
from dnalm.alphabet import decode
from dnalm.interpret.edits import numbered

_MOST_TICKS = 14


def axis(subject: Subject, shown: tuple[int, int] | None = None) -> dict[str, Any]:
    """Ticks, title and range of the axis, for `figure.update_xaxes`; places are `subject.positions()`."""
    start, end = shown or (0, len(subject.codes))
    places = subject.positions()
    steps = (5, 10, 20, 50, 100, 200, 500)
    step = next((step for step in steps if (end - start) / step <= _MOST_TICKS), 1000)
    if subject.anchor is None:
        ticks = [place for place in places[start:end] if place % step == 0]
        words = "position (bases)"
    else:
        # -20, -10, +1, +10, +20: the numbers that people say.
        ticks = [place for place in places[start:end] if place == 0 or (place < 0 and place % step == 0)]
        ticks += [place for place in places[start:end] if place > 0 and (place + 1) % step == 0]
        words = "position from the start site, +1 (bases)"
    texts = [name(subject, int(place - places[0])) for place in ticks]
    return {
        "tickvals": ticks,
        "ticktext": texts,
        "title": {"text": words},
        "range": [places[start] - 0.6, places[end - 1] + 0.6],
        "zeroline": False,
    }


def name(subject: Subject, offset: int) -> str:
    """The number of a base, with a real minus sign."""
    return numbered(offset, subject.anchor).replace("-", "−")


def names(subject: Subject) -> list[str]:
    """What each base is, for hover texts: "T at −12, NC_000913.3:366,354"."""
    letters, region = decode(subject.codes), subject.region
    found = []
    for offset, letter in enumerate(letters):
        text = f"{letter} at {name(subject, offset)}"
        if region is not None and len(region) == len(letters):
            at = region.start + offset if region.strand == "+" else region.end - 1 - offset
            text += f"<br>{html.escape(region.record)}:{at + 1:,}({region.strand})"
        found.append(text)
    return found


def numbers(subject: Subject) -> np.ndarray:
    """The numbers of all bases as text."""
    return np.array([numbered(offset, subject.anchor) for offset in range(len(subject.codes))])


def site_mark(subject: Subject, number: int, look: Look) -> list[dict[str, Any]]:
    """The start site as a dotted line through one of a figure's rows, counted from 1; empty where there is none."""
    if subject.anchor is None:
        return []
    suffix = "" if number == 1 else str(number)
    line = {"color": look.known, "width": 1.5, "dash": "dot"}
    xref, yref = f"x{suffix}", f"y{suffix} domain"
    return [{"type": "line", "xref": xref, "yref": yref, "x0": 0, "x1": 0, "y0": 0, "y1": 1, "line": line}]
