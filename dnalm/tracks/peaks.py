"""Call peaks: the sites where a track is higher than all around it and over the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import find_peaks

from dnalm.errors import InputError
from dnalm.tracks.scan import Scores, Track

# A promoter's window scores high at a few neighbouring bases; half a window of the shortest models keeps one
# call for each, and still parts the start sites of promoters in tandem.
DEFAULT_DISTANCE = 40


@dataclass(frozen=True)
class Peak:
    """A called site.

    Attributes:
        record: the record's identifier.
        position: the site, 0-based on the forward strand, within the record.
        strand: "+" or "-", the strand along which it was read.
        probability: the track's value there.
    """

    record: str
    position: int
    strand: str
    probability: float

    def __str__(self) -> str:
        """The peak as people write it: `NC_000913.3:812,345(+)`, 1-based."""
        return f"{self.record}:{self.position + 1:,}({self.strand})"


def call_peaks(track: Track, threshold: float, *, distance: int = DEFAULT_DISTANCE) -> list[Peak]:
    """Call the local maxima of each strand that reach the threshold.

    Args:
        track: scores along a region.
        threshold: least probability of a call, 0 to 1.
        distance: of two maxima of one strand nearer than this, in bases, the higher is kept.

    Returns:
        Peaks by position, the forward strand first where two are at one position. A flat top is called at its
        middle; a maximum at the region's edge counts.

    Raises:
        InputError: threshold or distance is out of range.
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"the threshold is {threshold}; it is a probability, 0 to 1")
    if distance < 1:
        raise InputError(f"the distance between peaks is {distance}; it must be 1 or more bases")
    sites = track.wrapped
    spacing = max(1, -(-distance // track.stride))
    found = [
        (
            int(track.positions[index]),
            strand,
            Peak(track.record, int(sites[index]), strand, float(scores[index])),
        )
        for strand, scores in track.strands().items()
        for index in _maxima(scores, threshold, spacing)
    ]
    return [peak for *_, peak in sorted(found, key=lambda item: item[:2])]


def _maxima(scores: Scores, threshold: float, spacing: int) -> list[int]:
    # A bottom on either side lets the first and the last site be maxima; sites without a score are bottom.
    padded = np.full(len(scores) + 2, -1.0)
    padded[1:-1] = np.where(np.isnan(scores), -1.0, scores)
    indices, _ = find_peaks(padded, height=threshold, distance=spacing)
    return [int(index) - 1 for index in indices]
