"""What the owner of a set, an uploaded sequence or a run may change: what is said of it, who sees it, if it stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.saying import attempt, confirm_delete, plain, refused, say_refusal
from dnalm.lab.indexed import Indexed
from dnalm.lab.people import User


@dataclass(frozen=True)
class Verbs:
    """What can be done to one thing, each in a call that refuses what may not be.

    Attributes:
        describe: says in a line what it is; None where nobody is to say so.
        share: lets the lab see it, or only its owner.
        check: refuses what `delete` would refuse, before the person is asked.
        delete: deletes it.
        gone: leads the page away from it, once it is deleted.
    """

    describe: Callable[[str], Any] | None
    share: Callable[[bool], Any]
    check: Callable[[], Any]
    delete: Callable[[], Any]
    gone: Callable[[], None]


def whose(user: User, entry: Indexed) -> str:
    """Whose something is, for the person who looks."""
    return "yours" if entry.owner == user.id else f"{entry.owner_name}'s"


def is_asked(key: str, entry: Indexed) -> bool:
    """Whether the person is being asked if they mean to delete this thing; `key` as `show` has it."""
    return st.session_state.get(_asked(key)) == entry.id


def show(
    user: User, entry: Indexed, verbs: Verbs, *, key: str, what: str, question: str, label: str = "What it holds"
) -> None:
    """Draw it; whoever may not change the thing is told whose it is.

    Args:
        user: who looks.
        entry: the thing.
        verbs: what can be done to it.
        key: what the widgets' names begin with.
        what: which kind of thing it is, as `set`.
        question: asked before it is deleted.
        label: of the field for the description.
    """
    if not user.is_admin and entry.owner != user.id:
        st.caption(plain(f"This {what} is {whose(user, entry)}: only they or an admin may change it."))
        return
    st.header("Change it")
    st.caption(plain(f"It is {whose(user, entry)}, {'shared with the lab' if entry.shared else 'private'}."))
    describe = verbs.describe
    if describe is not None:
        with st.form(f"{key}_change"):
            text = st.text_input(
                label,
                value=entry.description,
                key=f"{key}_description_{entry.id}",
                help=f"One line, for the list of {what}s.",
            )
            if st.form_submit_button("Save", icon=":material/save:"):
                attempt(lambda: describe(text), "Saved.")
                st.rerun()
    asked = _asked(key)
    with st.container(horizontal=True):
        words = "Let only me see it" if entry.shared else "Share it with the lab"
        icon = ":material/lock:" if entry.shared else ":material/group:"
        st.button(words, key=f"{key}_share", icon=icon, on_click=_share, args=(entry, verbs))
        if not is_asked(key, entry):
            icon = ":material/delete:"
            st.button("Delete…", key=f"{key}_delete", icon=icon, on_click=_ask, args=(entry, verbs, asked))
    say_refusal(f"{asked}_refused")
    if is_asked(key, entry):
        confirm_delete(
            question,
            entry.name,
            key=f"{key}_delete",
            delete=lambda: _really_delete(entry, verbs, asked),
            keep=lambda: _forget(asked),
        )


def _asked(key: str) -> str:
    return f"{key}_delete_asked"


def _share(entry: Indexed, verbs: Verbs) -> None:
    done = "Only you and admins can see it now." if entry.shared else "The lab can see it now."
    attempt(lambda: verbs.share(not entry.shared), done)


def _ask(entry: Indexed, verbs: Verbs, asked: str) -> None:
    """What a job or a model depends on is refused before anything is asked."""
    if not refused(verbs.check, here=f"{asked}_refused"):
        st.session_state[asked] = entry.id


def _really_delete(entry: Indexed, verbs: Verbs, asked: str) -> None:
    _forget(asked)
    if attempt(verbs.delete, f"{entry.name} was deleted."):
        verbs.gone()


def _forget(asked: str) -> None:
    st.session_state.pop(asked, None)
