"""What plain baselines share: how they are asked, and how their scores become a track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.model.box_learning import LEAST_SITES
from dnalm.sequences import Record, Region
from dnalm.tracks.scan import Track

if TYPE_CHECKING:
    from dnalm.annotation import Gene, Site

Floats = NDArray[np.float64]


class Baseline(Protocol):
    """Scores every base of a strand."""

    name: str
    reads_annotation: bool
    reach: int
    """Bases upstream that a score looks at."""
    prior: float
    """Log-odds of a start at a base drawn at random from the training regions."""

    def scores(self, record: Record, start: int, end: int, strand: str) -> Floats:
        """Log of how many times likelier what is seen is at a start than anywhere, shape `(end - start,)`.

        Of forward positions `start` to `end`, read along `strand`; nan where a linear record has too few bases.
        """
        ...


@dataclass(frozen=True)
class SumOf:
    """Several baselines taken as independent evidence: the sum of their log likelihood ratios.

    Attributes:
        parts: the baselines.
    """

    parts: tuple[Baseline, ...]

    @property
    def name(self) -> str:
        """Their names, joined."""
        return "+".join(part.name for part in self.parts)

    @property
    def reads_annotation(self) -> bool:
        """Whether any of them does."""
        return any(part.reads_annotation for part in self.parts)

    @property
    def reach(self) -> int:
        """The furthest of theirs."""
        return max(part.reach for part in self.parts)

    @property
    def prior(self) -> float:
        """That of the first: all were trained on the same sites."""
        return self.parts[0].prior

    def scores(self, record: Record, start: int, end: int, strand: str) -> Floats:
        """The sum; see `Baseline.scores`."""
        return np.sum([part.scores(record, start, end, strand) for part in self.parts], axis=0)


def baseline_track(baseline: Baseline, record: Record, region: Region | None = None) -> Track:
    """Score every base of both strands: the probability of a start, were the baseline's evidence all there is.

    Args:
        baseline: trained.
        record: the sequence.
        region: the stretch; all of the record when None.

    Raises:
        InputError: the region is of another record or leaves it.
    """
    start, end = (region.start, region.end) if region else (0, len(record))
    inside = end <= len(record) or (record.circular and end - start <= len(record))
    if (region and region.record != record.id) or not inside:
        raise InputError(f"region {region} does not lie in {record.id}, which has {len(record):,} bases")
    forward, reverse = (
        _probability(baseline.scores(record, start, end, strand) + baseline.prior) for strand in ("+", "-")
    )
    return Track(
        record.id,
        start,
        end,
        1,
        baseline.reach + 1,
        np.arange(start, end, dtype=np.int64),
        forward,
        reverse,
        baseline.name,
        "start",
        len(record),
    )


def fit_baselines(
    record: Record, sites: Sequence[Site], regions: Sequence[Region], genes: Sequence[Gene] | None = None
) -> list[Baseline]:
    """Train every baseline on the sites of some regions.

    Args:
        record: the genome's one record of the sites.
        sites: known starts; those outside the regions are not looked at.
        regions: what may be learned from.
        genes: the annotation; without it the two baselines that read it are left out.

    Returns:
        Boxes, GC dip, and with genes: gene distance, boxes with gene distance.

    Raises:
        InputError: too few sites lie in the regions.
    """
    from dnalm.tracks.baselines.boxes import BoxModel
    from dnalm.tracks.baselines.gc_dip import GcDip
    from dnalm.tracks.baselines.genes import GeneDistance

    found: list[Baseline] = [BoxModel.fit(record, sites, regions), GcDip.fit(record, sites, regions)]
    if genes is not None:
        distance = GeneDistance.fit(record, sites, regions, genes)
        found += [distance, SumOf((found[0], distance))]
    return found


def training_sites(record: Record, sites: Sequence[Site], regions: Sequence[Region]) -> list[Site]:
    """The sites of a record that lie in the regions.

    Raises:
        InputError: there are too few to learn from.
    """
    inside = [
        site
        for site in sites
        if site.record == record.id and any(r.record == record.id and r.start <= site.position < r.end for r in regions)
    ]
    if len(inside) < LEAST_SITES:
        raise InputError(f"{len(inside)} known sites lie in the training regions; at least {LEAST_SITES} are wanted")
    return inside


def prior_of(sites: int, regions: Sequence[Region]) -> float:
    """Log-odds of a site at a base and strand drawn at random from the regions."""
    places = 2 * sum(len(region) for region in regions)
    return float(np.log(sites) - np.log(places - sites))


def stretch(record: Record, start: int, end: int) -> NDArray[np.uint8]:
    """Forward bases `[start, end)`: over the origin of a circle, unknown beyond the ends of a line."""
    if record.circular:
        return record.fetch(start, end)
    codes = np.full(end - start, 4, dtype=np.uint8)
    low, high = max(start, 0), min(end, len(record))
    codes[low - start : high - start] = record.codes[low:high]
    return codes


def _probability(log_odds: Floats) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-log_odds))).astype(np.float32)
