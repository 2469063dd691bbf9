"""Motifs against known ones: which column of which lies on which, and how likely chance would do as well.

As in TOMTOM (Gupta et al. 2007, doi:10.1186/gb-2007-8-2-r24) two motifs are as alike as the sum of their columns'
likeness at the best offset. The null is the motif itself made meaningless: its columns in another order, and each
column's shares on other bases, so that it keeps its width and its information.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from dnalm.errors import InputError
from dnalm.interpret.elements import KNOWN, Known
from dnalm.interpret.motif import Motif

Floats = NDArray[np.floating]
Likeness = Literal["pearson", "euclidean"]
LIKENESSES: tuple[Likeness, ...] = get_args(Likeness)

PERMUTATIONS = 2000
LEAST_OVERLAP = 4


@dataclass(frozen=True)
class Match:
    """A motif and a known one at their best alignment.

    Attributes:
        motif: the motif's name.
        known: the known one's name.
        consensus: the known one's.
        source: where the known one is from.
        score: the sum of the columns' likeness.
        overlap: columns that lie on each other.
        offset: the known one's first column lies at this column of the motif; negative: before it.
        strand: '-' where the known one's reverse complement is meant.
        p_value: share of the permuted motifs that do as well.
        q_value: Benjamini and Hochberg's, over all pairs that were compared.
    """

    motif: str
    known: str
    consensus: str
    source: str
    score: float
    overlap: int
    offset: int
    strand: str
    p_value: float
    q_value: float


def match_motifs(
    motifs: Sequence[Motif],
    known: Sequence[Known] = KNOWN,
    *,
    generator: np.random.Generator,
    both_strands: bool = False,
    likeness: Likeness = "pearson",
    permutations: int = PERMUTATIONS,
    least_overlap: int = LEAST_OVERLAP,
) -> list[Match]:
    """Compare motifs with known ones.

    Args:
        motifs: the motifs.
        known: what they are held against.
        generator: permutes the motifs.
        both_strands: also against the known ones' reverse complements.
        likeness: of two columns: Pearson's correlation of the four shares, or `euclidean`, root 2 less their distance.
        permutations: of each motif; no p-value is below one in so many and one.
        least_overlap: columns that must lie on each other, or all of the shorter one.

    Returns:
        Every pair, by motif, the best match first.

    Raises:
        InputError: an unknown measure of likeness.
    """
    if likeness not in LIKENESSES:
        raise InputError(f"{likeness!r} is no measure of likeness; wanted: {', '.join(LIKENESSES)}")
    found: list[tuple[int, Match]] = []
    for number, motif in enumerate(motifs):
        nulls = _permuted(motif.frequencies, permutations, generator)
        both = np.concatenate([motif.frequencies[None], nulls])
        for one in known:
            scores, offset, strand = _on_strands(both, one.frequencies, likeness, least_overlap, both_strands)
            overlap = min(len(motif), offset + len(one)) - max(0, offset)
            chance = (1 + int((scores[1:] >= scores[0] - 1e-9).sum())) / (1 + permutations)
            names = (motif.name, one.name, one.consensus, one.source)
            found.append((number, Match(*names, float(scores[0]), overlap, offset, strand, chance, 1.0)))
    if not found:
        return []
    q_values = false_discovery_control([match.p_value for _, match in found], method="bh")
    told = [
        (number, replace(match, q_value=float(q_value)))
        for (number, match), q_value in zip(found, q_values, strict=True)
    ]
    told.sort(key=lambda pair: (pair[0], pair[1].q_value, pair[1].p_value, -pair[1].score))
    return [match for _, match in told]


def _permuted(frequencies: Floats, count: int, generator: np.random.Generator) -> Floats:
    """Motifs of the same columns in another order, each with its shares on other bases, `(count, width, 4)`."""
    copies = np.broadcast_to(frequencies, (count, *frequencies.shape))
    order = generator.random(copies.shape[:2]).argsort(axis=1)
    return generator.permuted(np.take_along_axis(copies, order[:, :, None], axis=1), axis=2)


def _on_strands(
    motifs: Floats, known: Floats, likeness: Likeness, least_overlap: int, both_strands: bool
) -> tuple[Floats, int, str]:
    """Best score of each of `(n, width, 4)` motifs on either strand; offset and strand of the first one's."""
    scores, offsets = _best(motifs, known, likeness, least_overlap)
    if not both_strands:
        return scores, int(offsets[0]), "+"
    turned, places = _best(motifs, known[::-1, ::-1], likeness, least_overlap)
    offset, strand = (int(places[0]), "-") if turned[0] > scores[0] else (int(offsets[0]), "+")
    return np.maximum(scores, turned), offset, strand


def _best(motifs: Floats, known: Floats, likeness: Likeness, least_overlap: int) -> tuple[Floats, NDArray[np.int64]]:
    """The best score of each of `(n, width, 4)` motifs against one, and the offset that has it."""
    width, other = motifs.shape[1], len(known)
    columns = _columns(motifs, known, likeness)
    least = min(least_overlap, width, other)
    offsets = np.arange(least - other, width - least + 1)
    scores = np.empty((len(offsets), len(motifs)))
    for row, offset in enumerate(offsets):
        place = np.arange(max(0, offset), min(width, offset + other))
        scores[row] = columns[:, place, place - offset].sum(axis=1)
    best = scores.argmax(axis=0)
    return scores.max(axis=0), offsets[best]


def _columns(motifs: Floats, known: Floats, likeness: Likeness) -> Floats:
    """Likeness of each column of the motifs with each of the known one, 0 where one says nothing."""
    if likeness == "euclidean":
        distance = np.sqrt(((motifs[:, :, None] - known[None, None]) ** 2).sum(axis=3))
        return np.sqrt(2) - distance
    return _standard(motifs) @ _standard(known).T


def _standard(frequencies: Floats) -> Floats:
    centred = frequencies - frequencies.mean(axis=-1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    return centred / np.where(norms > 1e-9, norms, np.inf)
