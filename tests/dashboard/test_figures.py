"""Which figures a model's page lists."""

from __future__ import annotations

from dashboard.figures import all_figures


def figure(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 10}


def test_what_explanations_reach_is_not_among_what_the_model_reaches():
    metrics = {"test": {"figures": {"mcc": figure(0.8)}}, "explanations": {"random_fall": figure(4.0)}}
    assert [(one.name, one.value) for one in all_figures(metrics)] == [("mcc", 0.8)]
