"""The dip in G and C before a promoter: strands part there, and A and T part more easily.

The score of a base is the share of A and T in some bases upstream of it, less that of its surroundings, as log-odds by
a logistic curve between starts and bases drawn evenly from the training regions. How many bases are read is chosen by
average precision on these regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnalm.alphabet import reverse_complement
from dnalm.metrics.sites import average_precision_along
from dnalm.sequences import Record, Region
from dnalm.tracks.baselines.common import Floats, prior_of, stretch, training_sites

if TYPE_CHECKING:
    from dnalm.annotation import Site

WIDTHS = (30, 50, 80, 120)
FLANK = 1000
"""Bases to either side that are the surroundings."""
_TOLERANCE = 100


@dataclass(frozen=True)
class GcDip:
    """The dip, learned.

    Attributes:
        width: bases upstream that are read, ending at the base before the one scored.
        slope: log-odds for each unit of the difference in the share of A and T.
        intercept: log-odds at no difference.
        prior: see `Baseline`.
    """

    width: int
    slope: float
    intercept: float
    prior: float
    name: str = "gc-dip"
    reads_annotation: bool = False
    reach: int = FLANK

    @classmethod
    def fit(cls, record: Record, sites: Sequence[Site], regions: Sequence[Region]) -> GcDip:
        """Learn from the sites of the regions.

        Raises:
            InputError: there are too few.
        """
        from sklearn.linear_model import LogisticRegression

        inside = training_sites(record, sites, regions)
        truth = ([site.position for site in inside], [site.strand for site in inside])
        best: tuple[float, GcDip] | None = None
        for width in WIDTHS:
            plain = cls(width, 1.0, 0.0, prior_of(len(inside), regions))
            precision, at_sites, anywhere = [], [], []
            for region in regions:
                along = {strand: plain.scores(record, region.start, region.end, strand) for strand in "+-"}
                here = [site for site in inside if region.start <= site.position < region.end]
                precision.append((len(here), average_precision_along(
                    along["+"], along["-"], truth, _TOLERANCE, start=region.start)))  # fmt: skip
                at_sites += [along[site.strand][site.position - region.start] for site in here]
                anywhere += [scores[::97] for scores in along.values()]
            seen = np.concatenate([np.array(at_sites), *anywhere])
            known = np.isfinite(seen)
            label = np.arange(len(seen)) < len(at_sites)
            curve = LogisticRegression(class_weight="balanced").fit(seen[known, None], label[known])
            reached = sum(count * value for count, value in precision if count) / len(inside)
            learned = cls(width, float(curve.coef_[0, 0]), float(curve.intercept_[0]), plain.prior)
            if best is None or reached > best[0]:
                best = reached, learned
        assert best is not None
        return best[1]

    def scores(self, record: Record, start: int, end: int, strand: str) -> Floats:
        """See `Baseline.scores`."""
        codes = stretch(record, start - FLANK, end + FLANK)
        if strand == "-":
            codes = reverse_complement(codes)
        weak = np.concatenate([[0.0], np.cumsum((codes == 0) | (codes == 3))])
        known = np.concatenate([[0.0], np.cumsum(codes < 4)])
        n = end - start

        def share(first: int, last: int) -> Floats:
            """Share of A and T from `first` to `last` bases from each base."""
            low, high = slice(FLANK + first, FLANK + first + n), slice(FLANK + last, FLANK + last + n)
            seen = known[high] - known[low]
            return np.divide(weak[high] - weak[low], seen, out=np.full(n, np.nan), where=seen > 0)

        dip = share(-self.width, 0) - share(-FLANK, FLANK)
        found = self.slope * dip + self.intercept
        return found if strand == "+" else found[::-1]
