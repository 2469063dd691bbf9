"""A position weight matrix of a sigma-70 promoter: -35 box, spacer, -10 box, discriminator, start.

The boxes are learned by expectation maximisation (`dnalm.model.box_learning`). The score of a base is the log-odds of
boxes at any of the places before it against the genome's composition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnalm.alphabet import Codes, reverse_complement
from dnalm.model.box_learning import LearnedBoxes, learn_boxes, log_odds
from dnalm.model.box_path import DISCRIMINATORS, REACH, SPACERS, WIDTH
from dnalm.sequences import Record, Region
from dnalm.tracks.baselines.common import Floats, prior_of, stretch, training_sites

if TYPE_CHECKING:
    from dnalm.annotation import Site


@dataclass(frozen=True, eq=False)
class BoxModel(LearnedBoxes):
    """The boxes of promoters, learned, as a baseline.

    Attributes:
        prior: see `Baseline`.
    """

    prior: float = 0.0
    name: str = "pwm"
    reads_annotation: bool = False
    reach: int = REACH

    @classmethod
    def fit(cls, record: Record, sites: Sequence[Site], regions: Sequence[Region]) -> BoxModel:
        """Learn from the sites of the regions.

        Raises:
            InputError: there are too few.
        """
        inside = training_sites(record, sites, regions)
        windows = np.stack([_upstream(record, site) for site in inside])
        codes = np.concatenate([stretch(record, region.start, region.end) for region in regions])
        return cls(**vars(learn_boxes(windows, codes)), prior=prior_of(len(inside), regions))

    def scores(self, record: Record, start: int, end: int, strand: str) -> Floats:
        """See `Baseline.scores`; an unknown base counts as the background's mean."""
        if strand == "+":
            return self._along(stretch(record, start - REACH, end))
        return self._along(reverse_complement(stretch(record, start, end + REACH)))[::-1]

    def _along(self, codes: Codes) -> Floats:
        """Scores of the bases from `REACH` on, in reading order."""
        first = _hexamers(log_odds(self.minus_35, self.background), codes)
        second = _hexamers(log_odds(self.minus_10, self.background), codes)
        n = len(codes) - REACH

        # One after another, in place: whole genomes would else hold 35 copies of themselves.
        pairs = np.full(len(first), -np.inf)
        for chance, spacer in zip(np.log(self.spacers), SPACERS, strict=True):
            step = WIDTH + spacer
            np.logaddexp(pairs[step:], first[:-step] + chance, out=pairs[step:])
        pairs += second
        total = np.full(n, -np.inf)
        for chance, discriminator in zip(np.log(self.discriminators), DISCRIMINATORS, strict=True):
            at = REACH - discriminator - WIDTH
            np.logaddexp(total, pairs[at : at + n] + chance, out=total)
        return total


def _upstream(record: Record, site: Site) -> Codes:
    """The `REACH` bases before a start, as read along its strand."""
    if site.strand == "+":
        return stretch(record, site.position - REACH, site.position)
    return reverse_complement(stretch(record, site.position + 1, site.position + 1 + REACH))


def _hexamers(table: Floats, codes: Codes) -> Floats:
    """The table's sum for the hexamer that begins at each base, shape `(length - 5,)`."""
    n = len(codes) - WIDTH + 1
    total = np.zeros(n)
    for place in range(WIDTH):
        total += table[place][codes[place : place + n]]
    return total
