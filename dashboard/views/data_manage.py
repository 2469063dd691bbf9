"""What the owner of a labelled set may change: what it is called, who sees it, whether it stays."""

from __future__ import annotations

import streamlit as st

from dashboard.saying import attempt, confirm_delete, plain, refused
from dashboard.views import data_parts
from dnalm.datasets.recipes import of_id
from dnalm.lab import index
from dnalm.lab.indexed import IndexedDataset
from dnalm.lab.people import User

_ASKED = "data_delete_asked"


def show(user: User, entry: IndexedDataset) -> None:
    """Draw it; whoever may not change the set is told whose it is."""
    whose = "yours" if entry.owner == user.id else f"{entry.owner_name}'s"
    if not user.is_admin and entry.owner != user.id:
        st.caption(plain(f"This set is {whose}: only they or an admin may change it."))
        return
    st.header("Change it")
    st.caption(plain(f"It is {whose}, {'shared with the lab' if entry.shared else 'private'}."))
    if of_id(entry.name) is None:
        with st.form("data_change"):
            text = st.text_input(
                "What it holds",
                value=entry.description,
                key=f"data_description_{entry.id}",
                help="One line, for the list of sets.",
            )
            if st.form_submit_button("Save", icon=":material/save:"):
                attempt(lambda: index.describe_dataset(user, entry.id, text), "Saved.")
                st.rerun()
    with st.container(horizontal=True):
        words = "Let only me see it" if entry.shared else "Share it with the lab"
        icon = ":material/lock:" if entry.shared else ":material/group:"
        st.button(words, key="data_share", icon=icon, on_click=_share, args=(user, entry))
        if st.session_state.get(_ASKED) != entry.id:
            st.button("Delete…", key="data_delete", icon=":material/delete:", on_click=_ask, args=(user, entry))
    if st.session_state.get(_ASKED) == entry.id:
        _sure(user, entry)


def _share(user: User, entry: IndexedDataset) -> None:
    done = "Only you and admins can see it now." if entry.shared else "The lab can see it now."
    attempt(lambda: index.share_dataset(user, entry.id, not entry.shared), done)


def _sure(user: User, entry: IndexedDataset) -> None:
    back = "Its recipe can make it again." if of_id(entry.name) else "It cannot be brought back."
    size = data_parts.size(entry.size_bytes)
    question = f"Delete {entry.name}, {entry.rows:,} sequences, {size}, for everyone? {back}"
    confirm_delete(question, entry.name, key="data_delete", delete=lambda: _really_delete(user, entry), keep=_forget)


def _ask(user: User, entry: IndexedDataset) -> None:
    """What a job or a model depends on is refused before anything is asked."""
    if not refused(lambda: index.check_dataset_deletable(user, entry.id)):
        st.session_state[_ASKED] = entry.id


def _really_delete(user: User, entry: IndexedDataset) -> None:
    _forget()
    if attempt(lambda: index.delete_dataset(user, entry.id), f"{entry.name} was deleted."):
        data_parts.go_to()


def _forget() -> None:
    st.session_state.pop(_ASKED, None)
