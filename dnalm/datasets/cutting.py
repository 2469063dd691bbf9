"""Windows cut from any genome at the sites of a table, against windows from anywhere else: a labelled set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.alphabet import UNKNOWN, decode
from dnalm.annotation import Site, read_genes, read_sites, start_sites
from dnalm.datasets.building import POSITIVE, Built, source_text
from dnalm.datasets.dataset import Dataset, table_of
from dnalm.errors import InputError
from dnalm.sequences import Record, Region, read_records

BACKGROUND = "background"
MOST_UNKNOWN = 0.1
"""Share of unknown bases from which a window is left out."""
_TRIES = 40  # draws for each window wanted, before there is taken to be no room


@dataclass(frozen=True)
class Cut:
    """How windows are cut.

    Attributes:
        upstream: bases before a site, on its strand.
        downstream: bases from the site on, itself included.
        per_site: windows from elsewhere for each window at a site.
    """

    upstream: int
    downstream: int
    per_site: float = 1.0

    def __post_init__(self) -> None:
        if self.upstream < 0 or self.downstream < 1 or self.per_site <= 0:
            raise InputError(
                f"windows of {self.upstream} bases before a site and {self.downstream} from it on, {self.per_site:g} "
                "from elsewhere for each: wanted are 0 or more, 1 or more, and more than 0"
            )

    @property
    def length(self) -> int:
        """Bases of a window."""
        return self.upstream + self.downstream

    def first(self, site: Site) -> int:
        """First base of a site's window on the forward strand, 0-based; below 0 where it runs beyond the record."""
        return site.position - (self.upstream if site.strand == "+" else self.downstream - 1)


def sites_of(path: str | Path, kind: str | None = None) -> list[Site]:
    """Start sites of a file: a table, BED, or GFF3 with TSS features; with `kind`, the starts of such features.

    Args:
        path: the file.
        kind: `CDS`, `mRNA` or `gene`, of an annotation.

    Raises:
        InputError: the file has none.
    """
    return read_sites(path) if kind is None else start_sites(read_genes(path, kinds=(kind,)))


def cut_at_sites(
    records: Iterable[Record],
    sites: Sequence[Site],
    cut: Cut,
    generator: np.random.Generator,
    *,
    positive: str = POSITIVE,
    negative: str = BACKGROUND,
) -> Built:
    """Windows at sites against windows drawn at random from both strands, clear of every window at a site.

    Windows that run beyond their record, or of which a tenth is unknown, are left out; so are further sites at the
    same place.

    Args:
        records: the genome's, linear or circular; read once.
        sites: where the positives are, 0-based.
        cut: how.
        generator: where the random windows come from.
        positive: the label of windows at sites.
        negative: the label of the others.

    Raises:
        InputError: no site lies on a record, or none leaves a window.
    """
    by_record: dict[str, dict[tuple[int, str], Site]] = {}
    for site in sites:
        by_record.setdefault(site.record, {}).setdefault((site.position, site.strand), site)
    distinct = sum(map(len, by_record.values()))
    rows: list[dict[str, object]] = []
    unusable, wanted_more, found = 0, 0, set()
    for record in records:
        here = by_record.get(record.id, {})
        if not here:
            continue
        found.add(record.id)
        at_sites = [(site.name, _window(record, cut.first(site), cut.length, site.strand)) for site in here.values()]
        usable = [(name, window) for name, window in at_sites if window is not None]
        unusable += len(here) - len(usable)
        rows += [_row(window, positive, name, record) for name, window in usable]
        wanted = round(cut.per_site * len(usable))
        drawn = _elsewhere(record, here.values(), cut, wanted, generator)
        wanted_more += wanted - len(drawn)
        rows += [_row(window, negative, "random", record) for window in drawn]
    missing = sum(len(one) for name, one in by_record.items() if name not in found)
    if not any(row["label"] == positive for row in rows):
        on = ", ".join(sorted(by_record)[:5])
        raise InputError(f"none of {distinct:,} sites leaves a window of {cut.length:,} bases; they are on {on}")
    rows.sort(key=lambda row: row["label"] != positive)
    dropped = {
        "sites at the place of another": len(sites) - distinct,
        "sites on a sequence that the genome does not have": missing,
        "windows that run beyond their sequence, or of which a tenth is unknown": unusable,
        "random windows for which there was no room": wanted_more,
    }
    return Built(table_of(rows), dropped={reason: number for reason, number in dropped.items() if number})


def _window(record: Record, first: int, length: int, strand: str) -> Region | None:
    """A window of a record, around its origin where it is circular; None where it runs beyond, or much is unknown."""
    inside = first >= 0 and first + length <= len(record)
    if not inside and (not record.circular or length > len(record)):
        return None
    window = Region(record.id, first % len(record), first % len(record) + length, strand)
    unknown = float((record.extract(window) >= UNKNOWN).mean())
    return window if unknown < MOST_UNKNOWN else None


def _elsewhere(
    record: Record, sites: Iterable[Site], cut: Cut, wanted: int, generator: np.random.Generator
) -> list[Region]:
    """Random windows of a record that touch no window at a site, in order; fewer where there is no room."""
    taken = np.zeros(len(record) + 1, dtype=np.int64)
    for site in sites:
        for start, end in _within(cut.first(site), cut.length, len(record)):
            taken[start] += 1
            taken[end] -= 1
    before = np.concatenate([[0], np.cumsum(np.cumsum(taken[:-1]) > 0)])
    room = len(record) - cut.length + 1
    if room < 1 or not wanted:
        return []
    starts = generator.integers(0, room, wanted * _TRIES)
    strands = generator.integers(0, 2, wanted * _TRIES)
    chosen: dict[tuple[int, str], Region] = {}
    for start, strand in zip(starts.tolist(), strands.tolist(), strict=True):
        if len(chosen) == wanted:
            break
        if before[start + cut.length] != before[start]:
            continue
        if window := _window(record, start, cut.length, "+-"[strand]):
            chosen.setdefault((start, window.strand), window)
    return [chosen[key] for key in sorted(chosen)]


def _within(first: int, length: int, size: int) -> list[tuple[int, int]]:
    """The parts of a record that a window covers, where it may run beyond one end or around."""
    spans = [(first + turn, first + length + turn) for turn in (-size, 0, size)]
    clipped = [(max(0, start), min(size, end)) for start, end in spans]
    return [(start, end) for start, end in clipped if start < end]


def _row(window: Region, label: str, name: str, record: Record) -> dict[str, object]:
    return {
        "id": f"{label}-{name}-{record.id}-{window.start + 1}{window.strand}",
        "sequence": decode(record.extract(window)),
        "label": label,
        "split": "train",
        "source": source_text(window),
        "in_demo_region": False,
    }


def eukaryote_starts(files: Mapping[str, Path], generator: np.random.Generator) -> Built:
    """Bases -500 to +500 around the transcript starts of several genomes, each given as `NAME` and `NAME-genes`."""
    cut, parts = Cut(500, 500), []
    for name in sorted(role for role in files if f"{role}-genes" in files):
        records = [Record(f"{name}:{one.id}", one.codes) for one in read_records(files[name])]
        sites = [
            Site(f"{name}:{site.record}", site.position, site.strand, site.name)
            for site in sites_of(files[f"{name}-genes"], "mRNA")
        ]
        parts.append(cut_at_sites(records, sites, cut, generator))
    rows = [row for part in parts for row in part.table.to_dict("records")]
    dropped: dict[str, int] = {}
    for part in parts:
        for reason, number in part.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + number
    return Built(table_of(rows), dropped=dropped)


def dataset_at_sites(
    genome: str | Path, starts: str | Path, cut: Cut, *, kind: str | None, circular: bool, seed: int
) -> tuple[Dataset, Built]:
    """The unsplit rows of a genome's windows at the sites of a file, as a dataset, and what was left out.

    Raises:
        InputError: a file is not usable, or no site leaves a window.
    """
    built = cut_at_sites(
        read_records(genome, circular=circular), sites_of(starts, kind), cut, np.random.default_rng(seed)
    )
    info: dict[str, Any] = {"labels": [BACKGROUND, POSITIVE], "positive": POSITIVE, "anchor": cut.upstream}
    return Dataset(built.table, info), built
