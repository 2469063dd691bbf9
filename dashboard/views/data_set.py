"""One labelled set: what it holds, what could mislead a model in it, where it came from, and what to do with it."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from dashboard import background, sets
from dashboard.links import link
from dashboard.saying import say_what_was_done
from dashboard.sets import Opened
from dashboard.views import data_audit, data_manage, data_parts
from dnalm.datasets.recipes import Recipe, dataset_id, of_id
from dnalm.errors import DnalmError
from dnalm.lab import index
from dnalm.lab.people import User

SPLITS = {"grouped": "Grouped (honest)", "random": "Random (as published)"}
SPLIT_HELP = (
    "Grouped keeps sequences that share 20 bases, on either strand, on one side, so that a test asks about new ones. "
    "Random ignores that, as most published splits do: choose it to compare with published figures, and read those "
    "with care."
)


def show(user: User, name: str) -> None:
    """Draw the set of this name: here, being made, to be made by a recipe, or not there."""
    task = background.find(sets.MAKING + name)
    if task is not None and task.owner != user.id and of_id(name) is None:
        task = None
    opened = None
    problem = ""
    if not (task and task.under_way):
        try:
            opened = sets.open_set(user, name)
        except DnalmError as error:
            problem = str(error)
    st.title("What does this set teach, and what could mislead?")
    link("data", "All sets", icon=":material/arrow_back:")
    say_what_was_done()
    if problem:
        st.error(problem, icon=":material/error:")
        for entry in (one for one in index.datasets(user) if one.name == name):
            data_manage.show(user, entry)  # what is damaged can still be deleted
    elif opened is not None:
        _opened(user, name, opened)
    elif task and task.under_way:
        st.header(data_parts.plain(name), anchor=False)
        data_parts.follow(task)
    elif of_id(name) is not None:
        data_parts.outcome(task)
        _to_be_made(user, name)
    else:
        data_parts.outcome(task)
        _not_there(name)


def _not_there(name: str) -> None:
    st.warning(
        f"There is no set called {data_parts.plain(name)} here, or none that is shared with you. See which there are, "
        "or make one of your own files.",
        icon=":material/warning:",
    )
    with st.container(horizontal=True):
        link("data", "Your own files", icon=":material/upload:", query={"show": "upload"})


def _to_be_made(user: User, name: str) -> None:
    recipe, split, seed = of_id(name) or (None, "", 0)
    assert recipe is not None
    st.header(recipe.title, anchor=False)
    st.text(recipe.description)
    words = "This set has not been made here yet. Making it takes a few seconds to half a minute."
    st.info(words, icon=":material/info:")
    if st.session_state.get("data_recipe_split") != split:
        st.session_state["data_recipe_split"] = split  # the address has the last word, after Back as well
    st.segmented_control(
        "How to split it",
        list(SPLITS),
        format_func=SPLITS.get,
        required=True,
        help=SPLIT_HELP,
        key="data_recipe_split",
        on_change=_other_split,
        args=(recipe.name, seed),
    )
    st.button(
        "Make this set",
        key="data_make",
        type="primary",
        icon=":material/play_arrow:",
        on_click=_make,
        args=(user, name),
    )
    if refused := st.session_state.pop("data_make_refused", None):
        st.error(refused, icon=":material/error:")
    _made_of(recipe)
    st.code(_command(recipe, split, seed), language="bash")


def _other_split(recipe: str, seed: int) -> None:
    data_parts.go_to(dataset=dataset_id(recipe, seed=seed, split=st.session_state["data_recipe_split"]))


def _make(user: User, name: str) -> None:
    try:
        sets.make_recipe(user, name)
    except DnalmError as error:
        st.session_state["data_make_refused"] = str(error)


def _command(recipe: Recipe, split: str, seed: int) -> str:
    words = ["dnalm data make", recipe.name]
    words += ["--split", split] if split != "grouped" else []
    return " ".join([*words, "--seed", str(seed)] if seed else words)


def _made_of(recipe: Recipe) -> None:
    try:
        sources = sets.sources_here(recipe)
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.write("It is made of:")
    for entry, here in sources:
        with st.container(border=True):
            st.text(f"{entry.title} ({data_parts.size(entry.bytes)}, {'here' if here else 'will be fetched'})")
            st.caption(f"Licence: {entry.licence}. Cite: {entry.citation}")


def _opened(user: User, name: str, opened: Opened) -> None:
    dataset, info = opened.dataset, opened.dataset.info
    said = info.get("title") if of_id(name) else opened.entry.description
    st.header(data_parts.plain(str(said or name)), anchor=False)
    st.text(str(info.get("description") or ""))
    lengths = dataset.table["sequence"].str.len()
    window = f"{lengths.min():,}" if dataset.window else f"{lengths.min():,} to {lengths.max():,}"
    figures = {
        "Sequences": f"{len(dataset):,}",
        "Labels": f"{len(dataset.labels)}",
        "Bases each": window,
        "Split": str((info.get("recipe") or {}).get("split", "as given")),
        "Size": data_parts.size(opened.entry.size_bytes),
    }
    for column, (label, value) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(label, value)
    _next_steps(user, name, opened)
    data_audit.show(name, opened)
    _origin(name, info)
    data_manage.show(user, opened.entry)


def _next_steps(user: User, name: str, opened: Opened) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        link("fine-tune", "Fine-tune on it", icon=":material/model_training:", query={"dataset": name})
        if meant := of_id(name):
            other = "random" if meant[1] == "grouped" else "grouped"
            twin = dataset_id(meant[0].name, seed=meant[2], split=other)
            link("data", f"The same, {other} split", icon=":material/call_split:", query={"dataset": twin})
        st.download_button(
            "Sequences (CSV)",
            lambda: opened.dataset.table.to_csv(index=False),
            file_name=f"{name}.csv",
            mime="text/csv",
            key="data_download_csv",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Description and audit (JSON)",
            lambda: json.dumps({**opened.dataset.info, "audit": opened.audit}, indent=2, ensure_ascii=False),
            file_name=f"{name}.json",
            mime="application/json",
            key="data_download_json",
            on_click="ignore",
            icon=":material/download:",
        )


def _origin(name: str, info: dict[str, Any]) -> None:
    st.header("Where did it come from?")
    dropped = info.get("dropped") or {}
    if dropped:
        st.write("Left out when it was made:")
        st.dataframe(
            [{"Why": reason, "How many": number} for reason, number in dropped.items()],
            hide_index=True,
            width="content",
        )
    else:
        st.write("Nothing was left out when it was made.")
    for note in info.get("notes") or []:
        st.text(note)
    for source in info.get("sources") or []:
        with st.container(border=True):
            st.text(str(source.get("name")))
            if source.get("citation"):
                st.caption(f"Licence: {source.get('licence')}. Cite: {source['citation']}")
            st.caption(f"SHA-256 {source.get('sha256')}")
    st.subheader("At the shell")
    st.code(f"dnalm data audit {name}\ndnalm train --preset small --dataset {name}", language="bash")
