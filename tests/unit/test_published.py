"""The published figures: readable, and those that the literature gives."""

import pytest

from dnalm.errors import InputError
from dnalm.evaluation import published
from dnalm.metrics.binary import BINARY_FIGURES


def test_the_shipped_figures():
    found = published.load()
    rows = found.tasks["ecoli-sigma70-81"].rows
    assert [row.figures["mcc"] for row in rows] == [0.84, 0.871]
    assert found.sources[rows[0].source].address == "https://doi.org/10.1371/journal.pone.0171410"
    curve = found.tasks["ecoli-promoters-150-few-labels"].rows
    assert [row.labels for row in curve] == [20, 50, 100, 200, 500, 1000, 3000, 6791]
    mcc = [row.figures["mcc"] for row in curve]
    assert mcc == sorted(mcc)
    assert mcc[-1] == found.tasks["ecoli-promoters-150"].rows[-1].figures["mcc"]
    rows = [row for task in found.tasks.values() for row in task.rows]
    assert {name for row in rows for name in row.figures} <= set(BINARY_FIGURES)


def test_every_table_has_its_own_run_or_says_why_not():
    found = published.load()
    assert len(found.tasks) == 16
    for name, task in found.tasks.items():
        assert task.dataset or task.not_run, name
        assert task.span
        assert task.protocol
    assert [row.figures["auroc"] for row in found.tasks["opossum-enhancers"].rows] == [0.72, 0.787, 0.786, 0.798]
    assert found.tasks["16s-shotgun"].rows[1].figures["f1"] == 0.8758
    assert found.tasks["human-promoters-long"].not_run.startswith("on human promoters")


def test_figures_are_printed_with_the_digits_that_were_published():
    row = published.Row(model="m", source="s", figures={"accuracy": 0.8075, "recall": 0.855})
    assert [row.printed(name) for name in ("accuracy", "recall", "mcc")] == ["0.8075", "0.8550", ""]
    assert published.Row(model="m", source="s", figures={"mcc": 0.9}).printed("mcc") == "0.90"


def test_a_row_tells_its_note_and_its_spread():
    row = published.Row(model="m", source="s", figures={"mcc": 0.9}, spread={"mcc": 0.004}, note="Read off a plot.")
    assert row.told == "Read off a plot. Its source gives mcc ± 0.004."
    assert published.Row(model="m", source="s", figures={"mcc": 0.9}).told == ""
    benchmarks = published.load().tasks["human-nontata-promoters"]
    assert all(row.spread for row in benchmarks.rows)


ROW = "{{sources: {{}}, tasks: {{a: {{title: t, dataset: d, span: s, protocol: p, rows: [{}]}}}}}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: {}", "field tasks"),
        ("sources: [", "cannot be read"),
        (ROW.format("{model: m, source: nobody, figures: {}}"), "'nobody'"),
        (ROW.format("{model: m, source: s, figures: {mcc: 84}}"), "mcc"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(tmp_path, text, message):
    path = tmp_path / "published.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        published.load(path)
