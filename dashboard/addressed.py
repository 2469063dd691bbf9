"""Widgets whose value lives in the address: what was chosen is in the link, and the link has the last word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

_WHOLE = re.compile(r"[0-9]{1,12}")


def chosen(parameter: str, options: Sequence[str], default: str) -> str:
    """What the address says, if it is among the options; else the default."""
    value = st.query_params.get(parameter, default)
    return value if value in options else default


def whole(text: str) -> int | None:
    """A whole number as it stands in an address; None where it is none, or absurdly long."""
    return int(text) if _WHOLE.fullmatch(text) else None


def bound(page: str, parameter: str, value: Any, *, default: str = "", clears: Sequence[str] = ()) -> dict[str, Any]:
    """The arguments that bind a widget to a parameter of the address, which has the last word.

    Args:
        page: what the widget's key begins with.
        parameter: its name in the address, and the rest of the key.
        value: what the widget shows; a list stands in the address with commas between.
        default: the text that leaves the address.
        clears: parameters that depend on it and leave the address with every change.
    """
    key = f"{page}_{parameter}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return {
        "key": key,
        "on_change": remember,
        "args": (page, parameter),
        "kwargs": {"default": default, "clears": clears},
    }


def remember(page: str, parameter: str, *, default: str = "", clears: Sequence[str] = ()) -> None:
    """Write a widget's value into the address; its default, and what depends on it, leave the address."""
    value = st.session_state[f"{page}_{parameter}"]
    for name in clears:
        st.query_params.pop(name, None)
    text = ",".join(value) if isinstance(value, list) else "" if value is None else str(value)
    if value is None or text == default:
        st.query_params.pop(parameter, None)
    else:
        st.query_params[parameter] = text
