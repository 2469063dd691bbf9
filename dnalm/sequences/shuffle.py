"""Sequences with the same dinucleotides in another order: what a promoter would be without its motifs."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes


def dinucleotide_shuffles(codes: Codes, count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Shuffle a sequence so that each pair of neighbours occurs as often as before.

    Every such order is equally likely (Altschul & Erickson 1985: a random Eulerian path). Unknown bases stay in place
    and the bases to their two sides count as neighbours.

    Args:
        codes: base codes, shape `(length,)`.
        count: how many shuffles.
        generator: draws them.

    Returns:
        Shape `(count, length)`; first and last known base are those of `codes`.
    """
    known = codes < UNKNOWN
    found = np.tile(codes, (count, 1))
    if known.sum() > 3:
        for row in found:
            row[known] = _shuffled(codes[known], generator)
    return found


def _shuffled(codes: Codes, generator: np.random.Generator) -> Codes:
    last = int(codes[-1])
    after = [codes[1:][codes[:-1] == base] for base in range(4)]
    final = _last_steps(after, last, generator)
    order: list[list[int]] = []
    for base, steps in enumerate(after):
        steps = generator.permutation(steps)
        if base in final:  # the walk leaves each base for the last time along the tree to the end
            place = int(np.flatnonzero(steps == final[base])[0])
            steps = np.append(np.delete(steps, place), final[base])
        order.append(steps.tolist())
    walk, taken = [int(codes[0])], [0, 0, 0, 0]
    for _ in range(len(codes) - 1):
        here = walk[-1]
        walk.append(order[here][taken[here]])
        taken[here] += 1
    return np.array(walk, dtype=np.uint8)


def _last_steps(after: list[NDArray[np.uint8]], last: int, generator: np.random.Generator) -> dict[int, int]:
    """For each base but the last one, where its last step leads, so that all ways lead to the last base.

    Of all such trees, each as likely as there are steps to make it of.
    """
    bases = [base for base in range(4) if len(after[base]) and base != last]
    counts = [np.bincount(after[base], minlength=4) for base in bases]
    ways = [np.flatnonzero(count) for count in counts]
    trees = [tree for tree in product(*ways) if _all_lead_to(last, dict(zip(bases, map(int, tree), strict=True)))]
    weights = np.array(
        [np.prod([count[to] for count, to in zip(counts, tree, strict=True)], dtype=float) for tree in trees]
    )
    tree = trees[int(generator.choice(len(trees), p=weights / weights.sum()))]
    return dict(zip(bases, map(int, tree), strict=True))


def _all_lead_to(last: int, final: dict[int, int]) -> bool:
    return all(_leads_to(base, last, final) for base in final)


def _leads_to(base: int, last: int, final: dict[int, int]) -> bool:
    for _ in range(4):
        if base == last:
            return True
        base = final[base]
    return base == last
