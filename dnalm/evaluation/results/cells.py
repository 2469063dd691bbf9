"""Figures and tables as the results page prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
NOT_RUN = "not yet run"
TITLES = {"mcc": "MCC", "accuracy": "accuracy", "auroc": "AUROC", "f1": "F1"}


def signed(value: float | None) -> str:
    """A figure as the tables print it: .812, -.045."""
    if value is None:
        return "–"
    text = f"{abs(value):.3f}"
    return ("-" if value < 0 and float(text) else "") + (text[1:] if text.startswith("0") else text)


def interval(figure: Document | None) -> str:
    """A figure with its interval: .812 [.790, .833]."""
    if not figure or figure["value"] is None:
        return "–"
    if figure["low"] is None:
        return signed(figure["value"])
    return f"{signed(figure['value'])} [{signed(figure['low'])}, {signed(figure['high'])}]"


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in body)])
