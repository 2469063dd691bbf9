"""The learning curves: which rows they get, what smoothing and thinning do to the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.charts.curves import MOST_POINTS, Shown, curves_figure, panels_of, smoothed, stage_name, thinned
from dashboard.charts.theme import DARK, LIGHT
from dashboard.run_reading import Curves, Series


def series(values, first=1):
    values = np.asarray(values, dtype=float)
    return Series(np.arange(first, first + len(values)), values)


def run(name="run", stages=(("pretrain", 0),), **figures):
    return Shown(name, Curves(((0, 1),) * 3, stages, figures))


PRETRAINED = {
    "train_loss": series([1.0, 0.9]),
    "train_bits_per_base": series([2.0, 1.9]),
    "bits_per_base": series([1.95], first=2),
    "learning_rate": series([0.1, 0.2]),
}
TAUGHT = {
    "train_loss": series([0.7, 0.5], first=3),
    "loss": series([0.6], first=4),
    "mcc": series([0.8], first=4),
    "learning_rate": series([0.1, 0.2], first=3),
}


def axes(runs):
    return [panel.axis for panel in panels_of(runs)]


def test_a_pretraining_has_bits_and_rate_and_its_loss_but_once():
    assert axes([run(**PRETRAINED)]) == ["bits per base", "rate"]


def test_a_classifier_has_mcc_loss_and_rate():
    assert axes([run(**TAUGHT)]) == ["MCC", "nats", "rate"]


def test_all_three_phases_in_one_run_share_the_axis_of_steps():
    whole = {
        name: Series(
            np.concatenate([PRETRAINED[name].places, TAUGHT[name].places]),
            np.concatenate([PRETRAINED[name].values, TAUGHT[name].values]),
        )
        for name in ("train_loss", "learning_rate")
    }
    shown = run(stages=(("pretrain", 0), ("head", 2)), **PRETRAINED | TAUGHT | whole)
    figure = curves_figure([shown], LIGHT)
    assert axes([shown]) == ["bits per base", "MCC", "nats", "rate"]
    (loss,) = [trace for trace in figure.data if trace.name == "training sequences"]
    assert list(loss.x) == [3, 4]  # nats a token of the language model are not nats a sequence
    assert {figure.layout[f"xaxis{row}"].matches for row in (1, 2, 3)} == {"x4"}
    assert [shape.x0 for shape in figure.layout.shapes] == [2]
    assert {"pre-training", "head alone"} <= {note.text for note in figure.layout.annotations}


def test_several_runs_have_a_colour_each_and_one_entry_a_line():
    figure = curves_figure([run("a", **PRETRAINED), run("b", **PRETRAINED)], DARK, smoothing=0.5)
    entries = [trace.name for trace in figure.data if trace.showlegend]
    assert entries == ["a: training text", "a: held-out text", "b: training text", "b: held-out text"]
    colours = {trace.name: trace.line.color for trace in figure.data}
    assert colours["a: training text"] == colours["a: held-out text"] != colours["b: training text"]
    # The faint line beneath is as measured; no stage is marked, since runs differ in theirs.
    faint = [trace for trace in figure.data if trace.opacity == 0.3]
    assert [list(trace.y) for trace in faint] == [[2.0, 1.9]] * 2
    assert not figure.layout.shapes


def test_smoothing_is_a_running_mean_that_begins_anew_in_each_stage():
    found = smoothed(series([1.0, 3.0, 10.0, 20.0]), (("a", 0), ("b", 2)), 0.5)
    # Half the weight a point further back: (1 * .5 + 3) / 1.5, then (10 * .5 + 20) / 1.5.
    np.testing.assert_allclose(found, [1.0, 3.5 / 1.5, 10.0, 25 / 1.5])


def test_what_was_measured_is_never_smoothed():
    values = [2.0, 1.0, 2.0, 1.0]
    figure = curves_figure([run(bits_per_base=series(values), learning_rate=series(values))], LIGHT, smoothing=0.9)
    assert [list(trace.y) for trace in figure.data] == [values, values]


@pytest.mark.parametrize("points", [1, 2, MOST_POINTS, MOST_POINTS + 1, 12_345])
def test_thinning_keeps_the_mean_and_the_last_point(points):
    places = np.arange(1, points + 1)
    x, y = thinned(places, places * 2.0)
    assert len(x) <= MOST_POINTS + 1
    assert x[-1] == points
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(y[:-1], x[:-1] * 2)


def test_a_single_point_is_drawn():
    figure = curves_figure([run(train_bits_per_base=series([2.0]))], LIGHT, smoothing=0.9)
    assert "markers" in figure.data[-1].mode


def test_stages_have_names_for_people():
    assert [stage_name(name) for name in ("pretrain", "top-1", "top-3", "all", "other")] == [
        "pre-training",
        "head and last layer",
        "head and last 3 layers",
        "all layers",
        "other",
    ]
