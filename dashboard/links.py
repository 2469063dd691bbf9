"""Links from page to page that carry the state along."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

# Each page's file, by its name in the address.
FILES = {
    "data": "views/data.py",
    "pre-train": "views/pre_train.py",
    "fine-tune": "views/fine_tune.py",
    "jobs": "views/jobs.py",
    "models": "views/models.py",
    "long-sequences": "views/long_sequences.py",
}


def link(
    page: str,
    label: str,
    *,
    icon: str | None = None,
    query: Mapping[str, str] | None = None,
    width: int | str = "content",
) -> None:
    """A link to a page by its name in the address; nothing where the navigation does not have it.

    So a page can also be run by itself.
    """
    try:
        st.page_link(FILES[page], label=label, icon=icon, query_params=dict(query or {}), width=width)
    except StreamlitPageNotFoundError:
        return
