"""What is known of a call, and precision and recall as the threshold slides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnalm.annotation import Site
from dnalm.sequences import Region
from dnalm.tracks import Peak, agreement
from dnalm.tracks.verdicts import judge, share_interval, slide


def peak(position, probability=0.9, strand="+"):
    return Peak("chr", position, strand, probability)


SITES = [Site("chr", 100, "+", "a"), Site("chr", 500, "-", "b"), Site("chr", 2_000, "+", "c")]
WHOLE = Region("chr", 0, 10_000)


def test_a_call_is_right_wrong_or_unknown():
    calls = [peak(105), peak(500), peak(490, strand="-"), peak(1_995), peak(3_000)]
    judged = judge(calls, SITES, tolerance=10, covered=Region("chr", 0, 1_000))
    assert [one.verdict for one in judged] == ["right", "wrong", "right", "right", "unknown"]
    assert [(one.site.name, one.offset) for one in judged] == [("a", 5), ("a", 400), ("b", 10), ("c", -5), ("c", 1_000)]


def test_without_a_table_nothing_is_known():
    (one,) = judge([peak(105)], [], tolerance=10)
    assert (one.verdict, one.site, one.offset) == ("unknown", None, None)
    other = [Site("plasmid", 105, "+")]
    assert judge([peak(105)], other, tolerance=10)[0].verdict == "unknown"


def test_on_a_circle_the_origin_parts_nothing():
    (one,) = judge([peak(9_998)], [Site("chr", 3, "+", "ori")], tolerance=10, circular_length=10_000)
    assert (one.verdict, one.site.name, one.offset) == ("right", "ori", -5)


def test_the_curve_by_hand():
    calls = [peak(102, 0.9), peak(300, 0.8), peak(500, 0.7, "-"), peak(5_000, 0.6)]
    sliding = slide(calls, SITES, tolerance=10, stretch=WHOLE)
    assert sliding.scores.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert sliding.right.tolist() == [1, 1, 2, 2]
    assert sliding.found.tolist() == [1, 1, 2, 2]
    assert (sliding.known, sliding.bases) == (3, 10_000)
    np.testing.assert_allclose(sliding.precision, [1, 1 / 2, 2 / 3, 1 / 2])
    np.testing.assert_allclose(sliding.recall, [1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert [sliding.at(threshold) for threshold in (0.95, 0.9, 0.75, 0.0)] == [0, 1, 2, 4]


def test_precision_speaks_of_the_covered_stretch_and_recall_of_all_that_is_known():
    calls = [peak(2_000, 0.9), peak(900, 0.8), peak(5_000, 0.7)]
    sliding = slide(calls, SITES, tolerance=10, stretch=WHOLE, covered=Region("chr", 0, 1_000))
    assert sliding.spoken.tolist() == [0, 1, 1]
    assert sliding.found.tolist() == [1, 1, 1]
    np.testing.assert_allclose(sliding.precision, [np.nan, 0, 0])
    assert sliding.bases == 1_000


@given(
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from("+-"), st.integers(0, 10)), max_size=30),
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from("+-")), max_size=10, unique=True),
    st.sampled_from([0, 10, 100]),
    st.integers(0, 10),
)
def test_at_each_threshold_the_counts_are_those_of_the_calls_that_reach_it(calls, known, tolerance, tenths):
    peaks = [Peak("chr", position, strand, score / 10) for position, strand, score in calls]
    sites = [Site("chr", position, strand) for position, strand in known]
    sliding = slide(peaks, sites, tolerance=tolerance, stretch=Region("chr", 0, 1_000))
    at = sliding.at(tenths / 10)
    reach = [one for one in peaks if one.probability >= tenths / 10]
    counts = agreement(reach, sites, tolerance=tolerance)
    assert at == len(reach)
    right, found = (int(sliding.right[at - 1]), int(sliding.found[at - 1])) if at else (0, 0)
    assert (right, found, sliding.known) == (counts.right, counts.found, counts.known)


def test_an_interval_of_a_share_is_wilsons():
    assert share_interval(0, 0) == (0.0, 1.0)
    low, high = share_interval(5, 5)
    assert (low, high) == (pytest.approx(0.5655, abs=1e-4), 1.0)
    low, high = share_interval(1, 10)
    assert (low, high) == (pytest.approx(0.0179, abs=1e-4), pytest.approx(0.4042, abs=1e-4))
