"""What a person asked for: done or refused, and said on the next drawing of the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import streamlit as st

from dnalm.errors import DnalmError

_SAID = "said"


def refused(work: Callable[[], Any], *, here: str = _SAID) -> bool:
    """Whether something that a person asked for is refused; the next drawing says why.

    Args:
        work: does it, or refuses.
        here: names the place where `say_refusal` says why; the top of the page, where nothing is named.
    """
    try:
        work()
    except DnalmError as error:
        st.session_state[here] = ("error", str(error))
        return True
    return False


def attempt(work: Callable[[], Any], done: str) -> bool:
    """Do something that a person asked for, and say on the next drawing how it went."""
    if refused(work):
        return False
    st.session_state[_SAID] = ("success", done)
    return True


def say_refusal(here: str) -> None:
    """Say why something was refused, once: beside its button, where that is far below the top of the page."""
    _say(here)


def say_what_was_done() -> None:
    """Say how the last click went, once."""
    _say(_SAID)


def _say(place: str) -> None:
    kind, text = st.session_state.pop(place, (None, ""))
    if kind == "error":
        st.error(plain(text), icon=":material/error:")
    elif kind == "success":
        st.success(plain(text), icon=":material/check_circle:")


def confirm_delete(question: str, name: str, *, key: str, delete: Callable[[], None], keep: Callable[[], None]) -> None:
    """Ask whether something is to be deleted.

    Args:
        question: what would be lost, as plain text.
        name: of what would be deleted, for the button.
        key: of the two buttons, which get `_yes` and `_no` behind it.
        delete: called on yes.
        keep: called on no.
    """
    st.warning(plain(question), icon=":material/warning:")
    with st.container(horizontal=True):
        icon = ":material/delete_forever:"
        st.button(f"Yes, delete {plain(name)}", key=f"{key}_yes", type="primary", icon=icon, on_click=delete)
        st.button("Keep it", key=f"{key}_no", on_click=keep)


def plain(text: str) -> str:
    """Text of others' making as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:])", r"\\\1", text)
