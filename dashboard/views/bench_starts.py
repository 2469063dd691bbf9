"""Does pre-training pay? The same head on an encoder that read nothing, one genome, several, or the task's text too."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.saying import plain
from dashboard.views.bench_compare import compared, p_text
from dnalm.errors import DnalmError
from dnalm.evaluation.bench import pairs
from dnalm.evaluation.bench.entries import Entry
from dnalm.evaluation.networks import RANDOM

FIGURES = ("mcc", "accuracy")


def show(rows: Sequence[Entry]) -> None:
    """Draw the table of each group of rows that has a head with and without pre-training."""
    found = _tables(rows)
    if not found:
        return
    st.header("Does pre-training pay?")
    st.caption(
        "The same head, fitted in the same way on the same folds; only what the encoder had read before differs, and "
        "what reading it took: among encoders of one size a step costs the same, minutes depend on the machine. "
        "Differences are paired, to the encoder that had read nothing, over the seeds that both have: where one has "
        "more, they are not the difference of the two means."
    )
    for group, table in found.items():
        st.write(plain(f"{group}:"))
        st.dataframe(table, hide_index=True, key=f"bench_starts_{group}", alt=f"starts compared; {group}")


def _tables(rows: Sequence[Entry]) -> dict[str, pd.DataFrame]:
    tables = {}
    for group in dict.fromkeys(one.group for one in rows):
        inside = {(_start(one), _head(one)): one for one in rows if one.group == group and _usable(one)}
        lines = []
        for head in dict.fromkeys(head for _, head in inside):
            nothing = inside.get((RANDOM, head))
            others = [one for (start, of), one in inside.items() if of == head and start != RANDOM]
            if nothing is None or not others:
                continue
            try:
                found = compared([nothing, *others])
            except DnalmError:
                continue
            by_id = {one.id: one for one in others}
            lines += [_line(nothing, head, None), *(_line(by_id[pair.first], head, pair) for pair in found)]
        if lines:
            tables[group] = pd.DataFrame(lines)
    return tables


def _usable(one: Entry) -> bool:
    return one.kind == "dnalm" and pairs.predictions_of(one) is not None


def _start(one: Entry) -> str:
    return one.model.rpartition("+")[0]


def _head(one: Entry) -> str:
    return one.model.rpartition("+")[2]


def _compute(one: Entry) -> str:
    """What the pre-training took, as its bundle says; empty where there was none, or it does not say."""
    facts = ((one.row or {}).get("text") or {}).get("facts") or {}
    if not facts.get("seconds"):
        return ""
    threads = facts.get("threads") or 1
    steps = f"{facts['steps']:,} steps, " if facts.get("steps") else ""
    return f"{steps}{facts['seconds'] / 60:.0f} min on {threads} thread{'s' if threads != 1 else ''}"


def _line(one: Entry, head: str, pair: pairs.Pair | None) -> dict[str, object]:
    value = one.figures["mcc"]
    interval = "" if value.low is None else f" ({value.low:.3f} to {value.high:.3f})"
    line: dict[str, object] = {"Read before": one.what, "Pre-training": _compute(one), "Head": head}
    line["MCC"] = f"{value.value:.3f}{interval}"
    for name, title in zip(FIGURES, ("MCC", "Accuracy"), strict=True):
        figure = pair.differences[name] if pair else None
        line[f"{title}, difference"] = (
            f"{figure.value:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})" if figure else ""
        )
    compared_on = "" if pair is None else str(len(pair.seeds))
    return line | {
        "Seeds": one.seeds,
        "Seeds of both, compared": compared_on,
        "p, corrected": p_text(pair.adjusted) if pair else "",
    }
