"""Two models averaged, on predictions whose figures are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from dnalm.errors import InputError
from dnalm.evaluation.folds import Calls, OutOfFold
from dnalm.evaluation.results import under_table
from dnalm.evaluation.results.tasks import TASKS, Row
from dnalm.evaluation.results.together import together, with_other

COUNT = 40
TRUTH = np.arange(COUNT) % 2 == 0
QUARTER = np.arange(COUNT) // 10


def run(name: str, wrong: np.ndarray, seed: int = 0) -> OutOfFold:
    """Right and sure, but where `wrong`: there it is wrong and much less sure."""
    probability = np.where(wrong, np.where(TRUTH, 0.4, 0.6), np.where(TRUTH, 0.9, 0.1))
    return OutOfFold(name, seed, np.zeros(COUNT, int), TRUTH, probability, np.full(COUNT, 0.5), ())


def test_the_mean_is_of_log_odds() -> None:
    one, other = run("a", QUARTER == 0), run("b", QUARTER == 1)
    (both,) = together([one], [other])
    # Log-odds of .9 and .4 are ln 9 and ln 2/3: their mean is ln sqrt 6.
    assert both.probability[0] == pytest.approx(expit(np.log(6) / 2))
    assert (both.threshold == 0.5).all()
    assert (both.called == TRUTH).all()


def test_a_probability_of_one_is_no_certainty() -> None:
    sure = OutOfFold("a", 0, np.zeros(2, int), np.array([True, False]), np.array([1.0, 0.0]), np.full(2, 0.5), ())
    (both,) = together([sure], [OutOfFold("b", 0, sure.fold, sure.truth, np.array([0.5, 0.5]), sure.threshold, ())])
    assert np.all((both.probability > 0.0) & (both.probability < 1.0))
    assert both.probability[0] == pytest.approx(expit(np.log(0.9995 / 0.0005) / 2))


def test_models_that_err_apart_are_right_together() -> None:
    found = with_other([run("a+wide", QUARTER == 0)], [run("plain_average", QUARTER == 1)], np.arange(COUNT))
    assert found is not None
    assert found["seeds"] == [0]
    assert found["figures"]["accuracy"]["value"] == 1.0
    assert found["gain"]["accuracy"]["value"] == pytest.approx(0.25)
    assert found["gain"]["accuracy"]["low"] > 0


def test_models_that_err_alike_add_nothing() -> None:
    found = with_other([run("a+wide", QUARTER == 0)], [run("plain_average", QUARTER == 0)], None)
    assert found is not None
    assert [found["gain"]["mcc"][name] for name in ("value", "low", "high")] == [0.0, 0.0, 0.0]


def test_other_seeds_and_several_classes_are_refused() -> None:
    with pytest.raises(InputError, match="other seeds"):
        together([run("a", QUARTER == 0)], [run("b", QUARTER == 0, seed=1)])
    calls = Calls("m", 0, np.array([0, 1]), np.array([0, 1]), np.array([0.9, 0.9]), 2)
    with pytest.raises(InputError, match="several classes"):
        together([calls], [calls])
    assert with_other([calls], [calls], None) is None


def test_the_page_tells_of_language_models_best_first() -> None:
    def row(mcc: float) -> dict:
        def figure(value: float) -> dict:
            return {"mcc": {"value": value, "low": value - 0.01, "high": value + 0.01}}

        return {"with_reference": {"figures": figure(mcc), "gain": figure(mcc - 0.8)}}

    rows = [Row(name, "random") for name in ("random+wide", "ecoli-lm+wide", "bacteria-lm+wide")]
    said = under_table.together(
        TASKS["ecoli-sigma70-81"], rows, dict(zip(rows, map(row, (0.95, 0.82, 0.83)), strict=True))
    )
    assert said.endswith(
        "bacteria-lm+wide .830 [.820, .840], .030 [.020, .040]; ecoli-lm+wide .820 [.810, .830], .020 [.010, .030]."
    )
    assert under_table.together(TASKS["ecoli-sigma70-81"], rows, {}) == ""


def test_the_page_says_what_pre_training_brings() -> None:
    def row(mcc: float) -> dict:
        return {"pre_training": {"figures": {"mcc": {"value": mcc, "low": mcc - 0.01, "high": mcc + 0.01}}}}

    rows = [Row(name, "grouped") for name in ("random+wide", "ecoli-lm+wide", "bacteria-lm+wide")]
    said = under_table.pre_training(rows, {rows[0]: {}, rows[1]: row(0.02), rows[2]: row(0.05)})
    assert said.endswith("bacteria-lm+wide .050 [.040, .060]; ecoli-lm+wide .020 [.010, .030].")
    assert under_table.pre_training(rows, {}) == ""
