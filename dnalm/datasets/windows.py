"""Windows cut from a genome: around gene starts, and inside genes away from any start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.annotation import Gene
from dnalm.sequences import Record, Region

DEMO_REGION = Region("NC_000913.3", 800_000, 840_000)
"""The 40 kb of E. coli K-12 that the shipped classifiers are shown on and so never trained on (0-based)."""


@dataclass(frozen=True)
class Window:
    """A stretch of a record and the gene it belongs to."""

    region: Region
    gene: str


def overlaps(region: Region, other: Region, record_length: int) -> bool:
    """Whether two regions of one record share a base, whatever their strands; either may cross the origin."""
    if region.record != other.record:
        return False
    return any(
        region.start + turn < other.end and other.start < region.end + turn
        for turn in (-record_length, 0, record_length)
    )


def start_window(gene: Gene, upstream: int, downstream: int, record_length: int) -> Region:
    """The window whose base `upstream` (0-based, on the gene's strand) is the gene's first base.

    Args:
        gene: the gene; its start site is its first base on its own strand.
        upstream: bases before the start site.
        downstream: bases from the start site on, itself included.
        record_length: bases of the (circular) record, to wrap at its origin.

    Returns:
        A region of `upstream + downstream` bases; across the origin its end lies beyond the record's length.
    """
    first = gene.start_site - (upstream if gene.strand == "+" else downstream - 1)
    first %= record_length
    return Region(gene.record, first, first + upstream + downstream, gene.strand)


def start_windows(
    genes: Iterable[Gene], upstream: int, downstream: int, record_length: int
) -> tuple[list[Window], int]:
    """A window around each start site; genes that share one (a frameshift's products) give one window.

    Args:
        genes: genes of one circular record.
        upstream: bases before the start site.
        downstream: bases from the start site on, itself included.
        record_length: bases of the record.

    Returns:
        The windows, in the genes' order, and the number of genes left out as sharing a start.
    """
    seen: set[tuple[str, int, str]] = set()
    windows, shared = [], 0
    for gene in genes:
        key = (gene.record, gene.start_site, gene.strand)
        if key in seen:
            shared += 1
            continue
        seen.add(key)
        windows.append(Window(start_window(gene, upstream, downstream, record_length), gene.name))
    return windows, shared


def _covered(windows: Iterable[Window], record: Record) -> NDArray[np.bool_]:
    """Which bases of a record lie in any of the windows: shape `(len(record),)`."""
    covered = np.zeros(len(record), dtype=bool)
    for window in windows:
        covered[np.arange(window.region.start, window.region.end) % len(record)] = True
    return covered


def _inner_starts(gene: Gene, record: Record, length: int, codon_at: int, taken: NDArray) -> NDArray[np.int64]:
    """Where a window may start inside a gene: in codon phase, clear of what is taken; shape `(places,)`."""
    # A gene across the origin is offered its part before it only: there is at most one on a chromosome.
    starts = np.arange(gene.start, min(gene.end, len(record)) - length + 1)
    if not len(starts):
        return starts
    from_start = starts + codon_at - gene.start
    from_end = gene.end - (starts + length - codon_at)
    phase = from_start if gene.strand == "+" else from_end
    return starts[(phase % 3 == 0) & (taken[starts + length] == taken[starts])]


def inner_windows(
    genes: Iterable[Gene],
    record: Record,
    length: int,
    codon_at: int,
    avoid: Iterable[Window],
    generator: np.random.Generator,
) -> tuple[list[Window], int]:
    """One window inside each gene, on its strand, at a random place that touches no window of `avoid`.

    Base `codon_at` of every window is the first of a codon, as it is in the windows at gene starts: the
    reading frame then tells nothing about the class. Genes that share their start give one window, of the
    longest of them, so that no two windows come from one open reading frame.

    Args:
        genes: genes of the record.
        record: the genome.
        length: bases of a window.
        codon_at: 0-based index in the window, on the gene's strand, of a base that starts a codon.
        avoid: windows to keep clear of, on either strand.
        generator: where the random places come from.

    Returns:
        The windows, and the number of genes with no room for one.
    """
    longest: dict[tuple[int, str], Gene] = {}
    for gene in genes:
        key = (gene.start_site, gene.strand)
        if key not in longest or gene.end - gene.start > longest[key].end - longest[key].start:
            longest[key] = gene
    taken = np.concatenate([[0], np.cumsum(_covered(avoid, record))])
    windows, without = [], 0
    for gene in longest.values():
        free = _inner_starts(gene, record, length, codon_at, taken)
        if not len(free):
            without += 1
            continue
        start = int(free[generator.integers(len(free))])
        windows.append(Window(Region(gene.record, start, start + length, gene.strand), gene.name))
    return windows, without


def random_windows(
    record: Record,
    length: int,
    site_at: int,
    avoid: Iterable[Window],
    distance: int,
    count: int,
    generator: np.random.Generator,
) -> list[Window]:
    """Windows at random places of both strands, in any frame, in genes or between them: what a scan meets.

    Args:
        record: a circular genome.
        length: bases of a window.
        site_at: 0-based index in a window, on its strand, of the site that it speaks of.
        avoid: windows whose sites are not to be drawn, nor any within `distance` of them on the same strand.
        distance: bases.
        count: windows to draw, all different.
        generator: where the places come from.

    Returns:
        The windows, in the order of their places, forward strand first.
    """
    size = len(record)
    free = np.ones((2, size), dtype=bool)
    for window in avoid:
        region = window.region
        site = region.start + site_at if region.strand == "+" else region.end - 1 - site_at
        free[int(region.strand == "-"), np.arange(site - distance, site + distance + 1) % size] = False
    drawn = np.sort(generator.choice(np.flatnonzero(free), count, replace=False))
    windows = []
    for strand, site in zip(drawn // size, drawn % size, strict=True):
        start = int((site - site_at if strand == 0 else site - length + 1 + site_at) % size)
        windows.append(Window(Region(record.id, start, start + length, "+-"[strand]), "random"))
    return windows
