"""Benchmarks: published figures and dnalm's own on the same kind of data, and how far the two can be compared."""

from __future__ import annotations

import streamlit as st

from dashboard.charts.bench import KINDS
from dashboard.figures import TITLES
from dashboard.saying import plain
from dashboard.views import bench_compare, bench_parts, bench_pictures, bench_table
from dnalm.errors import DnalmError
from dnalm.evaluation.bench.benches import Bench, bench, benches
from dnalm.evaluation.bench.entries import Entry

SPLITS = {
    "all": "All splits",
    "grouped": "Grouped: no near copies",
    "random": "Random, as published",
}
FIGURES = ("mcc", "accuracy", "auroc", "auprc", "precision", "recall", "specificity", "f1")


def page() -> None:
    """Draw the page from its address: `task`, `figure`, `show`, `split`, `rows`."""
    st.title("Which model is worth believing, and for what?")
    chosen = _chosen()
    if chosen is None:
        return
    try:
        every = bench_parts.entries_of(chosen)
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    figure, rows = _filters(chosen, every)
    st.caption(plain(f"{chosen.table.title}. Published: {chosen.table.protocol.strip()}"))
    if chosen.table.apart:
        st.info(plain(chosen.table.apart.strip()), icon=":material/balance:")
    if chosen.state:
        st.warning(f"Not yet run: {plain(chosen.state)}", icon=":material/hourglass_empty:")
    elif not any(one.row for one in every):
        st.warning("Not yet run. One command measures it, below.", icon=":material/hourglass_empty:")
    if not rows:
        st.info("No row is left by this choice.", icon=":material/filter_alt:")
        return
    ticked = bench_table.show(chosen, rows, figure)
    bench_pictures.show(chosen, rows, figure, ticked)
    bench_compare.show(ticked)
    bench_table.take_away(chosen, rows, figure)


def _chosen() -> Bench | None:
    every = benches()
    named = st.query_params.get("task", "")
    if named and named not in every:
        try:
            named = bench(named).name
        except DnalmError as error:
            st.warning(plain(str(error)), icon=":material/warning:")
            named = ""
    names = list(every)
    value = named or names[2]
    st.selectbox(
        "What is to be told apart?",
        names,
        format_func=lambda name: every[name].table.title + ("" if every[name].tasks else " (published figures only)"),
        width=560,
        **bench_parts.bound("task", value, clears=("rows", "figure", "split")),
    )
    return every[value]


def _filters(chosen: Bench, every: list[Entry]) -> tuple[str, list[Entry]]:
    """The figure that is looked at, and the rows that the choice leaves."""
    known = [name for name in FIGURES if any(name in one.figures for one in every)]
    usual = chosen.figure if chosen.figure in known else known[0]
    figure = bench_parts.chosen("figure", known, usual)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Figure",
            known,
            format_func=lambda name: TITLES.get(name, name),
            width=220,
            **bench_parts.bound("figure", figure, default=usual),
        )
        shown = [kind for kind in st.query_params.get("show", ",".join(KINDS)).split(",") if kind in KINDS]
        st.pills(
            "Rows",
            list(KINDS),
            format_func=KINDS.get,
            selection_mode="multi",
            **bench_parts.bound("show", shown, default=",".join(KINDS)),
        )
        split = "all"
        if any(one.row and one.row["split"] in SPLITS for one in every):
            split = bench_parts.chosen("split", list(SPLITS), "all")
            st.segmented_control(
                "Own runs",
                list(SPLITS),
                format_func=SPLITS.get,
                required=True,
                **bench_parts.bound("split", split, default="all"),
            )
    rows = [
        one for one in every if one.kind in shown and (one.row is None or split == "all" or one.row["split"] == split)
    ]
    return figure, rows


page()
