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
    "benchmarks": "views/benchmarks.py",
    "saliency": "views/saliency.py",
    "mutation": "views/mutation.py",
    "motifs": "views/motifs.py",
    "embedding": "views/embedding.py",
    "long-sequences": "views/long_sequences.py",
}


def show_address() -> None:
    """Have the browser show the address that a page is drawn from.

    After a link from a page to itself Streamlit knows the new parameters, but leaves them out of the address, and a
    reload would lose them. Where the address is right already, the browser does nothing.
    """
    st.query_params.from_dict({name: st.query_params.get_all(name) for name in st.query_params})


def server_path(path: str) -> str:
    """A path of this server, such as `/runs/ID.zip`; where the dashboard is served below another, below that."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}{path}" if base else path


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
