"""What is known of each call: right, wrong or unknown, and how the shares of these change with the threshold.

A table of start sites speaks only of the stretch that it covers. A call with a site of its strand within the tolerance
is right wherever it lies. Within the covered stretch another call is wrong by this table, which is not to say that
nothing starts there: no table is complete. Outside it, nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dnalm.metrics.sites import Found, match
from dnalm.sequences import Region, lies_in
from dnalm.tracks.peaks import Peak

if TYPE_CHECKING:
    from dnalm.annotation import Site

Verdict = Literal["right", "wrong", "unknown"]


@dataclass(frozen=True)
class Judged:
    """A call and what is known of it.

    Attributes:
        peak: the call.
        verdict: "right", "wrong" or "unknown".
        site: the nearest known site of the same record and strand; None where there is none.
        offset: bases from that site to the call, positive downstream along the strand.
    """

    peak: Peak
    verdict: Verdict
    site: Site | None
    offset: int | None


@dataclass(frozen=True, eq=False)
class Sliding:
    """Calls and known sites as the threshold slides, in order of falling score.

    Attributes:
        scores: of the calls, falling, shape `(n,)`.
        spoken: how many of the first so many calls lie where the table speaks, shape `(n,)`.
        right: how many of those are right, shape `(n,)`.
        found: how many known sites the first so many calls find, wherever they lie, shape `(n,)`.
        known: known sites in the stretch.
        bases: bases of the stretch that the table covers.
    """

    scores: NDArray[np.float64]
    spoken: NDArray[np.int64]
    right: NDArray[np.int64]
    found: NDArray[np.int64]
    known: int
    bases: int

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the calls that the table speaks of that are right, shape `(n,)`; nan where there is none."""
        with np.errstate(invalid="ignore"):
            return np.where(self.spoken > 0, self.right / np.maximum(self.spoken, 1), np.nan)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the known sites that they find, shape `(n,)`; nan without known sites."""
        return self.found / self.known if self.known else np.full(len(self.found), np.nan)

    def at(self, threshold: float) -> int:
        """How many calls reach a threshold."""
        return int(np.searchsorted(-self.scores, -threshold, side="right"))


def judge(
    peaks: Sequence[Peak],
    sites: Sequence[Site],
    *,
    tolerance: int,
    covered: Region | None = None,
    circular_length: int | None = None,
) -> list[Judged]:
    """Hold calls against a table of start sites.

    Args:
        peaks: calls of one record.
        sites: the table; those of other records are passed over. Empty: nothing is known.
        tolerance: greatest distance in bases between a call and its site.
        covered: the stretch that the table speaks of; all of the record when None.
        circular_length: bases of the record where it is a circle: distances then go over the origin.

    Returns:
        One for each peak, in order.
    """
    if not peaks:
        return []
    here = [site for site in sites if site.record == peaks[0].record]
    by_place = {(site.position, site.strand): site for site in here}
    found = _match(peaks, here, tolerance, circular_length)
    judged = []
    for peak, offset, right in zip(peaks, found.offset.tolist(), found.right.tolist(), strict=True):
        at = peak.position - offset if peak.strand == "+" else peak.position + offset
        site = by_place.get((at % circular_length if circular_length else at, peak.strand))
        known = bool(here) and _inside(peak.position, peak.record, covered)
        verdict: Verdict = "right" if right else "wrong" if known else "unknown"
        judged.append(Judged(peak, verdict, site, offset if site is not None else None))
    return judged


def slide(
    peaks: Sequence[Peak],
    sites: Sequence[Site],
    *,
    tolerance: int,
    stretch: Region,
    covered: Region | None = None,
    circular_length: int | None = None,
) -> Sliding:
    """Right calls and sites found at every threshold at once.

    Args:
        peaks: calls of one stretch at the lowest threshold of interest, after non-maximum suppression: a higher
            threshold leaves the higher of the same calls.
        sites: the table.
        tolerance: as in `judge`.
        stretch: what was scanned.
        covered: as in `judge`.
        circular_length: as in `judge`.
    """
    low, high = stretch.start, stretch.end
    if covered is not None:
        same = covered.record == stretch.record
        low, high = (max(low, covered.start), min(high, covered.end)) if same else (low, low)
    ranked = sorted(peaks, key=lambda peak: -peak.probability)
    scores = np.array([peak.probability for peak in ranked], dtype=np.float64)
    # A call at the edge of the stretch may be that of a site just beyond it.
    around = [site for site in sites if site.record == stretch.record]
    here = [site for site in around if lies_in(site.position, stretch.start, stretch.end, circular_length)]
    spoken = np.array([lies_in(peak.position, low, high, circular_length) for peak in ranked], dtype=bool)
    right = _match(ranked, around, tolerance, circular_length).right & spoken
    site_scores = np.sort(_match(ranked, here, tolerance, circular_length).site_score)[::-1]
    found = np.searchsorted(-site_scores, -scores, side="right")
    return Sliding(scores, np.cumsum(spoken), np.cumsum(right), found, len(here), max(high - low, 0))


def _match(peaks: Sequence[Peak], sites: Sequence[Site], tolerance: int, circle: int | None) -> Found:
    return match(
        [peak.position for peak in peaks],
        [peak.strand for peak in peaks],
        [peak.probability for peak in peaks],
        [site.position for site in sites],
        [site.strand for site in sites],
        tolerance,
        circular_length=circle,
    )


def _inside(position: int, record: str, covered: Region | None) -> bool:
    return covered is None or (covered.record == record and covered.start <= position < covered.end)


def share_interval(part: int, whole: int) -> tuple[float, float]:
    """95 % interval of a share, Wilson's score interval (Wilson 1927), which holds for few and for none too.

    Args:
        part: how many of them.
        whole: how many in all.

    Returns:
        Low and high; (0, 1) of none at all.
    """
    if not whole:
        return 0.0, 1.0
    z, share = 1.959964, part / whole
    centre = share + z * z / (2 * whole)
    spread = z * np.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    scale = 1 + z * z / whole
    return float(max(0.0, (centre - spread) / scale)), float(min(1.0, (centre + spread) / scale))
