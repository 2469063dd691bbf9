"""Rows without the largest group of relatives, on predictions whose figures are known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dnalm.evaluation.folds import Calls, OutOfFold
from dnalm.evaluation.results import predictions, under_table
from dnalm.evaluation.results.chains import without_largest
from dnalm.evaluation.results.tasks import Row

COUNT = 20
TRUTH = np.arange(COUNT) % 2 == 0


def keep(path: Path, group: np.ndarray, wrong: np.ndarray, split: str = "grouped") -> None:
    """Predictions of one seed, right but where `wrong`."""
    probability = np.where(TRUTH ^ wrong, 0.9, 0.1)
    run = OutOfFold("m", 0, np.zeros(COUNT, int), TRUTH, probability, np.full(COUNT, 0.5), ())
    columns = predictions.columns_of(split, "m", run, np.arange(COUNT), COUNT)
    predictions.write(path, {predictions.TRUTH: TRUTH, predictions.GROUP: group}, columns)


def test_a_group_that_is_called_wrong_is_left_out(tmp_path: Path) -> None:
    group = np.where(np.arange(COUNT) < 8, 0, np.arange(COUNT))
    keep(tmp_path / "p.parquet", group, wrong=group == 0)
    found = without_largest(tmp_path / "p.parquet", "m", [0])
    assert found is not None
    assert (found["largest"], found["of"]) == (8, COUNT)
    assert found["figures"]["mcc"]["value"] == found["figures"]["accuracy"]["value"] == 1.0


def test_what_is_wrong_elsewhere_still_counts(tmp_path: Path) -> None:
    group = np.where(np.arange(COUNT) < 8, 0, np.arange(COUNT))
    keep(tmp_path / "p.parquet", group, wrong=np.arange(COUNT) >= 17)
    found = without_largest(tmp_path / "p.parquet", "m", [0])
    assert found is not None
    assert found["figures"]["accuracy"]["value"] == pytest.approx(9 / 12)
    assert found["figures"]["accuracy"]["low"] < 9 / 12 < found["figures"]["accuracy"]["high"]


def test_small_groups_and_other_splits_have_none(tmp_path: Path) -> None:
    keep(tmp_path / "small.parquet", np.arange(COUNT), np.zeros(COUNT, bool))
    assert without_largest(tmp_path / "small.parquet", "m", [0]) is None
    keep(tmp_path / "random.parquet", np.arange(COUNT) // 10, np.zeros(COUNT, bool), "random")
    assert without_largest(tmp_path / "random.parquet", "m", [0]) is None


def test_no_file_and_no_such_seed_have_none(tmp_path: Path) -> None:
    assert without_largest(tmp_path / "none.parquet", "m", [0]) is None
    keep(tmp_path / "p.parquet", np.zeros(COUNT, int), np.zeros(COUNT, bool))
    assert without_largest(tmp_path / "p.parquet", "m", [0, 1]) is None


def test_calls_of_several_classes_are_taken_too() -> None:
    calls = Calls("m", 0, np.array([0, 1, 2]), np.array([0, 2, 2]), np.array([0.9, 0.5, 0.7]), 3)
    taken = calls.take(np.array([2, 0]))
    assert taken.truth.tolist() == taken.called.tolist() == [2, 0]
    assert taken.classes == 3


def test_the_page_puts_the_best_first() -> None:
    def row(mcc: float) -> dict:
        figures = {"mcc": {"value": mcc, "low": mcc - 0.1, "high": mcc + 0.1}}
        return {"without_largest": {"largest": 1200, "of": 3000, "figures": figures}}

    rows = [Row("gc_alone", "grouped"), Row("pwm", "grouped"), Row("ecoli-lm+wide", "grouped")]
    said = under_table.chain(rows, {rows[0]: row(0.5), rows[1]: {}, rows[2]: row(0.75)})
    assert said.startswith("1,200 of the 3,000 are one group")
    assert said.endswith("MCC on the others: ecoli-lm+wide .750 [.650, .850]; GC alone .500 [.400, .600].")
    assert under_table.chain(rows, {rows[1]: {}}) == ""
