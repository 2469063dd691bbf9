"""Bins of a curve: nothing of it is lost that a picture has to show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dnalm.tracks.bins import binned, counted

SCORES = arrays(np.float32, st.integers(1, 300), elements=st.floats(0, 1, width=32) | st.just(float("nan")))


def test_few_sites_stay_as_they_are():
    curve = binned(np.array([5, 10, 15]), np.array([0.1, 0.9, 0.2], np.float32), 3)
    assert (curve.sites, len(curve)) == (1, 3)
    np.testing.assert_array_equal(curve.high, curve.low)
    np.testing.assert_array_equal(curve.mean, np.array([0.1, 0.9, 0.2], np.float32))


def test_bins_by_hand_hold_lowest_mean_and_highest_at_the_highests_own_place():
    scores = np.array([0, 1, 0.5, 0.5, np.nan, 0.25, np.nan, np.nan, np.nan, 0.75], np.float32)
    curve = binned(np.arange(100, 110), scores, 4)
    assert curve.sites == 3
    np.testing.assert_array_equal(curve.positions[[0, 1, 3]], [101, 103, 109])
    np.testing.assert_array_equal(curve.high, np.array([1, 0.5, np.nan, 0.75], np.float32))
    np.testing.assert_array_equal(curve.low, np.array([0, 0.25, np.nan, 0.75], np.float32))
    np.testing.assert_allclose(curve.mean, [0.5, 0.375, np.nan, 0.75])


@given(SCORES, st.integers(1, 400), st.integers(1, 50))
def test_there_are_few_enough_bins_which_keep_the_extremes_and_the_order(scores, most, stride):
    positions = 7 + stride * np.arange(len(scores), dtype=np.int64)
    curve = binned(positions, scores, most)
    assert len(curve) <= most
    assert set(curve.positions) <= set(positions)
    assert np.all(np.diff(curve.positions) > 0)
    known = ~np.isnan(curve.high)
    assert np.all(curve.low[known] <= curve.mean[known] + 1e-6)
    assert np.all(curve.mean[known] <= curve.high[known] + 1e-6)
    if not np.isnan(scores).all():
        assert np.nanmax(curve.high) == np.nanmax(scores)
        assert np.nanmin(curve.low) == np.nanmin(scores)
        # The highest of all stands where it is.
        assert scores[(curve.positions[np.nanargmax(curve.high)] - 7) // stride] == np.nanmax(scores)
    else:
        assert not known.any()


@given(st.lists(st.integers(-50, 250), max_size=60), st.integers(1, 40))
def test_places_are_counted_once_each_and_those_outside_not(places, bins):
    middles, counts = counted(np.array(places, dtype=np.int64), 0, 200, bins)
    assert len(middles) == len(counts) == bins
    assert counts.sum() == pytest.approx(sum(0 <= place <= 200 for place in places))
