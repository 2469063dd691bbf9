"""The standard split by region: its parts do not touch one another, and are kept as text."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from dnalm.annotation import read_sites
from dnalm.datasets.catalog import entry, local
from dnalm.datasets.region_split import ECOLI_STARTS, PARTS, seen_regions
from dnalm.sequences import Region


def test_no_base_is_in_two_parts_and_the_picture_is_in_none() -> None:
    regions = [*ECOLI_STARTS.train, *ECOLI_STARTS.valid, *ECOLI_STARTS.test, Region("NC_000913.3", 800_000, 840_000)]
    for one, other in combinations(regions, 2):
        assert one.end <= other.start or other.end <= one.start
    assert sum(len(region) for region in regions) == 4_640_000


def test_its_files_are_catalogued_and_hold_as_many_starts_as_said(mirror: Path) -> None:
    for name in (ECOLI_STARTS.genome, ECOLI_STARTS.genes, ECOLI_STARTS.truth):
        assert entry(name)
    table = local(ECOLI_STARTS.truth)
    sites = read_sites(table, record="NC_000913.3")
    counts = {
        part: sum(any(r.start <= site.position < r.end for r in getattr(ECOLI_STARTS, part)) for site in sites)
        for part in PARTS
    }
    assert counts == {"train": 535, "valid": 100, "test": 192}


def test_regions_come_back_from_a_models_configuration() -> None:
    texts = ECOLI_STARTS.as_texts()
    assert texts["train"] == ["NC_000913.3:1-800000", "NC_000913.3:840001-3200000"]
    assert tuple(seen_regions(texts)) == ECOLI_STARTS.seen
    assert seen_regions({}) == []
