"""Call peaks: the sites where a track is higher than all around it and over the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import peak_prominences

from dnalm.errors import InputError
from dnalm.metrics.sites import maxima
from dnalm.tracks.scan import Scores, Track

# A promoter's window scores high at a few neighbouring bases; half a window of the shortest models keeps one
# call for each, and still parts the start sites of promoters in tandem.
DEFAULT_DISTANCE = 40

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Peak:
    """A called site.

    Attributes:
        record: the record's identifier.
        position: the site, 0-based on the forward strand, within the record.
        strand: "+" or "-", the strand along which it was read.
        probability: the track's value there; where the track was smoothed, the smoothed one.
        prominence: how far the peak stands out of what surrounds it: its height over the higher of the two lowest
            values that part it, to either side, from a higher peak. None where it was not asked for.
        q: share of false calls to expect among this call and all higher ones; None without a background.
        calibrated: share of calls of such a score that were right where the truth is known; None without a
            calibration.
    """

    record: str
    position: int
    strand: str
    probability: float
    prominence: float | None = None
    q: float | None = None
    calibrated: float | None = None

    def __str__(self) -> str:
        """The peak as people write it: `NC_000913.3:812,345(+)`, 1-based."""
        return f"{self.record}:{self.position + 1:,}({self.strand})"


@dataclass(frozen=True)
class StrandPeaks:
    """The peaks of one strand as arrays, by place along the track: what `call_peaks` makes its list of.

    Attributes:
        index: place in the track's `positions`, shape `(n,)`.
        height: the value there, shape `(n,)`.
        prominence: as `Peak.prominence`, shape `(n,)`; None where it was not asked for.
    """

    index: NDArray[np.int64]
    height: Values
    prominence: Values | None


def call_peaks(
    track: Track,
    threshold: float,
    *,
    distance: int = DEFAULT_DISTANCE,
    smooth: float = 0.0,
    prominence: float = 0.0,
    circular: bool = False,
) -> list[Peak]:
    """Call the local maxima of each strand that reach the threshold.

    Args:
        track: scores along a region.
        threshold: least probability of a call, 0 to 1.
        distance: of two maxima of one strand nearer than this, in bases, the higher is kept: the highest of all
            first, then the highest of those not too near to it, and so on.
        smooth: standard deviation in bases of the bell curve with which the scores are smoothed before; 0: not.
        prominence: least prominence of a call, 0 to 1; looked at last, among what is left.
        circular: the record is a circle. A track of all of it then has no ends: a peak at the origin counts once.

    Returns:
        Peaks by position along the track, the forward strand first where two are at one position. A flat top is
        called at its middle; a maximum at the region's edge counts.

    Raises:
        InputError: threshold, distance, smooth or prominence is out of range.
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"the threshold is {threshold}; it is a probability, 0 to 1")
    if not 0 <= prominence <= 1:
        raise InputError(f"the prominence is {prominence}; it is a difference of probabilities, 0 to 1")
    sites = track.wrapped
    found = []
    for strand in track.strands():
        peaks = strand_peaks(track, strand, threshold, distance=distance, smooth=smooth, circular=circular)
        columns = (peaks.index.tolist(), peaks.height.tolist(), peaks.prominence.tolist())
        for index, height, stands_out in zip(*columns, strict=True):
            if stands_out >= prominence:
                peak = Peak(track.record, int(sites[index]), strand, height, stands_out)
                found.append((index, strand, peak))
    return [peak for *_, peak in sorted(found, key=lambda item: item[:2])]


def strand_peaks(
    track: Track,
    strand: str,
    threshold: float = -np.inf,
    *,
    distance: int = DEFAULT_DISTANCE,
    smooth: float = 0.0,
    circular: bool = False,
    prominence: bool = True,
) -> StrandPeaks:
    """The peaks of one strand of a track as arrays; see `call_peaks`. `prominence` says whether to find that too."""
    if distance < 1:
        raise InputError(f"the distance between peaks is {distance}; it must be 1 or more bases")
    if smooth < 0:
        raise InputError(f"smooth is {smooth} bases; it must be 0 (not at all) or more")
    around = circular and is_whole(track)
    values = np.asarray(track.strands()[strand], dtype=np.float64)
    if smooth:
        values = smoothed(values, smooth / track.stride, circular=around)
    spacing = max(1, -(-distance // track.stride))
    index = maxima(values, threshold=threshold, distance=spacing, circular=around)
    stands_out = prominences(values, index, circular=around) if prominence else None
    return StrandPeaks(index, values[index], stands_out)


def is_whole(track: Track) -> bool:
    """Whether a track goes once all the way round its record, if that is a circle."""
    # A stride that does not divide the record's length leaves a shorter step at the seam, which does no harm.
    return track.record_length > 0 and track.end - track.start == track.record_length


def smoothed(scores: Scores | Values, sigma: float, *, circular: bool = False) -> Values:
    """Scores under a bell curve; sites without a score stay without, and lend none to their neighbours.

    Args:
        scores: shape `(n,)`, nan where there is none.
        sigma: standard deviation, in elements.
        circular: the last element lies beside the first one; else the curve is cut off at the ends.

    Returns:
        Shape `(n,)`: the mean of what is known around each element, by the curve's weights.
    """
    values = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(values)
    mode = "wrap" if circular else "constant"
    weight = gaussian_filter1d(known.astype(np.float64), sigma, mode=mode)
    total = gaussian_filter1d(np.where(known, values, 0.0), sigma, mode=mode)
    return np.divide(total, weight, out=np.full(len(values), np.nan), where=known & (weight > 0))


def prominences(values: Values, index: NDArray[np.int64], *, circular: bool = False) -> Values:
    """How far maxima stand out: height over the higher of the lowest values to either side before a higher one.

    Beyond the ends of a line, and where there is no score, counts as the lowest value of all.

    Args:
        values: shape `(n,)`.
        index: the maxima, shape `(m,)`.
        circular: there are no ends.

    Returns:
        Shape `(m,)`.
    """
    found = np.zeros(len(index))
    if not len(index):
        return found
    bottom, top = np.nanmin(values), int(np.nanargmax(values))
    filled = np.where(np.isnan(values), bottom, values)
    inner = filled[index] > bottom
    if not circular:
        found[inner] = peak_prominences(np.concatenate([[bottom], filled, [bottom]]), index[inner] + 1)[0]
        return found
    # Cut open at a highest value, which parts all lower ones from one another and stands out of everything itself.
    highest = filled[index] == filled[top]
    found[highest] = filled[top] - bottom
    inner &= ~highest
    line = np.append(np.roll(filled, -top), np.inf)
    found[inner] = peak_prominences(line, (index[inner] - top) % len(values))[0]
    return found
