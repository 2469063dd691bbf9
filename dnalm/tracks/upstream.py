"""Where no map of start sites is at hand: how many of the highest calls lie just upstream of a gene's start.

Bacterial promoters lie a short way before genes, so calls that know of promoters crowd there; but within an operon only
the first gene needs one, and some transcripts begin elsewhere. So this says whether calls know something, beside what
places drawn at random give, and not how many are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnalm.annotation import start_sites
from dnalm.metrics import Figure, resample_weights
from dnalm.metrics.bootstrap import percentile_interval
from dnalm.tracks.blocks import blocks_of
from dnalm.tracks.calls import Calls
from dnalm.tracks.evaluation import ALL
from dnalm.tracks.scored import BLOCK

if TYPE_CHECKING:
    from dnalm.annotation import Gene

REACH = 300
CALLS = (250, 500, 1000, 2000)


@dataclass(frozen=True)
class Upstream:
    """The highest calls beside the gene starts of their strand.

    Attributes:
        reach: bases upstream of a gene's first base that count, that base included.
        genes: gene starts in what was scanned.
        by_chance: share of all bases, both strands, that lie so: what places drawn at random give.
        calls: share of so many highest calls that lie so, with its interval, by their number.
        times: the same over `by_chance`.
        found: share of gene starts with one of so many highest calls so far upstream.
    """

    reach: int
    genes: int
    by_chance: float
    calls: dict[int, Figure]
    times: dict[int, Figure]
    found: dict[int, Figure]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures = {
            name: {str(count): figure.as_dict() for count, figure in getattr(self, name).items()}
            for name in ("calls", "times", "found")
        }
        return {"reach": self.reach, "genes": self.genes, "by_chance": self.by_chance, **figures}


def upstream_of_genes(
    calls: Sequence[Calls],
    genes: Sequence[Gene],
    *,
    generator: np.random.Generator,
    reach: int = REACH,
    counts: Sequence[int] = CALLS,
    resamples: int = 1000,
) -> Upstream:
    """Count the highest calls that lie upstream of a gene's start on its strand.

    Args:
        calls: from `calls_of`, one for each record.
        genes: of those records.
        generator: draws blocks of 20 kb for the intervals.
        reach: bases upstream that count.
        counts: how many of the highest calls to look at, of all records together.
        resamples: how many; 0 gives no intervals.
    """
    blocks = blocks_of(calls, regions=(), trained_on=None, block=BLOCK)
    rank = _ranks(calls)
    near, block, gene_block, best = [], [], [], []
    places, first = np.zeros(blocks.count), 0
    for number, one in enumerate(calls):
        starts = [site for site in start_sites(genes) if site.record == one.record]
        near.append(np.zeros(len(one.positions), dtype=bool))
        block.append(blocks.block_of(number, one.positions))
        ranks, first = rank[first : first + len(one.positions)], first + len(one.positions)
        every = np.arange(one.start, one.end, dtype=np.int64)
        for strand in one.strands:
            here = np.flatnonzero(one.forward == (strand == "+"))
            known = _unrolled(np.array([site.position for site in starts if site.strand == strand], np.int64), one)
            near[-1][here] = _downstream(one.positions[here], known, strand) < reach
            upstream = every[_downstream(every, known, strand) < reach]
            places += np.bincount(blocks.block_of(number, upstream), minlength=blocks.count)
            known = known[(known >= one.start) & (known < one.end)]
            gene_block.append(blocks.block_of(number, known))
            best.append(_best_upstream(one, here, ranks, known, strand, reach, len(rank)))
    every_near, every_block = np.concatenate(near), np.concatenate(block)
    every_gene, every_best = np.concatenate(gene_block), np.concatenate(best)
    weights = np.concatenate([np.ones((1, blocks.count)), *resample_weights(blocks.count, generator, resamples)])
    bases = weights @ blocks.kilobases[ALL] * 1000 * len(calls[0].strands)
    chance = weights @ places / bases
    shares, times, found = {}, {}, {}
    for count in counts:
        top = rank < count
        share = _ratio(weights, every_block[top], every_near[top])
        shares[count] = _figure(share, min(count, len(rank)))
        times[count] = _figure(share / chance, min(count, len(rank)))
        found[count] = _figure(_ratio(weights, every_gene, every_best < count), len(every_gene))
    return Upstream(reach, len(every_gene), float(chance[0]), shares, times, found)


def _ranks(calls: Sequence[Calls]) -> NDArray[np.int64]:
    """Place of each call in the ranking of all, the highest 0."""
    scores = np.concatenate([one.scores for one in calls])
    rank = np.empty(len(scores), dtype=np.int64)
    rank[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return rank


def _best_upstream(
    calls: Calls,
    here: NDArray[np.int64],
    ranks: NDArray[np.int64],
    known: NDArray[np.int64],
    strand: str,
    reach: int,
    nobody: int,
) -> NDArray[np.int64]:
    """Place in the ranking of the highest call upstream of each gene start; `nobody` where there is none."""
    where, rank = calls.positions[here], ranks[here]
    if calls.circular:
        length = calls.record_length
        where, rank = np.concatenate([where - length, where, where + length]), np.tile(rank, 3)
    order = np.argsort(where, kind="stable")
    where, rank = where[order], rank[order]
    low, high = (known - reach + 1, known + 1) if strand == "+" else (known, known + reach)
    first, last = np.searchsorted(where, low), np.searchsorted(where, high)
    return np.array([rank[a:b].min() if b > a else nobody for a, b in zip(first, last, strict=True)], dtype=np.int64)


def _unrolled(known: NDArray[np.int64], calls: Calls) -> NDArray[np.int64]:
    """Gene starts as positions along the stretch, with those before and behind it round a circle."""
    if not calls.circular:
        return np.sort(known)
    length = calls.record_length
    return np.unique(np.concatenate([known + turn * length for turn in (-1, 0, 1, 2)]))


def _downstream(where: NDArray[np.int64], known: NDArray[np.int64], strand: str) -> NDArray[np.int64]:
    """Bases from each place to the next gene start downstream; a large number where there is none."""
    nowhere = np.int64(2**40)
    if strand == "+":
        return np.append(known, 2 * nowhere)[np.searchsorted(known, where, side="left")] - where
    return where - np.insert(known, 0, -nowhere)[np.searchsorted(known, where, side="right")]


def _ratio(weights: NDArray[np.float64], block: NDArray[np.int64], flags: NDArray[np.bool_]) -> NDArray[np.float64]:
    count = weights.shape[1]
    whole = weights @ np.bincount(block, minlength=count)
    part = weights @ np.bincount(block, weights=flags.astype(float), minlength=count)
    return np.divide(part, whole, out=np.full(len(weights), np.nan), where=whole > 0)


def _figure(values: NDArray[np.float64], n: int) -> Figure:
    low, high = percentile_interval(values[1:]) if len(values) > 1 else (np.nan, np.nan)
    return Figure(float(values[0]), low, high, n)
