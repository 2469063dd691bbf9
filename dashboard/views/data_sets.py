"""The labelled sets that are here or can be made, as one table."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import background, sets
from dashboard.saying import say_what_was_done
from dashboard.views import data_parts
from dnalm.errors import DnalmError
from dnalm.lab.people import User


def show(user: User) -> None:
    """Draw the overview; choosing a row opens the set."""
    say_what_was_done()
    for task in background.under_way(sets.MAKING):
        if task.owner == user.id:
            data_parts.follow(task)
    try:
        known = sets.known_sets(user)
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
        return
    own = [row for row in known if row.own]
    if not own:
        st.info(
            "None of the sets is yours yet. Open a public one below, or make one of your own sequences under "
            "“Your own files”.",
            icon=":material/info:",
        )
    frame = pd.DataFrame(
        {
            "Set": [row.name for row in known],
            "What it holds": [row.title for row in known],
            "Here": ["here" if row.made else "to be made" for row in known],
            # As text: an empty cell of a column of numbers reads "None".
            "Sequences": [f"{row.sequences:,}" if row.made else "" for row in known],
            "Labels": [", ".join(row.labels) for row in known],
            "Whose": [row.whose for row in known],
        }
    )
    st.caption("Choose a row to open the set: what it holds, how it is split, and what could mislead a model in it.")
    data_parts.rows(
        frame,
        [row.name for row in known],
        key="data_sets",
        choose=_open,
        tallest=600,
        columns={
            "Set": st.column_config.TextColumn(width="medium"),
            "What it holds": st.column_config.TextColumn(width="large"),
            "Sequences": st.column_config.TextColumn(width="small"),
            "Labels": st.column_config.TextColumn(width="medium"),
            "Here": st.column_config.TextColumn(width="small"),
            "Whose": st.column_config.TextColumn(width="small"),
        },
        alt=f"{len(known)} labelled sets, {sum(row.made for row in known)} of them here",
    )
    st.subheader("At the shell")
    st.code("dnalm data list\ndnalm data make ecoli-sigma70-81\ndnalm data audit ecoli-sigma70-81", language="bash")


def _open(name: str | None) -> None:
    if name:
        data_parts.go_to(dataset=name)
