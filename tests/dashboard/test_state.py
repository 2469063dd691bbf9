"""The address is the state: what is written in it is read back, and what cannot be read is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.figures import headline
from dashboard.state import Place, ScanState, parse_place, read_state


def test_a_full_address_is_read():
    state, problems = read_state(
        {
            "model": "m",
            "sequence": "ecoli",
            "with": "other,third",
            "region": "NC_1.2:1,001-2,000",
            "stride": "5",
            "strand": "reverse",
            "mode": "stream",
            "window": "400",
            "threshold": "0.25",
            "known": "tss",
            "tolerance": "100",
            "peak": "1500-reverse",
            "view": "browser",
        }
    )
    assert problems == []
    assert state == ScanState(
        model="m",
        also=("other", "third"),
        sequence="ecoli",
        region="NC_1.2:1,001-2,000",
        stride=5,
        strand="reverse",
        mode="stream",
        window=400,
        threshold=0.25,
        known="tss",
        tolerance=100,
        peak=Place(1499, "-"),
        view="browser",
    )


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("with", "a,b,c", "3 models at most"),
        ("stride", "3", "one of 1, 2, 5"),
        ("mode", "fast", "one of stream, window"),
        ("window", "0", "1 to 5,000"),
        ("window", "٣", "1 to 5,000"),
        ("tolerance", "20", "one of 10, 50, 100, 250"),
        ("view", "map", "one of picture, browser"),
        ("strand", "+", "one of both, forward, reverse"),
        ("threshold", "1.5", "a probability, 0 to 1"),
        ("threshold", "nan", "a probability, 0 to 1"),
        ("peak", "0-forward", "1-based position"),
    ],
)
def test_what_cannot_be_read_has_its_default_and_a_sentence(name, text, words):
    state, (problem,) = read_state({name: text})
    assert state == ScanState()
    assert problem.startswith(f"The address says {name}={text}: ")
    assert words in problem


@given(st.integers(0, 10**11), st.sampled_from("+-"))
def test_a_place_survives_the_address(position, strand):
    assert parse_place(str(Place(position, strand))) == Place(position, strand)


def test_the_headline_is_the_figure_on_what_the_model_saw_least_of():
    figure = {"value": 0.9, "low": 0.8, "high": 1.0, "n": 10}
    metrics = {"valid": {"mcc": figure}, "test": {"mcc": figure | {"value": 0.7}, "recall": figure}, "seconds": 3}
    (shown,) = headline(metrics)
    assert (shown.title, shown.where, str(shown)) == ("MCC", ("test",), "0.700 (95 % 0.800 to 1.000)")
    assert headline({}) == []


def test_of_several_classes_the_headline_is_of_all_of_them_and_not_of_one():
    one = {"value": 0.9, "low": 0.8, "high": 1.0}
    metrics = {"test": {"figures": {"mcc": one, "accuracy": one, "macro_f1": one}, "per_class": {"a": {"auroc": one}}}}
    assert [shown.name for shown in headline(metrics)] == ["mcc", "accuracy", "macro_f1"]
