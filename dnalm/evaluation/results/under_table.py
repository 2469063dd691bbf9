"""Below a task's table on the results page: what its split leaks, what its rows add, and how far they got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnalm.evaluation.networks import RANDOM
from dnalm.evaluation.results.cells import NOT_RUN, TITLES, Document, interval
from dnalm.evaluation.results.leaks import group_told, leak_told
from dnalm.evaluation.results.models import is_network, start_of, title_of
from dnalm.evaluation.results.tasks import Row, Task

_MUCH = 0.5
"""Of a set's sequences in a language model's text: said beside what was reached."""


def leak(expected: Sequence[Row], kept: Mapping[Row, Document]) -> str:
    """What the split leaks, as the first row that says so does."""
    found = next((kept[row]["leak"] for row in expected if row in kept and kept[row].get("leak")), None)
    return f"{leak_told(found)}." if found else ""


def chain(expected: Sequence[Row], kept: Mapping[Row, Document]) -> str:
    """What the rows reach without the largest group, where that is a large share of the set."""
    found = {row: kept[row]["without_largest"] for row in expected if row in kept and kept[row].get("without_largest")}
    if not found:
        return ""
    told = next(iter(found.values()))
    each = sorted(found, key=lambda row: -found[row]["figures"]["mcc"]["value"])
    said = "; ".join(f"{title_of(row.model)} {interval(found[row]['figures']['mcc'])}" for row in each)
    return f"{group_told(told)}. MCC on the others: {said}."


def pre_training(expected: Sequence[Row], kept: Mapping[Row, Document]) -> str:
    """What rows that start from a language model have over the same head without one."""
    found = {row: kept[row]["pre_training"] for row in expected if row in kept and kept[row].get("pre_training")}
    if not found:
        return ""
    each = sorted(found.items(), key=lambda one: -one[1]["figures"]["mcc"]["value"])
    said = "; ".join(f"{row.model} {interval(told['figures']['mcc'])}" for row, told in each)
    return f"What pre-training brings, MCC over the same head on an encoder that read nothing: {said}."


def together(task: Task, expected: Sequence[Row], kept: Mapping[Row, Document]) -> str:
    """What dnalm's rows reach averaged with the baseline that they are held against, and what that adds to it."""
    found = {row: kept[row]["with_reference"] for row in expected if row in kept and kept[row].get("with_reference")}
    found = {row: told for row, told in found.items() if start_of(row.model)}
    if not found:
        return ""
    said = "; ".join(
        f"{row.model} {interval(told['figures']['mcc'])}, {interval(told['gain']['mcc'])}"
        for row, told in sorted(found.items(), key=lambda one: -one[1]["figures"]["mcc"]["value"])
    )
    to = title_of(task.reference or "")
    return f"Log-odds averaged with those of the {to}, MCC, and what that adds to the latter alone: {said}."


def aims(task: Task, document: Document, split: str | None = None) -> str:
    """The aims of a split, each beside the best of dnalm's own rows."""
    split = split or task.splits[0]
    return " ".join(_aim(task, document, split, *one) for one in task.aims.get(split, {}).items())


def _aim(task: Task, document: Document, split: str, figure: str, wanted: float) -> str:
    lower_is_better = figure == "bits_per_base"
    ours = [
        row
        for row in document["rows"]
        if row["split"] == split
        and (row.get("facts") if lower_is_better else is_network(row["model"]) and not row["model"].startswith(RANDOM))
    ]
    said = f"Aim: {TITLES.get(figure, figure).replace('_', ' ')} {wanted:g}."
    if not ours:
        return f"{said} {NOT_RUN.capitalize()}."
    # A row of fewer seeds than another may be the better by luck: those of most seeds stand for what was reached.
    most = max(len(row["seeds"]) for row in ours)
    ours = [row for row in ours if len(row["seeds"]) == most]
    best = (min if lower_is_better else max)(ours, key=lambda row: row["figures"][figure]["value"])
    value = best["figures"][figure]["value"]
    short = value - wanted if lower_is_better else wanted - value
    verdict = "the value is reached" if short <= 0 else f"{short:.4f} short of it"
    said = f"{said} Best of the rows of {most} seed{'s' * (most != 1)}: {value:.4f} ({best['model']}): {verdict}"
    told = best.get("difference")
    if told and task.reference:
        gain = told["figures"]["mcc"]
        sure = "is ahead of" if gain["low"] > 0 else "is behind" if gain["high"] < 0 else "cannot be told from"
        link = "and" if (short <= 0) == (gain["low"] > 0) else "but"
        said += f", {link} it {sure} the {title_of(task.reference)} (MCC {interval(gain)})"
    text = best.get("text") or {}
    if (text.get("shared") or 0) > _MUCH * max(text.get("of", 1), 1):
        said += f"; its language model had read {text['shared']:,} of the {text['of']:,} sequences in part, unlabelled"
    return said + "."
