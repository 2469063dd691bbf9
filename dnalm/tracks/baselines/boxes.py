"""A position weight matrix of a sigma-70 promoter: -35 box, spacer, -10 box, discriminator, start.

Where the boxes of a known start lie is not known, so it is learned with their composition by expectation maximisation
(Lawrence & Reilly 1990) from the consensus TTGACA and TATAAT: at each start every spacer and discriminator counts as
far as it is likely, until the likelihood grows no more. The score of a base is the log-odds of boxes at any of these
places before it against the genome's composition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from dnalm.alphabet import Codes, encode, reverse_complement
from dnalm.model.box_path import DISCRIMINATORS, MINUS_10, MINUS_35, REACH, SPACERS, WIDTH
from dnalm.sequences import Record, Region
from dnalm.tracks.baselines.common import Floats, prior_of, stretch, training_sites

if TYPE_CHECKING:
    from dnalm.annotation import Site

_CONSENSUS = 0.7
_PSEUDOCOUNT = 2.0
_ROUNDS = 200
_ENOUGH = 1e-5


@dataclass(frozen=True, eq=False)
class BoxModel:
    """The boxes of promoters, learned.

    Attributes:
        minus_35: probability of each base at each position of the -35 box, shape `(6, 4)`.
        minus_10: of the -10 box.
        spacers: probability of 15 to 19 bases between the boxes.
        discriminators: probability of 4 to 10 bases from the -10 box to the start.
        background: composition of the training regions, both strands.
        prior: see `Baseline`.
        rounds: how many it took to learn.
    """

    minus_35: Floats
    minus_10: Floats
    spacers: Floats
    discriminators: Floats
    background: Floats
    prior: float
    rounds: int
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
        counts = np.bincount(codes, minlength=5)[:4].astype(np.float64)
        background = (counts + counts[::-1]) / (2 * counts.sum())
        model = cls(
            _from_consensus(MINUS_35),
            _from_consensus(MINUS_10),
            np.full(len(SPACERS), 1 / len(SPACERS)),
            np.full(len(DISCRIMINATORS), 1 / len(DISCRIMINATORS)),
            background,
            prior_of(len(inside), regions),
            0,
        )
        likelihood = -np.inf
        for _ in range(_ROUNDS):
            model, reached = model._learned(windows)
            if reached - likelihood < _ENOUGH:
                break
            likelihood = reached
        return model

    def _learned(self, windows: NDArray[np.uint8]) -> tuple[BoxModel, float]:
        """One round: how likely each place of the boxes is at each start, and boxes from all places by that."""
        first, second = _log_odds(self.minus_35, self.background), _log_odds(self.minus_10, self.background)
        log_places = np.empty((len(windows), len(DISCRIMINATORS), len(SPACERS)))
        for d, s, at_35, at_10 in _places():
            log_places[:, d, s] = (
                _of_hexamer(first, windows[:, at_35 : at_35 + WIDTH])
                + _of_hexamer(second, windows[:, at_10 : at_10 + WIDTH])
                + np.log(self.discriminators[d])
                + np.log(self.spacers[s])
            )
        whole = logsumexp(log_places, axis=(1, 2))
        share = np.exp(log_places - whole[:, None, None])
        counts = [np.tile(_PSEUDOCOUNT * self.background, (WIDTH, 1)) for _ in range(2)]
        for d, s, at_35, at_10 in _places():
            for count, at in zip(counts, (at_35, at_10), strict=True):
                for place in range(WIDTH):
                    count[place] += np.bincount(windows[:, at + place], weights=share[:, d, s], minlength=5)[:4]
        discriminators, spacers = share.sum(axis=(0, 2)) + 1, share.sum(axis=(0, 1)) + 1
        learned = BoxModel(
            *(count / count.sum(axis=1, keepdims=True) for count in counts),
            spacers / spacers.sum(),
            discriminators / discriminators.sum(),
            self.background,
            self.prior,
            self.rounds + 1,
        )
        return learned, float(whole.mean())

    def scores(self, record: Record, start: int, end: int, strand: str) -> Floats:
        """See `Baseline.scores`; an unknown base counts as the background's mean."""
        if strand == "+":
            return self._along(stretch(record, start - REACH, end))
        return self._along(reverse_complement(stretch(record, start, end + REACH)))[::-1]

    def _along(self, codes: Codes) -> Floats:
        """Scores of the bases from `REACH` on, in reading order."""
        first = _hexamers(_log_odds(self.minus_35, self.background), codes)
        second = _hexamers(_log_odds(self.minus_10, self.background), codes)
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


def _places() -> list[tuple[int, int, int, int]]:
    """Number of discriminator and spacer, and offsets of both boxes in the `REACH` bases before the start."""
    found = []
    for d, discriminator in enumerate(DISCRIMINATORS):
        for s, spacer in enumerate(SPACERS):
            at_10 = REACH - discriminator - WIDTH
            found.append((d, s, at_10 - spacer - WIDTH, at_10))
    return found


def _from_consensus(text: str) -> Floats:
    box = np.full((len(text), 4), (1 - _CONSENSUS) / 3)
    box[np.arange(len(text)), encode(text)] = _CONSENSUS
    return box


def _log_odds(box: Floats, background: Floats) -> Floats:
    """Shape `(6, 5)`: unknown bases say nothing."""
    return np.concatenate([np.log(box / background), np.zeros((len(box), 1))], axis=1)


def _of_hexamer(table: Floats, hexamers: NDArray[np.uint8]) -> Floats:
    return table[np.arange(WIDTH), hexamers].sum(axis=1)


def _hexamers(table: Floats, codes: Codes) -> Floats:
    """The table's sum for the hexamer that begins at each base, shape `(length - 5,)`."""
    n = len(codes) - WIDTH + 1
    total = np.zeros(n)
    for place in range(WIDTH):
        total += table[place][codes[place : place + n]]
    return total
