"""What the points of an embedding can be coloured by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import BASES, decode
from dnalm.errors import InputError
from dnalm.interpret.calls import OUTCOMES, Calls
from dnalm.interpret.embedding import Embedding

TITLES = {
    "first": "first two bases",
    "last": "last two bases",
    "gc": "GC share",
    "class": "class",
    "error": "right or wrong",
    "probability": "probability",
}
NO_CLASS, OTHERS = "no class given", "other classes"
MOST_CLASSES = 9
"""Classes with a colour of their own; the rest, the rarer ones, share one."""


@dataclass(frozen=True, eq=False)
class Colouring:
    """What colours the points: groups, or a number.

    Attributes:
        by: a key of `TITLES`.
        title: what it says, for a legend.
        groups: the group of each point; None where a number colours them.
        order: the groups in their order in the legend.
        numbers: the number of each point, nan where there is none; None where groups colour them.
        limits: the ends of the colour scale.
    """

    by: str
    title: str
    groups: tuple[str, ...] | None = None
    order: tuple[str, ...] = ()
    numbers: NDArray[np.float64] | None = None
    limits: tuple[float, float] = (0.0, 1.0)


def choices(embedding: Embedding, calls: Calls | None) -> list[str]:
    """The colourings that these points can have, the most telling first.

    Of k-mers that is the last bases: with a stride shorter than k, the first were in the k-mer before.
    """
    if embedding.what == "kmers":
        return ["last", "first", "gc"] if len(embedding.ids[0]) > 1 else ["first", "gc"]
    labelled = any(label is not None for label in embedding.labels)
    found = ["class"] if labelled else []
    if calls is not None:
        found += (["error"] if labelled else []) + ["probability"]
    return [*found, "gc"]


def colouring(embedding: Embedding, by: str, calls: Calls | None = None) -> Colouring:
    """Colour the points.

    Args:
        embedding: the points.
        by: one of `choices`.
        calls: of the classifier, for "error" and "probability".

    Raises:
        InputError: these points cannot be coloured so.
    """
    possible = choices(embedding, calls)
    if by not in possible:
        raise InputError(f"these points cannot be coloured by {by!r}; they can by {', '.join(possible)}")
    if by == "gc":
        share = embedding.gc()
        known = share[np.isfinite(share)]
        limits = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        return Colouring(by, TITLES[by], numbers=share, limits=limits)
    if by == "probability" and calls is not None:
        title = f"probability of {calls.speaks_of}" if calls.speaks_of else "probability of the class called"
        return Colouring(by, title, numbers=calls.probabilities)
    if by == "error" and calls is not None:
        order = tuple(one for one in OUTCOMES if one in calls.outcomes)
        return Colouring(by, TITLES[by], groups=calls.outcomes, order=order)
    if by == "class":
        return _classes(embedding)
    two = slice(0, 2) if by == "first" else slice(-2, None)
    groups = tuple(decode(codes[two]) for codes in embedding.codes)
    order = tuple(sorted(set(groups), key=lambda group: [BASES.index(base) for base in group]))
    return Colouring(by, TITLES[by], groups=groups, order=order)


def _classes(embedding: Embedding) -> Colouring:
    named = Counter(label for label in embedding.labels if label is not None)
    # The commonest by number; among them in order of name, which does not depend on the sample.
    own = sorted(name for name, _ in sorted(named.items(), key=lambda one: (-one[1], one[0]))[:MOST_CLASSES])
    groups = tuple(NO_CLASS if one is None else one if one in own else OTHERS for one in embedding.labels)
    order = tuple(name for name in (*own, OTHERS, NO_CLASS) if name in groups)
    return Colouring("class", TITLES["class"], groups=groups, order=order)
