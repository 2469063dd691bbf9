"""Several classes from folds to the page: fits worked out by hand, calls counted as another library does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, precision_score, recall_score
from test_wide import promoters
from toy_models import toy_dataset

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.datasets import Dataset
from dnalm.datasets.dataset import BY_SOURCE, table_of
from dnalm.evaluation import several
from dnalm.evaluation.bench.curves import brier, curves
from dnalm.evaluation.features import words_of_both_strands
from dnalm.evaluation.folds import Calls, OutOfFold
from dnalm.evaluation.paired import mcnemar
from dnalm.evaluation.results import measure, predictions
from dnalm.evaluation.results.gather import gather
from dnalm.evaluation.results.intervals import CALL_FIGURES, mean_figures
from dnalm.evaluation.results.page import render
from dnalm.evaluation.results.run import run
from dnalm.evaluation.results.task_table import TASKS, Task
from dnalm.evaluation.results.tasks import in_order
from dnalm.evaluation.results.units import Store

GENERATOR = np.random.default_rng


def calls(seed: int = 0, n: int = 90) -> Calls:
    rng = GENERATOR(seed)
    truth = np.arange(n) % 3
    called = np.where(rng.random(n) < 0.7, truth, rng.integers(0, 3, n))
    return Calls("m", seed, truth, called, rng.uniform(0.4, 1, n), 3)


def test_figures_of_calls_are_scikit_learns() -> None:
    one = calls()
    found = mean_figures([one], generator=GENERATOR(0), resamples=200)
    assert tuple(found) == CALL_FIGURES
    macro = {"average": "macro", "zero_division": 0}
    expected = {
        "mcc": matthews_corrcoef(one.truth, one.called),
        "accuracy": accuracy_score(one.truth, one.called),
        "precision": precision_score(one.truth, one.called, **macro),
        "recall": recall_score(one.truth, one.called, **macro),
        "f1": f1_score(one.truth, one.called, **macro),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value), name
        assert found[name].low < value < found[name].high


def test_two_models_of_several_classes_are_held_against_each_other() -> None:
    one = calls(0)
    right = replace(one, called=one.truth, name="right")
    test = mcnemar(right, one)
    assert (test.first_only, test.second_only) == (int((one.called != one.truth).sum()), 0)
    difference = mean_figures([right], minus=[one], figures=("f1",), generator=GENERATOR(0), resamples=50)["f1"]
    assert difference.low > 0


def test_calibration_is_of_the_class_that_was_called() -> None:
    assert brier([calls()], None) is None
    found = curves(calls())
    assert found.roc is None and found.precision_recall is None and found.positives is None
    assert found.calibration_n.sum() == 90


def test_naive_bayes_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "WORD", 2)
    sequences = [encode(text) for text in ("AAA", "AAAC", "CCC", "GGGT")]
    model = several.naive_bayes(sequences, np.array([0, 0, 1, 1]), np.arange(4), GENERATOR(0))
    # On both strands AAA holds AA and TT, CCC and GGGT hold CC and GG (GGGT also GT and AC), AAAC also AC and GT.
    # Of AA: 2 of 4 sequences, prior 2.5/5; chance (2 + .5)/3 in the first class and (0 + .5)/3 in the second.
    (chance,) = model([encode("AA")])
    assert chance[0] == pytest.approx((2.5 / 3) ** 2 / ((2.5 / 3) ** 2 + (0.5 / 3) ** 2))
    np.testing.assert_allclose(model([encode("AA")]), model([encode("TT")]))
    np.testing.assert_allclose(model([encode("AC")]), [[0.5, 0.5]])


def test_words_are_those_of_either_strand() -> None:
    codes = encode("ACGTTGCA")
    ours = words_of_both_strands([codes, reverse_complement(codes)], 3).toarray()
    np.testing.assert_array_equal(ours[0], ours[1])
    texts = [decode(one)[at : at + 3] for one in (codes, reverse_complement(codes)) for at in range(6)]
    assert ours[0].sum() == len(set(texts))
    assert set(np.unique(ours)) == {0.0, 1.0}


@pytest.mark.parametrize("name", ["kmer_logistic", "naive_bayes_8", "random+wide"])
def test_each_fit_tells_three_classes_apart_and_gives_probabilities(name: str) -> None:
    sequences, targets = promoters(120, classes=3, length=40)
    tested, truth = promoters(60, classes=3, seed=5, length=40)
    fit = several.fit_of(name, {})
    chance = fit(sequences, targets, np.arange(120), GENERATOR(0))(tested)
    np.testing.assert_allclose(chance.sum(1), 1, atol=1e-5)
    assert (chance.argmax(1) == truth).mean() > 0.6
    again = fit(sequences, targets, np.arange(120), GENERATOR(0))(tested)
    np.testing.assert_array_equal(chance, again)


def test_gc_alone_tells_rich_from_poor() -> None:
    sequences = [encode(text * 4) for text in ("ATATA", "ACGTA", "GCGCG", "TTTTA", "AGCTT", "GGGGC")]
    model = several.gc_alone(sequences, np.array([0, 1, 2, 0, 1, 2]), np.arange(6), GENERATOR(0))
    assert model([encode("TTATT"), encode("GGCCC")]).argmax(1).tolist() == [0, 2]


@pytest.fixture
def genera(home: Path) -> Task:
    """A set of three classes, five sequences of each gene, and a task on it."""
    sequences, targets = promoters(150, classes=3, length=40)
    rows = [
        {
            "id": f"r{number}",
            "sequence": decode(codes),
            "label": "abc"[target],
            "split": "train",
            "source": f"gene{number // 15 * 3 + target}:1-40(+)",
            "in_demo_region": False,
        }
        for number, (codes, target) in enumerate(zip(sequences, targets, strict=True))
    ]
    info = {"name": "genera", "labels": list("abc"), "groups": {"by": "source record"}}
    Dataset(table_of(rows), info).save(home / "datasets" / "genera")
    return Task(
        "genera",
        "Genera",
        "folds",
        "genera",
        ("grouped", "random"),
        seeds=(0,),
        plain=("gc_alone", "naive_bayes_8"),
        starts=(),
        reference="gc_alone",
        figures=("mcc", "accuracy", "f1"),
    )


def test_a_task_of_several_classes_is_measured_kept_and_read_back(
    genera: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "units")
    assert run(in_order((genera,), {}), store, {}) == 20
    document = gather(genera, store, {}, tmp_path / "rows")
    rows = {(row["model"], row["split"]): row for row in document["rows"]}
    assert len(rows) == 4
    best = rows["naive_bayes_8", "grouped"]
    assert set(best["figures"]) == set(CALL_FIGURES)
    assert best["difference"]["to"] == "gc_alone"
    # Five reads of each gene: whole genes are dealt to grouped folds, single reads to random ones.
    assert best["leak"] == {"shared": 0, "of": 150, "by": BY_SOURCE}
    assert rows["naive_bayes_8", "random"]["leak"]["shared"] > 100
    path = predictions.predictions_file(tmp_path / "rows", "genera")
    (found,), table = predictions.read(path, "grouped", "naive_bayes_8", [0])
    assert isinstance(found, Calls)
    assert (found.called == found.truth).mean() == pytest.approx(best["figures"]["accuracy"]["value"])
    assert table["group"].nunique() == 30
    monkeypatch.setitem(TASKS, "genera", genera)
    text = render({name: document if name == "genera" else {"rows": []} for name in TASKS})
    assert "| model | MCC | accuracy | F1 | seeds |" in text
    assert "0 of 150 tested sequences (0.0%) come from a gene that was learnt from" in text


def test_a_task_of_two_classes_still_gives_probabilities_of_the_positive_one(home: Path, tmp_path: Path) -> None:
    toy_dataset(home / "datasets" / "two", n=60)
    task = Task("two", "Two", "folds", "two", ("random",), seeds=(0,), plain=("gc_alone",), starts=())
    store = Store(tmp_path / "units")
    run(in_order((task,), {}), store, {})
    gather(task, store, {}, tmp_path)
    (found,), _ = predictions.read(predictions.predictions_file(tmp_path, "two"), "random", "gc_alone", [0])
    assert isinstance(found, OutOfFold)


def test_a_read_that_equals_a_read_of_another_gene_is_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relatives share stretches letter for letter, on either strand: such a read has been seen."""
    reads = [encode(text) for text in ("AACCGT", "ACGGTT", "TTTTTA", "GGGCCA", "CACACA")]  # the second turns the first
    data = SimpleNamespace(sequences=reads, dataset=SimpleNamespace(grouped_by=BY_SOURCE))
    monkeypatch.setattr(measure, "labelled", lambda _: data)
    monkeypatch.setattr(measure, "groups_of", lambda _: np.arange(5))
    monkeypatch.setattr(measure, "folds_of", lambda *_: np.arange(5))
    assert measure.leak_of("reads", "grouped") == {"shared": 2, "of": 5, "by": BY_SOURCE}
