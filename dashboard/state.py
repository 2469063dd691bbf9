"""The address is the state: what a page shows, read from the query parameters and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dnalm.errors import InputError
from dnalm.sequences import Region

STRIDES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
STRANDS = {"both": "Both", "forward": "Forward", "reverse": "Reverse"}
STRAND_SIGNS = {"both": "both", "forward": "+", "reverse": "-"}

_PEAK = re.compile(r"(\d{1,12})(-forward|-reverse)")


@dataclass(frozen=True)
class Place:
    """A site that a person looks at: 0-based forward position and the strand read."""

    position: int
    strand: str

    def __str__(self) -> str:
        """As it stands in the address: `812345-forward`, 1-based."""
        return f"{self.position + 1}-{'forward' if self.strand == '+' else 'reverse'}"


@dataclass(frozen=True)
class ScanState:
    """What the page Long sequences shows; None stands for a default that depends on the rest.

    Attributes:
        model: name of the model.
        sequence: key of a shipped or uploaded sequence.
        region: the stretch to scan.
        stride: bases between scored sites.
        strand: a key of `STRANDS`.
        threshold: least probability of a peak.
        known: which known starts are drawn.
        peak: the site whose sequence is shown.
    """

    model: str | None = None
    sequence: str | None = None
    region: Region | None = None
    stride: int | None = None
    strand: str = "both"
    threshold: float | None = None
    known: str | None = None
    peak: Place | None = None


def read_state(query: Mapping[str, str]) -> tuple[ScanState, list[str]]:
    """Read the page's state from its address.

    Args:
        query: query parameters.

    Returns:
        The state, in which every parameter that could not be read has its default, and one sentence for each
        of those.
    """
    problems: list[str] = []

    def read(name: str, parse: Callable[[str], Any], default: Any) -> Any:
        text = query.get(name, "")
        if not text:
            return default
        try:
            return parse(text)
        except (InputError, ValueError) as error:
            problems.append(f"The address says {name}={text}: {error}")
            return default

    state = ScanState(
        model=query.get("model") or None,
        sequence=query.get("sequence") or None,
        region=read("region", Region.parse, None),
        stride=read("stride", _stride, None),
        strand=read("strand", _strand, "both"),
        threshold=read("threshold", _threshold, None),
        known=query.get("known") or None,
        peak=read("peak", parse_place, None),
    )
    return state, problems


def parse_place(text: str) -> Place:
    """Read `812345-forward`."""
    match = _PEAK.fullmatch(text)
    if match is None or int(match[1]) < 1:
        raise ValueError("a site is written as its 1-based position and strand, such as 812345-forward.")
    return Place(int(match[1]) - 1, "+" if match[2] == "-forward" else "-")


def _stride(text: str) -> int:
    if text not in map(str, STRIDES):
        raise ValueError(f"the stride is one of {', '.join(map(str, STRIDES))} bases.")
    return int(text)


def _strand(text: str) -> str:
    if text not in STRANDS:
        raise ValueError(f"the strand is one of {', '.join(STRANDS)}.")
    return text


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError("the threshold is a probability, 0 to 1.")
    return value
