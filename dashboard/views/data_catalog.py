"""The catalogue of public files: what each is, its size, licence and citation, whether it is here, and fetching it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import background, sets
from dashboard.links import link
from dashboard.views import data_parts
from dnalm.datasets import catalog
from dnalm.datasets.catalog import Entry
from dnalm.datasets.recipes import RECIPES
from dnalm.errors import DnalmError, InputError
from dnalm.lab.people import User

KINDS = {
    "genome": "Genome",
    "annotation": "Annotation",
    "promoters": "Promoters",
    "enhancers": "Enhancers",
    "sites": "Start sites",
    "transcripts": "Transcripts",
    "rrna": "rRNA genes",
    "taxonomy": "Taxonomy",
}
RELATION = {
    "identical": "The address gives the very same file.",
    "repacked": "The address gives the same content, compressed otherwise; the content is what is checked.",
    "sequences": "The address gives the same sequences under other headers or line lengths; the sequences are checked.",
    "derived": "No address gives this file.",
}


def show(user: User) -> None:
    """Draw the catalogue, and the file that the address names."""
    for task in background.under_way(sets.FETCHING):
        data_parts.follow(task)
    try:
        entries = list(catalog.load().values())
    except InputError as error:
        st.error(str(error), icon=":material/error:")
        return
    kinds = [kind for kind in KINDS if any(entry.kind == kind for entry in entries)]
    kind = data_parts.chosen("kind", kinds, "all")
    st.segmented_control(
        "Kind",
        ["all", *kinds],
        format_func=lambda key: KINDS.get(key, "All"),
        required=True,
        **data_parts.bound("kind", kind, default="all", clears=("file",)),
    )
    shown = [entry for entry in entries if kind in ("all", entry.kind)]
    places = {entry.name: catalog.holding(entry.name) for entry in shown}
    frame = pd.DataFrame(
        {
            "File": [entry.title for entry in shown],
            "Kind": [KINDS[entry.kind] for entry in shown],
            "Here": ["here" if places[entry.name] else _absent(entry) for entry in shown],
            "Size (MB)": [entry.bytes / 1e6 for entry in shown],
            "Licence": [entry.licence for entry in shown],
        }
    )
    st.caption("Choose a row for what the file holds, its licence, how to cite it, and to fetch it.")
    named = st.query_params.get("file")
    data_parts.rows(
        frame,
        [entry.name for entry in shown],
        key="data_files",
        choose=_open,
        chosen=named,
        tallest=390,
        columns={
            "File": st.column_config.TextColumn(width="large"),
            "Size (MB)": st.column_config.NumberColumn(format="%.2f"),
        },
        alt=f"{len(shown)} files of the catalogue, {sum(map(bool, places.values()))} of them here",
    )
    if named is None:
        return
    try:
        _details(user, catalog.entry(named))
    except DnalmError as error:
        st.warning(f"The address names a file that is not there: {error}", icon=":material/warning:")


def _absent(entry: Entry) -> str:
    return "to be fetched" if entry.addresses else "cannot be fetched"


def _open(name: str | None) -> None:
    if name:
        st.query_params["file"] = name
    else:
        st.query_params.pop("file", None)


def _details(user: User, entry: Entry) -> None:
    """One file: everything that its entry says, where it lies, and the button that fetches it."""
    st.subheader(entry.title, anchor=False)
    st.text(entry.what)
    place = catalog.holding(entry.name)
    task = background.find(sets.FETCHING + entry.name)
    if not (task and task.under_way):
        data_parts.outcome(task)
        _fetch_or_use(user, entry, place is not None)
    with st.container(border=True):
        st.markdown(f"**Size**: {data_parts.size(entry.bytes)}")
        st.text(f"Licence: {entry.licence}")
        st.text(f"Cite: {entry.citation}" + (f", doi:{entry.doi}" if entry.doi else ""))
        st.markdown(f"**Source**: <{entry.source}>")
        if place is not None:
            st.text(f"Here: {place[1]} ({place[0].split(';')[0]})")
        st.text(f"Checked by SHA-256 {entry.sha256}. {RELATION[entry.official]}")
        if entry.note:
            st.text(f"Note: {entry.note}")
    used = [recipe for recipe in RECIPES.values() if entry.name in recipe.sources.values()]
    if used:
        st.write("Labelled sets made of it:")
        for recipe in used:
            link("data", recipe.title, icon=":material/table_view:", query={"dataset": recipe.name})
    st.code(f"dnalm data fetch {entry.name}", language="bash")


def _fetch_or_use(user: User, entry: Entry, here: bool) -> None:
    if here:
        st.success("This file is here.", icon=":material/check_circle:")
        if entry.kind == "genome":
            link("pre-train", "Pre-train on it", icon=":material/model_training:", query={"genomes": entry.name})
    elif entry.addresses:
        st.button(
            f"Fetch it ({data_parts.size(entry.bytes)})",
            key="data_fetch",
            type="primary",
            icon=":material/download:",
            on_click=_fetch,
            args=(user, entry.name),
        )
        if refused := st.session_state.pop("data_fetch_refused", None):
            st.error(refused, icon=":material/error:")
    else:
        st.info(
            "No address gives this file, so it cannot be fetched: make it from its source as the note below says, and "
            "put it into the folder that DNALM_DATA_MIRROR names.",
            icon=":material/info:",
        )


def _fetch(user: User, name: str) -> None:
    try:
        sets.fetch(name, user)
    except DnalmError as error:
        st.session_state["data_fetch_refused"] = str(error)
