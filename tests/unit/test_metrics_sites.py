"""Maxima along a line and a circle, and calls against known sites, with answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from dnalm.errors import InputError
from dnalm.metrics.sites import average_precision, average_precision_along, match, maxima

heights = st.lists(st.integers(0, 10**6), min_size=1, max_size=60, unique=True)


def greedy(values: list[int], distance: int, circle: bool) -> list[int]:
    """Non-maximum suppression written out: the highest maximum, then the highest of those not too near, and so on."""
    n = len(values)
    top = range(n) if circle else range(-1, n + 1)
    around = {i: values[i % n] if circle or 0 <= i < n else -1 for i in [*top, -1, n]}
    peaks = [i for i in range(n) if values[i] > around[i - 1] and values[i] > around[i + 1]]
    kept: list[int] = []
    for peak in sorted(peaks, key=lambda i: -values[i]):
        steps = [abs(peak - other) for other in kept]
        if circle:
            steps = [min(step, n - step) for step in steps]
        if all(step >= distance for step in steps):
            kept.append(peak)
    return sorted(kept)


@given(heights, st.integers(1, 12))
def test_maxima_of_a_line_are_those_of_greedy_suppression(values: list[int], distance: int) -> None:
    assert maxima(values, distance=distance).tolist() == greedy(values, distance, circle=False)


@given(heights.filter(lambda values: len(values) > 2), st.integers(1, 12))
def test_maxima_of_a_circle_are_those_of_greedy_suppression(values: list[int], distance: int) -> None:
    assert maxima(values, distance=distance, circular=True).tolist() == greedy(values, distance, circle=True)


@given(st.lists(st.integers(0, 3), min_size=3, max_size=40), st.integers(1, 6), st.integers(0, 40))
def test_turning_a_circle_turns_its_maxima(values: list[int], distance: int, turn: int) -> None:
    here, n = maxima(values, distance=distance, circular=True), len(values)
    assert len(here) >= 1
    assert len(here) == 1 or (np.diff(np.append(here, here[0] + n)) >= distance).all()
    if len(set(values)) > 1:
        alone, turned = (maxima(np.roll(values, by), circular=True) for by in (0, turn))
        assert sorted((alone + turn) % n) == turned.tolist()


def test_a_maximum_at_the_origin_counts_once() -> None:
    assert maxima([0.9, 0.2, 0.1, 0.1, 0.2, 0.9], circular=True).tolist() == [5]
    assert maxima([0.9, 0.2, 0.1, 0.1, 0.2, 0.9]).tolist() == [0, 5]
    assert maxima([0.5, 0.1, 0.1, 0.8, 0.1, 0.6], distance=3, circular=True).tolist() == [3]
    assert maxima([0.5, 0.1, 0.1, 0.8, 0.1, 0.1, 0.6], distance=3, circular=True).tolist() == [3, 6]


def test_flat_tops_ends_gaps_and_the_threshold() -> None:
    assert maxima([0, 2, 2, 2, 0]).tolist() == [2]
    assert maxima([3, 0, np.nan, 4]).tolist() == [0, 3]
    assert maxima([3, 0, 4], threshold=3.5).tolist() == [2]
    assert maxima([3, 0, 4], threshold=5, circular=True).tolist() == []
    assert maxima([np.nan, np.nan]).tolist() == []
    assert maxima([]).tolist() == []
    assert maxima([1, 1, 1, 1], circular=True).tolist() == [0]
    assert maxima([-5, -3, -4], circular=True).tolist() == [1]
    with pytest.raises(InputError, match="must be 1 or more"):
        maxima([1], distance=0)


def test_a_call_is_right_on_its_own_strand_only_and_a_site_is_found_by_its_highest_call() -> None:
    found = match([100, 108, 100, 500], "++-+", [0.5, 0.9, 0.8, 0.7], [105, 300], "+-", 10)
    assert found.right.tolist() == [True, True, False, False]
    assert found.finds.tolist() == [False, True, False, False]
    assert found.offset.tolist() == [-5, 3, 200, 395]
    assert found.site_call.tolist() == [1, -1]
    assert found.site_score.tolist() == [0.9, -np.inf]


def test_offsets_on_the_reverse_strand_run_the_other_way() -> None:
    assert match([100], "-", [1], [105], "-", 10).offset.tolist() == [5]


def test_distances_go_over_the_origin_of_a_circle() -> None:
    found = match([998, 4], "++", [1, 0.5], [2], "+", 5, circular_length=1000)
    assert found.offset.tolist() == [-4, 2]
    assert found.site_call.tolist() == [0]
    assert not match([998], "+", [1], [2], "+", 5).right.any()


def test_average_precision_by_hand() -> None:
    # By score: right (finds a), wrong, a second call near a, right (finds b and c), c of three never found: d.
    positions, scores = [100, 900, 105, 300], [0.9, 0.8, 0.7, 0.6]
    sites = ([102, 298, 303, 700], "++++")
    # Precision where sites are found: 1/1 for a, 3/4 for b and for c (the second call is right), 0 for d.
    assert average_precision(positions, "++++", scores, sites, 10) == pytest.approx((1 + 0.75 + 0.75) / 4)
    # The second call as wrong: 2/4.
    assert average_precision(positions, "++++", scores, sites, 10, once=True) == pytest.approx((1 + 0.5 + 0.5) / 4)
    assert average_precision([], "", [], sites, 10) == 0
    assert np.isnan(average_precision(positions, "++++", scores, ([], ""), 10))


def test_calls_of_equal_score_are_one_step() -> None:
    sites = ([0], "+")
    assert average_precision([0, 500], "++", [1, 1], sites, 0) == 0.5
    assert average_precision([500, 0], "++", [1, 1], sites, 0) == 0.5


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40), st.integers(0, 5))
def test_average_precision_is_scikit_learns_where_each_call_has_one_site(
    calls: list[tuple[int, bool]], missed: int
) -> None:
    right = np.array([is_right for _, is_right in calls])
    positions = np.arange(len(calls)) * 100
    scores = np.array([score for score, _ in calls])
    known = np.concatenate([positions[right], 10_000 + 100 * np.arange(missed)])
    found = average_precision(positions, ["+"] * len(calls), scores, (known, ["+"] * len(known)), 3)
    if not len(known):
        assert np.isnan(found)
    elif not right.any():
        assert found == 0
    else:
        expected = average_precision_score(right, scores) * right.sum() / len(known)
        assert found == pytest.approx(expected)


def test_a_stretch_is_scored_from_its_first_base_and_sites_outside_it_are_left_out() -> None:
    forward, reverse = np.zeros(100), np.zeros(100)
    forward[10], reverse[40] = 1, 0.5
    sites = ([1010, 1043, 5000], "+-+")
    # The flat rest gives maxima of score 0, below both.
    assert average_precision_along(forward, reverse, sites, 3, start=1000) == 1
    assert average_precision_along(forward, reverse, sites, 2, start=1000) < 1


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (([1, 2], "+", [1, 2]), "2 calls but 1 strands"),
        (([1], "+", [1, 2]), "1 calls but 2 scores"),
        (([1], "x", [1]), "not 'x'"),
    ],
)
def test_what_does_not_fit_is_told(calls: tuple, words: str) -> None:
    with pytest.raises(InputError, match=words):
        match(*calls, [1], "+", 5)
    with pytest.raises(InputError, match="tolerance is -1"):
        match([1], "+", [1], [1], "+", -1)
