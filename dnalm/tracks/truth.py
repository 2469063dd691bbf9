"""Score called peaks against known sites: how far each call is from the truth, and how many were found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnalm.metrics.sites import match
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
    matches = [Match(peak, None, None) for peak in peaks]
    for peaks_here, sites_here in _by_strand(peaks, sites):
        if not sites_here:
            continue
        order = np.argsort([sites[place].position for place in sites_here], kind="stable")
        known = np.array(sites_here)[order]
        at = np.array([sites[place].position for place in known])
        if circular_length:
            # The last sites lie before the first ones, and the first after the last.
            at = np.concatenate([at[-1:] - circular_length, at, at[:1] + circular_length])
            known = np.concatenate([known[-1:], known, known[:1]])
        where = np.array([peaks[place].position for place in peaks_here])
        after = np.clip(np.searchsorted(at, where), 0, len(at) - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.where(where - at[before] <= np.abs(at[after] - where), before, after)
        steps = where - at[nearest]
        for place, site, step in zip(peaks_here, known[nearest].tolist(), steps.tolist(), strict=True):
            offset = step if peaks[place].strand == "+" else -step
            matches[place] = Match(peaks[place], sites[site], offset)
    return matches


def _by_strand(peaks: Sequence[Peak], sites: Sequence[Site]) -> Iterator[tuple[list[int], list[int]]]:
    """Places of the peaks, and of the sites, of each record and strand that has peaks."""
    groups: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    for place, peak in enumerate(peaks):
        groups.setdefault((peak.record, peak.strand), ([], []))[0].append(place)
    for place, site in enumerate(sites):
        if (site.record, site.strand) in groups:
            groups[site.record, site.strand][1].append(place)
    yield from groups.values()


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
    found, right = 0, 0
    for peaks_here, sites_here in _by_strand(peaks, sites):
        where = [peaks[place].position for place in peaks_here]
        known = [sites[place].position for place in sites_here]
        one = match(where, "+" * len(where), np.zeros(len(where)), known, "+" * len(known), tolerance,
                    circular_length=circular_length)  # fmt: skip
        found, right = found + int((one.site_call >= 0).sum()), right + int(one.right.sum())
    return Agreement(len(sites), found, len(peaks), right, tolerance)
