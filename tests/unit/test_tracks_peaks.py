"""Peaks: smoothing, prominence, circles; what a score is worth; chance, with answers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import peak_prominences

from dnalm.alphabet import encode
from dnalm.annotation import Gene
from dnalm.errors import InputError
from dnalm.sequences import Record
from dnalm.tracks import Peak, Track, call_peaks
from dnalm.tracks.background import (
    Background,
    background_of,
    genic_background,
    pooled,
    quiet_sites,
    shuffled_record,
    with_q,
)
from dnalm.tracks.calibration import Calibration, calibrate, calibrated
from dnalm.tracks.peaks import prominences, smoothed

chances = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=80)


def track(forward, reverse=None, *, start=0, stride=1, length=1000):
    scores = {
        name: None if values is None else np.array(values, dtype=np.float32)
        for name, values in {"forward": forward, "reverse": reverse}.items()
    }
    positions = np.arange(start, start + stride * len(forward), stride)
    end = start + stride * len(forward)
    return Track("chr", start, end, stride, 20, positions, **scores, model="toy", record_length=length)


@settings(deadline=None)
@given(chances, chances, st.integers(1, 20), st.floats(0, 1))
def test_no_two_calls_of_a_strand_are_nearer_than_the_distance_and_the_highest_stays(
    forward: list[float], reverse: list[float], distance: int, threshold: float
) -> None:
    n = min(len(forward), len(reverse))
    both = track(forward[:n], reverse[:n])
    peaks = call_peaks(both, threshold, distance=distance)
    for strand, scores in both.strands().items():
        calls = [peak for peak in peaks if peak.strand == strand]
        positions = np.array([peak.position for peak in calls])
        assert (np.diff(positions) >= distance).all()
        assert all(peak.probability >= threshold for peak in calls)
        if float(scores.max()) >= threshold:
            assert max(peak.probability for peak in calls) == scores.max()
        else:
            assert not calls


def test_prominence_is_the_height_over_the_higher_of_the_two_valleys() -> None:
    peaks = call_peaks(track([0.1, 0.9, 0.4, 0.6, 0.2, 0.8, 0.3]), 0, distance=1)
    # .6 falls to .4 before .9 and to .2 before .8; .8 to .2 before .9 and to the end, which counts as the lowest.
    assert [peak.prominence for peak in peaks] == pytest.approx([0.8, 0.2, 0.6])
    kept = call_peaks(track([0.1, 0.9, 0.4, 0.6, 0.2, 0.8, 0.3]), 0, distance=1, prominence=0.5)
    assert [peak.position for peak in kept] == [1, 5]


@given(st.lists(st.integers(0, 9), min_size=3, max_size=40), st.integers(0, 39))
def test_prominence_on_a_circle_does_not_depend_on_where_it_is_cut(values: list[int], turn: int) -> None:
    there = np.array(values, dtype=float)
    n = len(there)
    tops = np.flatnonzero((there > np.roll(there, 1)) & (there > np.roll(there, -1)))
    found = prominences(there, tops, circular=True)
    turned = prominences(np.roll(there, turn), (tops + turn) % n, circular=True)
    np.testing.assert_array_equal(found, turned)
    # On a line three times round, no valley of the middle round is cut off.
    lower = there[tops] < there.max()
    long = np.tile(there, 3)
    np.testing.assert_array_equal(found[lower], peak_prominences(long, tops[lower] + n)[0])


def test_a_peak_at_the_origin_of_a_circle_counts_once() -> None:
    around = track([0.9, 0.3, 0.1, 0.1, 0.3, 0.8], length=6)
    assert [peak.position for peak in call_peaks(around, 0.5, distance=2)] == [0, 5]
    assert [peak.position for peak in call_peaks(around, 0.5, distance=2, circular=True)] == [0]
    part = track([0.9, 0.3, 0.1, 0.1, 0.3, 0.8], length=7)  # not all of the circle: its ends are ends
    assert [peak.position for peak in call_peaks(part, 0.5, distance=2, circular=True)] == [0, 5]


def test_smoothing_keeps_a_constant_and_lends_nothing_across_gaps() -> None:
    values = np.array([0.5, 0.5, np.nan, 0.5, 0.5])
    np.testing.assert_allclose(smoothed(values, 2), values)
    spike = np.zeros(41)
    spike[20] = 1
    bell = smoothed(spike, 3)
    assert bell[20] == pytest.approx(1 / (3 * np.sqrt(2 * np.pi)), rel=0.01)
    np.testing.assert_allclose(bell, bell[::-1], atol=1e-12)
    turned = smoothed(np.roll(spike, 20), 3, circular=True)
    np.testing.assert_allclose(np.roll(turned, -20)[10:31], bell[10:31], atol=1e-6)


def test_smoothing_is_in_bases_and_joins_a_split_top() -> None:
    two = [0, 0, 0, 0.8, 0.6, 0.8, 0, 0, 0]
    assert len(call_peaks(track(two), 0.3, distance=1)) == 2
    assert [peak.position for peak in call_peaks(track(two), 0.3, distance=1, smooth=1)] == [4]
    assert len(call_peaks(track(two, stride=10), 0.3, distance=1, smooth=1)) == 2
    assert [peak.position for peak in call_peaks(track(two, stride=10), 0.3, distance=1, smooth=10)] == [40]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"distance": 0}, "1 or more bases"), ({"smooth": -1}, "smooth is -1"), ({"prominence": 2}, "prominence is 2")],
)
def test_options_out_of_range_are_told(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call_peaks(track([0.1]), 0.5, **options)


def test_an_isotonic_calibration_gives_the_share_that_was_right() -> None:
    scores = np.repeat([0.2, 0.6, 0.9], 10)
    right = np.concatenate([np.arange(10) < 1, np.arange(10) < 3, np.arange(10) < 8])
    learned = calibrate(scores, right, tolerance=20, model="toy")
    assert learned([0.2, 0.6, 0.9]).tolist() == pytest.approx([0.1, 0.3, 0.8])
    assert learned([0, 1]).tolist() == pytest.approx([0.1, 0.8])
    assert (learned.calls, learned.right, learned.facts) == (30, 12, {"model": "toy"})
    peaks = calibrated([Peak("chr", 1, "+", 0.9)], learned)
    assert peaks[0].calibrated == pytest.approx(0.8)


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_a_calibration_never_falls_means_what_it_says_and_is_kept(method: str, tmp_path) -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(4000)
    right = rng.random(4000) < scores**2
    learned = calibrate(scores, right, tolerance=20, method=method)
    grid = learned(np.linspace(0, 1, 50))
    assert (np.diff(grid) >= 0).all()
    assert learned(scores).mean() == pytest.approx(right.mean(), abs=0.01)
    assert learned([0.5])[0] == pytest.approx(0.25, abs=0.08)
    assert Calibration.read(learned.write(tmp_path / "c.json")) == learned


def test_what_cannot_be_calibrated_is_told(tmp_path) -> None:
    with pytest.raises(InputError, match="too few to calibrate"):
        calibrate([0.1] * 30, [False] * 30, tolerance=1)
    with pytest.raises(InputError, match="not 'guess'"):
        calibrate([0.1] * 30, [True] * 30, tolerance=1, method="guess")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(InputError, match="no calibration"):
        Calibration.read(tmp_path / "x.json")


def test_p_counts_the_background_at_least_as_high_and_q_is_benjamini_hochbergs() -> None:
    chance = Background("shuffled", np.arange(1, 100) / 100, 10.0)
    assert chance.p_values([1, 0.99, 0.5, 0]).tolist() == pytest.approx([0.01, 0.02, 0.51, 1])
    assert chance.rate(0.9) == pytest.approx(1.0)
    peaks = [Peak("chr", number, "+", score) for number, score in enumerate([0.99, 1, 0.98, 0])]
    # Sorted p: .01 .02 .03 1, times 4/rank: .04 .04 .04 1.
    assert [peak.q for peak in with_q(peaks, chance)] == pytest.approx([0.04, 0.04, 0.04, 1])
    assert with_q([], chance) == []


def test_backgrounds_of_several_records_are_pooled() -> None:
    both = pooled([Background("genic", np.array([0.1, 0.5]), 1.0), Background("genic", np.array([0.3]), 2.0)])
    assert (both.heights.tolist(), both.kilobases) == ([0.1, 0.3, 0.5], 3)
    with pytest.raises(InputError, match="genic background of 3 peaks is too small"):
        both.p_values([0.2])


def test_random_peaks_against_their_own_background_are_not_significant() -> None:
    rng = np.random.default_rng(2)
    here, there = (track(rng.random(20_000), rng.random(20_000), length=20_000) for _ in range(2))
    chance = background_of(there, "shuffled", distance=20)
    assert chance.kilobases == 40
    q = np.array([peak.q for peak in with_q(call_peaks(here, 0, distance=20), chance)])
    assert q.min() > 0.05


def test_shuffling_keeps_composition_block_by_block_and_unknown_bases_in_place() -> None:
    codes = encode("ACGTNACGGTTCA" * 40 + "ATATTTAATATAA" * 40)
    record = Record("r", codes, circular=True)
    shuffled = shuffled_record(record, np.random.default_rng(0), block=520)
    assert shuffled.circular
    assert (shuffled.codes != codes).any()
    for part in (slice(0, 520), slice(520, 1040)):
        assert np.bincount(shuffled.codes[part]).tolist() == np.bincount(codes[part]).tolist()
    np.testing.assert_array_equal(shuffled.codes == 4, codes == 4)


def test_quiet_sites_lie_in_genes_and_far_from_the_strands_own_starts() -> None:
    genes = [
        Gene("chr", 100, 200, "+", "a", "CDS"),
        Gene("chr", 300, 400, "-", "b", "CDS"),
        Gene("chr", 950, 1050, "+", "over", "CDS", circle=1000),
        Gene("other", 500, 600, "+", "c", "CDS"),
    ]
    here = track(np.zeros(1000), np.zeros(1000))
    forward, reverse = (np.flatnonzero(quiet_sites(here, genes, strand, far=20)) for strand in "+-")
    assert forward.tolist() == [*range(50), *range(121, 200), *range(300, 400), *range(971, 1000)]
    assert reverse.tolist() == [*range(50), *range(100, 200), *range(300, 379), *range(950, 1000)]
    # Where nobody said how long the record is, a gene past the track's end lies past it, not at its beginning.
    part = replace(here, record_length=0)
    beyond = [Gene("chr", 1600, 1700, "+", "far", "CDS")]
    assert not quiet_sites(part, beyond, "+", far=20).any()


def test_the_genic_background_leaves_out_what_is_near_gene_starts() -> None:
    scores = np.zeros(1000)
    scores[::4] = 0.1
    scores[100] = 0.9
    genes = [Gene("chr", 100, 1000, "+", "a", "CDS")]
    found = genic_background(track(scores), genes, far=50, distance=1)
    assert found.heights.max() == pytest.approx(0.1)
    assert found.kilobases == pytest.approx(0.849)
    with pytest.raises(InputError, match="too small"):
        genic_background(track(scores), genes, far=800, distance=1).p_values([0.5])
