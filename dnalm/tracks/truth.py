"""Score called peaks against known sites: how far each call is from the truth, and how many were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnalm.tracks.peaks import Peak

if TYPE_CHECKING:
    from dnalm.annotation import Site

# Transcription starts are mapped to a few bases and sigma-70 RNA polymerase itself starts within a few bases.
DEFAULT_TOLERANCE = 10


@dataclass(frozen=True)
class Match:
    """A peak and the known site of its strand that is nearest.

    Attributes:
        peak: the call.
        site: the nearest known site of the same record and strand; None when there is none.
        offset: bases from the site to the peak, positive downstream along the strand; None without a site.
    """

    peak: Peak
    site: Site | None
    offset: int | None


@dataclass(frozen=True)
class Agreement:
    """Calls against known sites, within a tolerance on the same strand.

    Attributes:
        known: known sites in the region.
        found: those with a call within the tolerance.
        calls: peaks called.
        right: peaks with a known site within the tolerance.
        tolerance: bases.
    """

    known: int
    found: int
    calls: int
    right: int
    tolerance: int

    @property
    def recall(self) -> float:
        """Share of known sites that were found; nan without known sites."""
        return self.found / self.known if self.known else float("nan")

    @property
    def precision(self) -> float:
        """Share of calls at a known site; nan without calls. Sites nobody has mapped yet count against it."""
        return self.right / self.calls if self.calls else float("nan")


def nearest_sites(peaks: Sequence[Peak], sites: Sequence[Site], *, circular_length: int | None = None) -> list[Match]:
    """Put beside each peak the nearest known site of its record and strand.

    Args:
        peaks: calls.
        sites: known sites, 0-based.
        circular_length: length of the record in bases when it is circular: distances then go over the origin.

    Returns:
        One match a peak, in the peaks' order.
    """
    matches = []
    for peak in peaks:
        same = [site for site in sites if (site.record, site.strand) == (peak.record, peak.strand)]
        if not same:
            matches.append(Match(peak, None, None))
            continue
        steps = [_step(site.position, peak.position, circular_length) for site in same]
        best = min(range(len(same)), key=lambda index: abs(steps[index]))
        offset = steps[best] if peak.strand == "+" else -steps[best]
        matches.append(Match(peak, same[best], offset))
    return matches


def agreement(
    peaks: Sequence[Peak],
    sites: Sequence[Site],
    *,
    tolerance: int = DEFAULT_TOLERANCE,
    circular_length: int | None = None,
) -> Agreement:
    """Count the known sites that were found and the calls that are known.

    Args:
        peaks: calls of one region.
        sites: the known sites of the same region and strands.
        tolerance: greatest distance in bases between a call and its site.
        circular_length: as in `nearest_sites`.
    """

    def near(peak: Peak, site: Site) -> bool:
        same = (peak.record, peak.strand) == (site.record, site.strand)
        return same and abs(_step(site.position, peak.position, circular_length)) <= tolerance

    return Agreement(
        known=len(sites),
        found=sum(any(near(peak, site) for peak in peaks) for site in sites),
        calls=len(peaks),
        right=sum(any(near(peak, site) for site in sites) for peak in peaks),
        tolerance=tolerance,
    )


def _step(site: int, peak: int, circular_length: int | None) -> int:
    """Bases from site to peak along the forward strand, the short way round a circular record."""
    step = peak - site
    if circular_length:
        half = circular_length // 2
        step = (step + half) % circular_length - half
    return step
