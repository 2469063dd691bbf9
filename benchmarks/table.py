"""What was measured, beside what was aimed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        subject: what was measured.
        compared: with what, and how.
        value: the figure.
        unit: `x` (times), `%`, `GB`, `s`, `tokens/s`.
        low: lower quartile over the rounds; none where there is one measurement.
        high: upper quartile.
        aim: what is wanted; none where the row is there for comparison.
        at_most: whether the aim is a ceiling, as for memory, and not a floor.
    """

    subject: str
    compared: str
    value: float
    unit: str = "x"
    low: float | None = None
    high: float | None = None
    aim: float | None = None
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """`met`, `short`, or nothing where there is no aim."""
        if self.aim is None:
            return ""
        met = self.value <= self.aim if self.at_most else self.value >= self.aim
        return "met" if met else "short"

    def as_dict(self) -> dict[str, Any]:
        """All fields and the verdict, for JSON."""
        return {**asdict(self), "verdict": self.verdict}


def number(value: float) -> str:
    """Whole with commas from 100 up, four digits below 10 (bits per base want them), else three."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}" if abs(value) < 10 else f"{value:.3g}"


def render(rows: Sequence[Row]) -> str:
    """Rows as an aligned Markdown table."""
    head = ["subject", "compared", "value", "quartiles", "aim", ""]
    cells = [[*head], *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    rule = "-|-".join("-" * width for width in widths)
    return "\n".join(f"| {line} |" for line in [lines[0], rule, *lines[1:]])


def _cells(row: Row) -> list[str]:
    spread = "" if row.low is None or row.high is None else f"{number(row.low)} to {number(row.high)}"
    aim = "" if row.aim is None else f"{'<=' if row.at_most else '>='} {number(row.aim)}"
    unit = row.unit if row.unit in ("x", "%") else f" {row.unit}"
    return [row.subject, row.compared, f"{number(row.value)}{unit}", spread, aim, row.verdict]
