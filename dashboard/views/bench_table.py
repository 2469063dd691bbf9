"""The table of a benchmark: its rows to sort and tick, and ways to take them away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from dashboard.charts.bench import KINDS
from dashboard.figures import TITLES
from dashboard.links import link
from dashboard.saying import plain, refused, say_refusal
from dnalm.evaluation.bench.benches import Bench
from dnalm.evaluation.bench.entries import Entry, leaks, units_of
from dnalm.evaluation.bench.export import export
from dnalm.lab import jobs
from dnalm.lab.people import User
from dnalm.training.config import BenchConfig

SHOWN = ("mcc", "accuracy", "auroc", "precision", "recall", "specificity", "f1")
KEY = "bench_rows"
QUEUED = "bench_queued"
REFUSED = "bench_refused"
TALLEST = 560


def show(bench: Bench, rows: Sequence[Entry], figure: str) -> list[Entry]:
    """Draw it, in each group the best on top; the rows that are ticked, in the order of the table."""
    ordered = in_groups(rows, figure)
    ids = [one.id for one in ordered]
    named = st.query_params.get("rows", "").split(",")
    marked = [ids.index(one) for one in named if one in ids]
    st.header("What did each reach?")
    st.caption("Tick own rows to see their curves and hold them against each other; a click on a heading sorts.")
    held = st.session_state.get(KEY)
    if held is not None and held["selection"]["rows"] != marked:
        st.session_state[KEY] = {"selection": {"rows": marked}}

    def ticked() -> None:
        chosen = [ids[place] for place in st.session_state[KEY]["selection"]["rows"]]
        if chosen:
            st.query_params["rows"] = ",".join(chosen)
        else:
            st.query_params.pop("rows", None)

    st.dataframe(
        _frame(ordered, figure),
        key=KEY,
        hide_index=True,
        height=min(38 + 35 * len(ordered), TALLEST),
        on_select=ticked,
        selection_mode="multi-row",
        placeholder="",
        selection_default={"selection": {"rows": marked}} if held is None else None,
        column_config={
            "Model": st.column_config.TextColumn(width="medium", pinned=True),
            "Labels": st.column_config.NumberColumn(format="localized", width="small"),
            "Seeds": st.column_config.NumberColumn(width="small"),
            "Source": st.column_config.LinkColumn(display_text=r"https?://(?:doi\\.org/)?(.*)", width="medium"),
            "Not to be ranked with others since": st.column_config.TextColumn(width="large"),
            **{TITLES[name]: st.column_config.TextColumn(width=_width(name), alignment="right") for name in SHOWN},
        },
        alt=f"{len(ordered)} rows of {bench.table.title}: {sum(one.row is not None for one in ordered)} own",
    )
    for group, said in leaks(ordered).items():
        st.caption(plain(f"{group}: {said}."))
    return [ordered[place] for place in marked]


def _width(figure: str) -> int:
    """Pixels of a figure's column: its heading is not to be cut off."""
    return max(80, 9 * len(TITLES[figure]))


def in_groups(rows: Sequence[Entry], figure: str) -> list[Entry]:
    """The rows of one group together, groups in their order, in each the best first; with few labels, many first."""
    groups = list(dict.fromkeys(one.group for one in rows))
    few = any(one.row and one.row["labels"] for one in rows)

    def key(one: Entry) -> tuple[int, int, float]:
        value = one.figures[figure].value if figure in one.figures else float("-inf")
        labels = one.labels if few and one.labels else 0
        return (groups.index(one.group), -labels, -value)

    return sorted(rows, key=key)


def _frame(rows: Sequence[Entry], figure: str) -> pd.DataFrame:
    names = [figure, *(name for name in SHOWN if name != figure and any(name in one.figures for one in rows))]
    lines = []
    for one in rows:
        line: dict[str, object] = {"Model": one.model, "What it is": one.what or KINDS[one.kind]}
        for place, name in enumerate(names):
            value = one.figures.get(name)
            # As text, which sorts the same: a number that is not there would be shown as "None".
            line[TITLES.get(name, name)] = "" if value is None else value.text
            if place == 0:
                interval = value is not None and value.low is not None
                line["95 % interval"] = f"{value.low:.3f} to {value.high:.3f}" if interval and value else ""
        line |= {
            "Split": one.split,
            "Data": one.data,
            "Labels": one.labels,
            "Seeds": one.seeds,
            "When": one.date,
            "From": one.source,
            "Source": one.address or None,
            "Not to be ranked with others since": one.note,
        }
        lines.append(line)
    return pd.DataFrame(lines).astype({"Labels": "Int64", "Seeds": "Int64"})


def take_away(user: User, bench: Bench, rows: Sequence[Entry], figure: str, ticked: Sequence[Entry]) -> None:
    """The table as files, the commands that measure it and print it, and a button that has it measured."""
    st.header("Take it away, or measure it again")
    figures = list(dict.fromkeys([figure, *(name for name in SHOWN if any(name in one.figures for one in rows))]))
    kinds = (("csv", "CSV", "text/csv"), ("markdown", "Markdown", "text/markdown"), ("latex", "LaTeX", "text/x-tex"))
    ends = {"csv": "csv", "markdown": "md", "latex": "tex"}
    with st.container(horizontal=True):
        for name, words, kind in kinds:
            st.download_button(
                words,
                lambda name=name: export(bench, rows, figures, name),
                file_name=f"{bench.name}.{ends[name]}",
                mime=kind,
                key=f"bench_{name}",
                on_click="ignore",
                icon=":material/download:",
            )
    lines = [f"dnalm bench table {bench.name} --format latex"]
    if bench.tasks:
        lines.insert(0, f"dnalm bench run {bench.name}")
        _measure(user, bench, [one for one in ticked if one.row])
    else:
        st.caption(plain(bench.state))
    st.code("\n".join(lines), language="bash")


def _measure(user: User, bench: Bench, ticked: Sequence[Entry]) -> None:
    """Buttons that queue what the table still lacks here, and the rows that are ticked, anew."""
    st.caption(
        "Measuring fits every model of the table on all folds and seeds, which takes hours on a processor. What was "
        "measured on this server with the same data and models is not measured again, but for the rows that you tick; "
        "it can be cancelled and resumed."
    )
    with st.container(horizontal=True):
        st.button(
            "Measure it here",
            key="bench_measure",
            icon=":material/play_arrow:",
            on_click=_queue,
            args=(user, bench.name),
        )
        st.button(
            f"Measure the {len(ticked)} ticked rows again" if len(ticked) > 1 else "Measure the ticked row again",
            key="bench_again",
            icon=":material/replay:",
            disabled=not ticked,
            help=None if ticked else "Tick own rows in the table.",
            on_click=_queue,
            args=(user, bench.name, [units_of(one) for one in ticked]),
        )
    say_refusal(REFUSED)
    if queued := st.session_state.get(QUEUED, {}).get(bench.name):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.write("It is queued:")
            link("jobs", "follow it", icon=":material/list_alt:", query={"job": queued})


def _queue(user: User, name: str, again: Sequence[str] = ()) -> None:
    """Submit a job: of what is lacking, or of units of these names, whenever they were measured."""
    since = datetime.now().astimezone() if again else None
    config = BenchConfig(task=name, name=f"bench-{name}", match=list(again), since=since)
    made: list[str] = []
    if not refused(lambda: made.append(jobs.submit(user, config).id), here=REFUSED):
        st.session_state.setdefault(QUEUED, {})[name] = made[0]
