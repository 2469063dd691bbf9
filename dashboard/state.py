"""The address is the state: what a page shows, read from the query parameters and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dnalm.errors import InputError

STRIDES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
STRANDS = {"both": "Both", "forward": "Forward", "reverse": "Reverse"}
STRAND_SIGNS = {"both": "both", "forward": "+", "reverse": "-"}
MODES = {"stream": "Whole stretch at once", "window": "One window a site"}
TOLERANCES = (10, 50, 100, 250)
USUAL_TOLERANCE = 50
"""Mapped starts stray by some bases, and a model that scans was told to call within a hundred."""
VIEWS = {"picture": "Picture", "browser": "Genome browser"}
MOST_MODELS = 3
"""Models in one picture: of more curves over each other none can be followed."""
WIDEST_WINDOW = 5_000

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
        model: name of the model whose peaks are shown.
        also: names of the models drawn beside it.
        sequence: key of a shipped or uploaded sequence.
        region: the stretch to scan, as a person names it; see `dnalm.tracks.places`.
        stride: bases between scored sites.
        strand: a key of `STRANDS`.
        mode: a key of `MODES`.
        window: bases of a window, for models that read any length.
        threshold: least probability of a peak.
        known: which known starts are drawn.
        tolerance: bases between a call and a known start that are forgiven.
        peak: the site whose sequence is shown.
        view: a key of `VIEWS`.
    """

    model: str | None = None
    also: tuple[str, ...] = ()
    sequence: str | None = None
    region: str | None = None
    stride: int | None = None
    strand: str = "both"
    mode: str | None = None
    window: int | None = None
    threshold: float | None = None
    known: str | None = None
    tolerance: int = USUAL_TOLERANCE
    peak: Place | None = None
    view: str = "picture"


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
        also=read("with", _also, ()),
        sequence=query.get("sequence") or None,
        region=query.get("region", "").strip() or None,
        stride=read("stride", lambda text: _number_of(text, STRIDES, "the stride"), None),
        strand=read("strand", lambda text: _one_of(text, STRANDS, "the strand"), "both"),
        mode=read("mode", lambda text: _one_of(text, MODES, "the mode"), None),
        window=read("window", _window, None),
        threshold=read("threshold", _threshold, None),
        known=query.get("known") or None,
        tolerance=read("tolerance", lambda text: _number_of(text, TOLERANCES, "the tolerance"), USUAL_TOLERANCE),
        peak=read("peak", parse_place, None),
        view=read("view", lambda text: _one_of(text, VIEWS, "the view"), "picture"),
    )
    return state, problems


def parse_place(text: str) -> Place:
    """Read `812345-forward`."""
    match = _PEAK.fullmatch(text)
    if match is None or int(match[1]) < 1:
        raise ValueError("a site is written as its 1-based position and strand, such as 812345-forward.")
    return Place(int(match[1]) - 1, "+" if match[2] == "-forward" else "-")


def _also(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    if len(names) >= MOST_MODELS:
        raise ValueError(f"a picture shows {MOST_MODELS} models at most, the first and {MOST_MODELS - 1} beside it.")
    return names


def _number_of(text: str, choices: tuple[int, ...], what: str) -> int:
    if text not in map(str, choices):
        raise ValueError(f"{what} is one of {', '.join(map(str, choices))} bases.")
    return int(text)


def _one_of(text: str, choices: Mapping[str, str], what: str) -> str:
    if text not in choices:
        raise ValueError(f"{what} is one of {', '.join(choices)}.")
    return text


def _window(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= WIDEST_WINDOW:
        raise ValueError(f"the window is a number of bases, 1 to {WIDEST_WINDOW:,}.")
    return int(text)


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError("the threshold is a probability, 0 to 1.")
    return value
