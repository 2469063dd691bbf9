"""Plain baselines on a made genome whose promoters are known, and what every one of them must keep."""

from __future__ import annotations

import numpy as np
import pytest

from dnalm.alphabet import encode, reverse_complement
from dnalm.annotation import Gene, Site
from dnalm.errors import InputError
from dnalm.metrics.sites import average_precision_along
from dnalm.sequences import Record, Region
from dnalm.tracks.baselines import BoxModel, GcDip, GeneDistance, SumOf, baseline_track, fit_baselines
from dnalm.tracks.baselines.common import prior_of

LENGTH = 60_000
TRAIN, TEST = [Region("chr", 0, 40_000)], Region("chr", 40_000, LENGTH)


@pytest.fixture(scope="module")
def made() -> tuple[Record, list[Site], list[Gene]]:
    """Boxes 17 bases apart, 7 before the start, in 100 bases rich in A and T; a gene begins 30 bases downstream."""
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 4, LENGTH).astype(np.uint8)
    sites, genes = [], []
    for number, middle in enumerate(range(500, LENGTH, 700)):
        here = rng.choice(4, 200, p=[0.3, 0.2, 0.2, 0.3]).astype(np.uint8)
        here[20:100] = rng.choice(4, 80, p=[0.45, 0.05, 0.05, 0.45])
        here[64:70], here[87:93] = encode("TTGACA"), encode("TATAAT")
        forward = number % 2 == 0
        codes[middle - 100 : middle + 100] = here if forward else reverse_complement(here)
        start = middle if forward else middle - 1
        sites.append(Site("chr", start, "+" if forward else "-"))
        low, high = (start + 30, start + 400) if forward else (start - 429, start - 29)
        genes.append(Gene("chr", low, high, "+" if forward else "-", f"g{number}", "CDS"))
    return Record("chr", codes, circular=True), sites, genes


@pytest.fixture(scope="module")
def learned(made):
    record, sites, genes = made
    return {one.name: one for one in fit_baselines(record, sites, TRAIN, genes)}


def precision(baseline, made, tolerance: int = 5) -> float:
    record, sites, _ = made
    track = baseline_track(baseline, record, TEST)
    truth = [site.position for site in sites], [site.strand for site in sites]
    return average_precision_along(track.forward, track.reverse, truth, tolerance, start=TEST.start)


def test_the_boxes_are_found_where_they_are_and_promoters_that_were_not_seen(made, learned) -> None:
    boxes = learned["pwm"]
    assert "".join("ACGT"[base] for base in boxes.minus_35.argmax(axis=1)) == "TTGACA"
    assert "".join("ACGT"[base] for base in boxes.minus_10.argmax(axis=1)) == "TATAAT"
    assert boxes.spacers.argmax() == 2  # 17 of 15 to 19
    assert boxes.discriminators.argmax() == 3  # 7 of 4 to 10
    assert boxes.minus_10.sum(axis=1) == pytest.approx(np.ones(6))
    assert precision(boxes, made) == 1


def test_each_baseline_knows_what_it_reads(made, learned) -> None:
    assert list(learned) == ["pwm", "gc-dip", "gene-distance", "pwm+gene-distance"]
    assert [one.reads_annotation for one in learned.values()] == [False, False, True, True]
    assert precision(learned["gc-dip"], made, tolerance=60) > 0.4  # a dip looks alike from both strands: half is wrong
    assert precision(learned["gene-distance"], made) > 0.9
    assert len(fit_baselines(made[0], made[1], TRAIN)) == 2


@pytest.mark.parametrize("name", ["pwm", "gc-dip", "gene-distance", "pwm+gene-distance"])
def test_a_stretch_scores_as_in_the_whole_and_over_the_origin(made, learned, name: str) -> None:
    record = made[0]
    whole, baseline = {s: learned[name].scores(record, 0, LENGTH, s) for s in "+-"}, learned[name]
    for strand in "+-":
        np.testing.assert_allclose(baseline.scores(record, 5000, 5400, strand), whole[strand][5000:5400], atol=1e-9)
        over = baseline.scores(record, LENGTH - 50, LENGTH + 50, strand)
        np.testing.assert_allclose(over, np.roll(whole[strand], 50)[:100], atol=1e-9)


@pytest.mark.parametrize("name", ["pwm", "gc-dip"])
def test_the_reverse_strand_is_the_forward_strand_of_the_reverse_complement(made, learned, name: str) -> None:
    record = made[0]
    turned = Record("chr", reverse_complement(record.codes), circular=True)
    there = learned[name].scores(turned, 0, LENGTH, "+")[::-1]
    np.testing.assert_allclose(learned[name].scores(record, 0, LENGTH, "-"), there, atol=1e-9)


def test_the_score_of_boxes_by_hand() -> None:
    even, sure = np.full((6, 4), 0.25), np.full((6, 4), 0.1)
    sure[np.arange(6), encode("TATAAT")] = 0.7
    spacers, discriminators = np.eye(5)[2], np.eye(7)[3]
    with np.errstate(divide="ignore"):
        model = BoxModel(even, sure, spacers, discriminators, np.full(4, 0.25))
        codes = encode("C" * 60 + "TATAAT" + "C" * 60)
        found = model.scores(Record("r", codes), 0, len(codes), "+")
    # Start 7 bases behind the box's last: 6 log(.7/.25); one base on, no base of TATAAT fits the hexamer ATAATC ...
    assert found[60 + 6 + 7] == pytest.approx(6 * np.log(2.8))
    fits = sum(a == b for a, b in zip("ATAATC", "TATAAT", strict=True))
    assert found[60 + 6 + 8] == pytest.approx(fits * np.log(2.8) + (6 - fits) * np.log(0.4))


def test_distances_to_the_next_gene_start_by_hand() -> None:
    genes = [Gene("r", 10, 40, "+", "a", "CDS"), Gene("r", 50, 90, "-", "b", "CDS")]
    blank = GeneDistance(np.zeros(20_001), {("r", "+"): np.array([10]), ("r", "-"): np.array([89])}, 0.0)
    line, circle = (Record("r", np.zeros(100, dtype=np.uint8), circular=c) for c in (False, True))
    assert blank.distances(line, 8, 12, "+").tolist() == [2, 1, 0, 20_000]
    assert blank.distances(circle, 8, 12, "+").tolist() == [2, 1, 0, 99]
    assert blank.distances(line, 87, 92, "-").tolist() == [20_000, 20_000, 0, 1, 2]
    assert blank.distances(circle, 98, 102, "-").tolist() == [9, 10, 11, 12]
    assert GeneDistance(np.zeros(20_001), {}, 0.0).distances(line, 0, 2, "+").tolist() == [20_000] * 2
    with pytest.raises(InputError, match="no gene of the annotation starts on other"):
        record = Record("other", np.zeros(1000, dtype=np.uint8))
        sites = [Site("other", place, "+") for place in range(0, 1000, 30)]
        GeneDistance.fit(record, sites, [Region("other", 0, 1000)], genes)


def test_a_linear_record_ends_and_unknown_bases_say_nothing(learned) -> None:
    record = Record("chr", np.full(3000, 4, dtype=np.uint8))
    assert np.abs(learned["pwm"].scores(record, 0, 3000, "+")).max() < 1e-9
    track = baseline_track(learned["gc-dip"], record)
    assert np.isnan(track.forward).all()
    with pytest.raises(InputError, match="does not lie in chr"):
        baseline_track(learned["pwm"], record, Region("chr", 2900, 3100))


def test_a_sum_adds_evidence_and_probabilities_begin_at_the_prior(made, learned) -> None:
    record = made[0]
    both = SumOf((learned["pwm"], learned["gene-distance"]))
    apart = [part.scores(record, 0, 500, "-") for part in both.parts]
    np.testing.assert_allclose(both.scores(record, 0, 500, "-"), apart[0] + apart[1])
    assert both.name == "pwm+gene-distance"
    assert prior_of(20, [Region("chr", 0, 1010)]) == pytest.approx(np.log(20 / 2000))
    with pytest.raises(InputError, match="at least 20 are wanted"):
        GcDip.fit(record, made[1][:5], TRAIN)
