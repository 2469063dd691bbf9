"""Figures against scikit-learn and against answers worked out by hand."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from dnalm.errors import InputError
from dnalm.metrics import (
    Figure,
    binary_metrics,
    block_bootstrap_mean,
    calibration_curve,
    choose_threshold,
    confusion,
    evaluate_probabilities,
    multiclass_metrics,
    resample_weights,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def points(truth, probability, threshold=0.5):
    found = binary_metrics(truth, probability, threshold=threshold, generator=rng(), resamples=0)
    return {name: figure.value for name, figure in found.items()}


def sklearn_points(truth, probability, threshold):
    called = probability >= threshold
    return {
        "accuracy": sk.accuracy_score(truth, called),
        "precision": sk.precision_score(truth, called),
        "recall": sk.recall_score(truth, called),
        "specificity": sk.recall_score(~truth, ~called),
        "f1": sk.f1_score(truth, called),
        "mcc": sk.matthews_corrcoef(truth, called),
        "auroc": sk.roc_auc_score(truth, probability),
        "auprc": sk.average_precision_score(truth, probability),
        "brier": sk.brier_score_loss(truth, probability),
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 300), levels=st.sampled_from([3, 10, 10**9]))
def test_binary_points_equal_sklearn(seed, n, levels):
    generator = rng(seed)
    truth = np.concatenate([[True, False], generator.random(n - 2) < 0.3])
    # Few levels make many ties, where area computations usually go wrong.
    probability = np.concatenate([[1.0, 0.0], generator.integers(levels, size=n - 2) / levels])
    expected = sklearn_points(truth, probability, 0.5)
    for name, value in points(truth, probability).items():
        assert value == pytest.approx(expected[name], abs=1e-12), name


def test_binary_worked_by_hand():
    truth = np.array([1, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    probability = np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.1, 0.1, 0.1])
    found = points(truth, probability)  # tp 2, fn 1, fp 1, tn 4
    assert found["accuracy"] == 6 / 8
    assert found["precision"] == found["recall"] == 2 / 3
    assert found["specificity"] == 4 / 5
    assert found["mcc"] == pytest.approx((2 * 4 - 1 * 1) / math.sqrt(3 * 3 * 5 * 5))
    assert found["auroc"] == pytest.approx((5 + 5 + 4) / 15)
    assert found["auprc"] == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_threshold_itself_is_positive_and_may_differ_by_sequence():
    truth, probability = np.array([True, False]), np.array([0.5, 0.5])
    assert points(truth, probability, 0.5)["recall"] == 1
    assert points(truth, probability, np.array([0.4, 0.6]))["accuracy"] == 1


def test_interval_holds_the_truth_as_often_as_it_says():
    """Accuracy of a coin that is right 80 times in 100: 95 of 100 intervals hold .8."""
    covered = 0
    for seed in range(300):
        generator = rng(seed)
        truth = generator.random(200) < 0.5
        right = generator.random(200) < 0.8
        figure = binary_metrics(
            truth, np.where(right, truth, ~truth) * 1.0, threshold=0.5, generator=generator, resamples=400
        )
        covered += figure["accuracy"].low <= 0.8 <= figure["accuracy"].high
    assert 0.90 <= covered / 300 <= 0.98


def test_auroc_interval_equals_a_plain_loop():
    generator = rng(3)
    truth = generator.random(120) < 0.4
    probability = np.clip(0.3 * truth + generator.random(120) * 0.7, 0, 1).round(2)
    figure = binary_metrics(truth, probability, threshold=0.5, generator=rng(5), resamples=200)
    loop = {"auroc": [], "auprc": [], "mcc": []}
    for weights in resample_weights(120, rng(5), 200):
        for row in weights.astype(int):
            again = np.repeat(np.arange(120), row)
            for name, value in sklearn_points(truth[again], probability[again], 0.5).items():
                if name in loop:
                    loop[name].append(value)
    for name, values in loop.items():
        assert (figure[name].low, figure[name].high) == pytest.approx(
            tuple(np.percentile(values, [2.5, 97.5])), abs=1e-12
        )


def test_groups_are_drawn_whole_and_widen_the_interval():
    groups = np.repeat(np.arange(20), 10)
    for weights in resample_weights(200, rng(), 50, groups):
        assert weights.shape == (50, 200)
        assert (weights.reshape(50, 20, 10) == weights.reshape(50, 20, 10)[:, :, :1]).all()
        assert (weights.sum(axis=1) == 200).all()
    truth = np.ones(200, dtype=bool)
    probability = np.repeat(rng(1).random(20) < 0.6, 10) * 1.0
    alone = binary_metrics(truth, probability, threshold=0.5, generator=rng(), resamples=500)["accuracy"]
    grouped = binary_metrics(truth, probability, threshold=0.5, generator=rng(), resamples=500, groups=groups)[
        "accuracy"
    ]
    assert alone.value == grouped.value
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_what_has_no_meaning_is_nan_and_none_in_json():
    one_class = points(np.ones(5, dtype=bool), np.full(5, 0.9))
    assert one_class["accuracy"] == one_class["recall"] == 1
    assert all(math.isnan(one_class[name]) for name in ("specificity", "auroc", "auprc", "mcc"))
    nothing_called = points(np.array([True, False, False]), np.zeros(3))
    assert math.isnan(nothing_called["precision"])
    assert nothing_called["mcc"] == 0 and nothing_called["f1"] == 0 and nothing_called["auroc"] == 0.5
    assert Figure(math.nan, math.nan, math.nan, 3).as_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 3,
    }


def test_resamples_of_one_class_are_left_out():
    truth = np.array([True] + [False] * 9)
    probability = np.linspace(1, 0, 10)
    figure = binary_metrics(truth, probability, threshold=0.5, generator=rng(), resamples=300)["auroc"]
    assert (figure.value, figure.low, figure.high, figure.n) == (1, 1, 1, 10)


def test_seed_decides_the_interval():
    truth, probability = rng().random(50) < 0.5, rng(1).random(50)
    first, again, other = (
        binary_metrics(truth, probability, threshold=0.5, generator=rng(seed), resamples=100) for seed in (7, 7, 8)
    )
    assert first == again
    assert first["auroc"] != other["auroc"]


@pytest.mark.parametrize("by", ["mcc", "f1", "accuracy", "youden"])
def test_threshold_is_best_of_all(by):
    generator = rng(2)
    truth = generator.random(80) < 0.3
    probability = np.clip(0.3 * truth + 0.7 * generator.random(80), 0, 1)

    def score(threshold):
        found = points(truth, probability, threshold)
        return found["recall"] + found["specificity"] if by == "youden" else found[by]

    best = max(score(threshold) for threshold in np.linspace(0, 0.999 * probability.max(), 2000))
    assert score(choose_threshold(truth, probability, by)) >= best - 1e-12


def test_threshold_of_separable_classes_lies_between_them():
    assert choose_threshold([False, False, True, True], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.4)
    with pytest.raises(InputError, match="both classes"):
        choose_threshold([True, True], [0.1, 0.2])


def test_multiclass_points_equal_sklearn():
    generator = rng(4)
    truth = generator.integers(4, size=400)
    probability = generator.dirichlet(np.ones(4), size=400) * 0.6 + 0.4 * np.eye(4)[truth]
    called = probability.argmax(axis=1)
    found = multiclass_metrics(truth, probability, list("abcd"), generator=rng(), resamples=100)
    expected = {
        "accuracy": sk.accuracy_score(truth, called),
        "mcc": sk.matthews_corrcoef(truth, called),
        "macro_precision": sk.precision_score(truth, called, average="macro"),
        "macro_recall": sk.recall_score(truth, called, average="macro"),
        "macro_f1": sk.f1_score(truth, called, average="macro"),
        "macro_auroc": sk.roc_auc_score(truth, probability, multi_class="ovr"),
        "macro_auprc": sk.average_precision_score(np.eye(4)[truth], probability, average="macro"),
        "brier": ((probability - np.eye(4)[truth]) ** 2).sum(axis=1).mean(),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-12), name
        assert found[name].low < value < found[name].high
    per_class = found["per_class"]
    assert per_class["b"]["f1"].value == pytest.approx(sk.f1_score(truth == 1, called == 1), abs=1e-12)
    assert per_class["c"]["recall"].n == (truth == 2).sum()


def test_two_classes_give_the_same_mcc_either_way():
    generator = rng(6)
    truth = generator.random(90) < 0.5
    probability = generator.random(90)
    both = np.stack([1 - probability, probability], axis=1)
    found = multiclass_metrics(truth, both, ["no", "yes"], generator=rng(), resamples=0)
    assert found["mcc"].value == pytest.approx(points(truth, probability, 0.5 + 1e-9)["mcc"], abs=1e-12)


def test_macro_leaves_out_absent_classes_and_counts_uncalled_as_zero():
    probability = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0]])
    found = multiclass_metrics([0, 1], probability, list("abc"), generator=rng(), resamples=0)
    assert found["macro_precision"].value == (1 / 2 + 0) / 2
    assert math.isnan(found["per_class"]["c"]["recall"].value)


def test_confusion_has_truth_in_rows():
    assert confusion([0, 0, 1, 2], [0, 1, 1, 0], 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_calibration_by_hand():
    found = calibration_curve([0, 1, 1, 1], [0.05, 0.05, 0.95, 1.0])
    assert [(row["low"], row["observed"], row["n"]) for row in found["bins"]] == [
        (0.0, 0.5, 2),
        (0.9, 1.0, 2),
    ]
    assert found["error"] == pytest.approx((2 * 0.45 + 2 * 0.025) / 4)


def test_report_is_json_and_counts_agree():
    truth = ["promoter"] * 30 + ["other"] * 70
    score = np.concatenate([np.linspace(0.3, 1, 30), np.linspace(0, 0.6, 70)])
    report = evaluate_probabilities(
        truth, np.stack([score, 1 - score], axis=1), ["promoter", "other"], "promoter", 0.45, generator=rng()
    )
    again = json.loads(json.dumps(report, allow_nan=False))
    assert again["positive"] == "promoter" and again["threshold"] == 0.45 and again["n"] == 100
    matrix = np.array(again["confusion"]["matrix"])
    assert matrix[0, 0] == (score[:30] >= 0.45).sum() and matrix[1, 0] == (score[30:] >= 0.45).sum()
    assert again["figures"]["recall"]["value"] == pytest.approx(matrix[0, 0] / 30)
    assert again["figures"]["mcc"]["low"] < again["figures"]["mcc"]["value"] < again["figures"]["mcc"]["high"]


def test_report_of_several_classes():
    probability = np.eye(3)[[0, 1, 2, 1]] * 0.64 + 0.12
    report = evaluate_probabilities(["a", "b", "c", "c"], probability, list("abc"), generator=rng(), resamples=50)
    assert report["threshold"] is None and report["positive"] is None
    assert report["figures"]["accuracy"]["value"] == 0.75
    assert set(report["per_class"]) == {"a", "b", "c"}
    assert report["calibration"]["bins"] == [
        {"low": 0.7, "high": 0.8, "predicted": pytest.approx(0.76), "observed": 0.75, "n": 4}
    ]
    json.dumps(report, allow_nan=False)


def test_report_refuses_what_does_not_fit():
    with pytest.raises(InputError, match="'c' is not one of"):
        evaluate_probabilities(["a", "c"], np.full((2, 2), 0.5), ["a", "b"], generator=rng())
    with pytest.raises(InputError, match="shape"):
        evaluate_probabilities(["a"], np.full((2, 2), 0.5), ["a", "b"], generator=rng())
    with pytest.raises(InputError, match="between 0 and 1"):
        evaluate_probabilities(["a"], [[-3.0, 4.0]], ["a", "b"], generator=rng())


def test_block_bootstrap_knows_that_neighbours_are_alike():
    independent = rng(1).normal(2.0, 1.0, 20_000)
    figure = block_bootstrap_mean(independent, 50, rng())
    assert figure.value == pytest.approx(independent.mean())
    assert figure.high - figure.low == pytest.approx(2 * 1.96 / math.sqrt(20_000), rel=0.2)
    # Each value held for 100 places: only 2,000 independent values, so the interval is that of 2,000.
    held = np.repeat(rng(2).normal(2.0, 1.0, 2000), 100)
    figure = block_bootstrap_mean(held, 1000, rng())
    assert figure.high - figure.low == pytest.approx(2 * 1.96 / math.sqrt(2000), rel=0.2)
    assert block_bootstrap_mean(np.array([1.0, 2.0, 3.0]), 10, rng()).value == 2.0
    with pytest.raises(InputError):
        block_bootstrap_mean(np.array([]), 10, rng())


def test_a_thousand_resamples_of_four_thousand_are_quick():
    truth = rng().random(4000) < 0.3
    probability = rng(1).random(4000)
    start = time.process_time()
    binary_metrics(truth, probability, threshold=0.5, generator=rng(), resamples=1000)
    assert time.process_time() - start < 5
