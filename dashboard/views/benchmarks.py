"""Benchmarks: published figures and dnalm's own on the same kind of data, and how far the two can be compared."""

from __future__ import annotations

import streamlit as st

from dashboard.charts.bench import KINDS
from dashboard.figures import TITLES
from dashboard.person import acting_user
from dashboard.saying import plain
from dashboard.views import bench_compare, bench_models, bench_parts, bench_pictures, bench_starts, bench_table
from dnalm.datasets.recipes import of_id
from dnalm.errors import DnalmError
from dnalm.evaluation.bench.benches import Bench, bench, benches, known_names
from dnalm.evaluation.bench.entries import Entry
from dnalm.lab import index
from dnalm.lab.people import User

SPLITS = {
    "all": "All splits",
    "grouped": "Grouped: relatives apart",
    "random": "Random, as published",
}
USUAL = "ecoli-sigma70-81"
FIGURES = ("mcc", "accuracy", "auroc", "auprc", "precision", "recall", "specificity", "f1")


def page() -> None:
    """Draw the page from its address: `task`, `figure`, `show`, `split`, `rows`."""
    st.title("Which model is worth believing, and for what?")
    user = acting_user()
    try:
        chosen = _chosen(user)
        every = bench_parts.entries_of(chosen)
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    figure, rows = _filters(chosen, every)
    published = "Published: " if chosen.table.rows else ""
    st.caption(plain(f"{chosen.table.title}. {published}{chosen.table.protocol.strip()}"))
    if chosen.table.apart:
        st.info(plain(chosen.table.apart.strip()), icon=":material/balance:")
    if chosen.state:
        st.warning(f"Not yet run: {plain(chosen.state)}", icon=":material/hourglass_empty:")
    elif not any(one.row for one in every):
        st.warning("Not yet run. One command measures it, below.", icon=":material/hourglass_empty:")
    if every and not rows:
        st.info("No row is left by this choice.", icon=":material/filter_alt:")
    ticked: list[Entry] = []
    if rows:
        ticked = bench_table.show(chosen, rows, figure)
        bench_pictures.show(chosen, rows, figure, ticked)
        bench_compare.show(ticked)
        bench_starts.show(rows)
    bench_models.show(user, chosen)
    bench_table.take_away(user, chosen, rows, figure, ticked)


def _chosen(user: User) -> Bench:
    """What the address names: a published table, or a set that this person may see.

    Raises:
        InputError: the set has not two classes, or has gone.
    """
    every, taken = benches(), known_names()
    own = [one.name for one in index.datasets(user) if of_id(one.name) is None and one.name not in taken]
    named = st.query_params.get("task", "")
    if named and named not in every and named not in own:
        found = next((one.name for one in every.values() if named in (task.name for task in one.tasks)), "")
        if not found:
            st.warning(
                plain(f"There is no benchmark {named} here, and no set of that name that you may see."),
                icon=":material/warning:",
            )
        named = found
    names = [*every, *own]
    value = named or USUAL

    def title(name: str) -> str:
        if name not in every:
            return f"Set: {name}"
        return every[name].table.title + ("" if every[name].tasks else " (published figures only)")

    st.selectbox(
        "What is to be told apart?",
        names,
        format_func=title,
        width=560,
        **bench_parts.bound("task", value, clears=("rows", "figure", "split")),
    )
    return every[value] if value in every else bench(value)


def _filters(chosen: Bench, every: list[Entry]) -> tuple[str, list[Entry]]:
    """The figure that is looked at, and the rows that the choice leaves."""
    known = [name for name in FIGURES if any(name in one.figures for one in every)] or [chosen.figure]
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
