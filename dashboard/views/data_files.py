"""A person's own files, received to make sets of: which are kept, a way back to each, and a way to delete them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import labelled_uploads
from dashboard.labelled_uploads import KIND_NAMES, LabelledUpload
from dashboard.saying import confirm_delete, plain
from dashboard.views import data_parts

ASKED = "data_file_delete_asked"


def table(user_id: str) -> None:
    """List the files, where there are any; choosing one opens it."""
    found = labelled_uploads.listed(user_id)
    if not found:
        return
    st.subheader("Files that you uploaded before", anchor=False)
    st.caption(
        "Kept for you alone, and counted as yours, until you delete them. Choose a row to go on with the file or to "
        "delete it; sets that were made of it do not need it."
    )
    frame = pd.DataFrame(
        {
            "File": [one.name for one in found],
            "What it is": [KIND_NAMES[one.kind] for one in found],
            "Size": [data_parts.size(one.path.stat().st_size) for one in found],
        }
    )
    data_parts.rows(
        frame,
        [one.key for one in found],
        key="data_files",
        choose=_open,
        tallest=390,
        columns={"File": st.column_config.TextColumn(width="medium")},
        alt=f"{len(found)} uploaded files",
    )


def delete_button(user_id: str, files: Sequence[LabelledUpload]) -> None:
    """The way to delete the files that are open, which asks first."""
    names, keys = " and ".join(one.name for one in files), ",".join(one.key for one in files)
    if st.session_state.get(ASKED) != keys:
        st.button(
            "Delete the upload…",
            key="data_file_delete",
            icon=":material/delete:",
            type="tertiary",
            on_click=st.session_state.update,
            args=({ASKED: keys},),
        )
        return
    confirm_delete(
        f"Delete {names} from the server? Sets that were made of it stay.",
        names,
        key="data_file_delete",
        delete=lambda: _delete(user_id, files),
        keep=lambda: st.session_state.pop(ASKED, None),
    )


def _open(key: str | None) -> None:
    if key:
        st.query_params["upload"] = key


def _delete(user_id: str, files: Sequence[LabelledUpload]) -> None:
    st.session_state.pop(ASKED, None)
    for one in files:
        labelled_uploads.forget(one.key, user_id)
    st.query_params.pop("upload", None)
    st.toast(plain(f"{' and '.join(one.name for one in files)} was deleted."), icon=":material/delete:")
