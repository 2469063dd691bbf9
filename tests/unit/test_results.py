"""Results: units resume, rows are right where the answer is known, and the page says what is missing."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dnalm.cli import app
from dnalm.datasets.dataset import Dataset, table_of
from dnalm.errors import InputError
from dnalm.evaluation.folds import OutOfFold
from dnalm.evaluation.networks import METHOD
from dnalm.evaluation.results import gather as gathering
from dnalm.evaluation.results import measure, page, places, tasks
from dnalm.evaluation.results.explained import read_explained
from dnalm.evaluation.results.figure import draw_curve
from dnalm.evaluation.results.gather import gather
from dnalm.evaluation.results.intervals import mean_figures
from dnalm.evaluation.results.models import start_codon_rule
from dnalm.evaluation.results.places import devices_of, processes_here
from dnalm.evaluation.results.run import pending, run
from dnalm.evaluation.results.services import read_services, write_service
from dnalm.evaluation.results.tasks import TASKS, Row, Task, in_order, rows, units
from dnalm.evaluation.results.units import Store, Unit
from dnalm.evaluation.several import WIDE_METHOD
from dnalm.settings import PACKAGE_ROOT
from dnalm.training.machine import GIB, Machine

TOY = Task(
    "toy", "A toy", "folds", "toy", ("grouped",), (0, 1), ("gc_alone", "kmer_logistic"), starts=("no-such-lm",),
    reference="gc_alone",
)  # fmt: skip


@pytest.fixture
def toy(home: Path) -> Path:
    """A dataset of 60 sequences in `$DNALM_HOME`: those of the positive class are rich in G and C."""
    generator = np.random.default_rng(3)
    lines = []
    for number in range(60):
        positive = number % 2 == 0
        weights = (0.1, 0.4, 0.4, 0.1) if positive else (0.4, 0.1, 0.1, 0.4)
        text = "".join("ACGT"[base] for base in generator.choice(4, size=40, p=weights))
        split = "test" if number >= 40 else "train"
        label = "yes" if positive else "no"
        lines.append({"id": f"s{number}", "sequence": text, "label": label, "split": split, "source": "made",
                      "in_demo_region": number == 3})  # fmt: skip
    dataset = Dataset(table_of(lines), {"labels": ["no", "yes"], "positive": "yes", "anchor": 10, "name": "toy"})
    for cached in (measure.labelled, measure.groups_of, measure.folds_of):
        cached.cache_clear()
    return dataset.save(home / "datasets" / "toy")


@pytest.fixture
def store(toy: Path, home: Path) -> Store:
    return Store(home / "results")


def _run(probability: list[float], truth: list[int], seed: int = 0) -> OutOfFold:
    n = len(truth)
    return OutOfFold(
        "made", seed, np.zeros(n, np.int64), np.array(truth, bool), np.array(probability), np.full(n, 0.5), (1.0,)
    )


def test_the_mean_over_seeds_is_the_mean_of_the_seeds_figures() -> None:
    right = _run([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 0])
    half = _run([0.9, 0.1, 0.1, 0.9], [1, 1, 0, 0])
    found = mean_figures([right, half], generator=np.random.default_rng(0), resamples=50)
    assert found["accuracy"].value == pytest.approx(0.75)
    assert found["mcc"].value == pytest.approx(0.5)
    less = mean_figures([right], minus=[half], generator=np.random.default_rng(0), resamples=50)
    assert less["accuracy"].value == pytest.approx(0.5)
    same = mean_figures([right], minus=[right], generator=np.random.default_rng(0), resamples=50)
    assert (same["mcc"].value, same["mcc"].low, same["mcc"].high) == (0, 0, 0)


def test_draws_of_labels_are_part_of_the_interval() -> None:
    truth = [1, 0] * 200
    good = _run([0.9 if one else 0.1 for one in truth], truth)
    bad = _run([0.1 if one else 0.9 for one in truth], truth)
    fixed = mean_figures([good, bad], generator=np.random.default_rng(0), figures=("accuracy",))["accuracy"]
    drawn = mean_figures([good, bad], generator=np.random.default_rng(0), figures=("accuracy",), resample_runs=True)
    assert (fixed.low, fixed.high) == (0.5, 0.5)  # every resample of the same sequences has one right, one wrong
    assert (drawn["accuracy"].value, drawn["accuracy"].low, drawn["accuracy"].high) == (0.5, 0, 1)


def test_runs_of_other_sequences_are_refused() -> None:
    with pytest.raises(InputError, match="same sequences"):
        mean_figures([_run([0.5, 0.5], [1, 0]), _run([0.5, 0.5], [0, 1])], generator=np.random.default_rng(0))


def test_the_start_codon_rule_calls_by_the_codon_at_the_anchor() -> None:
    from dnalm.alphabet import encode

    codes = np.stack([encode(text) for text in ("AAATGA", "AAGTGA", "AATTGA", "AACTGA", "ATGAAA", "AANTGA")])
    fitted = start_codon_rule(2)(codes, np.ones(6, bool), np.random.default_rng(0))
    assert fitted(codes).tolist() == [1, 1, 1, 0, 0, 0]


def test_what_was_done_is_not_done_again(store: Store) -> None:
    every = in_order([TOY], {})
    assert len([unit for unit in every if unit.model == "gc_alone"]) == 2 * tasks.FOLDS
    assert run(every[:3], store, {}) == 3
    before = {unit: store.path(unit).read_bytes() for unit in every[:3]}
    left = list(pending(every, store, {}))
    assert left == [unit for unit in every[3:] if "no-such-lm" not in unit.model]
    run(every, store, {})
    assert not list(pending(every, store, {}))
    assert {unit: store.path(unit).read_bytes() for unit in every[:3]} == before


def test_a_unit_of_other_data_is_measured_again(store: Store) -> None:
    unit = Unit("fold", "toy", "gc_alone", "grouped", 0, 0)
    run([unit], store, {})
    document = store.read(unit)
    assert document is not None
    assert not list(pending([unit], store, {}))
    store.write(unit, {**document, "fingerprint": {**document["fingerprint"], "data": "other"}})
    assert list(pending([unit], store, {})) == [unit]


def test_what_was_measured_before_a_moment_is_measured_again_and_once(store: Store) -> None:
    units = [Unit("fold", "toy", "gc_alone", "grouped", 0, fold) for fold in (0, 1)]
    run(units, store, {})
    document = store.read(units[0])
    assert document is not None
    store.write(units[0], {**document, "finished": "2020-01-01T00:00:00+00:00"})
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert list(pending(units, store, {}, since=since)) == units[:1]
    assert not list(pending(units, store, {}))
    assert run(units, store, {}, since=since) == 1
    assert not list(pending(units, store, {}, since=since))


def test_a_damaged_unit_names_its_file(store: Store) -> None:
    unit = Unit("fold", "toy", "gc_alone", "grouped", 0, 0)
    run([unit], store, {})
    store.path(unit).write_text("{")
    with pytest.raises(InputError, match=r"gc_alone\.seed0\.fold0\.json"):
        list(pending([unit], store, {}))


def test_no_unit_is_begun_after_the_budget(store: Store) -> None:
    assert run(in_order([TOY], {}), store, {}, minutes=0) == 0


@pytest.mark.slow
def test_two_processes_give_what_one_gives(store: Store, tmp_path: Path) -> None:
    every = units(TOY, Row("gc_alone", "grouped"))[:2]
    other = Store(tmp_path / "other")
    assert run(every, store, {}) == run(every, other, {}, processes=2) == 2
    for unit in every:
        one, two = store.read(unit), other.read(unit)
        assert one is not None and two is not None
        assert one["probability"] == two["probability"]


def test_rows_wait_until_all_folds_of_a_seed_are_done(store: Store, tmp_path: Path) -> None:
    every = units(TOY, Row("gc_alone", "grouped"))
    run(every[:4], store, {})
    assert gather(TOY, store, {}, tmp_path)["rows"] == []
    run(every, store, {})
    (row,) = gather(TOY, store, {}, tmp_path)["rows"]
    assert row["seeds"] == [0, 1]
    assert row["fits"] == 2 * tasks.FOLDS
    assert row["figures"]["auroc"]["value"] > 0.95  # the classes differ in nothing but their GC content
    assert row["figures"]["mcc"]["low"] <= row["figures"]["mcc"]["value"] <= row["figures"]["mcc"]["high"]
    assert row["by_seed"].keys() == {"0", "1"}
    assert json.loads((tmp_path / "toy.json").read_text())["rows"] == [row]


def test_differences_are_paired_and_to_the_reference(store: Store, tmp_path: Path) -> None:
    run(in_order([TOY], {}), store, {})
    found = {row["model"]: row for row in gather(TOY, store, {}, tmp_path)["rows"]}
    assert "difference" not in found["gc_alone"]
    told = found["kmer_logistic"]["difference"]
    assert told["to"] == "gc_alone"
    figures = [found[name]["figures"]["mcc"]["value"] for name in ("kmer_logistic", "gc_alone")]
    assert told["figures"]["mcc"]["value"] == pytest.approx(figures[0] - figures[1])


def test_a_kept_row_stays_until_there_is_a_better_one(store: Store, tmp_path: Path) -> None:
    every = units(TOY, Row("gc_alone", "grouped"))
    run(every, store, {})
    (row,) = gather(TOY, store, {}, tmp_path)["rows"]
    for unit in every[tasks.FOLDS :]:
        store.path(unit).unlink()
    assert gather(TOY, store, {}, tmp_path)["rows"] == [row]  # one seed is less than two
    for unit in every:
        store.path(unit).unlink(missing_ok=True)
    assert gather(TOY, store, {}, tmp_path)["rows"] == [row]  # without predictions what is kept stays


@pytest.fixture
def made(store: Store, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A language model named near-lm whose units are done, with figures made up here."""
    models = {"near-lm": Path("near-lm")}
    for module in (gathering, measure):
        monkeypatch.setattr(module, "fingerprint", lambda unit, models: {"weights": "w"})
    shared = {"fingerprint": {"weights": "w"}, "seconds": 2.0, "machine": "made", "versions": {}, "finished": "2026"}
    for fold in range(tasks.FOLDS):
        rows = list(range(fold, 60, tasks.FOLDS))
        truth = [int(row % 2 == 0) for row in rows]
        chance = [0.9 if one else 0.1 for one in truth]
        document = {"rows": rows, "truth": truth, "probability": chance, "threshold": 0.5, "trained_on": 48}
        unit = Unit("fold", "toy", "near-lm+wide", "grouped", 0, fold)
        store.write(unit, {**shared, **document, "figures": {}})
    bits = {"figures": {"bits_per_base": {"value": 1.9, "low": 1.8, "high": 2.0, "n": 9}}, "facts": {}}
    store.write(Unit("bits", tasks.GENOME, "near-lm", tasks.HELD_OUT), {**shared, **bits})
    text = {"shared": 7, "of": 60, "facts": {"exclude_matches": None}}
    store.write(Unit("text", "toy", "near-lm", tasks.TEXT), {**shared, **text})
    return models


def test_a_point_of_the_curve_has_both_figures(store: Store, made: dict[str, Path], tmp_path: Path) -> None:
    task = Task("curve", "A curve", "curve", "toy", ("grouped",), (0,), starts=("near-lm",))
    (row,) = gather(task, store, made, tmp_path)["rows"]
    assert row["bits_per_base"]["value"] == 1.9
    assert row["figures"]["mcc"]["value"] == 1
    assert draw_curve({"rows": [row]}, tmp_path / "curve.png")
    assert "1.900 [1.800, 2.000] | 1.000 [1.000, 1.000]" in "\n".join(page._curve(task, {"rows": [row]}))


def test_a_figure_of_the_heads_as_they_were_is_marked(store: Store, made: dict[str, Path], tmp_path: Path) -> None:
    task = Task("folds", "Folds", "folds", "toy", ("grouped",), (0,), starts=("near-lm",))
    document = gather(task, store, made, tmp_path)
    (row,) = document["rows"]
    for method, marked in ((METHOD, False), (METHOD - 1, True)):
        row["fingerprint"] = {**row["fingerprint"], "method": method}
        assert (f"near-lm+wide**{page.EARLIER}" in "".join(page._classifiers(task, document))) == marked
    row["fingerprint"] = {**row["fingerprint"], "method": METHOD, "several": WIDE_METHOD - 1}
    assert f"near-lm+wide**{page.EARLIER}" in "".join(page._classifiers(task, document))
    row["model"], row["fingerprint"] = "markov", {"method": METHOD - 1}
    assert page.EARLIER not in "".join(page._classifiers(task, document))


def test_the_page_says_what_a_models_text_held(store: Store, made: dict[str, Path], tmp_path: Path) -> None:
    task = Task("folds", "Folds", "folds", "toy", ("grouped",), (0,), starts=("near-lm",))
    document = gather(task, store, made, tmp_path)
    assert "near-lm: its pre-training text holds a 20-mer of 7 of the 60 sequences" in page._texts(document)


def test_predictions_are_put_back_in_the_order_of_the_rows() -> None:
    def document(rows: list[int], threshold: float) -> dict:
        chance = [row / 10 for row in rows]
        return {"rows": rows, "truth": [row % 2 for row in rows], "probability": chance, "threshold": threshold,
                "seconds": 1.0}  # fmt: skip

    found, place = gathering._run(Row("m", "grouped"), 0, [document([1, 4], 0.3), document([0, 2, 3], 0.6)])
    assert place.tolist() == [0, 1, 2, 3, 4]
    assert found.probability.tolist() == [0, 0.1, 0.2, 0.3, 0.4]
    assert found.truth.tolist() == [False, True, False, True, False]
    assert found.threshold.tolist() == [0.6, 0.3, 0.6, 0.6, 0.3]


def test_few_labels_are_drawn_from_rows_that_may_be_trained_on(toy: Path) -> None:
    unit = Unit("test", "toy", "gc_alone", "few-labels", 1, labels=10)
    sample, again = measure.sample_of(unit), measure.sample_of(unit)
    assert len(sample.train) == 10
    assert sample.train_truth.sum() == 5
    assert np.array_equal(sample.train, again.train)
    assert not np.array_equal(
        sample.train, measure.sample_of(Unit("test", "toy", "gc_alone", "few-labels", 2, labels=10)).train
    )
    assert sample.rows.tolist() == list(range(40, 60))
    whole = measure.sample_of(Unit("test", "toy", "gc_alone", "test"))
    assert len(whole.train) == measure.training_count(Unit("test", "toy", "gc_alone", "test")) == 39  # not the demo's


def test_first_seeds_come_first_and_the_dear_last() -> None:
    order = in_order(list(TASKS.values()), {})
    assert [unit.seed for unit in order] == sorted(unit.seed for unit in order)
    assert len(set(order)) == len(order)
    models = [unit.model for unit in order if unit.seed == 0]
    assert models.index("gc_alone") < models.index("random+wide") < models.index("plain_average")
    assert models.index("plain_average") < models.index("ecoli-lm+ensemble")
    few = TASKS["few-labels-150"]
    assert len(few.seeds) == 5
    assert few.labels[-1] == 6791  # all, as published
    assert "random+wide" in {row.model for row in rows(few, {})}


def test_snapshots_are_points_of_the_curve_alone() -> None:
    models = {"ecoli-lm": Path("a"), "early": Path("b")}
    shown = {task.name: {row.model for row in rows(task, models, ["early"])} for task in TASKS.values()}
    assert {name for name, found in shown.items() if any("early" in model for model in found)} == {"mcc-vs-bits"}


def test_a_model_that_has_not_read_a_set_stands_in_that_sets_tables_alone() -> None:
    models = {"ecoli-lm": Path("a"), "ecoli-unseen-lm": Path("b"), "ecoli-region-lm": Path("c")}

    def shown(start: str) -> set[str]:
        return {task.name for task in TASKS.values() for row in rows(task, models) if row.model.startswith(start)}

    assert shown("ecoli-unseen") == {"lm-ecoli", "ecoli-sigma70-81", "mcc-vs-bits"}
    assert shown("ecoli-region") == {"lm-ecoli"}  # what lies beneath models that scan


def test_the_page_says_what_was_not_run_and_ranks_nothing_published() -> None:
    documents = {name: {"rows": []} for name in TASKS}
    text = page.render(documents)
    assert text.count(page.NOT_RUN) > 50
    assert "**bacteria-lm+wide** | not yet run" in text
    assert "given, not measured here" in text
    assert "so not to be ranked with what is measured here" in text
    assert "mcc-vs-bits.png" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.8124, ".812"), (-0.0451, "-.045"), (1.0, "1.000"), (0, ".000"), (-0.0001, ".000")]
)
def test_figures_are_printed_as_tables_do(value: float, text: str) -> None:
    assert page.signed(value) == text


def test_the_picture_is_drawn_from_points_that_have_both_figures(tmp_path: Path) -> None:
    figure = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 5}
    point = {"model": "a+wide", "figures": {"mcc": figure}, "bits_per_base": {**figure, "value": 1.9}}
    assert not draw_curve({"rows": [{"model": "b+wide", "figures": {"mcc": figure}}]}, tmp_path / "no.png")
    assert draw_curve({"rows": [point]}, tmp_path / "images" / "yes.png")
    assert (tmp_path / "images" / "yes.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_runs_a_task_and_the_page_is_written_from_what_it_kept(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "toy", TOY)

    def told(*words: str):
        return CliRunner().invoke(app, ["bench", *words])

    into = str(tmp_path / "kept")
    found = told("run", "toy", "--match", "gc_alone", "--processes", "1", "--into", into)
    assert found.exit_code == 0, found.output
    assert "10 of 10 units measured" in found.stderr
    assert told("report", "--from", into, "-o", str(tmp_path / "docs")).exit_code == 0
    text = (tmp_path / "docs" / "results.md").read_text().split("## A toy")[1]
    assert "| k-mers, logistic | not yet run |" in text
    assert "| GC alone | not yet run |" not in text
    left = told("run", "toy", "--to-do").stdout.split()
    assert "toy/grouped/kmer_logistic.seed0.fold0" in left
    assert "toy/grouped/gc_alone.seed0.fold0" not in left
    assert not [name for name in left if "no-such-lm" in name]
    assert told("run", "nothing").exit_code == 2


def test_what_is_committed_is_what_the_page_shows() -> None:
    data = PACKAGE_ROOT / "data" / "results"
    documents = {name: gathering.read_results(data, task) for name, task in TASKS.items()}
    shown = (PACKAGE_ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert shown == page.render(documents, [*read_explained(data), *read_services(data)])


def test_what_explanations_reach_stands_on_the_page_with_its_interval(tmp_path: Path) -> None:
    data = PACKAGE_ROOT / "data" / "results"
    shutil.copy(data / "minus-ten.json", tmp_path)
    (one,) = read_explained(tmp_path)
    kept = json.loads((data / "minus-ten.json").read_text())
    found = kept["ways"][kept["headline"]]["promoters"]
    assert [kept["headline"], f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"] == one["rows"][0][:2]
    assert "| attribution | promoters | shuffled |" in page.render({name: {"rows": []} for name in TASKS}, [one])


def test_a_service_s_table_stands_on_the_page_as_it_was_kept(tmp_path: Path) -> None:
    columns, rows = ("what", "found"), [("jobs lost", "0 of 50")]
    write_service(tmp_path, "queue", title="The queue", note="50 jobs.", columns=columns, rows=rows, seed=3)
    (document,) = read_services(tmp_path)
    assert document["seed"] == 3
    text = page.render({name: {"rows": []} for name in TASKS}, [document])
    assert "## The queue\n\n50 jobs.\n\n| what | found |\n|---|---|\n| jobs lost | 0 of 50 |\n" in text


@pytest.mark.parametrize(
    ("processes", "gpus", "visible", "given"),
    [
        (3, 0, None, []),
        (1, 2, None, ["0"]),
        (3, 2, None, ["0", "1", "0"]),
        (2, 2, "GPU-5a,GPU-7b", ["GPU-5a", "GPU-7b"]),
        (2, 1, "3, 7", ["3", "3"]),  # of two that are named, one works
    ],
)
def test_each_process_has_a_gpu_in_turn(processes: int, gpus: int, visible: str | None, given: list[str]) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert devices_of(processes, gpus, environment) == given


def test_units_are_measured_side_by_side_on_as_many_cores_as_there_are(home: Path, monkeypatch) -> None:
    monkeypatch.setattr(places.torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(places.torch, "get_num_threads", lambda: 3)
    for memory, wanted in ((None, 1), (9 * GIB, 2), (64 * GIB, 3), (GIB, 1)):
        monkeypatch.setattr(places, "this_machine", lambda folder, memory=memory: Machine(memory, 0, 8, ()))
        assert processes_here() == wanted
    monkeypatch.setattr(places.torch.cuda, "device_count", lambda: 4)
    assert processes_here() == 4
