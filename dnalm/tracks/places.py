"""Places as people name them: a stretch, one position, a record, a gene, a known start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dnalm.annotation import Gene, Site
from dnalm.errors import InputError
from dnalm.sequences import Record, Region, lies_in

FLANK = 2_000
"""Bases shown to either side of what was named."""
MOST_NAMED = 20
"""Names that are listed where a part of a name fits several."""

_NUMBER = r"\d[\d,_ ]*(?:\.\d+)?\s*[kKmM]?(?:bp|b)?"
_STRETCH = re.compile(rf"\s*(?P<first>{_NUMBER})\s*(?:-|–|−|\.\.|to)\s*(?P<last>{_NUMBER})\s*(?:\([+-]\))?\s*")
_POSITION = re.compile(rf"\s*(?P<first>{_NUMBER})\s*(?:\([+-]\))?\s*")
_UNITS = {"k": 1_000, "m": 1_000_000}


@dataclass(frozen=True)
class Named:
    """Something with a name, and the region that shows it.

    Attributes:
        name: of the gene or the start.
        kind: what it is, in words.
        region: it with some bases to either side.
        start: its own first base, 0-based.
        end: one past its last.
        strand: "+" or "-".
    """

    name: str
    kind: str
    region: Region
    start: int
    end: int
    strand: str


def find_place(
    text: str,
    records: Mapping[str, Record],
    *,
    usual: str,
    genes: Iterable[Gene] = (),
    sites: Iterable[Site] = (),
    flank: int = FLANK,
) -> Region | list[Named]:
    """Find what a person names.

    Args:
        text: `NC_000913.3:800,001-840,000`; the same without its record; `0.8M-840k`; one position, of which the
            surroundings are shown; a record's name, for all of it; the name of a gene or of a known start, whole or,
            where none is called so, its beginning. Positions count from 1. Capitals do not matter.
        records: the sequence's, by name.
        usual: the record that positions without one are of.
        genes: with their names.
        sites: known starts with their names.
        flank: bases shown to either side of a position or a name.

    Returns:
        The region; or of a name that fits several things, those, each with its region.

    Raises:
        InputError: nothing is called so, or the record has no such bases.
    """
    text = text.strip()
    for one in records.values():
        if one.id.lower() == text.lower():
            return Region(one.id, 0, len(one))
    record, numbers = _split(text, records, usual)
    if match := _STRETCH.fullmatch(numbers):
        return _stretch(record, _number(match["first"]), _number(match["last"]), text)
    if match := _POSITION.fullmatch(numbers):
        at = _number(match["first"]) - 1
        if not 0 <= at < len(record):
            raise InputError(f"there is no base {at + 1:,} in {record.id}, which has {len(record):,} bases.")
        return _around(record, at, at + 1, flank)
    found = _named(text, records, genes, sites, flank)
    if not found:
        raise InputError(
            f"{text!r} is not a region, a gene or a known start here: write FIRST-LAST with positions from 1, for "
            "example 800,001-840,000 or 0.8M-0.84M, RECORD:FIRST-LAST, or a name such as lacZ."
        )
    return found[0].region if len(found) == 1 else found


def _split(text: str, records: Mapping[str, Record], usual: str) -> tuple[Record, str]:
    """The record and what follows it; a record's name may itself hold colons: the last one counts."""
    name, colon, rest = text.rpartition(":")
    if not colon:
        return records[usual], text
    if name in records:
        return records[name], rest
    same = [record for record in records.values() if record.id.lower() == name.strip().lower()]
    if same:
        return same[0], rest
    if _STRETCH.fullmatch(rest) or _POSITION.fullmatch(rest):
        some = ", ".join(list(records)[:3])
        raise InputError(f"there is no record {name} in this sequence; it has {some}.")
    return records[usual], text


def _number(text: str) -> int:
    """A position as people write it: `800,001`, `800k`, `0.8 Mb`."""
    letters = text.strip().lower().rstrip("bp").strip()
    unit = _UNITS.get(letters[-1], 1)
    digits = re.sub(r"[,_ ]", "", letters.rstrip("km"))
    return round(float(digits) * unit)


def _stretch(record: Record, first: int, last: int, text: str) -> Region:
    """From the 1-based first to the last base; on a circle the first may come after the last: over the origin."""
    length = len(record)
    if record.circular and last < first <= length:
        last += length
    if first < 1 or last < first:
        raise InputError(f"{text!r} is not a region: positions start at 1 and the last must not come before the first.")
    if last > length * (2 if record.circular else 1) or last - first >= length or first > length:
        raise InputError(f"{record.id}:{first:,}-{last:,} does not lie in {record.id}, which has {length:,} bases.")
    return Region(record.id, first - 1, last)


def moved_into(record: Record, start: int, span: int) -> Region:
    """A stretch of `span` bases that begins at `start`, or as near to it as the record has room for.

    Args:
        record: on a circle there is room all round: a stretch may run over the origin.
        start: 0-based; below 0 and beyond the record is let in.
        span: bases; of a record that is shorter, all of it.
    """
    length = len(record)
    wide = min(span, length)
    low = start % length if record.circular and wide < length else min(max(start, 0), length - wide)
    return Region(record.id, low, low + wide)


def _around(record: Record, start: int, end: int, flank: int) -> Region:
    low, high = start - flank, end + flank
    if record.circular and len(record) > end - start + 2 * flank:
        # A region of a circle begins within the record and may run on past its end.
        shift = -(low // len(record)) * len(record)
        return Region(record.id, low + shift, high + shift)
    return Region(record.id, max(low, 0), min(high, len(record)))


def _named(
    name: str, records: Mapping[str, Record], genes: Iterable[Gene], sites: Iterable[Site], flank: int
) -> list[Named]:
    """All that is called so; where nothing is, all whose name begins so."""
    wanted = name.lower()
    if not wanted:
        return []
    things = [(gene.name, f"{gene.kind}, {gene.strand} strand", gene.record, gene.start, gene.end, gene.strand)
              for gene in genes]  # fmt: skip
    genuine = {thing[0].lower() for thing in things}
    things += [
        (site.name, f"known start, {site.strand} strand", site.record, site.position, site.position + 1, site.strand)
        for site in sites
        if site.name and site.name.lower() not in genuine  # a gene's start is shown with the gene
    ]
    here = [thing for thing in things if thing[2] in records]
    chosen = [thing for thing in here if thing[0].lower() == wanted]
    chosen = chosen or [thing for thing in here if thing[0].lower().startswith(wanted)]
    found = [
        Named(called, kind, _around(records[record], start, end, flank), start, end, strand)
        for called, kind, record, start, end, strand in dict.fromkeys(chosen)
    ]
    return sorted(found, key=lambda one: (one.name.lower(), one.region.record, one.start))[:MOST_NAMED]


def neighbours(
    position: int, record: Record, genes: Sequence[Gene], *, most: int = 4, reach: int = 10_000
) -> list[tuple[Gene, int]]:
    """The genes nearest to a site.

    Args:
        position: of the site, 0-based.
        record: that it lies in.
        genes: all of them.
        most: how many are given.
        reach: bases beyond which none counts.

    Returns:
        Each with the bases from the site to the gene's first base on its own strand, positive where that lies
        downstream along the gene's strand (so a promoter of the gene has a positive distance) and negative inside it
        or behind it; the nearest first.
    """
    found = []
    for gene in genes:
        if gene.record != record.id:
            continue
        step = gene.start_site - position
        if record.circular:
            half = len(record) // 2
            step = (step + half) % len(record) - half
        distance = step if gene.strand == "+" else -step
        inside = lies_in(position, gene.start, gene.end, len(record) if record.circular else None)
        if abs(step) <= reach or inside:
            found.append((abs(step) if not inside else 0, gene, distance))
    return [(gene, distance) for _, gene, distance in sorted(found, key=lambda one: one[0])[:most]]
