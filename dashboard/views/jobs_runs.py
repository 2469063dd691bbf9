"""The runs that no job made: commands at the shell did. What each came to, and what its owner may change."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import managing
from dashboard.saying import plain
from dashboard.sets import whose_words
from dashboard.views import jobs_words as words
from dashboard.views.data_parts import rows
from dashboard.views.models_parts import model_links
from dnalm.errors import DnalmError
from dnalm.lab import runs
from dnalm.lab.indexed import IndexedRun
from dnalm.lab.jobs import JobState
from dnalm.lab.people import User
from dnalm.training.listing import summarise

# Runs that are listed, the newest.
MOST_RUNS = 200
DONE = words.STATES[JobState.SUCCEEDED][0]


def show(user: User) -> None:
    """Draw them, where there are any; below them the run that the address names."""
    found = [run for run in runs.runs(user) if run.job is None]
    named = st.query_params.get("run")
    if found:
        st.header("Runs made at the shell")
        _table(user, found[:MOST_RUNS], named)
    if named is None:
        return
    entry = next((run for run in found if run.name == named), None)
    if entry is None:
        st.warning(f"The address asks for the run {plain(named)}, which is not here, or is not shared with you.")
    else:
        _one(user, entry)


def _table(user: User, found: list[IndexedRun], named: str | None) -> None:
    st.caption("Trainings that a command started, outside the queue. Choose one to describe, share or delete it.")
    frame = pd.DataFrame(
        {
            "Run": [run.name for run in found],
            "State": [_state(run) for run in found],
            "Kind": [words.PHASES.get(run.phase, run.phase) for run in found],
            "Whose": [whose_words(user, run) for run in found],
            "What it is": [run.description for run in found],
            "Made": [run.created for run in found],
        }
    )
    rows(
        frame,
        [run.name for run in found],
        key="jobs_runs",
        choose=_open,
        chosen=named,
        tallest=390,
        columns={
            "Made": st.column_config.DatetimeColumn(format="distance"),
            "What it is": st.column_config.TextColumn(width="medium"),
        },
        alt=f"{len(found)} runs that no job made",
    )


def _state(run: IndexedRun) -> str:
    try:
        state = summarise(run.folder).state
    except DnalmError:  # it went in this moment
        return ""
    return {"succeeded": DONE, "waiting": "not begun"}.get(state, state)


def _open(name: str | None) -> None:
    if name:
        st.query_params["run"] = name
    else:
        st.query_params.pop("run", None)


def _one(user: User, run: IndexedRun) -> None:
    st.header(plain(run.name), anchor=False)
    model_links(user, run.name)
    verbs = managing.Verbs(
        describe=lambda text: runs.describe_run(user, run.id, text),
        share=lambda shared: runs.share_run(user, run.id, shared),
        check=lambda: runs.check_run_deletable(user, run.id),
        delete=lambda: runs.delete_run(user, run.id),
        gone=lambda: _open(None),
    )
    question = f"Delete {run.name} with its log, curves and checkpoint? The models that came of it stay."
    managing.show(user, run, verbs, key="jobs_run", what="run", question=question, label="What it is")
    resume = "" if _state(run) == DONE else f"\ndnalm runs resume {run.name}"
    st.code(f"dnalm runs show {run.name}{resume}", language="bash")
