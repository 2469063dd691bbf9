"""Time several ways of doing one thing, taking turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How many times as fast one way is as another.

    Attributes:
        value: median over the rounds of slower seconds over faster seconds, each round's own.
        low: lower quartile over the rounds.
        high: upper quartile.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Timings:
    """Seconds of each way in each round; the rounds of all ways go together."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Median seconds of one way."""
        return statistics.median(self.seconds[name])

    def ratio(self, slower: str, faster: str) -> Ratio:
        """How many times as fast `faster` is as `slower`, paired by round."""
        pairs = zip(self.seconds[slower], self.seconds[faster], strict=True)
        return Ratio(*_quartiles([slow / fast for slow, fast in pairs]))


def take_turns(
    works: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> Timings:
    """Run each work once a round, in turn; every other round in the opposite order.

    Args:
        works: what is timed, by name.
        rounds: timed rounds.
        warm: rounds before, not timed: first calls fill caches and choose kernels.
        clock: seconds; by default those that this process computed, so that waiting for a core does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(-warm, rounds):
        for name in works if number % 2 else reversed(list(works)):
            started = clock()
            works[name]()
            spent = clock() - started
            if number >= 0:
                seconds[name].append(spent)
    return Timings(seconds)


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    """Median, lower and upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high
