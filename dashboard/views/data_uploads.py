"""The sequences that were uploaded and that this person may use: one table, and what their owner may change."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import managing, sets
from dashboard.links import link
from dashboard.saying import plain, say_what_was_done
from dashboard.views import data_parts
from dnalm.errors import DnalmError
from dnalm.lab import uploads
from dnalm.lab.people import User
from dnalm.lab.uploads import IndexedUpload

MISSING = "The sequence that the address names is not here any more, or is not shared with you."


def show(user: User) -> None:
    """Draw the table; below it the sequence that the address names."""
    st.header("Which sequences are kept?")
    say_what_was_done()
    try:
        found = uploads.uploads(user)
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
        return
    if not found:
        st.info(
            "No sequence without labels is kept yet. Upload one FASTA or GenBank file above, or on the page Long "
            "sequences; it can then be scanned and pre-trained on.",
            icon=":material/info:",
        )
    else:
        _table(user, found)
    named = st.query_params.get("kept")
    if named is None:
        return
    entry = _named(user, found, named)
    if entry is None:
        st.warning(MISSING, icon=":material/warning:")
    else:
        _one(user, entry)


def _named(user: User, found: list[IndexedUpload], named: str) -> IndexedUpload | None:
    """What the address names, by its content's key or by the id of one person's; the person's own goes first."""
    those = sorted((one for one in found if named in (one.id, one.key)), key=lambda one: one.owner != user.id)
    return those[0] if those else None


def _table(user: User, found: list[IndexedUpload]) -> None:
    frame = pd.DataFrame(
        {
            "Sequence": [one.name for one in found],
            "Whose": [sets.whose_words(user, one) for one in found],
            "What it holds": [one.description for one in found],
            "Size": [data_parts.size(one.size_bytes) for one in found],
            "Kept since": [f"{one.created:%Y-%m-%d}" for one in found],
        }
    )
    st.caption("Choose a row to scan the sequence, to pre-train on it, or to describe, share or delete it.")
    named = st.query_params.get("kept")
    entry = None if named is None else _named(user, found, named)
    data_parts.rows(
        frame,
        [one.id for one in found],
        key="data_uploads",
        choose=_open,
        chosen=entry.id if entry else None,
        tallest=390,
        columns={
            "Sequence": st.column_config.TextColumn(width="medium"),
            "Whose": st.column_config.TextColumn(width="small"),
            "What it holds": st.column_config.TextColumn(width="medium"),
            "Size": st.column_config.TextColumn(width="small"),
            "Kept since": st.column_config.TextColumn(width="small"),
        },
        alt=f"{len(found)} uploaded sequences, {sum(one.owner == user.id for one in found)} of them yours",
    )


def _open(upload_id: str | None) -> None:
    if upload_id:
        st.query_params["kept"] = upload_id
    else:
        st.query_params.pop("kept", None)


def _one(user: User, entry: IndexedUpload) -> None:
    st.header(plain(entry.name), anchor=False)
    with st.container(horizontal=True):
        link("long-sequences", "Scan it", icon=":material/monitoring:", query={"sequence": entry.key})
        link("pre-train", "Pre-train on it", icon=":material/model_training:", query={"genomes": entry.key})
    verbs = managing.Verbs(
        describe=lambda text: uploads.describe_upload(user, entry.id, text),
        share=lambda shared: uploads.share_upload(user, entry.id, shared),
        check=lambda: uploads.check_upload_deletable(user, entry.id),
        delete=lambda: uploads.delete_upload(user, entry.id),
        gone=lambda: _open(None),
    )
    question = (
        f"Delete {entry.name}, {data_parts.size(entry.size_bytes)}? It has to be uploaded again to be used again."
    )
    if managing.is_asked("data_kept", entry) and (made := uploads.models_made_from(user, entry.id)):
        question += f" Pre-trained on it: {made}; that stays and works, but nobody can train it again without the file."
    managing.show(user, entry, verbs, key="data_kept", what="sequence", question=question)
