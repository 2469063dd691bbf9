"""Data: which sequences will the model learn from, and are they fit for it?"""

from __future__ import annotations

import streamlit as st

from dashboard.person import acting_user
from dashboard.views import data_catalog, data_parts, data_set, data_sets, data_upload, data_uploads

VIEWS = {"sets": "Labelled sets", "files": "Public files", "upload": "Your own files"}
SENTENCES = {
    "sets": "A labelled set teaches a classifier: sequences, each with what it is, split into a part to learn from and "
    "parts to be tested on.",
    "files": "Genomes, annotations and published sequences that dnalm can bring here, each checked against its "
    "checksum. Genomes are for pre-training; the rest is what labelled sets are made of.",
    "upload": "Bring sequences whose labels you know: a table, or two FASTA files, one for each label. A genome "
    "without labels is welcome too, to be scanned or pre-trained on.",
}


def main() -> None:
    """Draw the page."""
    user = acting_user()
    name = st.query_params.get("dataset")
    if name:
        data_set.show(user, name)
        return
    st.title("Which sequences will the model learn from?")
    view = data_parts.chosen("show", list(VIEWS), "sets")
    st.segmented_control(
        "Show",
        list(VIEWS),
        format_func=VIEWS.get,
        required=True,
        label_visibility="collapsed",
        **data_parts.bound("show", view, default="sets", clears=("file",)),
    )
    st.write(SENTENCES[view])
    if view == "files":
        data_catalog.show(user)
    elif view == "upload":
        data_upload.show(user)
        data_uploads.show(user)
    else:
        data_sets.show(user)


main()
