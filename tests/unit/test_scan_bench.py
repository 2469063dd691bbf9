"""The standard measurement of scans: rows that take one another's place, refusals, calls upstream of genes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from dnalm.alphabet import encode
from dnalm.annotation import Gene, Site
from dnalm.datasets.region_split import RegionSplit
from dnalm.errors import InputError
from dnalm.evaluation import scan_bench
from dnalm.evaluation.results.starts import starts
from dnalm.evaluation.scan_bench import Entry, Material, document_of, keep, merged, model_entry, read_document
from dnalm.metrics import Figure
from dnalm.sequences import Record, Region
from dnalm.tracks.calls import Calls
from dnalm.tracks.scored import score
from dnalm.tracks.upstream import upstream_of_genes
from tests.toy_track import MOTIF, track_bundle

LENGTH = 30_000


@pytest.fixture(scope="module")
def material() -> Material:
    """A circle with the motif at every known start, and at as many places that are none."""
    rng = np.random.default_rng(0)
    codes = rng.choice([0, 1, 2], LENGTH).astype(np.uint8)
    places = np.arange(100, LENGTH, 500)
    for place in places:
        codes[place : place + len(MOTIF)] = encode(MOTIF)
    split = RegionSplit(
        "toy", "g", "a", "t", (Region("chr", 0, 10_000),), (Region("chr", 10_000, 12_000),),
        (Region("chr", 15_000, 29_000),), 50, (20,),
    )  # fmt: skip
    truth = [Site("chr", int(place), "+") for place in places[::2]]
    return Material(split, Record("chr", codes, circular=True), truth, [], {"genome": "1", "truth": "2", "genes": "3"})


def entry(name: str, material: Material, shift: int = 0) -> Entry:
    positions = np.arange(15_100, 29_000, 500) + shift
    calls = Calls(
        "chr", 15_000, 29_000, LENGTH, True, positions, np.ones(len(positions), bool), np.arange(len(positions)) / 100
    )
    return Entry(name, "model", False, (score(name, calls, material.truth, tolerances=(20,)),), {name: {}})


def test_a_model_is_scanned_scored_and_its_facts_are_kept(home: Path, material: Material) -> None:
    track_bundle(home / "models" / "tata", trained={"regions": material.split.as_texts(), "config": {"seed": 3}})
    row = model_entry("recipe", ["tata", "tata"], material)
    assert [run.name for run in row.runs] == ["tata", "tata-2"]
    assert row.facts["tata"]["seed"] == 3
    assert row.facts["tata"]["mode"] == "stream"
    found = document_of([row], material, resamples=20)["rows"][0]["evaluation"]["rows"]
    both = next(one for one in found if one["strand"] == "both" and not one["clustered"])
    # Half of the motifs are known starts, all calls have one score: precision .5 all along.
    assert both["figures"]["auprc"]["value"] == pytest.approx(0.5)
    assert both["figures"]["recall"]["value"] == 1
    assert both["each"]["auprc"] == pytest.approx([0.5, 0.5])


def test_a_model_trained_on_the_test_region_is_refused(home: Path, material: Material) -> None:
    track_bundle(home / "models" / "peeked", trained={"regions": {"train": ["chr:1-15001"]}})
    with pytest.raises(InputError, match="peeked was trained or chosen on chr:1-15001"):
        model_entry("peeked", ["peeked"], material)


def test_rows_take_the_place_of_their_name_and_others_stay(tmp_path: Path, material: Material) -> None:
    path = tmp_path / "scan.json"
    first = keep(path, document_of([entry("a", material), entry("b", material, 7)], material, resamples=10))
    assert [row["name"] for row in first["rows"]] == ["a", "b"]
    assert [(one["first"], one["second"]) for one in first["comparisons"]] == [("a", "b"), ("b", "a")]
    second = document_of([entry("b", material, 30), entry("c", material)], material, resamples=10)
    kept = keep(path, second)
    assert [row["name"] for row in kept["rows"]] == ["a", "b", "c"]
    assert kept["rows"][0] == first["rows"][0]
    assert kept["rows"][1] == json.loads(json.dumps(second["rows"][0]))
    # A pair of which one side was measured again is compared again or not at all.
    assert [(one["first"], one["second"]) for one in kept["comparisons"]] == [("b", "c"), ("c", "b")]
    assert read_document(path) == json.loads(json.dumps(kept))


def test_comparisons_of_a_row_that_came_out_the_same_stay(material: Material) -> None:
    first = json.loads(json.dumps(document_of([entry("a", material), entry("b", material, 7)], material, resamples=10)))
    second = document_of([entry("a", material), entry("c", material, 9)], material, resamples=10)
    pairs = {(one["first"], one["second"]) for one in merged(first, second)["comparisons"]}
    assert pairs == {("a", "b"), ("b", "a"), ("a", "c"), ("c", "a")}


def test_other_choices_or_files_begin_anew(material: Material) -> None:
    one = document_of([entry("a", material)], material, resamples=10)
    other = document_of([entry("b", material)], material, resamples=20)
    assert [row["name"] for row in merged(one, other)["rows"]] == ["b"]


def test_what_was_measured_elsewhere_is_merged_by_name(material: Material) -> None:
    base = document_of([entry("a", material)], material, resamples=10)

    def with_rows(*names: str, genome: str = "x") -> dict:
        return {**base, "elsewhere": {"genome": genome, "seed": 0, "rows": [{"name": name} for name in names]}}

    assert [row["name"] for row in merged(with_rows("a", "b"), with_rows("b", "c"))["elsewhere"]["rows"]] == [*"abc"]
    assert merged(with_rows("a"), base)["elsewhere"]["rows"] == [{"name": "a"}]
    assert merged(with_rows("a"), with_rows("b", genome="y"))["elsewhere"]["rows"] == [{"name": "b"}]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(InputError, match="no kept measurement"):
        read_document(tmp_path / "x.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read_document(tmp_path / "x.json")
    assert read_document(tmp_path / "none.json") is None
    assert scan_bench.KIND == "scan-by-region"


GENES = [
    Gene("chr", 1000, 1900, "+", "a", "CDS"),
    Gene("chr", 5000, 5900, "-", "b", "CDS"),
    Gene("chr", 50, 400, "+", "over", "CDS"),
]


def calls(*places: tuple[int, str]) -> Calls:
    positions = np.array([place for place, _ in places])
    forward = np.array([strand == "+" for _, strand in places])
    return Calls("chr", 0, LENGTH, LENGTH, True, positions, forward, -np.arange(len(places), dtype=float))


def test_calls_upstream_of_genes_by_hand() -> None:
    # Right: 1000 (the first base itself), 701, 5899 and 6198 on "-", 29,960 for the gene at 50. Wrong: the others.
    places = [(1000, "+"), (1001, "+"), (701, "+"), (700, "+"), (5899, "-"), (6198, "-"), (6199, "-"), (29_960, "+")]
    found = upstream_of_genes(
        [calls(*places)], GENES, generator=np.random.default_rng(0), counts=(1, 4, 8), resamples=50
    )
    assert [found.calls[count].value for count in (1, 4, 8)] == [1, 0.5, 5 / 8]
    assert found.by_chance == pytest.approx(900 / (2 * LENGTH))
    assert found.times[4].value == pytest.approx(0.5 * 2 * LENGTH / 900)
    assert [found.found[count].value for count in (1, 8)] == [pytest.approx(1 / 3), 1]
    assert found.genes == 3
    assert set(found.as_dict()["calls"]) == {"1", "4", "8"}


def test_every_place_called_lies_upstream_exactly_as_often_as_by_chance() -> None:
    places = [(place, strand) for place in range(LENGTH) for strand in "+-"]
    genes = [Gene("chr", start, start + 600, "+-"[start // 200 % 2], "g", "CDS") for start in range(20, 29_000, 200)]
    found = upstream_of_genes(
        [calls(*places)], genes, generator=np.random.default_rng(0), counts=(len(places),), resamples=0
    )
    assert found.times[len(places)].value == pytest.approx(1)
    assert found.found[len(places)].value == 1


def test_the_results_page_has_figures_ratios_and_the_other_genome(material: Material) -> None:
    found = document_of([entry("far", material, 30), entry("right", material)], material, resamples=10)
    place = {"reach": 300, "calls": {"1000": figure(0.5)}, "times": {"1000": figure(5.0)}}
    found["elsewhere"] = {"genome": "g", "genes": "9 predicted", "rows": [{"name": "a", "there": place, "here": place}]}
    figures, ratios, elsewhere = starts(json.loads(json.dumps(found)))
    assert [row[0] for row in figures["rows"]] == ["right", "far"]  # the best first
    assert len(figures["rows"][0]) == len(figures["columns"])
    assert [row[0] for row in ratios["rows"]] == ["right"]
    assert "far" in ratios["title"]
    assert elsewhere["rows"] == [["a", "0.5", "0.5", "5", "5"]]


def figure(value: float) -> dict[str, float | int | None]:
    return Figure(value, math.nan, math.nan, 9).as_dict()
