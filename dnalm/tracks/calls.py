"""Ranked calls of a track or a list of peaks, and the stretch of genome in which they were looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.sequences import Region
from dnalm.tracks.peaks import Peak, strand_peaks
from dnalm.tracks.scan import Track

DISTANCE = 50
"""Bases of non-maximum suppression where tracks are scored against the truth."""


@dataclass(frozen=True)
class Calls:
    """Calls of one model in one stretch of one record, as arrays.

    Attributes:
        record: the record's identifier.
        start: first base of the stretch, 0-based.
        end: one past its last; beyond `record_length` where it runs over the origin of a circle.
        record_length: bases of the whole record.
        circular: whether that is a circle.
        positions: of the calls, `start` to `end`; shape `(n,)`.
        forward: whether each is on the forward strand, shape `(n,)`.
        scores: shape `(n,)`.
        strands: those that were read, "+-" or one of them.
    """

    record: str
    start: int
    end: int
    record_length: int
    circular: bool
    positions: NDArray[np.int64]
    forward: NDArray[np.bool_]
    scores: NDArray[np.float64]
    strands: str = "+-"

    @property
    def names(self) -> NDArray[np.str_]:
        """The strand of each call, "+" or "-"."""
        return np.where(self.forward, "+", "-")


def calls_of(track: Track, *, distance: int = DISTANCE, smooth: float = 0.0, circular: bool = False) -> Calls:
    """All maxima of a track, without a threshold: ranked, they are every threshold.

    Args:
        track: the scores.
        distance: of two maxima of one strand nearer than this, in bases, the higher is kept.
        smooth: see `call_peaks`.
        circular: whether the record is a circle.
    """
    found = {
        strand: strand_peaks(track, strand, distance=distance, smooth=smooth, circular=circular, prominence=False)
        for strand in track.strands()
    }
    return Calls(
        track.record,
        track.start,
        track.end,
        track.record_length or track.end,
        circular and track.record_length > 0,
        np.concatenate([track.positions[peaks.index] for peaks in found.values()]),
        np.concatenate([np.full(len(peaks.index), strand == "+") for strand, peaks in found.items()]),
        np.concatenate([peaks.height for peaks in found.values()]),
        "".join(found),
    )


def calls_from(peaks: Sequence[Peak], region: Region, record_length: int, *, circular: bool = False) -> Calls:
    """Peaks as ranked calls: those of a region, by their probability.

    Args:
        peaks: of any records; those outside the region are left out.
        region: the stretch that was searched.
        record_length: bases of its record.
        circular: whether that is a circle.
    """
    here = [peak for peak in peaks if peak.record == region.record]
    positions = np.array([peak.position for peak in here], dtype=np.int64)
    if circular:
        positions = region.start + (positions - region.start) % record_length
    inside = (positions >= region.start) & (positions < region.end)
    forward = np.array([peak.strand == "+" for peak in here], dtype=bool)
    scores = np.array([peak.probability for peak in here], dtype=np.float64)
    return Calls(
        region.record,
        region.start,
        region.end,
        record_length,
        circular,
        positions[inside],
        forward[inside],
        scores[inside],
    )
