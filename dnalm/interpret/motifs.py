"""Motifs: the words that a model reads in many sequences, from what each base adds to each call.

Attributions of many sequences become seqlets, seqlets that are alike become clusters, and each cluster becomes a motif
with its bases, its weights and its places. This works on windows as short as 81 bases; for long sequences there is
TF-MoDISco (Shrikumar et al. 2018), which this follows in outline: see `dnalm.interpret.modisco`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dnalm.alphabet import Codes
from dnalm.errors import InputError
from dnalm.interpret.alignment import FRAME, Fits, Frames, column_offset, fit, frame_seqlets, unit
from dnalm.interpret.motif import Motif, Placement, build_motif
from dnalm.interpret.seqlets import FDR, Seqlets, find_seqlets

Floats = NDArray[np.floating]

MOST_SEQLETS = 2000
"""The strongest that are clustered: every pair is compared."""
SEED_LIKE = 0.75
"""Cosine of the seqlets that a motif begins with, on average: a word apart in two bases of six is another."""
LEAST_LIKE = 0.5
"""Cosine from which a seqlet is of the motif that it is most like."""
EQUAL = 0.7
"""Cosine from which two motifs are one."""
SMALLEST = 8
"""Seqlets of the smallest motif."""
ROUNDS = 4


@dataclass(frozen=True)
class MotifSet:
    """The motifs of many sequences.

    Attributes:
        motifs: the one that adds most in all first.
        seqlets: what they are made of, and what is in none.
        engine: how they were found, in words.
    """

    motifs: tuple[Motif, ...]
    seqlets: Seqlets
    engine: str = "dnalm"


def find_motifs(
    codes: Sequence[Codes],
    scores: Sequence[Floats],
    *,
    generator: np.random.Generator,
    anchor: int | None = None,
    both_strands: bool | None = None,
    null: Sequence[Floats] | None = None,
    fdr: float = FDR,
    smallest: int = SMALLEST,
    least_like: float = LEAST_LIKE,
    equal: float = EQUAL,
) -> MotifSet:
    """Find the words that a model reads.

    Args:
        codes: base codes, n arrays of shape `(length,)`.
        scores: what each base adds to the call, n arrays of the same shapes.
        generator: shuffles the scores for the null.
        anchor: offset of the site that all sequences are aligned by, 0-based; None where there is none.
        both_strands: whether a word and its reverse complement are one; None: where there is no anchor.
        null: see `find_seqlets`.
        fdr: false discovery rate of the seqlets.
        smallest: seqlets of the smallest motif.
        least_like: cosine from which a seqlet is of the motif that it is most like.
        equal: cosine from which two motifs are one.

    Returns:
        The motifs; none where nothing stands out.

    Raises:
        InputError: codes and scores do not belong together.
    """
    if [len(one) for one in codes] != [len(one) for one in scores]:
        raise InputError("motifs are found in sequences with one score for each base; numbers or lengths differ here")
    seqlets = find_seqlets(scores, generator=generator, null=null, fdr=fdr)
    strongest = seqlets.found[:MOST_SEQLETS]
    if len(strongest) < max(2, smallest):
        return MotifSet((), seqlets)
    frames = frame_seqlets(
        strongest, codes, scores, both_strands=anchor is None if both_strands is None else both_strands
    )
    member, fits = _clusters(frames, least_like, equal, smallest)
    found = [
        build_motif(_placements(frames, member, fits, cluster), codes, scores, anchor)
        for cluster in range(fits.shift.shape[1])
    ]
    return MotifSet(named(found), seqlets)


def named(motifs: Sequence[Motif]) -> tuple[Motif, ...]:
    """Motifs in order of what they add in all, with their names: `motif-1` adds most."""
    ordered = sorted(motifs, key=lambda motif: -motif.mean_contribution * len(motif.sites))
    return tuple(replace(one, name=f"motif-{number}") for number, one in enumerate(ordered, start=1))


def _placements(frames: Frames, member: NDArray[np.int64], fits: Fits, cluster: int) -> list[Placement]:
    columns = range(FRAME)
    found = []
    for row in np.flatnonzero(member == cluster):
        place = (int(frames.middles[row]), int(fits.shift[row, cluster]), bool(fits.reverse[row, cluster]))
        offsets = np.array([column_offset(*place, column) for column in columns])
        found.append(Placement(int(frames.sequences[row]), offsets, place[2]))
    return found


def _clusters(frames: Frames, least_like: float, equal: float, smallest: int) -> tuple[NDArray[np.int64], Fits]:
    """The cluster of each seqlet, -1 for none, and how each fits each cluster's pattern."""
    pairs = fit(frames.focus, frames.focus, both_strands=frames.both_strands)
    distance = np.clip(1 - np.maximum(pairs.likeness, pairs.likeness.T), 0, None)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average")
    member = fcluster(tree, t=1 - SEED_LIKE, criterion="distance") - 1
    patterns = _first_patterns(frames, member, pairs, max(2, smallest // 2))
    for _ in range(ROUNDS):
        patterns = _without_equals(patterns, equal, both_strands=frames.both_strands)
        fits = fit(frames.focus, patterns, both_strands=frames.both_strands)
        member = _assigned(fits, least_like)
        sizes = np.bincount(member[member >= 0], minlength=len(patterns))
        kept = np.flatnonzero(sizes >= smallest)
        patterns = _patterns(frames, member, fits, kept)
    fits = fit(frames.focus, patterns, both_strands=frames.both_strands)
    member = _assigned(fits, least_like)
    kept = np.flatnonzero(np.bincount(member[member >= 0], minlength=len(patterns)) >= smallest)
    place = {cluster: number for number, cluster in enumerate(kept)}
    member = np.array([place.get(cluster, -1) for cluster in member])
    return member, Fits(fits.likeness[:, kept], fits.shift[:, kept], fits.reverse[:, kept])


def _assigned(fits: Fits, least_like: float) -> NDArray[np.int64]:
    if not fits.likeness.shape[1]:
        return np.full(len(fits.likeness), -1)
    best = fits.likeness.argmax(axis=1)
    return np.where(fits.likeness.max(axis=1) >= least_like, best, -1)


def _first_patterns(frames: Frames, member: NDArray[np.int64], pairs: Fits, smallest: int) -> Floats:
    """Each cluster's seqlets aligned with the one that is most like the others, the largest clusters first."""
    sizes = np.bincount(member)
    patterns = []
    for cluster in sorted(np.flatnonzero(sizes >= smallest), key=lambda cluster: -sizes[cluster]):
        rows = np.flatnonzero(member == cluster)
        middle = rows[pairs.likeness[np.ix_(rows, rows)].sum(axis=0).argmax()]
        patterns.append(_sum_of(frames, rows, pairs.shift[rows, middle], pairs.reverse[rows, middle]))
    return unit(np.array(patterns)) if patterns else np.zeros((0, FRAME, 4))


def _patterns(frames: Frames, member: NDArray[np.int64], fits: Fits, clusters: NDArray[np.int64]) -> Floats:
    patterns = []
    for cluster in clusters:
        rows = np.flatnonzero(member == cluster)
        patterns.append(_sum_of(frames, rows, fits.shift[rows, cluster], fits.reverse[rows, cluster]))
    return unit(np.array(patterns)) if patterns else np.zeros((0, FRAME, 4))


def _sum_of(frames: Frames, rows: NDArray, shift: NDArray, reverse: NDArray) -> Floats:
    """Mean of aligned frames, with its middle of weight in the frame's middle."""
    total = np.zeros((FRAME, 4))
    for row, by, turned in zip(rows, shift, reverse, strict=True):
        one = frames.focus[row]
        one = one[::-1, ::-1] if turned else one
        total += _moved(one, int(by))
    weight = np.maximum(total.sum(axis=1), 0)
    middle = (weight * np.arange(FRAME)).sum() / max(weight.sum(), 1e-12)
    return _moved(total, round(middle - (FRAME - 1) / 2))


def _moved(frame: Floats, shift: int) -> Floats:
    out = np.zeros_like(frame)
    low, high = max(0, shift), min(FRAME, FRAME + shift)
    out[low - shift : high - shift] = frame[low:high]
    return out


def _without_equals(patterns: Floats, equal: float, *, both_strands: bool) -> Floats:
    """Patterns without those that are nearly one of a larger cluster's, which come first."""
    kept: list[int] = []
    likeness = fit(patterns, patterns, both_strands=both_strands).likeness if len(patterns) else np.zeros((0, 0))
    for row in range(len(patterns)):
        if all(likeness[row, other] < equal for other in kept):
            kept.append(row)
    return patterns[kept]
