"""Models: what is here, where it came from, how good it is, and what to do with it."""

from __future__ import annotations

import streamlit as st

from dashboard.person import acting_user
from dashboard.saying import say_what_was_done
from dashboard.views import models_all, models_one
from dashboard.views.models_parts import back
from dnalm.errors import InputError
from dnalm.lab import index


def main() -> None:
    """Draw the page: one model where the address names one, else all."""
    user = acting_user()
    name = st.query_params.get("model")
    if not name:
        models_all.show(user)
        return
    try:
        model = index.model(user, name)
    except InputError:
        st.title("Where is this model?")
        say_what_was_done()
        st.warning(
            f"The address asks for the model {name}, which is not here, or is not shared with you.",
            icon=":material/warning:",
        )
        back()
        return
    models_one.show(user, model)


main()
