"""Tracks against known sites: figures worked out by hand, resamples that are what they stand for, parts told apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.annotation import Site
from dnalm.errors import InputError
from dnalm.metrics.sites import average_precision
from dnalm.sequences import Region
from dnalm.tracks import Peak, Track
from dnalm.tracks.calls import Calls, calls_from, calls_of
from dnalm.tracks.evaluate import compare, evaluate, score
from dnalm.tracks.evaluation import Comparison, Evaluation, Key
from dnalm.tracks.ladder import Ladder, Ranked
from dnalm.tracks.scored import clusters


def calls(
    places: list[tuple[int, str, float]], *, end: int = 10_000, start: int = 0, record: str = "chr", circular=False
) -> Calls:
    positions, strands, scores = zip(*places, strict=True) if places else ((), (), ())
    return Calls(
        record, start, end, 10_000, circular, np.array(positions, dtype=np.int64),
        np.array([strand == "+" for strand in strands], dtype=bool), np.array(scores, dtype=float),
    )  # fmt: skip


def sites(*places: tuple[int, str]) -> list[Site]:
    return [Site("chr", position, strand) for position, strand in places]


def point(scored, **row) -> dict[str, float]:
    found = evaluate(scored, generator=np.random.default_rng(0), resamples=0).row(**row)
    return {name: figure.value for name, figure in found.figures.items()}


BY_HAND = calls([(100, "+", 0.9), (2000, "+", 0.8), (108, "+", 0.7), (5000, "-", 0.6), (7000, "+", 0.5)])
TRUTH = sites((103, "+"), (4996, "-"), (4990, "-"), (9000, "+"))


def test_figures_by_hand() -> None:
    # Ranking: right (finds 103), wrong, right again (second near 103), right (finds 4996 and 4990), wrong.
    found = point(score("toy", BY_HAND, TRUTH, tolerances=[10], threshold=0.65), tolerance=10)
    assert found["auprc"] == pytest.approx((1 + 3 / 4 + 3 / 4) / 4)
    assert found["auprc_once"] == pytest.approx((1 + 2 / 4 + 2 / 4) / 4)
    assert found["recall_at_250_calls"] == 0.75
    assert found["false_per_kb_at_25_recall"] == 0
    assert found["precision_at_50_recall"] == 0.75
    assert found["false_per_kb_at_50_recall"] == pytest.approx(0.1)
    # Three of four at most are ever found: exactly 75 %.
    assert found["precision_at_75_recall"] == 0.75
    assert (found["recall"], found["precision"]) == (0.25, pytest.approx(2 / 3))
    assert (found["calls_per_kb"], found["false_per_kb"]) == (pytest.approx(0.3), pytest.approx(0.1))
    # Calls lie 3, 4 and 10 bases from the sites that they find.
    quartiles = [found[f"distance_{name}"] for name in ("lower_quartile", "median", "upper_quartile")]
    assert quartiles == [3, 4, 10]


def test_of_calls_of_one_score_a_share_is_found_on_average() -> None:
    tied = calls([(place, "+", 0.5) for place in range(0, 10_000, 10)], end=10_000)
    found = point(score("toy", tied, sites((1, "+"), (5001, "+")), tolerances=[2]), tolerance=2)
    recalls = [found[f"recall_at_{most}_calls"] for most in (250, 500, 1000)]
    assert recalls == pytest.approx([0.25, 0.5, 1])
    assert found["auprc"] == pytest.approx(2 / 1000)


def test_offsets_are_positive_downstream_and_binned() -> None:
    row = evaluate(score("toy", BY_HAND, TRUTH, tolerances=[10]), generator=np.random.default_rng(0)).row(tolerance=10)
    edges, counts = row.offsets["edges"], row.offsets["counts"]
    there = {edges[place]: count for place, count in enumerate(counts) if count}
    # 100 for 103 on "+": 3 upstream. 5000 for 4996 and 4990 on "-": 4 and 10 upstream.
    assert there == {-3: 1, -4: 1, -10: 1}


def test_strands_apart() -> None:
    scored = score("toy", BY_HAND, TRUTH, tolerances=[10])
    assert point(scored, tolerance=10, strand="-")["auprc"] == 1
    assert point(scored, tolerance=10, strand="+")["auprc"] == pytest.approx(1 / 2)


def test_sites_that_lie_close_together_may_count_as_one() -> None:
    truth = sites((100, "+"), (140, "+"), (180, "+"), (231, "+"), (150, "-"), (120, "+"))
    assert clusters(truth, 50).tolist() == [0, 0, 0, 3, 4, 0]
    assert clusters([Site("a", 1, "+"), Site("b", 2, "+")], 50).tolist() == [0, 1]
    scored = score("toy", BY_HAND, TRUTH, tolerances=[10], merge=10)
    row = evaluate(scored, generator=np.random.default_rng(0), resamples=0).row(tolerance=10, clustered=True)
    assert row.sites == 3
    assert row.figures["auprc"].value == pytest.approx((1 + 3 / 4) / 3)
    assert row.figures["auprc_once"].value == pytest.approx((1 + 2 / 4) / 3)


def test_a_cluster_is_found_once_by_the_higher_of_two_calls() -> None:
    ranked = calls([(100, "+", 0.5), (140, "+", 0.9)])
    scored = score("toy", ranked, sites((100, "+"), (140, "+")), tolerances=[5], merge=50)
    assert point(scored, tolerance=5)["auprc_once"] == 1
    found = point(scored, tolerance=5, clustered=True)
    assert found["auprc"] == 1
    assert found["recall_at_250_calls"] == 1


def test_regions_that_the_model_was_trained_on_are_told_apart() -> None:
    trained = [Region("chr", 0, 4000), Region("other", 0, 9)]
    scored = score("toy", BY_HAND, TRUTH, tolerances=[10], trained_on=trained)
    held_out, seen = (point(scored, tolerance=10, part=part) for part in ("held-out", "trained-on"))
    assert held_out["auprc"] == pytest.approx((1 + 1 + 0) / 3)
    assert seen["auprc"] == pytest.approx(1)
    rows = evaluate(scored, generator=np.random.default_rng(0), resamples=0)
    assert rows.row(tolerance=10).key.part == "held-out"
    assert rows.row(tolerance=10).kilobases == pytest.approx(6)
    assert rows.settings["kilobases"] == {"held-out": 6, "trained-on": 4}
    everywhere = score("toy", BY_HAND, TRUTH, tolerances=[10], trained_on=[Region("chr", 0, 10_000)])
    only = evaluate(everywhere, generator=np.random.default_rng(0), resamples=0)
    assert only.row(tolerance=10).key.part == "trained-on"
    nowhere = score("toy", BY_HAND, TRUTH, tolerances=[10], trained_on=[])
    assert {key.part for key in nowhere.ladders} == {"held-out"}


def test_only_the_regions_asked_for_count_but_a_site_just_outside_makes_a_call_right() -> None:
    scored = score("toy", BY_HAND, TRUTH, tolerances=[10], regions=[Region("chr", 4998, 9500)])
    found = point(scored, tolerance=10)
    assert found["recall_at_250_calls"] == 0  # 9000 alone lies inside
    assert found["false_per_kb_at_25_recall"] != found["false_per_kb_at_25_recall"]
    called = score("toy", BY_HAND, TRUTH, tolerances=[10], regions=[Region("chr", 4998, 9500)], threshold=0)
    assert point(called, tolerance=10)["precision"] == 0.5


def test_a_circle_has_no_ends() -> None:
    here = calls([(9998, "+", 0.9), (10_004, "-", 0.8)], start=5000, end=15_000, circular=True)
    found = point(score("toy", here, sites((3, "+"), (1, "-")), tolerances=[10]), tolerance=10)
    assert found["auprc"] == 1
    assert found["distance_median"] == 3


ranked_genomes = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 9), st.booleans(), st.booleans()), min_size=1, max_size=40
)


@settings(deadline=None)
@given(
    ranked_genomes,
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 39)), min_size=1, max_size=20),
    st.lists(st.integers(0, 3), min_size=5, max_size=5).filter(any),
)
def test_weights_are_blocks_repeated(rows: list, places: list, weights: list[int]) -> None:
    block, scores, right, finds = (np.array(column) for column in zip(*rows, strict=True))
    site_block = np.array([place for place, _ in places])
    finder = np.array([number for _, number in places])
    missed = finder >= len(rows)
    site_score = np.where(missed, -np.inf, scores[np.minimum(finder, len(rows) - 1)].astype(float))
    offset = finder - 10
    kilobases = np.arange(1, 6, dtype=float)

    def ladder(call_times: np.ndarray, site_times: np.ndarray, lengths: np.ndarray) -> Ladder:
        ranked = Ranked(
            np.repeat(scores.astype(float), call_times), np.repeat(right, call_times), np.repeat(finds, call_times),
            np.repeat(block, call_times), np.repeat(site_score, site_times), np.repeat(site_block, site_times),
            np.repeat(offset, site_times),
        )  # fmt: skip
        return Ladder(ranked, lengths, threshold=4.0)

    times = np.array(weights)
    once = ladder(np.ones(len(rows), int), np.ones(len(places), int), kilobases)
    repeated = ladder(times[block], times[site_block], kilobases * times)
    resampled = once.statistics(times[None, :].astype(float))
    physical = repeated.statistics(np.ones((1, 5)))
    for name, value in resampled.items():
        # A rung where no call is left says nothing of precision in either, but is there in one of them only.
        if not name.startswith("precision_at"):
            np.testing.assert_allclose(value, physical[name], err_msg=name)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from("+-"), st.integers(0, 30)), min_size=1, max_size=50),
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from("+-")), min_size=1, max_size=10),
    st.integers(0, 60),
)
def test_auprc_is_the_plain_functions(places: list, known: list, tolerance: int) -> None:
    here = calls(places, end=1000)
    found = point(score("toy", here, sites(*known), tolerances=[tolerance]), tolerance=tolerance)
    positions, strands = zip(*known, strict=True)
    for name, once in (("auprc", False), ("auprc_once", True)):
        plain = average_precision(here.positions, here.names, here.scores, (positions, strands), tolerance, once=once)
        assert found[name] == pytest.approx(plain)


def scattered(seed: int, skill: float) -> tuple[Calls, list[Site]]:
    """200 sites on 200 kb, called with scores that know of them as well as `skill` says, and 2,000 calls besides."""
    places = np.random.default_rng(0).choice(200_000, 200, replace=False)
    rng = np.random.default_rng(seed)
    rows = [(int(place), "+", skill + rng.normal()) for place in places]
    rows += [(int(place), "+", rng.normal()) for place in rng.choice(200_000, 2000, replace=False)]
    positions, _, scores = zip(*rows, strict=True)
    ranked = Calls("chr", 0, 200_000, 200_000, False, np.array(positions), np.ones(len(rows), bool), np.array(scores))
    return ranked, [Site("chr", int(place), "+") for place in places]


def test_a_better_model_has_a_ratio_above_one_and_pairs_are_tighter_than_singles() -> None:
    good, truth = scattered(1, 2.0)
    poor, _ = scattered(1, 1.0)
    one, other = (score(name, ranked, truth, tolerances=[5]) for name, ranked in (("good", good), ("poor", poor)))
    found = compare(one, other, generator=np.random.default_rng(0), figures=["auprc"]).row(tolerance=5)
    ratio, difference = found.ratios["auprc"], found.differences["auprc"]
    assert ratio.low > 1
    assert difference.low > 0
    single = evaluate(one, generator=np.random.default_rng(0)).row(tolerance=5).figures["auprc"]
    assert single.low < single.value < single.high
    assert ratio.value == pytest.approx(point(one, tolerance=5)["auprc"] / point(other, tolerance=5)["auprc"])
    same = compare(one, one, generator=np.random.default_rng(0)).row(tolerance=5)
    assert (same.ratios["auprc"].low, same.ratios["auprc"].high) == (1, 1)


def test_seeds_are_averaged_and_kept() -> None:
    truth = scattered(1, 1.0)[1]
    runs = [score(f"seed-{seed}", scattered(seed, 1.5)[0], truth, tolerances=[5]) for seed in (1, 2, 3)]
    both = evaluate(runs, generator=np.random.default_rng(0), resamples=50, name="toy", figures=["auprc"])
    row = both.row(tolerance=5)
    alone = [point(run, tolerance=5)["auprc"] for run in runs]
    assert row.figures["auprc"].value == pytest.approx(np.mean(alone))
    assert row.each["auprc"] == pytest.approx(tuple(alone))
    assert (both.name, both.runs) == ("toy", ("seed-1", "seed-2", "seed-3"))
    with pytest.raises(InputError, match="not scored on the same genome"):
        evaluate([runs[0], score("x", BY_HAND, TRUTH, tolerances=[5])], generator=np.random.default_rng(0))


def test_results_are_kept_as_json() -> None:
    scored = score("toy", BY_HAND, TRUTH, tolerances=[10, 50], threshold=0.6)
    found = evaluate(scored, generator=np.random.default_rng(0), resamples=20)
    text = json.dumps(found.as_dict(), allow_nan=False)
    again = Evaluation.from_dict(json.loads(text))
    assert json.dumps(again.as_dict()) == text
    assert set(again.row(tolerance=10).figures["auprc"].as_dict()) == {"value", "low", "high", "n"}
    curve = again.row(tolerance=10).curve
    assert curve["precision"][24:76] == [1.0] + [0.75] * 50 + [None]
    paired = compare(scored, scored, generator=np.random.default_rng(0), resamples=20)
    text = json.dumps(paired.as_dict(), allow_nan=False)
    assert json.dumps(Comparison.from_dict(json.loads(text)).as_dict()) == text


def test_records_of_a_draft_genome_are_ranked_together() -> None:
    first, second = calls([(100, "+", 0.9)]), calls([(100, "+", 0.8), (500, "+", 0.95)], record="two")
    truth = [Site("chr", 100, "+"), Site("two", 100, "+"), Site("three", 5, "+")]
    found = evaluate(
        score("toy", [first, second], truth, tolerances=[5]), generator=np.random.default_rng(0), resamples=0
    ).row(tolerance=5)
    assert found.sites == 2
    assert found.figures["auprc"].value == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found.kilobases == 20


def test_stretches_of_one_record_are_ranked_together() -> None:
    halves = [calls([(100, "+", 0.9)], end=5000), calls([(7000, "+", 0.95)], start=5000)]
    whole = calls([(100, "+", 0.9), (7000, "+", 0.95)])
    one, other = (point(score("toy", given, TRUTH, tolerances=[10]), tolerance=10) for given in (halves, whole))
    assert one["auprc"] == other["auprc"] == pytest.approx(1 / 2 / 4)


def test_calls_of_a_track_and_of_peaks_are_the_same() -> None:
    scores = np.random.default_rng(5).random((2, 400)).astype(np.float32)
    track = Track("chr", 0, 400, 1, 20, np.arange(400), scores[0], scores[1], "toy", record_length=400)
    here = calls_of(track, distance=20)
    peaks = [Peak("chr", int(p), s, float(v)) for p, s, v in zip(here.positions, here.names, here.scores, strict=True)]
    again = calls_from(peaks, Region("chr", 0, 400), 400)
    for name in ("positions", "forward", "scores"):
        np.testing.assert_array_equal(getattr(here, name), getattr(again, name))
    over = calls_from([Peak("chr", 3, "+", 1), Peak("chr", 50, "+", 1)], Region("chr", 390, 410), 400, circular=True)
    assert over.positions.tolist() == [403]


def test_what_cannot_be_scored_is_told() -> None:
    with pytest.raises(InputError, match="none of the 1 known sites"):
        score("toy", BY_HAND, [Site("other", 1, "+")])
    with pytest.raises(InputError, match="no track of other"):
        score("toy", BY_HAND, TRUTH, regions=[Region("other", 0, 9)])
    with pytest.raises(InputError, match="hold no base"):
        score("toy", BY_HAND, TRUTH, regions=[Region("chr", 20_000, 20_010)])
    with pytest.raises(InputError, match="there are no calls"):
        score("toy", [], TRUTH)
    with pytest.raises(InputError, match="given twice"):
        score("toy", [BY_HAND, BY_HAND], TRUTH)
    found = evaluate(score("toy", BY_HAND, TRUTH, tolerances=[10]), generator=np.random.default_rng(0), resamples=0)
    with pytest.raises(InputError, match="no figures of any part both 11"):
        found.row(tolerance=11)
    assert Key("all", "both", 10, False) in [row.key for row in found.rows]
