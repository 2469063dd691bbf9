"""The models here that learnt a benchmark's set: a table of figures leads to something that one can look into."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import resources
from dashboard.links import link
from dashboard.saying import plain
from dnalm.evaluation.bench.benches import Bench
from dnalm.lab import index
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle

MOST = 5


def show(user: User, bench: Bench) -> None:
    """Draw a line a model, those that ship first; nothing where there is none."""
    found = _learnt(user, [task.data for task in bench.tasks])
    if not found:
        return
    st.header("Look into a model that learnt this")
    for bundle in found[:MOST]:
        _line(bundle)
    if len(found) > MOST:
        link("models", f"{len(found) - MOST} more on the page Models", icon=":material/category:")


def _learnt(user: User, data: Sequence[str]) -> list[Bundle]:
    """Classifiers that this person may see and that were trained on one of the sets."""
    visible = {model.name: model.shipped for model in index.models(user) if model.kind == "classifier"}
    found = [one for one in resources.bundles()[0] if one.folder.name in visible and _set_of(one) in data]
    return sorted(found, key=lambda one: (not visible[one.folder.name], one.folder.name))


def _set_of(bundle: Bundle) -> str | None:
    return (bundle.config.trained.get("config") or {}).get("dataset")


def _line(bundle: Bundle) -> None:
    name, query = bundle.folder.name, {"model": bundle.folder.name}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(name)}**", width="content")
        link("saliency", "Which bases does it read?", icon=":material/equalizer:", query=query)
        link("mutation", "What would a mutation do?", icon=":material/edit:", query=query)
        if bundle.config.window and bundle.config.positive:
            link("long-sequences", "Scan a long sequence with it", icon=":material/monitoring:", query=query)
        else:
            st.caption(
                "Nothing to scan for: it tells several classes apart."
                if bundle.config.window
                else "Nothing to scan for: it speaks of whole sequences."
            )
        link("models", "Its card", icon=":material/category:", query=query)
