"""The search for settings on a grid: down along one axis after another, until none leads lower."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Axes = Mapping[str, Sequence[float]]
Place = Mapping[str, float]


def descend(axes: Axes, begin: Place, loss: Callable[[Place], float]) -> dict[str, float]:
    """The settings with the lowest loss that are reached from `begin`; each is tried once.

    Args:
        axes: the values of each setting, in order.
        begin: a value of each to begin at.
        loss: what is to be low; with one valley over the grid the lowest of all is found.
    """
    tried: dict[tuple[int, ...], float] = {}

    def values(place: tuple[int, ...]) -> dict[str, float]:
        return {name: axis[at] for (name, axis), at in zip(axes.items(), place, strict=True)}

    def at(place: tuple[int, ...]) -> float:
        if not all(0 <= one < len(axis) for one, axis in zip(place, axes.values(), strict=True)):
            return float("inf")
        if place not in tried:
            tried[place] = loss(values(place))
        return tried[place]

    here, before = tuple(axis.index(begin[name]) for name, axis in axes.items()), None
    while here != before:
        before = here
        for number in range(len(axes)):
            for way in (1, -1):
                while at(there := (*here[:number], here[number] + way, *here[number + 1 :])) < at(here):
                    here = there
    return values(here)
