"""Scanning: every site of both strands gets the probability of the window that puts it at the anchor."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_classifier import BothStrandsClassifier, MotifClassifier
from toy_models import aligned, classifier, classifier_bundle, random_codes
from toy_track import random_tracks, track_bundle

from dnalm import load
from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.errors import InputError
from dnalm.model.config import PoolHeadConfig
from dnalm.sequences import Record, Region
from dnalm.tracks import count_windows, gather, scan, site_window

KINDS = st.sampled_from([MotifClassifier, BothStrandsClassifier])
DNA = st.text(alphabet="ACGTN", min_size=25, max_size=120)


def by_hand(model, record, site, strand):
    """The definition, one site at a time: cut the window from the text, read it, score it."""
    text, width, anchor = decode(record.codes), model.config.window, model.config.anchor
    start = site - anchor if strand == "+" else site - (width - 1 - anchor)
    if record.circular:
        window = "".join(text[(start + i) % len(text)] for i in range(width))
    elif start < 0 or start + width > len(text):
        return np.nan
    else:
        window = text[start : start + width]
    if window.count("N") * 2 > width:
        return np.nan
    codes = encode(window) if strand == "+" else reverse_complement(encode(window))
    return model.probabilities(codes[None])[0, 1]


def test_a_motif_is_found_at_its_anchor_on_either_strand():
    # TATAAT at 30..36; its site lies 12 bases after the window's start: 30 + 12 = 42.
    text = "G" * 30 + "TATAAT" + "G" * 30
    model = MotifClassifier("TATAAT", window=20, anchor=12)
    track = gather(scan(model, Record("r", encode(text)), strand="both"))
    assert track.positions.tolist() == list(range(66))
    assert np.flatnonzero(track.forward == 1).tolist() == [42]
    # The other strand of the reverse complement reads the same; its site mirrors to 65 - 42 = 23.
    mirrored = gather(scan(model, Record("r", reverse_complement(encode(text)))))
    assert np.flatnonzero(mirrored.reverse == 1).tolist() == [23]
    assert not (mirrored.forward == 1).any()


def test_no_score_where_the_window_leaves_a_linear_record():
    model = MotifClassifier(window=20, anchor=12)
    track = gather(scan(model, Record("r", encode("ACGT" * 10))))
    # Forward windows start 12 bases before the site and end 8 after; reverse 7 before and 13 after.
    assert np.flatnonzero(~np.isnan(track.forward)).tolist() == list(range(12, 33))
    assert np.flatnonzero(~np.isnan(track.reverse)).tolist() == list(range(7, 28))


@settings(max_examples=100, deadline=None)
@given(
    text=DNA, stride=st.integers(1, 7), anchor=st.integers(0, 20), kind=KINDS, circular=st.booleans(), data=st.data()
)
def test_scan_equals_the_definition(text, stride, anchor, kind, circular, data):
    model = kind("CAT", window=21, anchor=anchor, offset=9)
    record = Record("r", encode(text), circular=circular)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, start + len(text) if circular else len(text)))
    track = gather(scan(model, record, region=Region("r", start, end), stride=stride, batch_size=5))
    assert track.positions.tolist() == list(range(start, end, stride))
    for strand, scores in track.strands().items():
        expected = [by_hand(model, record, site, strand) for site in track.positions]
        np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("head", [PoolHeadConfig(width=7), aligned(40), None])
def test_batches_of_views_score_as_one_window_at_a_time(tmp_path, head):
    if head is None:
        bundle = track_bundle(tmp_path / "track", random_tracks(), window=40)
    else:
        bundle = classifier_bundle(tmp_path / "toy", classifier(head))
    model, record = load(bundle.folder), Record("r", random_codes(300, unknown=0.02), circular=True)
    track = gather(scan(model, record, mode="window", window=40, stride=3))
    anchor = 20 if model.config.anchor is None else model.config.anchor
    for strand, scores in track.strands().items():
        one_by_one = [
            model.probabilities(site_window(record, int(site), strand, window=40, anchor=anchor)[2][None])[0, 1]
            for site in track.positions
        ]
        np.testing.assert_allclose(scores, one_by_one, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(text=DNA)
def test_the_reverse_strand_is_the_forward_strand_of_the_reverse_complement(text):
    model = MotifClassifier("GAT", window=20, anchor=5, offset=2)
    one = gather(scan(model, Record("r", encode(text))))
    other = gather(scan(model, Record("r", reverse_complement(encode(text)))))
    np.testing.assert_array_equal(one.reverse, other.forward[::-1])
    np.testing.assert_array_equal(one.forward, other.reverse[::-1])


def test_pieces_come_in_order_and_join_to_the_same_scores(monkeypatch):
    model = MotifClassifier("AC", window=10, anchor=3)
    record = Record("r", np.random.default_rng(0).integers(0, 4, 1000).astype(np.uint8))
    whole = gather(scan(model, record, stride=3))
    # By its module's name: dnalm.tracks.scan is the function.
    monkeypatch.setattr(importlib.import_module("dnalm.tracks.scan"), "PIECE_SITES", 16)
    pieces = list(scan(model, record, stride=3))
    assert len(pieces) == 21
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    joined = gather(pieces)
    np.testing.assert_array_equal(joined.forward, whole.forward)
    np.testing.assert_array_equal(joined.reverse, whole.reverse)
    assert (joined.start, joined.end) == (0, 1000)


def test_mostly_unknown_windows_have_no_score_and_half_unknown_ones_do():
    model = MotifClassifier("A", window=10, anchor=0)
    track = gather(scan(model, Record("r", encode("A" * 15 + "N" * 30)), strand="+"))
    assert track.reverse is None
    # The window from base 10 holds 5 unknown bases of 10, that from base 11 holds 6.
    assert not np.isnan(track.forward[:11]).any()
    assert np.isnan(track.forward[11:]).all()


def test_a_window_that_serves_both_strands_is_scored_once():
    # Forward site p and reverse site p + 21 - 1 - 2 * 13 = p - 6 share a window: 6 more than sites are scored.
    model = BothStrandsClassifier(window=21, anchor=13)
    record = Record("r", np.zeros(500, dtype=np.uint8), circular=True)
    gather(scan(model, record, batch_size=1))
    assert model.calls == 2 * 506
    model.calls = 0
    gather(scan(model, record, batch_size=1, stride=4))
    assert model.calls == 2 * 125


@pytest.mark.parametrize("kind", [MotifClassifier, BothStrandsClassifier])
def test_progress_counts_every_window_once(kind):
    seen = []
    record = Record("r", encode("ACGTACGTAC" * 10))
    model = kind(window=20, anchor=12)
    list(scan(model, record, stride=2, batch_size=16, progress=lambda done, total: seen.append((done, total))))
    assert seen[-1] == (100, 100) == (count_windows(0, 100, 2), 100)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_the_window_of_a_site_is_what_the_model_read():
    record = Record("r", encode("ACGTTGCAAC"))
    assert site_window(record, 4, "+", window=4, anchor=1)[:2] == (3, 7)
    assert decode(site_window(record, 4, "+", window=4, anchor=1)[2]) == "TTGC"
    # Reverse: the site is the second base read, so the window is [2, 6): GTTG, read as CAAC.
    start, end, codes = site_window(record, 4, "-", window=4, anchor=1)
    assert (start, end, decode(codes)) == (2, 6, "CAAC")
    assert decode(site_window(record, 0, "+", window=4, anchor=2)[2]) == "NNAC"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stride": 0}, "stride is 0"),
        ({"strand": "x"}, "strand is 'x'"),
        ({"region": Region("other", 0, 10)}, "of record other"),
        ({"region": Region("r", 90, 120)}, "a linear record of 100 bases"),
        ({"window": 30}, "windows of 20 bases, not 30"),
        ({"label": "maybe"}, "'maybe' is not a label"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(options, words):
    with pytest.raises(InputError, match=words):
        scan(MotifClassifier(), Record("r", encode("ACGTA" * 20)), **options)


def test_a_record_shorter_than_the_window_and_a_model_of_any_length():
    with pytest.raises(InputError, match="has 8 bases; toy needs at least 20"):
        scan(MotifClassifier(), Record("r", encode("ACGTACGT")))
    free = MotifClassifier("A", window=None, anchor=None)
    record = Record("r", encode("ACGTACGT"))
    with pytest.raises(InputError, match="give the window's length"):
        scan(free, record)
    # A window of 4 without an anchor speaks of its base 2.
    track = gather(scan(free, record, window=4, strand="+"))
    assert np.flatnonzero(track.forward == 1).tolist() == [2, 6]
