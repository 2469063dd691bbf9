"""A row of buttons that save a picture and its data; each file is made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import NamedTuple

import streamlit as st

_TYPES = {
    ".tsv": "text/tab-separated-values",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".npz": "application/octet-stream",
}


class Offered(NamedTuple):
    """A file: what its button says, its name, and what makes its content."""

    label: str
    file: str
    make: Callable[[], bytes | str]


def download_row(page: str, offered: Mapping[str, Offered], *, label: str = "Download:") -> None:
    """Draw the buttons.

    Args:
        page: what their keys begin with.
        offered: the files, by the rest of the key.
        label: what stands before them.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        if label:
            st.write(label)
        for key, one in offered.items():
            st.download_button(
                one.label,
                one.make,
                file_name=one.file,
                mime=_TYPES.get(PurePath(one.file).suffix, "text/plain"),
                key=f"{page}_download_{key}",
                on_click="ignore",
                icon=":material/download:",
            )
