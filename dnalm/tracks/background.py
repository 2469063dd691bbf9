"""How many calls a track would give by chance: a background of peak heights, and from it p- and q-values.

Two backgrounds. **Shuffled**: the same region with its dinucleotides in another order (Altschul & Erickson 1985), a
block at a time so that composition stays where it was, scanned by the same model: what composition alone gives.
**Genic**: the track's own peaks inside genes and far from any gene start of their strand, where promoters are rare. It
needs no second scan, and holds what the shuffle destroys (codons, repeats); the true promoters inside genes make it
cautious.

A peak's p is the share of background peaks at least as high, one added to both counts so that it is never 0 (Phipson
& Smyth 2010). Its q, by Benjamini & Hochberg (1995), is the share of false calls to expect among it and all higher
ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

from dnalm.errors import InputError
from dnalm.sequences import Record
from dnalm.sequences.shuffle import dinucleotide_shuffles
from dnalm.tracks.peaks import DEFAULT_DISTANCE, Peak, strand_peaks
from dnalm.tracks.scan import Track

if TYPE_CHECKING:
    from dnalm.annotation import Gene

SHUFFLE_BLOCK = 10_000
FAR = 300
"""Bases from a gene's start from which a place counts as far from it: of E. coli's 839 sigma-70 starts 88 % have a gene
start of their strand within 300 bases downstream."""
_LEAST_PEAKS = 99


@dataclass(frozen=True)
class Background:
    """Peak heights where no promoter is expected.

    Attributes:
        kind: "shuffled" or "genic".
        heights: shape `(n,)`, ascending; both strands together.
        kilobases: strand-kilobases that they were called in: what gave `n` peaks.
    """

    kind: str
    heights: NDArray[np.float64]
    kilobases: float

    def p_values(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Share of background peaks at least as high as each score, shape as given; never 0.

        Raises:
            InputError: the background has too few peaks to tell.
        """
        if len(self.heights) < _LEAST_PEAKS:
            raise InputError(
                f"a {self.kind} background of {len(self.heights)} peaks is too small to speak of chance: at least "
                f"{_LEAST_PEAKS} are wanted; take a longer region"
            )
        values = np.asarray(scores, dtype=np.float64)
        above = len(self.heights) - np.searchsorted(self.heights, values, side="left")
        return (1 + above) / (1 + len(self.heights))

    def rate(self, threshold: float) -> float:
        """Background peaks per strand-kilobase that reach a threshold."""
        above = len(self.heights) - np.searchsorted(self.heights, threshold, side="left")
        return float(above) / self.kilobases


def shuffled_record(record: Record, generator: np.random.Generator, *, block: int = SHUFFLE_BLOCK) -> Record:
    """The record with its dinucleotides shuffled within blocks of so many bases; unknown bases stay where they are."""
    parts = [
        dinucleotide_shuffles(record.codes[first : first + block], 1, generator)[0]
        for first in range(0, len(record), block)
    ]
    codes = np.concatenate(parts) if parts else record.codes
    return Record(record.id, codes, f"{record.description} (dinucleotides shuffled)".strip(), record.circular)


def background_of(track: Track, kind: str, **calling: Any) -> Background:
    """All peaks of a track as a background, such as of a scan of `shuffled_record`.

    Args:
        track: the scan.
        kind: how to name it.
        calling: distance, smooth, circular: as the real calls are made.
    """
    heights = [strand_peaks(track, strand, prominence=False, **calling).height for strand in track.strands()]
    return _background(kind, heights, len(heights) * (track.end - track.start) / 1000)


def genic_background(
    track: Track, genes: Sequence[Gene], *, far: int = FAR, distance: int = DEFAULT_DISTANCE, **calling: Any
) -> Background:
    """The track's own peaks inside genes and far from every gene start of their strand.

    Args:
        track: the scan.
        genes: of the record, from its annotation.
        far: bases from a gene's start.
        distance: as the real calls are made.
        calling: smooth, circular: likewise.
    """
    heights, bases = [], 0
    for strand in track.strands():
        quiet = quiet_sites(track, genes, strand, far=far)
        peaks = strand_peaks(track, strand, prominence=False, distance=distance, **calling)
        heights.append(peaks.height[quiet[peaks.index]])
        bases += int(quiet.sum()) * track.stride
    return _background("genic", heights, bases / 1000)


def quiet_sites(track: Track, genes: Sequence[Gene], strand: str, *, far: int = FAR) -> NDArray[np.bool_]:
    """Which sites of a track lie inside a gene of either strand and far from every gene start of this strand.

    Returns:
        Shape `(len(track),)`.
    """
    ends = [gene.end + far for gene in genes if gene.record == track.record]
    length = track.record_length or max([track.end, *ends])  # a line as long as anything on it where nobody said
    inside, near = np.zeros(length + 1, dtype=np.int32), np.zeros(length + 1, dtype=np.int32)
    for gene in genes:
        if gene.record != track.record:
            continue
        _mark(inside, gene.start, gene.end, length)
        if gene.strand == strand and gene.start_known:
            _mark(near, gene.start_site - far, gene.start_site + far + 1, length)
    quiet = (np.cumsum(inside)[:-1] > 0) & (np.cumsum(near)[:-1] == 0)
    return quiet[track.positions % length]


def _mark(steps: NDArray[np.int32], start: int, end: int, length: int) -> None:
    """Add 1 over `[start, end)` of a circle, as steps up and down."""
    for first in (start - length, start, start + length):
        low, high = max(first, 0), min(first + end - start, length)
        if low < high:
            steps[low] += 1
            steps[high] -= 1


def _background(kind: str, heights: Sequence[NDArray[np.float64]], kilobases: float) -> Background:
    return Background(kind, np.sort(np.concatenate([*heights, np.empty(0)])), kilobases)


def pooled(parts: Sequence[Background]) -> Background:
    """The backgrounds of several records as one."""
    return _background(parts[0].kind, [part.heights for part in parts], sum(part.kilobases for part in parts))


def with_q(peaks: Sequence[Peak], background: Background) -> list[Peak]:
    """The peaks, each with its q-value.

    Args:
        peaks: all calls of the region **without a threshold**: q-values of a few high ones alone would be too small
            to see how many tests were made. Choose by `q` or threshold afterwards.
        background: peak heights by chance, called alike.

    Raises:
        InputError: the background has too few peaks.
    """
    if not peaks:
        return []
    q = false_discovery_control(background.p_values([peak.probability for peak in peaks]), method="bh")
    return [replace(peak, q=float(value)) for peak, value in zip(peaks, q, strict=True)]
