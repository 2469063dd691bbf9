"""The editor of a sequence: the call now and before, changes made and taken back, the link that passes them on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from dashboard import resources
from dashboard.editing import MOST_EDITS, Editing, read_edits, split_edits
from dashboard.saying import plain
from dashboard.subject import Subject
from dashboard.views import saliency_parts as parts
from dnalm.errors import DnalmError
from dnalm.model.bundle import Bundle
from dnalm.model.predict import Classifier

_REFUSED = "mutation_refused"


def editor(bundle: Bundle, editing: Editing, label: str | None) -> None:
    """The call now and before, the changes so far, and the ways to change more, take back, and pass on."""
    model = resources.model(bundle)
    calls = [model.call(row) for row in model.probabilities([editing.sequences[0], editing.sequences[-1]])]
    wanted = label or bundle.config.positive or calls[0].label
    before, now = (call.probabilities[wanted] for call in calls)
    made = f"{len(editing.edits)} change{'s' if len(editing.edits) != 1 else ''}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.metric(
            f"Probability of {plain(wanted)}",
            f"{now:.3f}",
            f"{now - before:+.3f} by {made}" if editing.edits else "as it was",  # the map stays where it is
            delta_color="normal" if editing.edits else "off",
            delta_arrow="auto" if editing.edits else "off",
            width=200,
        )
        st.text_input(
            "Change bases",
            key="mutation_typed",
            placeholder="-12T>A" if editing.original.anchor is not None else "45T>A",
            width=190,
            on_change=_typed,
            args=(editing.now, resources.model(bundle)),
            help="From the start site: -12T>A; from the first base: 45T>A. Several with commas. -12T>- deletes.",
        )
        asked = len(_edits())  # also those that could not be made
        undo, back = partial(_keep, asked - 1), partial(_keep, 0)
        st.button("Undo", icon=":material/undo:", disabled=not asked, on_click=undo)
        st.button("As it was", icon=":material/restart_alt:", disabled=not asked, on_click=back)
        _copy_link()
    st.markdown(
        f"{plain(editing.original.title)}: **{plain(bundle.name)}** calls it"
        + (", with your changes, " if editing.edits else " ")
        + f"**{plain(calls[-1].label)}**{parts.threshold_of(bundle)}."
        + (f" Before them: {before:.3f}." if editing.edits else "")
    )
    if editing.original.note:
        st.caption(plain(editing.original.note))
    if st.session_state.get(_REFUSED):
        st.error(plain(st.session_state.pop(_REFUSED)), icon=":material/error:")


def history(bundle: Bundle, editing: Editing, label: str | None) -> None:
    """The changes in order with the probability after each; a press goes back to one."""
    if not editing.edits:
        return
    label = label or bundle.config.positive or bundle.config.labels[0]
    said = resources.model(bundle).probabilities(editing.sequences)[:, bundle.config.labels.index(label)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("History:", width="content")
        for number, probability in enumerate(said):
            text = "as it was" if number == 0 else editing.written[number - 1]
            st.button(
                f"{text.replace('-', '−', 1) if number else text} · {probability:.3f}",
                key=f"mutation_history_{number}",
                type="tertiary",
                disabled=number == len(said) - 1,
                help="Go back to here",
                on_click=_keep,
                args=(number,),
            )


def _copy_link() -> None:
    with st.popover("Link", icon=":material/link:"):
        st.caption("Opens this very picture, with your changes:")
        query = "&".join(f"{key}={_quoted(value)}" for key, value in st.query_params.items())
        address = str(st.context.url or "").split("?")[0]
        st.code(f"{address}?{query}" if query else address, language=None, wrap_lines=True)


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _edits() -> list[str]:
    return split_edits(st.query_params.get("edits", ""))


def _keep(count: int) -> None:
    kept = _edits()[: max(0, count)]
    if kept:
        st.query_params["edits"] = ",".join(kept)
    else:
        st.query_params.pop("edits", None)


def add(texts: Sequence[str]) -> None:
    """Make changes, after those that were made."""
    st.query_params["edits"] = ",".join([*_edits(), *texts][:MOST_EDITS])


def _typed(now: Subject, model: Classifier) -> None:
    """Make what was typed, or say why it cannot be."""
    try:
        made = read_edits(st.session_state["mutation_typed"], now, model)
    except DnalmError as error:
        st.session_state[_REFUSED] = str(error)
        return
    st.session_state["mutation_typed"] = ""
    add(made.written)
