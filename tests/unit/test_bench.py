"""Benchmarks: which there are, what stands in their tables, and how they leave the house."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from toy_models import language_model_bundle, toy_dataset
from toy_queue import people
from typer.testing import CliRunner

from dnalm.cli import app
from dnalm.datasets import Dataset
from dnalm.errors import InputError
from dnalm.evaluation import published
from dnalm.evaluation.baselines import ANY_LENGTH
from dnalm.evaluation.bench import benches as benches_module
from dnalm.evaluation.bench import kept
from dnalm.evaluation.bench.benches import bench, benches, tasks_of
from dnalm.evaluation.bench.entries import Entry, entries, leaks
from dnalm.evaluation.bench.export import export, frame, protocol_line, text_of
from dnalm.evaluation.bench.job import measure_bench
from dnalm.evaluation.networks import METHOD
from dnalm.evaluation.results import run as running
from dnalm.evaluation.results.models import find_models
from dnalm.evaluation.results.tasks import TASKS, rows
from dnalm.lab import index, jobs
from dnalm.lab.database import Database
from dnalm.lab.people import local_user
from dnalm.settings import settings
from dnalm.training.config import BenchConfig
from dnalm.training.run import RunFolder


def figure(value: float) -> dict:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 100}


def own_row(model: str, split: str = "grouped", mcc: float = 0.8, **more) -> dict:
    return {
        "model": model,
        "split": split,
        "labels": None,
        "figures": {"mcc": figure(mcc), "accuracy": figure(0.9), "auroc": {**figure(0.9), "value": None}},
        "seeds": [0, 1, 2],
        "data": {"name": "bsubtilis-promoters-81", "sha256": "0", "trained_on": 1098},
        "finished": "2026-11-22T10:00:00+00:00",
        "fingerprint": {"method": METHOD},
        **more,
    }


@pytest.fixture
def results(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Own results alone: nothing ships."""
    monkeypatch.setattr(kept, "shipped", lambda: tmp_path / "shipped")
    return home / "bench"


def keep(folder: Path, task: str, *rows: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{task}.json").write_text(json.dumps({"schema": 1, "task": task, "title": "", "rows": list(rows)}))


def test_every_published_table_is_a_benchmark_and_says_why_it_has_no_runs() -> None:
    found = benches()
    assert list(found) == list(published.load().tasks)
    for one in found.values():
        assert one.tasks or one.state, one.name
    assert "not to be had" in found["dog-enhancers"].state
    assert found["human-enhancers"].figure == "auroc"
    assert found["human-enhancers"].figures == ("auroc", "mcc", "accuracy")
    assert found["16s-shotgun"].figure == "f1"
    assert found["dog-enhancers"].figure == "auroc"
    assert found["bsubtilis-promoters-81"].figure == "mcc"


def test_the_set_with_the_start_codon_hidden_is_the_headline() -> None:
    names = [task.name for task in bench("ecoli-promoters-150").tasks]
    grouped = ["ecoli-promoters-150-masked", "ecoli-promoters-150"]
    assert names == [*grouped, *(f"{name}-random" for name in grouped)]
    names = [task.name for task in bench("ecoli-promoters-150-few-labels").tasks]
    assert names == ["few-labels-150-masked", "few-labels-150"]
    assert bench("few-labels-150").name == "ecoli-promoters-150-few-labels"
    assert tasks_of("lm-ecoli") == (TASKS["lm-ecoli"],)


def test_a_part_held_out_at_random_says_so_and_is_not_told_as_another_split(results: Path) -> None:
    for name in ("ecoli-promoters-150", "ecoli-promoters-150-random", "ecoli-promoters-150-masked-random"):
        keep(results, name, own_row("gc_alone", "test", data={"name": name, "sha256": "a", "trained_on": 9}))
    found = {one.task: one for one in entries(bench("ecoli-promoters-150")) if one.row}
    plain, random, hidden = (found[f"ecoli-promoters-150{kind}"] for kind in ("", "-random", "-masked-random"))
    assert [one.split for one in (plain, random, hidden)] == ["held-out part", *["held-out part, drawn at random"] * 2]
    assert plain.note.endswith("Another test part than the published one.")
    assert random.note.endswith("Easier than the published split: near copies of tested sequences are learnt from.")
    assert "is hidden here" in hidden.note
    assert random.group == "A held-out part drawn at random"
    assert hidden.group == "A held-out part drawn at random, start codon hidden"


def test_where_one_group_is_a_large_share_the_best_of_each_kind_without_it_is_told(results: Path) -> None:
    def chain(mcc: float) -> dict:
        return {"largest": 40, "of": 100, "figures": {"mcc": {"value": mcc, "low": mcc - 0.1, "high": mcc + 0.1}}}

    leak = {"shared": 0, "of": 100, "by": "stretches"}
    rows = [("gc_alone", 0.2), ("pwm", 0.6), ("ecoli-lm+wide", 0.7)]
    told = [own_row(model, leak=leak, without_largest=chain(mcc)) for model, mcc in rows]
    keep(results, "bsubtilis-promoters-81", *told, own_row("gc_alone", "random", leak=leak))
    grouped, random = leaks(entries(bench("bsubtilis-promoters-81"))).values()
    assert grouped.endswith(
        "40 of the 100 are one group, chained by what they share, and stand in one fold; MCC on the others, dnalm's "
        "best: ecoli-lm+wide 0.700 (0.600 to 0.800); best plain baseline: weight matrix (PWM) 0.600 (0.500 to 0.700)"
    )
    assert "one group" not in random


def test_a_name_that_is_none_and_one_that_cannot_run_are_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="there are ecoli-promoters-150, "):
        bench("nothing")
    with pytest.raises(InputError, match=r"cannot be run here\. The dog sequences"):
        tasks_of("dog-enhancers")


def test_own_rows_take_the_place_of_shipped_ones_of_the_same_model_and_split(results: Path, tmp_path: Path) -> None:
    task = TASKS["bsubtilis-promoters-81"]
    assert kept.rows_of(task) == []
    keep(tmp_path / "shipped", task.name, own_row("gc_alone", mcc=0.5), own_row("gc_alone", "random", mcc=0.6))
    keep(results, task.name, own_row("gc_alone", mcc=0.7))
    found = {row["split"]: row["figures"]["mcc"]["value"] for row in kept.rows_of(task)}
    assert found == {"grouped": 0.7, "random": 0.6}


def test_a_run_that_was_broken_off_takes_no_place_of_a_better_one(results: Path, tmp_path: Path) -> None:
    task = TASKS["bsubtilis-promoters-81"]
    keep(tmp_path / "shipped", task.name, own_row("gc_alone", mcc=0.5))
    keep(results, task.name, own_row("gc_alone", mcc=0.7, seeds=[0]))
    assert [row["figures"]["mcc"]["value"] for row in kept.rows_of(task)] == [0.5]
    keep(results, task.name, own_row("gc_alone", mcc=0.7, seeds=[0], fingerprint={"method": METHOD, "data": "other"}))
    (row,) = entries_of_own(task.name)
    assert row.figures["mcc"].value == 0.7
    assert row.partial == "1 of 3 seeds"
    assert row.note.startswith("Of 1 of 3 seeds only.")


def entries_of_own(name: str) -> list[Entry]:
    return [one for one in entries(bench(name)) if one.row]


def test_each_row_says_what_it_is_and_why_it_cannot_be_ranked(results: Path) -> None:
    text = {"shared": 12, "of": 1373, "why": "", "facts": {}}
    rows = [
        own_row("gc_alone"),
        own_row("bacteria-lm+wide", "random", text=text),
        own_row("random+wide", fingerprint={"method": METHOD - 1}),
    ]
    keep(results, "bsubtilis-promoters-81", *rows)
    found = {one.id: one for one in entries(bench("bsubtilis-promoters-81"))}
    assert [one.kind for one in found.values()] == ["plain", "dnalm", "dnalm", "published", "published"]
    assert [one.split for one in found.values()][:3] == ["grouped 5-fold"] * 2 + ["random 5-fold"]
    theirs = found["published-1"]
    assert (theirs.figures["mcc"].value, theirs.figures["mcc"].low, theirs.split) == (0.759, None, "as published")
    assert "grouped folds" in theirs.note
    plain = found["bsubtilis-promoters-81/grouped/gc_alone"]
    assert (plain.model, plain.what, plain.labels, plain.seeds) == ("GC alone", "plain baseline", 1098, 3)
    assert "Harder than the published split" in plain.note
    assert "auroc" not in plain.figures
    ours = found["bsubtilis-promoters-81/random/bacteria-lm+wide"]
    assert ours.what == "pre-trained: bacteria-lm"
    assert ours.note == "Its pre-training text held 12 of the 1,373 sequences, unlabelled."
    older = found["bsubtilis-promoters-81/grouped/random+wide"]
    assert older.what == "no pre-training"
    assert "as it was before it last changed" in older.note


def test_the_masked_rows_say_that_their_data_are_others(results: Path) -> None:
    keep(results, "ecoli-promoters-150-masked", own_row("gc_alone", "test"))
    own = next(one for one in entries(bench("ecoli-promoters-150")) if one.row)
    assert "is hidden here" in own.note


def test_the_table_leaves_the_house_whole(results: Path) -> None:
    keep(results, "bsubtilis-promoters-81", own_row("gc_alone"))
    one = bench("bsubtilis-promoters-81")
    rows = entries(one)
    text = export(one, rows, ["mcc"], "csv")
    head, _, body = text.partition("\n")
    assert head == f"# {protocol_line(one, rows)}"
    again = pd.read_csv(io.StringIO(body))
    assert again["mcc"].tolist() == [0.8, 0.86, 0.759]
    assert again["mcc_low"].isna().tolist() == [False, True, True]
    assert frame(rows, ["mcc"])["model"].tolist() == again["model"].tolist()
    assert text_of(rows[0], "mcc") == "0.800 [0.700, 0.900]"
    assert text_of(rows[1], "auprc") == ""
    markdown = export(one, rows, ["mcc"], "markdown").splitlines()
    assert markdown[3].startswith("| CNN (CNNProm) |")
    assert markdown[2].endswith("| 1 |")
    assert [line.endswith("| 2 |") for line in markdown[3:5]] == [True, True]
    notes = [f"1. {rows[0].note}", f"2. {one.table.apart.strip()}"]
    assert markdown[-4:] == [protocol_line(one, rows), "", *notes]
    assert one.table.apart.strip() not in protocol_line(one, rows)
    assert one.table.apart.strip() in protocol_line(one)
    latex = export(one, rows, ["mcc"], "latex")
    assert r"95 \% intervals" in latex
    assert latex.count(r"\\") == len(rows) + 1


def test_the_command_lists_and_prints(results: Path, tmp_path: Path) -> None:
    keep(results, "bsubtilis-promoters-81", own_row("gc_alone"), own_row("gc_alone", "random"))
    listed = json.loads(CliRunner().invoke(app, ["bench", "list", "--json"]).stdout)["benchmarks"]
    counts = {one["task"]: (one["published"], one["measured"]) for one in listed}
    assert counts["bsubtilis-promoters-81"] == (2, 2)
    assert counts["dog-enhancers"] == (4, 0)
    shown = CliRunner().invoke(app, ["bench", "table", "bsubtilis-promoters-81", "--split", "random"])
    assert [line.split("\t")[3] for line in shown.stdout.splitlines()[1:]] == ["random 5-fold"] + ["as published"] * 2
    assert "Published: " in shown.stderr
    path = tmp_path / "t.tex"
    told = ["bench", "table", "bsubtilis-promoters-81", "--format", "latex", "-o", str(path)]
    assert CliRunner().invoke(app, told).exit_code == 0
    assert path.read_text().startswith("% needs")
    refused = CliRunner().invoke(app, ["bench", "table", "bsubtilis-promoters-81", "--figure", "nonsense"])
    assert refused.exit_code == 2
    assert "there is no figure 'nonsense'" in refused.stderr
    shown = CliRunner().invoke(app, ["bench", "table", "bsubtilis-promoters-81", "--json"])
    assert json.loads(shown.stdout)["rows"][-2]["mcc"] == 0.86


@pytest.fixture
def own_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A set of two classes, told apart by TATAAT, and no language model to start from; one baseline alone."""
    toy_dataset(home / "datasets" / "mine", n=60)
    monkeypatch.setattr(benches_module, "find_models", dict)
    monkeypatch.setattr(benches_module, "OWN_PLAIN", ("gc_alone", "kmer_logistic"))
    return "mine"


def test_a_set_of_ones_own_is_a_benchmark_too(own_set: str, home: Path) -> None:
    one = bench(own_set)
    (task,) = one.tasks
    assert (task.kind, task.splits, task.starts) == ("folds", ("grouped", "random"), ("random",))
    assert one.table.rows == ()
    assert entries(one) == []
    assert protocol_line(one).startswith("mine. Nothing is published on it.")
    toy_dataset(home / "datasets" / "ragged", n=60)
    table = pd.read_parquet(home / "datasets" / "ragged" / "sequences.parquet")
    table.loc[0, "sequence"] += "A"
    Dataset(table, {"labels": ["background", "promoter"], "positive": "promoter"}).save(home / "datasets" / "ragged")
    assert bench("ragged").tasks[0].plain == ANY_LENGTH
    assert bench("ragged").tasks[0].starts == ("random",)  # the wide head reads sequences of any length
    Dataset(table, {"labels": ["background", "promoter"]}).save(home / "datasets" / "no-positive")
    assert bench("no-positive").tasks[0].plain == ("gc_alone", "kmer_logistic", "naive_bayes_8")


def test_figures_of_a_set_go_with_it_and_are_not_those_of_another_of_its_name(own_set: str, home: Path) -> None:
    measure_bench(BenchConfig(task=own_set, match=["random/gc_alone.seed0"], processes=1), home / "runs" / "b")
    assert len(entries(bench(own_set))) == 1
    toy_dataset(home / "datasets" / "mine", n=48)
    assert entries(bench(own_set)) == []
    index.datasets(local_user())
    index.delete_dataset(local_user(), index.dataset(local_user(), "mine").id)
    assert not (home / "bench" / "mine.json").exists()
    assert not (home / "results" / "mine").exists()


def test_a_set_of_near_copies_has_random_folds_alone(own_set: str, home: Path) -> None:
    toy_dataset(home / "datasets" / "copies", groups={"groups": 1})
    one = bench("copies")
    assert one.tasks[0].splits == ("random",)
    assert "near copies of each other (1 groups)" in protocol_line(one)


@pytest.mark.parametrize("name", ["../mine", "/tmp/mine", "a/b"])
def test_a_path_is_no_benchmark(own_set: str, name: str) -> None:
    with pytest.raises(InputError, match="no labelled set"):
        bench(name)


def test_other_peoples_models_stand_in_no_table_unasked(home: Path) -> None:
    language_model_bundle(home / "models" / "secret-lm")
    assert "secret-lm" not in find_models()
    assert "secret-lm" in find_models(["secret-lm"])
    (home / "models" / "broken-lm").mkdir()
    (home / "models" / "broken-lm" / "config.json").write_text("{")
    assert "broken-lm" not in find_models()
    rows_with = [row.model for row in rows(TASKS["mouse-tata-251"], find_models(["secret-lm"]))]
    assert "secret-lm+wide" in rows_with
    assert "secret-lm+wide" not in [row.model for row in rows(TASKS["mouse-tata-251"], find_models())]


def test_a_unit_that_cannot_be_measured_is_told_and_the_others_go_on(own_set: str, home: Path, monkeypatch) -> None:
    def broken(unit, models, folder):
        if unit.fold == 1:
            raise InputError("no room")
        return measure_unit(unit, models, folder)

    measure_unit = running.run_unit
    monkeypatch.setattr(running, "run_unit", broken)
    result = measure_bench(BenchConfig(task=own_set, match=["random/gc_alone.seed0"], processes=1), home / "runs" / "b")
    assert result["impossible"] == ["mine/random/gc_alone.seed0.fold1"]
    assert result["measured"] == 4
    assert "cannot be measured: no room" in (home / "runs" / "b" / "log.txt").read_text()


def test_a_benchmark_runs_as_a_job_and_what_was_measured_stays(own_set: str, home: Path) -> None:
    config = BenchConfig(task=own_set, match=["/gc_alone."], processes=1)
    told: list[dict] = []
    stop = 3

    def interrupt(progress: dict) -> None:
        told.append(progress)
        if progress["step"] == stop:
            raise KeyboardInterrupt

    folder = home / "runs" / "b"
    with pytest.raises(KeyboardInterrupt):
        measure_bench(config, folder, interrupt)
    run = RunFolder(folder)
    assert run.read_progress()["state"] == "interrupted"
    assert (folder / "checkpoint" / "state.json").is_file()
    assert not run.result()
    result = measure_bench(config, folder)
    assert result["measured"] == 30 - stop  # 2 splits, 3 seeds, 5 folds
    assert result["left"] == 0
    assert run.result()["rows"] == {own_set: 2}
    assert [one.split for one in entries(bench(own_set))] == ["grouped 5-fold", "random 5-fold"]
    assert measure_bench(config, home / "runs" / "again")["measured"] == 0
    assert told[0]["total"] == 30
    assert told[1]["eta_s"] > 0


def test_a_member_cannot_queue_a_benchmark_of_a_colleagues_set(own_set: str, home: Path, db: Database) -> None:
    ann, ben = people("ann", "ben")
    index.datasets(local_user())
    for user in (ann, ben):
        with pytest.raises(InputError, match="none that is shared with you"):
            jobs.submit(user, BenchConfig(task=own_set))
    assert jobs.submit(local_user(), BenchConfig(task=own_set)).phase == "bench"
    assert jobs.submit(ben, BenchConfig(task="mouse-tata-251")).name.startswith("bench-mouse-tata-251")
    with pytest.raises(InputError, match="cannot be run here"):
        jobs.submit(ben, BenchConfig(task="dog-enhancers"))


def test_an_installation_without_the_published_tables_still_knows_its_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benches.cache_clear()
    monkeypatch.setenv("DNALM_SHIPPED", str(tmp_path))
    settings.cache_clear()
    assert benches_module.known_names() == frozenset(TASKS)
    monkeypatch.undo()
    settings.cache_clear()
    benches.cache_clear()
    assert "dog-enhancers" in benches_module.known_names()
