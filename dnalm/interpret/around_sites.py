"""Sequences to look at where no labelled set is at hand: windows around known sites of a genome, and elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dnalm.annotation import Site
from dnalm.sequences import LabelledSequence, Record


def around(record: Record, sites: Iterable[Site], length: int, site_at: int, label: str) -> list[LabelledSequence]:
    """The window around each site, read along its strand; those that leave the record are left out.

    Args:
        record: the genome.
        sites: its sites; those of other records are left out.
        length: bases of a window.
        site_at: 0-based place of the site in its window.
        label: the class that the windows get.
    """
    found = []
    for site in sites:
        start = site.position - site_at if site.strand == "+" else site.position - (length - 1 - site_at)
        if site.record == record.id and start >= 0 and start + length <= len(record):
            codes = record.fetch(start, start + length, site.strand)
            found.append(LabelledSequence(site.name or _place(site), codes, label))
    return found


def elsewhere(
    record: Record,
    sites: Iterable[Site],
    length: int,
    site_at: int,
    count: int,
    label: str,
    generator: np.random.Generator,
) -> list[LabelledSequence]:
    """Windows at random places of both strands, each at least a window's length from every known site of its strand.

    Args:
        record: the genome.
        sites: known sites to keep away from.
        length: bases of a window.
        site_at: 0-based place in the window of the site that it speaks of, by which the window is named.
        count: windows to draw; fewer come where there is no room.
        label: the class that they get.
        generator: draws the places.
    """
    free = np.ones((2, len(record)), dtype=bool)
    for strand, back in enumerate((site_at, length - 1 - site_at)):
        free[strand, :back] = False
        free[strand, max(0, len(record) - (length - 1 - back)) :] = False
    for site in sites:
        if site.record == record.id:
            free[int(site.strand == "-"), max(0, site.position - length) : site.position + length + 1] = False
    places = np.flatnonzero(free)
    drawn = np.sort(generator.choice(places, min(count, len(places)), replace=False))
    chosen = [Site(record.id, int(one % len(record)), "+-"[one // len(record)]) for one in drawn]
    return around(record, chosen, length, site_at, label)


def _place(site: Site) -> str:
    return f"{site.record}:{site.position + 1}({site.strand})"
