"""How far downstream the next gene starts: what the annotation alone says of where a promoter is.

It reads no base of the sequence, and what it reads, the annotation, says where transcripts must begin. Models that read
the sequence alone are not ranked with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from dnalm.annotation import start_sites
from dnalm.errors import InputError
from dnalm.sequences import Record, Region
from dnalm.tracks.baselines.common import Floats, prior_of, training_sites

if TYPE_CHECKING:
    from dnalm.annotation import Gene, Site

FURTHEST = 20_000
"""Distances are told apart up to here."""
_SOFT = 10
_CELLS = 400
_BANDWIDTH = 0.15
_PSEUDOCOUNT = 1.0


@dataclass(frozen=True, eq=False)
class GeneDistance:
    """The density of distances from known starts to the next gene's start, over that of any base.

    Attributes:
        ratios: log ratio at each distance 0 to `FURTHEST`, in bases.
        starts: gene starts of each record and strand, ascending.
        prior: see `Baseline`.
    """

    ratios: Floats
    starts: dict[tuple[str, str], NDArray[np.int64]] = field(repr=False)
    prior: float
    name: str = "gene-distance"
    reads_annotation: bool = True
    reach: int = 0

    @classmethod
    def fit(
        cls, record: Record, sites: Sequence[Site], regions: Sequence[Region], genes: Sequence[Gene]
    ) -> GeneDistance:
        """Learn from the sites and all bases of the regions.

        Both densities are smoothed alike by a bell curve over the logarithm of the distance plus 10, .15 wide.

        Raises:
            InputError: there are too few sites, or no gene starts on the record.
        """
        inside = training_sites(record, sites, regions)
        starts = _starts(genes)
        if not any(name == record.id for name, _ in starts):
            raise InputError(f"no gene of the annotation starts on {record.id}")
        blank = cls(np.zeros(FURTHEST + 1), starts, prior_of(len(inside), regions))
        cells = _cells(np.arange(FURTHEST + 1))
        anywhere, at_sites = np.zeros(_CELLS), np.zeros(_CELLS)
        for region in regions:
            for strand in "+-":
                steps = blank.distances(record, region.start, region.end, strand)
                anywhere += np.bincount(cells[steps], minlength=_CELLS)
                here = [
                    site.position - region.start
                    for site in inside
                    if site.strand == strand and region.start <= site.position < region.end
                ]
                at_sites += np.bincount(cells[steps[here]], minlength=_CELLS)
        sigma = _BANDWIDTH * _CELLS / np.log((FURTHEST + _SOFT) / _SOFT)
        smooth_any, smooth_sites = (gaussian_filter1d(counts, sigma, mode="nearest") for counts in (anywhere, at_sites))
        smooth_any = np.maximum(smooth_any / smooth_any.sum(), 1e-12)
        smooth_sites = (smooth_sites + _PSEUDOCOUNT * smooth_any) / (smooth_sites.sum() + _PSEUDOCOUNT)
        ratios = np.log(smooth_sites / smooth_any)
        # Between the middles of the cells, so that no two neighbouring distances score quite the same.
        place = np.interp(_place(np.arange(FURTHEST + 1)), np.arange(_CELLS) + 0.5, ratios)
        return cls(place, starts, blank.prior)

    def distances(self, record: Record, start: int, end: int, strand: str) -> NDArray[np.int64]:
        """Bases from each base to the next gene start downstream on its strand, at most `FURTHEST`."""
        known = self.starts.get((record.id, strand), np.empty(0, dtype=np.int64))
        where = np.arange(start, end, dtype=np.int64)
        if not len(known):
            return np.full(len(where), FURTHEST, dtype=np.int64)
        if record.circular:
            where, length = where % len(record), len(record)
            known = np.concatenate([known[-1:] - length, known, known[:1] + length])
        if strand == "+":
            place = np.searchsorted(known, where, side="left")
            steps = np.append(known, np.iinfo(np.int64).max)[place] - where
        else:
            place = np.searchsorted(known, where, side="right")
            steps = where - np.insert(known, 0, np.iinfo(np.int64).min // 2)[place]
        return np.minimum(steps, FURTHEST)

    def scores(self, record: Record, start: int, end: int, strand: str) -> Floats:
        """See `Baseline.scores`."""
        return self.ratios[self.distances(record, start, end, strand)]


def _starts(genes: Sequence[Gene]) -> dict[tuple[str, str], NDArray[np.int64]]:
    found: dict[tuple[str, str], list[int]] = {}
    for site in start_sites(genes):
        found.setdefault((site.record, site.strand), []).append(site.position)
    return {key: np.sort(np.array(positions, dtype=np.int64)) for key, positions in found.items()}


def _place(distance: NDArray[np.int64]) -> Floats:
    """Where a distance lies among the cells, which are equally wide over the logarithm."""
    whole = np.log((FURTHEST + _SOFT) / _SOFT)
    return np.log((distance + _SOFT) / _SOFT) / whole * _CELLS


def _cells(distance: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.minimum(_place(distance).astype(np.int64), _CELLS - 1)
