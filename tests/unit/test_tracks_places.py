"""Places as people name them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnalm.annotation import Gene, Site
from dnalm.errors import InputError
from dnalm.sequences import Record, Region
from dnalm.tracks.places import find_place, moved_into, neighbours


def record(name, length, *, circular=False):
    return Record(name, np.zeros(length, np.uint8), circular=circular)


LINE, CIRCLE = record("NC_1.2", 2_000_000), record("plasmid", 5_000, circular=True)
RECORDS = {one.id: one for one in (LINE, CIRCLE)}
GENES = [
    Gene("NC_1.2", 10_000, 13_000, "-", "lacZ", "CDS"),
    Gene("NC_1.2", 14_000, 15_000, "-", "lacI", "CDS"),
    Gene("NC_1.2", 500, 900, "+", "insA", "CDS"),
    Gene("NC_1.2", 900_500, 900_900, "+", "insA", "CDS"),
    Gene("plasmid", 4_900, 5_200, "+", "repA", "CDS", circle=5_000),
]
SITES = [Site("NC_1.2", 20_000, "+", "bioBp"), Site("NC_1.2", 12_999, "-", "lacZ")]


def found(text, usual="NC_1.2"):
    return find_place(text, RECORDS, usual=usual, genes=GENES, sites=SITES)


@pytest.mark.parametrize(
    "text",
    [
        "NC_1.2:800,001-840,000", "nc_1.2:800001-840000", " 800,001-840,000 ", "800001..840000", "800,001 – 840,000",
        "800001-840k", "800,001-0.84M", "800001 to 840 kb", "NC_1.2:800,001-840,000(-)",
    ],
)  # fmt: skip
def test_a_stretch_can_be_written_in_many_ways(text):
    assert found(text) == Region("NC_1.2", 800_000, 840_000)


def test_a_position_shows_what_lies_around_it():
    assert found("50,000") == Region("NC_1.2", 47_999, 52_000)
    assert found("NC_1.2:1k") == Region("NC_1.2", 0, 3_000)


def test_a_record_by_its_name_is_shown_whole():
    assert found("plasmid") == Region("plasmid", 0, 5_000)


def test_a_gene_is_shown_with_what_lies_around_it_whatever_the_capitals():
    assert found("LACZ") == Region("NC_1.2", 8_000, 15_000)
    assert found("biobp") == Region("NC_1.2", 18_000, 22_001)


def test_a_gene_over_the_origin_of_a_circle_is_shown_over_it():
    assert found("repA") == Region("plasmid", 2_900, 7_200)


def test_a_name_that_fits_several_gives_all_of_them_in_order():
    assert [(one.name, one.start) for one in found("insA")] == [("insA", 500), ("insA", 900_500)]
    assert [one.name for one in found("lac")] == ["lacI", "lacZ"]
    assert {one.region for one in found("lac")} == {found("lacI"), found("lacZ")}


def test_a_stretch_over_the_origin_of_a_circle():
    assert found("4,901-100", usual="plasmid") == Region("plasmid", 4_900, 5_100)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nonsense", "is not a region, a gene or a known start here"),
        ("", "is not a region"),
        ("chr9:1-100", "there is no record chr9 in this sequence; it has NC_1.2, plasmid"),
        ("1,900,000-2,100,000", "which has 2,000,000 bases"),
        ("900-100", "the last must not come before the first"),
        ("0-100", "positions start at 1"),
        ("3,000,000", "there is no base 3,000,000"),
        ("NC_1.2:lacY", "is not a region"),
    ],
)
def test_what_is_nowhere_gets_a_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence):
        found(text)


@given(st.integers(0, 1_999_999), st.integers(1, 100_000))
def test_a_region_survives_being_written_and_read(start, length):
    region = Region("NC_1.2", start, min(start + length, 2_000_000))
    assert found(str(region)) == region
    assert found(str(region).split(":")[1]) == region


@given(st.text(max_size=30))
def test_whatever_is_typed_gives_a_place_or_a_sentence(text):
    try:
        place = found(text)
    except InputError:
        return
    regions = [place] if isinstance(place, Region) else [one.region for one in place]
    assert regions
    assert all(0 <= one.start < one.end <= 2 * len(RECORDS[one.record]) for one in regions)


def test_the_genes_nearest_to_a_site_with_how_far_their_starts_lie():
    near = neighbours(13_100, LINE, GENES, most=2)
    assert [(gene.name, distance) for gene, distance in near] == [("lacZ", 101), ("lacI", -1_899)]


def test_a_site_past_the_origin_lies_in_the_gene_that_runs_over_it():
    assert [(gene.name, distance) for gene, distance in neighbours(100, CIRCLE, GENES)] == [("repA", -200)]
    assert neighbours(100, replace(CIRCLE, circular=False), GENES, reach=10) == []


@pytest.mark.parametrize(
    ("circular", "start", "span", "there"),
    [
        (False, -30, 100, (0, 100)),
        (False, 4_950, 100, (4_900, 5_000)),
        (True, -30, 100, (4_970, 5_070)),
        (True, 4_950, 100, (4_950, 5_050)),
        (True, 5_010, 100, (10, 110)),
        (True, 700, 9_000, (0, 5_000)),
        (False, 700, 9_000, (0, 5_000)),
    ],
)
def test_a_stretch_is_moved_into_a_line_and_round_a_circle(circular, start, span, there):
    region = moved_into(replace(CIRCLE, circular=circular), start, span)
    assert (region.start, region.end) == there
