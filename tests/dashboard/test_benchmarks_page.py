"""The page Benchmarks: tables with their splits apart, ticks, curves, paired tests, and what is not yet run."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from toy_models import toy_dataset

from dashboard.charts.bench import curves_chart, few_chart, figures_chart
from dashboard.charts.theme import LIGHT
from dashboard.person import acting_user
from dnalm.evaluation.bench import kept, pairs
from dnalm.evaluation.bench.benches import bench, benches
from dnalm.evaluation.bench.curves import curves
from dnalm.evaluation.bench.entries import entries, units_of
from dnalm.evaluation.folds import OutOfFold
from dnalm.evaluation.networks import METHOD
from dnalm.evaluation.results import predictions
from dnalm.evaluation.results.tasks import rows as task_rows
from dnalm.evaluation.results.tasks import units
from dnalm.lab import index, jobs
from dnalm.lab.database import database
from dnalm.lab.people import add_user
from dnalm.metrics import binary_metrics
from dnalm.training.config import BenchConfig

PAGE = Path(__file__).resolve().parents[2] / "dashboard" / "views" / "benchmarks.py"
TASK = "bsubtilis-promoters-81"
N = 200


def run_of(seed: int, noise: float) -> OutOfFold:
    """Predictions of 200 sequences, half of them positive; the more noise, the worse."""
    generator = np.random.default_rng([seed, round(100 * noise)])
    truth = np.arange(N) % 2 == 0
    probability = np.clip(truth * 0.6 + 0.2 + generator.normal(0, noise, N), 0, 1)
    return OutOfFold("m", seed, np.zeros(N, int), truth, probability, np.full(N, 0.5), ())


def row(model: str, noise: float, split: str = "grouped", **more) -> tuple[dict, dict]:
    """A row of the results, and its predictions' columns."""
    runs = [run_of(seed, noise) for seed in (0, 1)]
    figures = binary_metrics(runs[0].truth, runs[0].probability, threshold=0.5, generator=np.random.default_rng(0))
    columns = {}
    for run in runs:
        columns |= predictions.columns_of(split, model, run, np.arange(N), N)
    document = {
        "model": model,
        "split": split,
        "labels": None,
        "figures": {name: figure.as_dict() for name, figure in figures.items()},
        "seeds": [0, 1],
        "data": {"name": TASK, "sha256": "0", "trained_on": 160},
        "finished": "2026-11-22T10:00:00+00:00",
        "fingerprint": {"method": METHOD, "heads": {"wide": model}},
        "machines": ["a machine"],
        "versions": {"torch": "2.13.0"},
        "predictions_sha256": f"{model}{split}",
        **more,
    }
    return document, columns


@pytest.fixture
def results(home, tmp_path, monkeypatch) -> Path:
    """Results of one task: a good model, a plain baseline and a bad one, and the plain one on random folds too."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(kept, "shipped", lambda: folder)
    monkeypatch.setattr(pairs, "shipped", lambda: folder)
    st.cache_data.clear()
    database.cache_clear()
    made = [
        row("bacteria-lm+wide", 0.15),
        row("kmer_logistic", 0.35),
        row("gc_alone", 0.8),
        row("kmer_logistic", 0.3, "random"),
    ]
    keep(folder, made)
    return folder


def keep(folder: Path, made: list[tuple[dict, dict]]) -> None:
    """Write rows and their predictions as they ship."""
    folder.mkdir(exist_ok=True)
    document = {"schema": 1, "task": TASK, "title": "", "rows": [one for one, _ in made]}
    (folder / f"{TASK}.json").write_text(json.dumps(document))
    columns = {name: column for _, found in made for name, column in found.items()}
    fixed = {predictions.TRUTH: np.arange(N) % 2 == 0, predictions.GROUP: np.arange(N) // 2}
    predictions.write(predictions.predictions_file(folder, TASK), fixed, columns)


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(str(PAGE), default_timeout=120)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception, page.exception
    return page


def words(page: AppTest) -> str:
    found = [one.value for kind in ("markdown", "caption", "header", "subheader") for one in getattr(page, kind)]
    return "\n".join(found).replace("\\", "")


def table(page: AppTest) -> pd.DataFrame:
    return page.dataframe[0].value


def test_rows_of_one_split_stand_together_and_say_why_they_are_not_ranked(results):
    page = opened(task=TASK)
    found = table(page)
    assert found["Model"].tolist() == [
        *("bacteria-lm+wide", "k-mers, logistic", "GC alone", "k-mers, logistic"),
        *("CNN (CNNProm)", "ULMFiT, pre-trained on several bacteria"),
    ]
    assert found["Split"].tolist() == ["grouped 5-fold"] * 3 + ["random 5-fold"] + ["as published"] * 2
    assert found["MCC"].tolist()[-2:] == ["0.86", "0.759"]
    assert found["AUROC"].tolist()[-1] == ""
    assert "Harder than the published split" in found["Not to be ranked with others since"].iloc[0]
    assert found["95 % interval"].iloc[0].count("0.") >= 1
    assert "random folds, which are of the published kind" in page.info[0].value
    assert "How do they trade" not in words(page)


def test_the_choice_of_rows_and_split_lives_in_the_address(results):
    page = opened(task=TASK, show="dnalm,plain", split="grouped", figure="auroc")
    assert table(page)["Model"].tolist() == ["bacteria-lm+wide", "k-mers, logistic", "GC alone"]
    assert list(table(page).columns[2:4]) == ["AUROC", "95 % interval"]
    page.segmented_control(key="bench_split").set_value("random").run()
    assert table(page)["Model"].tolist() == ["k-mers, logistic"]
    assert page.query_params["split"] == "random"
    page.selectbox(key="bench_task").set_value("dog-enhancers").run()
    assert page.query_params["task"] == "dog-enhancers"
    assert "split" not in page.query_params
    assert "dog sequences of Cohn et al. are not to be had here" in page.warning[0].value.replace("\\", "")


def test_a_benchmark_that_can_be_run_and_was_not_says_how(results):
    page = opened(task="mouse-tata-251")
    assert "One command measures it" in page.warning[0].value
    assert "dnalm bench run mouse-tata-251" in page.code[-1].value
    page = opened(task="nonsense")
    assert "There is no benchmark nonsense here" in page.warning[0].value


def test_ticked_rows_show_curves_and_the_paired_test(results):
    good, plain, bad = (f"{TASK}/grouped/{name}" for name in ("bacteria-lm+wide", "kmer_logistic", "gc_alone"))
    page = opened(task=TASK, rows=f"{plain},{good},{bad}")
    shown = words(page)
    assert "expected calibration error" in shown
    assert re.search(r"Brier score 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", shown)
    assert "corrected for 2 comparisons" in shown
    found = page.dataframe[1].value.set_index("Row")
    assert list(found.index) == ["bacteria-lm+wide", "GC alone"]
    assert found.loc["bacteria-lm+wide", "MCC, difference"].startswith("+")
    assert found.loc["GC alone", "MCC, difference"].startswith("-")
    assert float(found.loc["GC alone", "p, corrected"]) < 0.05
    assert "Tick just two" in shown


def test_two_ticked_rows_show_what_was_set_differently_and_where_they_disagree(results):
    page = opened(task=TASK, rows=f"{TASK}/grouped/bacteria-lm+wide,{TASK}/grouped/kmer_logistic")
    changed = page.dataframe[2].value
    assert changed["What"].tolist() == ["heads.wide"]
    listed = page.dataframe[3].value
    assert listed["Right"].isin(["bacteria-lm+wide", "k-mers, logistic"]).all()
    gap = (listed["bacteria-lm+wide"] - listed["k-mers, logistic"]).abs()
    assert gap.is_monotonic_decreasing
    assert f"On {len(listed)}:" in words(page)


def test_what_pre_training_brings_stands_beside_the_same_head_without_it(results):
    assert "Does pre-training pay?" not in words(opened(task=TASK))
    keep(results, [row("bacteria-lm+wide", 0.15), row("random+wide", 0.5), row("ecoli-lm+wide", 0.3, "random")])
    page = opened(task=TASK)
    assert "Does pre-training pay?" in words(page)
    (found,) = [frame.value for frame in page.dataframe if "Read before" in frame.value]
    assert found["Read before"].tolist() == ["no pre-training", "pre-trained: bacteria-lm"]
    assert found["MCC, difference"].tolist()[0] == ""
    assert found["MCC, difference"].tolist()[1].startswith("+")


def test_rows_of_different_splits_are_not_held_against_each_other(results):
    page = opened(task=TASK, rows=f"{TASK}/grouped/kmer_logistic,{TASK}/random/kmer_logistic")
    assert "measured on other sequences or another split" in page.warning[0].value.replace("\\", "")
    (changed,) = (part.value for part in page.dataframe[1:])  # what was set differently can be told all the same
    assert list(changed.columns)[1:] == ["k-mers, logistic, random 5-fold", "k-mers, logistic, grouped 5-fold"]


def test_a_damaged_file_of_results_is_one_sentence(results):
    (results / f"{TASK}.json").write_text("{")
    page = opened(task=TASK)
    assert "not JSON" in page.error[0].value


def test_every_table_that_can_be_run_leads_to_a_model_that_learnt_its_set(home):
    st.cache_data.clear()
    for one in benches().values():
        page = opened(task=one.name)
        assert ("Look into a model that learnt this" in words(page)) == bool(one.tasks)
        shipped = {task.data for task in one.tasks} & {line.value.strip("*") for line in page.markdown}
        assert bool(shipped) == bool(one.tasks), one.name


def test_reads_of_many_genera_are_compared_and_their_disagreements_name_the_genera(home):
    st.cache_data.clear()
    task = "16s-amplicon"
    pair = f"{task}/grouped/bacteria-lm+wide,{task}/grouped/naive_bayes_8"
    page = opened(task=task, figure="f1", rows=pair)
    assert not page.error
    assert {"k-mers, logistic", "bacteria-lm+wide", "naive Bayes on 8-mers"} == set(table(page)["Model"].tolist()[:3])
    against, _, listed = (part.value for part in page.dataframe[1:])
    assert against["Row"].tolist() == ["naive Bayes on 8-mers"]
    assert {"It is", "bacteria-lm+wide says", "naive Bayes on 8-mers says"} <= set(listed.columns)
    apart = listed["bacteria-lm+wide says"] != listed["naive Bayes on 8-mers says"]
    assert apart.all()
    genera = pd.concat([listed["It is"], listed["bacteria-lm+wide says"]])
    assert not genera.str.startswith("class ").any(), genera.head()


def test_every_benchmark_opens_with_what_ships():
    st.cache_data.clear()
    for name in benches():
        page = opened(task=name)
        assert len(table(page)) >= len(bench(name).table.rows)
        assert not page.error


def test_the_paired_difference_is_that_of_the_runs_and_the_disagreements_those_of_the_calls(results):
    found = {one.id.split("/", 1)[1]: one for one in entries(bench(TASK)) if one.row}
    first, second = found["grouped/bacteria-lm+wide"], found["grouped/kmer_logistic"]
    (pair,) = pairs.compare([second, first], resamples=200)
    values = []
    for seed in (0, 1):
        mcc = []
        for noise in (0.15, 0.35):
            run = run_of(seed, noise)
            figures = binary_metrics(
                run.truth, run.probability, threshold=0.5, generator=np.random.default_rng(0), resamples=0
            )
            mcc.append(figures["mcc"].value)
        values.append(mcc[0] - mcc[1])
    assert pair.differences["mcc"].value == pytest.approx(np.mean(values))
    assert pair.seeds == (0, 1)
    called = [run_of(0, noise).probability >= 0.5 for noise in (0.15, 0.35)]
    rows = pairs.disagreements(first, second)
    assert sorted(rows["row"]) == np.flatnonzero(called[0] != called[1]).tolist()
    assert pair.test.first_only == (rows["right"] == "first").sum()
    assert pairs.compare([first]) == []
    published = next(one for one in entries(bench(TASK)) if one.row is None)
    assert "without predictions" in pairs.comparable(first, published)


def test_predictions_of_other_rows_stay_and_another_dataset_begins_anew(tmp_path):
    path, run = tmp_path / "predictions" / "t.parquet", run_of(0, 0.2)
    fixed = {predictions.TRUTH: run.truth, predictions.GROUP: np.arange(N)}
    predictions.write(path, fixed, predictions.columns_of("grouped", "a", run, np.arange(N), N))
    predictions.write(path, fixed, predictions.columns_of("grouped", "b", run, np.arange(N), N))
    assert predictions.has(path, "grouped", "a", [0])
    assert predictions.has(path, "grouped", "b", [0])
    assert not predictions.has(path, "grouped", "a", [0, 1])
    (found,), table = predictions.read(path, "grouped", "a", [0])
    assert np.abs(found.probability - run.probability).max() <= 0.0005
    assert ((found.probability >= found.threshold) == (run.probability >= run.threshold)).all()
    assert table[predictions.GROUP].tolist() == list(range(N))
    other = {predictions.TRUTH: ~run.truth, predictions.GROUP: np.arange(N)}
    predictions.write(path, other, predictions.columns_of("grouped", "b", run, np.arange(N), N))
    assert not predictions.has(path, "grouped", "a", [0])
    path.write_bytes(b"PAR1 damaged")
    assert not predictions.has(path, "grouped", "b", [0])
    predictions.write(path, other, predictions.columns_of("grouped", "b", run, np.arange(N), N))
    assert predictions.has(path, "grouped", "b", [0])


def test_the_pictures_hold_every_row_and_nothing_of_a_name_is_markup(results):
    rows = entries(bench(TASK))
    figure = figures_chart(rows, "mcc", LIGHT, ticked=[rows[0].id])
    assert sum(len(trace.x) for trace in figure.data) == len(rows)
    assert next(note.text for note in figure.layout.annotations).startswith("<b>As published")
    found = {"<b>x": curves(run_of(0, 0.2))}
    traces = curves_chart(found, LIGHT).data
    assert traces[0].name == "&lt;b&gt;x"
    assert len(traces) == 3
    few = few_chart(entries(bench("ecoli-promoters-150-few-labels")), "mcc", LIGHT)
    assert [trace.name for trace in few.data if trace.showlegend] == ["as published"]


def test_measure_it_here_queues_a_job_and_leads_to_it(results):
    page = opened(task="mouse-tata-251")
    page.button(key="bench_measure").click().run()
    (job,) = jobs.visible(acting_user())
    assert (job.phase, job.config["task"]) == ("bench", "mouse-tata-251")
    assert "It is queued" in words(page)
    page = opened(task="dog-enhancers")
    assert not [button for button in page.button if button.key == "bench_measure"]


def test_ticked_rows_are_measured_again_and_no_others(results):
    page = opened(task=TASK)
    assert page.button(key="bench_again").disabled
    one, other = [entry for entry in entries(bench(TASK)) if entry.row][:2]
    page = opened(task=TASK, rows=f"{one.id},{other.id}")
    assert page.button(key="bench_again").label == "Measure the 2 ticked rows again"
    before = datetime.now(UTC)
    page.button(key="bench_again").click().run()
    (job,) = jobs.visible(acting_user())
    config = BenchConfig.model_validate(job.config)
    assert config.match == [units_of(entry) for entry in (one, other)]
    assert config.since is not None and config.since >= before
    every = [unit for task in bench(TASK).tasks for row in task_rows(task, {}) for unit in units(task, row)]
    asked = {(unit.split, unit.model) for unit in every if any(text in unit.name for text in config.match)}
    assert asked == {(entry.row["split"], entry.row["model"]) for entry in (one, other)}


def test_a_set_of_ones_own_can_be_measured_and_a_colleagues_private_one_not_seen(results, home):
    toy_dataset(home / "datasets" / "mine")
    toy_dataset(home / "datasets" / "three", labels=["background", "promoter"], positive=None)
    page = opened(task="mine")
    assert page.selectbox(key="bench_task").value == "mine"
    assert "One command measures it" in page.warning[0].value
    assert "dnalm bench run mine" in page.code[-1].value
    assert not page.info
    page = opened(task="three")
    assert not page.error
    assert "dnalm bench run three" in page.code[-1].value
    ben = add_user(acting_user(), "ben", "Ben")
    assert [one.name for one in index.datasets(ben)] == []


def test_the_files_are_what_the_page_shows(results):
    from dnalm.evaluation.bench.export import export

    text = export(bench(TASK), entries(bench(TASK)), ["mcc"], "csv")
    assert len(pd.read_csv(io.StringIO(text.split("\n", 1)[1]))) == 6
