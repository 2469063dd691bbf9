"""A motif: the bases, the weights and the places of a word that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import BASES, UNKNOWN, Codes, complement
from dnalm.interpret.elements import letters_of

Floats = NDArray[np.floating]

PSEUDOCOUNT = 0.25
_TRIM = 0.2
_NARROWEST = 6
_LEAST_BITS = 0.15
_GAP = 3


@dataclass(frozen=True)
class MotifSite:
    """One place of a motif.

    Attributes:
        sequence: index of the sequence.
        start: 0-based offset of the motif's first base on the forward strand.
        strand: '+', or '-' where the reverse complement is meant.
        contribution: what its bases add together.
    """

    sequence: int
    start: int
    strand: str
    contribution: float


@dataclass(frozen=True, eq=False)
class Motif:
    """A word that a model reads.

    Attributes:
        name: `motif-1`, the one that adds most in all.
        counts: how often each base stands at each position, shape `(width, 4)`.
        contributions: what each base at each position adds, the mean over all seqlets, shape `(width, 4)`.
        sites: where it stands.
        anchor: offset of the site that the sequences are aligned by (+1), or None.
    """

    name: str
    counts: Floats
    contributions: Floats
    sites: tuple[MotifSite, ...]
    anchor: int | None = None

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def frequencies(self) -> Floats:
        """Share of each base at each position, with a pseudocount of one base in all."""
        padded = self.counts + PSEUDOCOUNT
        return padded / padded.sum(axis=1, keepdims=True)

    @cached_property
    def information(self) -> Floats:
        """Bits at each position, see `information`."""
        return information(self.counts)

    @property
    def logo(self) -> Floats:
        """Heights of the classic logo: each base's share of the position's bits, shape `(width, 4)`."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1) * self.information[:, None]

    @property
    def consensus(self) -> str:
        """In IUPAC letters."""
        return letters_of(self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1))

    @property
    def most_common(self) -> str:
        """The commonest base at each position."""
        return "".join(BASES[base] for base in self.counts.argmax(axis=1))

    @property
    def mean_contribution(self) -> float:
        """What one of its places adds, in the scores' unit."""
        return float(np.mean([site.contribution for site in self.sites]))

    @property
    def positions(self) -> NDArray[np.int64]:
        """Of its first bases: from the anchor, +1 being the anchor and -1 the base before; else offsets from 1."""
        starts = np.array([site.start for site in self.sites], dtype=np.int64)
        return from_anchor(starts, self.anchor) if self.anchor is not None else starts + 1


def from_anchor(offsets: NDArray[np.int64], anchor: int) -> NDArray[np.int64]:
    """Positions as the field counts them: the anchor is +1, the base before it -1, and there is no 0."""
    steps = np.asarray(offsets) - anchor
    return np.where(steps >= 0, steps + 1, steps)


@dataclass(frozen=True, eq=False)
class Placement:
    """One seqlet as its motif's alignment has it.

    Attributes:
        sequence: index of the sequence.
        offsets: in it, of each column of the alignment, 0-based; outside of it where the alignment goes beyond its end.
        reverse: whether the reverse complement is aligned; the offsets then fall.
    """

    sequence: int
    offsets: NDArray[np.int64]
    reverse: bool


def build_motif(
    placements: Sequence[Placement], codes: Sequence[Codes], scores: Sequence[Floats], anchor: int | None
) -> Motif:
    """Bases and weights of aligned seqlets, without the columns at the sides that add little.

    Args:
        placements: the seqlets, all with the same number of columns.
        codes: all sequences' bases.
        scores: what each base adds.
        anchor: as in `Motif`.
    """
    columns = len(placements[0].offsets)
    counts, weights = np.zeros((columns, 4)), np.zeros((columns, 4))
    values = np.zeros((len(placements), columns))
    for row, one in enumerate(placements):
        inside = (one.offsets >= 0) & (one.offsets < len(codes[one.sequence]))
        here = np.where(inside, one.offsets, 0)
        bases = codes[one.sequence][here]
        bases = np.where(inside, complement(bases) if one.reverse else bases, UNKNOWN)
        values[row] = np.where(inside, np.asarray(scores[one.sequence])[here], 0.0)
        known = np.flatnonzero(bases < UNKNOWN)
        counts[known, bases[known]] += 1
        weights[known, bases[known]] += values[row, known]
    first, last = _span(weights, counts)
    sites = []
    for one, adds in zip(placements, values[:, first:last].sum(axis=1), strict=True):
        start = int(one.offsets[first:last].min())
        sites.append(MotifSite(one.sequence, start, "-" if one.reverse else "+", float(adds)))
    return Motif("", counts[first:last], weights[first:last] / len(placements), tuple(sites), anchor)


def _span(weights: Floats, counts: Floats) -> tuple[int, int]:
    """First column and one past the last of a motif, six columns at least.

    From the column that adds most, those that add a fifth of it and have a base of their own are taken in, as far as no
    more than three columns in a row are neither.
    """
    adds, bits = weights.sum(axis=1), information(counts)
    strong = np.flatnonzero((adds >= _TRIM * adds.max()) & (bits >= _LEAST_BITS))
    best = int(adds.argmax())
    first = last = best
    for column in strong[strong > best]:
        last = int(column) if column - last <= _GAP + 1 else last
    for column in strong[strong < best][::-1]:
        first = int(column) if first - column <= _GAP + 1 else first
    last += 1
    while last - first < min(_NARROWEST, len(adds)):
        left, right = (adds[first - 1] if first else -np.inf), (adds[last] if last < len(adds) else -np.inf)
        first, last = (first - 1, last) if left >= right else (first, last + 1)
    return first, last


def information(counts: Floats) -> Floats:
    """Bits at each position, against four equally likely bases, less what few sequences feign.

    The correction is Schneider et al.'s (1986) for small samples.

    Args:
        counts: of the bases at each position, shape `(width, 4)`.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    logs = np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    feigned = 3 / (2 * np.log(2) * np.maximum(counts.sum(axis=1), 1))
    return np.maximum(0, 2 + (shares * logs).sum(axis=1) - feigned)
