"""Mutation sensitivity: what each change of this sequence would do to the call; change it and see."""

from __future__ import annotations

import streamlit as st

from dashboard import addressed, resources
from dashboard.editing import read_edits, unedited
from dashboard.person import acting_user
from dashboard.saying import plain
from dashboard.subject import read_subject
from dashboard.views import mutation_editor, mutation_map, mutation_more, mutation_variants
from dashboard.views import subject_inputs as inputs
from dnalm.errors import DnalmError, InputError

VIEWS = {
    "map": "Every change",
    "scramble": "Sliding scramble",
    "pairs": "Pairs",
    "deletions": "Deletions",
    "variants": "List of variants",
}


def page() -> None:
    """Draw the page from its address: model, with, the sequence, edits, view, and what the view needs."""
    st.title("What would a mutation do?")
    st.caption(
        "Each cell of the map is one change of one base: red takes from the call, blue adds to it. Click a cell to "
        "make that change, and see the call and the map follow."
    )
    user = acting_user()
    if not inputs.models(user):
        inputs.no_model()
        return
    try:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            bundle, other = inputs.pick_models(user)
            view = addressed.chosen("view", list(VIEWS), "map")
            st.segmented_control(
                "View", list(VIEWS), format_func=VIEWS.get, required=True, **inputs.bound("view", view, default="map")
            )
        if not inputs.pick_source(user, bundle):
            return
        model = resources.model(bundle)
        subject = read_subject(inputs.asked(bundle), user, bundle, model)
        try:
            editing = read_edits(st.query_params.get("edits", ""), subject, model)
        except InputError as error:
            st.error(f"The changes could not be made: {plain(str(error))}", icon=":material/error:")
            editing = unedited(subject)
        label = inputs.pick_label(bundle, model.predict([subject.codes])[0].label)
        mutation_editor.editor(bundle, editing, label)
        with st.spinner("Reading the model"):
            if view == "map":
                mutation_map.show(user, bundle, other, editing, label)
            else:
                {**mutation_more.SHOW, "variants": mutation_variants.show}[view](bundle, editing, label)
                if other is not None:
                    st.caption("The second model is shown under Every change alone.")
                mutation_editor.history(bundle, editing, label)
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")


page()
