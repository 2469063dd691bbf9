"""The rows of one benchmark's table: published ones and dnalm's own, each with what it rests on.

A published row and an own one are of different sequences and splits: each says why it is not to be ranked with the
others where that is so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dnalm.datasets.dataset import BY_SOURCE
from dnalm.evaluation import published
from dnalm.evaluation.bench.benches import AT_RANDOM, Bench
from dnalm.evaluation.bench.kept import rows_of
from dnalm.evaluation.networks import RANDOM
from dnalm.evaluation.results.leaks import group_told, leak_told
from dnalm.evaluation.results.models import FINETUNED, is_network, measured_before, title_of
from dnalm.evaluation.results.tasks import Task

Kind = Literal["published", "dnalm", "plain"]
SPLITS = {
    "grouped": "grouped 5-fold",
    "random": "random 5-fold",
    "test": "held-out part",
    "few-labels": "held-out part",
}
PUBLISHED = "As published, each on its own sequences"
_BEST: dict[Kind, str] = {"dnalm": "dnalm's best", "plain": "best plain baseline"}
LIKE_PUBLISHED = ("random", "few-labels")
"""Splits of the kind that most published figures come from."""


@dataclass(frozen=True)
class Value:
    """A figure and its 95 % interval, where there is one; `printed`, where it was published, with its digits."""

    value: float
    low: float | None = None
    high: float | None = None
    printed: str = ""

    @property
    def text(self) -> str:
        """As tables print it, without the interval."""
        return self.printed or f"{self.value:.3f}"


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        id: stands in addresses and names the row for good.
        kind: `published`, `dnalm` (a language model and a head) or `plain` (a baseline).
        model: its name.
        what: in a few words, what it is: k-mer and stride of a published model, what an own one starts from.
        task: the own task that it comes from; None where it is published.
        data: which sequences it is measured on.
        split: how they were dealt, in words.
        labels: labelled sequences that it was trained on, where known.
        seeds: of how many seeds it is the mean; None where that was not published.
        partial: how many of the seeds were run, where not all were; such rows are only as sure as those.
        figures: name to value.
        source: whom the figure comes from.
        address: of the source; empty for an own row.
        date: when it was measured, or published, as far as known.
        group: what it may be ranked within: rows of the same sequences, dealt the same way.
        note: why it cannot be compared fairly with the rows of the other kind; empty where it can.
        row: of the results file, for own rows.
    """

    id: str
    kind: Kind
    model: str
    what: str
    task: str | None
    data: str
    split: str
    labels: int | None
    seeds: int | None
    partial: str
    figures: dict[str, Value]
    source: str
    address: str
    date: str
    group: str
    note: str
    row: dict[str, Any] | None = None


def entries(bench: Bench) -> list[Entry]:
    """A benchmark's rows: each task's own, those of one group together, then published ones."""
    found = []
    for task in bench.tasks:
        rows = [row for row in rows_of(task) if bench.sha256 in (None, row["data"]["sha256"])]
        own = [_own(bench, task, row) for row in rows]
        found += sorted(own, key=lambda one: task.splits.index(one.row["split"]) if one.row else 0)
    return found + [_published(bench, number, row) for number, row in enumerate(bench.table.rows)]


def _published(bench: Bench, number: int, row: published.Row) -> Entry:
    source = published.load().sources[row.source]
    size = "" if row.kmer is None else f"{row.kmer}-mers" + ("" if row.stride is None else f", stride {row.stride}")
    return Entry(
        id=f"published-{number}",
        kind="published",
        model=row.model,
        what=size,
        task=None,
        data=bench.table.span,
        split="as published",
        labels=row.labels,
        seeds=None,
        partial="",
        figures={name: Value(value, printed=row.printed(name)) for name, value in row.figures.items()},
        source=source.citation.split(")")[0] + ")",
        address=source.address,
        date=source.citation.split("(")[1].split(")")[0] if "(" in source.citation else "",
        group=PUBLISHED,
        note=" ".join(said for said in (row.told, bench.table.apart.strip()) if said),
    )


def _own(bench: Bench, task: Task, row: dict[str, Any]) -> Entry:
    figures = {
        name: Value(figure["value"], figure["low"], figure["high"])
        for name, figure in row["figures"].items()
        if figure["value"] is not None
    }
    return Entry(
        id="/".join([task.name, row["split"], row["model"], *([str(row["labels"])] if row["labels"] else [])]),
        kind="dnalm" if is_network(row["model"]) else "plain",
        model=title_of(row["model"]),
        what=_start(row["model"]),
        task=task.name,
        data=task.data,
        split=SPLITS.get(row["split"], row["split"]) + (", drawn at random" if _at_random(task) else ""),
        labels=row["labels"] or row["data"]["trained_on"],
        seeds=len(row["seeds"]),
        partial=_partial(task, row),
        figures=figures,
        source="measured here",
        address="",
        date=row["finished"][:10],
        group=_group(bench, task, row),
        note=_apart(bench, task, row),
        row=row,
    )


def _group(bench: Bench, task: Task, row: dict[str, Any]) -> str:
    names = {
        "grouped": "Grouped folds: no read of a tested gene is learnt from"
        if _of_genes(row)
        else "Grouped folds: no near copy of a tested sequence is learnt from",
        "random": "Random folds, as most figures are published",
        "test": "A held-out part drawn at random"
        if _at_random(task)
        else "The held-out part of the set: no near copy of it is learnt from",
        "few-labels": "The held-out part of the set, few labels",
    }
    return names.get(row["split"], row["split"]) + (", start codon hidden" if _hidden(bench, task) else "")


def _at_random(task: Task) -> bool:
    """Whether the held-out part of the task's set was drawn at random."""
    return task.kind != "folds" and task.data.endswith(AT_RANDOM)


def _hidden(bench: Bench, task: Task) -> bool:
    """Whether what gives most answers of the published set away is hidden in the task's."""
    return task.data.removesuffix(AT_RANDOM) != bench.table.dataset and bench.sha256 is None


def _of_genes(row: dict[str, Any]) -> bool:
    """Whether folds keep reads of one gene together, and not what looks alike."""
    return (row.get("leak") or {}).get("by") == BY_SOURCE


def units_of(one: Entry) -> str:
    """What the names of all units of an own row hold, and no others' (`dnalm bench run --match`)."""
    row = one.row or {}
    labels = f"labels{row['labels']}." if row["labels"] else ""
    return f"{row['data']['name']}/{row['split']}/{row['model']}.{labels}seed"


def leaks(rows: Sequence[Entry]) -> dict[str, str]:
    """For each group of own rows, how many of its tested sequences have a near copy that was learnt from."""
    said = {}
    for one in rows:
        leak = (one.row or {}).get("leak")
        if leak and one.group not in said:
            said[one.group] = leak_told(leak) + _chain([other for other in rows if other.group == one.group])
    return said


def _chain(rows: Sequence[Entry]) -> str:
    """What the best of each kind reaches without the largest group, where that is a large share of the set."""
    told = {one.id: one.row["without_largest"] for one in rows if one.row and one.row.get("without_largest")}
    if not told:
        return ""
    size = next(iter(told.values()))
    best = {}
    for one in sorted(rows, key=lambda one: told[one.id]["figures"]["mcc"]["value"] if one.id in told else -1):
        if one.id in told:
            mcc = told[one.id]["figures"]["mcc"]
            best[one.kind] = f"{one.model} {mcc['value']:.3f} ({mcc['low']:.3f} to {mcc['high']:.3f})"
    of_kinds = [f"{words}: {best[kind]}" for kind, words in _BEST.items() if kind in best]
    return f". {group_told(size)}; MCC on the others, {'; '.join(of_kinds)}"


def _start(model: str) -> str:
    if not is_network(model):
        return "plain baseline"
    start = model.partition("+")[0]
    tuned = ", fine-tuned on the training sequences" if FINETUNED in model.split("+") else ""
    return "no pre-training" if start == RANDOM else f"pre-trained: {start}{tuned}"


def _partial(task: Task, row: dict[str, Any]) -> str:
    wanted = len(task.seeds)
    return f"{len(row['seeds'])} of {wanted} seeds" if len(row["seeds"]) < wanted else ""


def _apart(bench: Bench, task: Task, row: dict[str, Any]) -> str:
    """Why an own row cannot be set beside published ones as it is."""
    said = []
    if partial := _partial(task, row):
        said.append(f"Of {partial} only.")
    if _hidden(bench, task):
        said.append("Other data than the published rows': what gives most answers of that set away is hidden here.")
    elif row["split"] == "grouped":
        kept_apart = "reads of a held-out gene" if _of_genes(row) else "near copies of a held-out sequence"
        said.append(f"Harder than the published split: {kept_apart} are never trained on.")
    elif _at_random(task):
        said.append("Easier than the published split: near copies of tested sequences are learnt from.")
    elif row["split"] not in LIKE_PUBLISHED and bench.table.rows:
        said.append("Another test part than the published one.")
    if measured_before(row["model"], row["fingerprint"]):
        said.append("Measured with the head as it was before it last changed.")
    if (row.get("text") or {}).get("shared"):
        told = row["text"]
        said.append(f"Its pre-training text held {told['shared']:,} of the {told['of']:,} sequences, unlabelled.")
    return " ".join(said)
