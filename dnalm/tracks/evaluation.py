"""What scoring tracks against known sites gives: figures with intervals, distances, curves; and two models compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dnalm.errors import InputError
from dnalm.metrics import Figure

ALL, HELD_OUT, TRAINED_ON = "all", "held-out", "trained-on"
"""Parts of what was scanned: all of it where nobody says what the model was trained on; else these two apart."""


class Key(NamedTuple):
    """Which part of the truth figures speak of."""

    part: str
    """`ALL`, `HELD_OUT` or `TRAINED_ON`."""
    strand: str
    """"both", "+" or "-"."""
    tolerance: int
    """Greatest distance in bases between a call and its site."""
    clustered: bool
    """Whether sites of one strand that lie close together count as one."""


@dataclass(frozen=True)
class Row:
    """The figures of one part, strand, tolerance and way of counting sites.

    Attributes:
        key: which.
        sites: known sites, or clusters of them.
        calls: calls without a threshold; of several runs their mean, rounded.
        kilobases: length of genome, whichever strands were read.
        figures: by name, each with its interval. `auprc`; `auprc_once`, where a second call near a found site is
            wrong; `recall_at_N_calls`; `false_per_kb_at_P_recall` and `precision_at_P_recall` where P % of the sites
            are first found; with a threshold `recall`, `precision`, `calls_per_kb`, `false_per_kb`;
            `distance_median` and quartiles, in bases, of the sites found by the 500 highest calls.
        each: the same of each run alone, where there are several (seeds).
        offsets: how many of those sites have their call at each distance: bins as `edges` (bases from the site,
            positive downstream) and `counts`, of all runs together.
        curve: precision, false calls per kb and score at recalls .01 to 1; None where they are never reached, and
            empty on the rows that keep none.
    """

    key: Key
    sites: int
    calls: int
    kilobases: float
    figures: dict[str, Figure]
    each: dict[str, tuple[float, ...]] = field(default_factory=dict)
    offsets: dict[str, list[int]] = field(default_factory=dict)
    curve: dict[str, list[float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """A model's tracks, or several runs' of one recipe, scored against known sites.

    Attributes:
        name: the model's, or of the runs together.
        runs: the names of the runs; one where there is one.
        settings: distance, block, merge, threshold, regions and trained_on (as texts), resamples, blocks by part.
        rows: the figures.
    """

    name: str
    runs: tuple[str, ...]
    settings: dict[str, Any]
    rows: tuple[Row, ...]

    def row(self, *, tolerance: int, part: str | None = None, strand: str = "both", clustered: bool = False) -> Row:
        """One row; where no part is named, of what was held out, else of all, else of what was trained on.

        Raises:
            InputError: there is no such row.
        """
        return _row(self.rows, part, strand, tolerance, clustered)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, figures as `{"value", "low", "high", "n"}`."""
        return {"name": self.name, "runs": list(self.runs), "settings": self.settings, "rows": _plain(self.rows)}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Evaluation:
        """From what `as_dict` gave."""
        rows = tuple(
            Row(
                _key(one),
                one["sites"],
                one["calls"],
                one["kilobases"],
                _figures(one["figures"]),
                {name: tuple(_number(value) for value in values) for name, values in one["each"].items()},
                one["offsets"],
                one["curve"],
            )
            for one in found["rows"]
        )
        return cls(found["name"], tuple(found["runs"]), dict(found["settings"]), rows)


@dataclass(frozen=True)
class Compared:
    """Two models on the same blocks of genome, for one part, strand, tolerance and way of counting.

    Attributes:
        key: which.
        ratios: the first's figure over the second's, resampled in pairs, by the figure's name.
        differences: the first's minus the second's.
    """

    key: Key
    ratios: dict[str, Figure]
    differences: dict[str, Figure]


@dataclass(frozen=True)
class Comparison:
    """The first model beside the second: every resample draws the same stretches for both, so that what makes a
    stretch hard for both cancels.

    Attributes:
        first: name of the one.
        second: name of the other.
        rows: by part, strand, tolerance and way of counting.
    """  # noqa: D205 - one thought

    first: str
    second: str
    rows: tuple[Compared, ...]

    def row(
        self, *, tolerance: int, part: str | None = None, strand: str = "both", clustered: bool = False
    ) -> Compared:
        """One row; see `Evaluation.row`."""
        return _row(self.rows, part, strand, tolerance, clustered)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"first": self.first, "second": self.second, "rows": _plain(self.rows)}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Comparison:
        """From what `as_dict` gave."""
        rows = tuple(
            Compared(
                _key(one), *({n: figure_of(f) for n, f in one[kind].items()} for kind in ("ratios", "differences"))
            )
            for one in found["rows"]
        )
        return cls(found["first"], found["second"], rows)


def figure_of(entry: Mapping[str, Any]) -> Figure:
    """A figure from its JSON form."""
    return Figure(_number(entry["value"]), _number(entry["low"]), _number(entry["high"]), entry["n"])


def _figures(found: Mapping[str, Any]) -> dict[str, Figure]:
    return {name: figure_of(entry) for name, entry in found.items()}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _key(one: Mapping[str, Any]) -> Key:
    return Key(one["part"], one["strand"], one["tolerance"], one["clustered"])


def _row(rows: tuple[Any, ...], part: str | None, strand: str, tolerance: int, clustered: bool) -> Any:
    parts = [part] if part else [HELD_OUT, ALL, TRAINED_ON]
    for wanted in parts:
        for one in rows:
            if one.key == (wanted, strand, tolerance, clustered):
                return one
    there = ", ".join(sorted({f"{one.key.part} {one.key.strand} {one.key.tolerance}" for one in rows}))
    raise InputError(f"there are no figures of {part or 'any part'} {strand} {tolerance}; there are {there}")


def _plain(rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [
        {**one.key._asdict(), **{name: _json(value) for name, value in vars(one).items() if name != "key"}}
        for one in rows
    ]


def _json(value: Any) -> Any:
    if isinstance(value, Figure):
        return {name: _rounded(part) for name, part in value.as_dict().items()}
    if isinstance(value, Mapping):
        return {name: _json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json(part) for part in value]
    return _rounded(value)


def _rounded(value: Any) -> Any:
    """Six significant digits are more than any interval here bears; nan is null in JSON."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
