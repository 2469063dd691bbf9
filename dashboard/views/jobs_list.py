"""All jobs: what runs and what waits, live; then every job, to find, open and compare."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.charts.curves import MOST_RUNS
from dashboard.links import link
from dashboard.queue_reading import reader as queue_reader
from dashboard.saying import plain, say_what_was_done
from dashboard.views import jobs_runs
from dashboard.views import jobs_words as words
from dashboard.views.jobs_queue import refresh_every, show_queue
from dnalm.lab import jobs
from dnalm.lab.jobs import Job
from dnalm.lab.people import User
from dnalm.lab.usage import MOST_NAMED, Usage, quota, size_text, usage
from dnalm.settings import settings

# Jobs that are looked through; the table shows as many.
MOST_JOBS = 1000


def show(user: User) -> None:
    """Draw the page of all jobs."""
    st.title("What is running, and what comes next?")
    say_what_was_done()
    st.write(
        "Trainings run one after another on this lab's slots (its GPUs, or processors where it has none), whether or "
        "not a browser is open. Close this page and come back whenever you like."
    )
    found = jobs.visible(user, limit=MOST_JOBS)
    if not found:
        _nothing_yet()
    live = [job for job in found if job.state in words.LIVE]
    snapshot = queue_reader.snapshot()
    every = refresh_every(live, worker=bool(snapshot.workers))
    seen = signature(live)
    # Made anew each time, with the interval that fits; without one no clock runs at all.
    st.fragment(_live, run_every=every)(user, seen)
    if found:
        _all_jobs(user, found)
    jobs_runs.show(user)
    if found:
        _room(user)


def _room(user: User) -> None:
    """What this person's things take on disk, and how much they may."""
    found, most = _usage(user, f"{settings().home}"), quota()
    text = f"Your runs, models, sets and uploads take {size_text(found.total)}"
    text += f" of the {size_text(most)} that a person may have" if most else ""
    largest = f"; most is {', '.join(map(str, found.largest[:MOST_NAMED]))}" if found.largest else ""
    if most and found.total >= most:
        st.warning(
            f"{plain(text + largest)}. Nothing can be launched until you delete something.",
            icon=":material/hard_drive:",
        )
    else:
        st.caption(plain(f"{text}{largest}."))


@st.cache_data(ttl=15, max_entries=256, show_spinner=False)
def _usage(user: User, home: str) -> Usage:
    return usage(user)


def _live(user: User, seen: tuple) -> None:
    live = jobs.visible(user, states=words.LIVE, limit=MOST_JOBS)
    if signature(live) != seen:
        queue_reader.forget()
        st.rerun()  # a job began or ended: the rest of the page is out of date, and perhaps the clock may stop
    show_queue(user, live, queue_reader.snapshot())


def signature(found: Sequence[Job]) -> tuple:
    """What has to stay the same for the page around the live part to stay true."""
    return tuple((job.id, job.state, job.cancel_requested, job.name, job.shared) for job in found)


def _nothing_yet() -> None:
    st.info(
        "No job yet. Start with a language model of your genomes (Pre-train), or teach one that ships to tell your "
        "sequences apart (Fine-tune).",
        icon=":material/model_training:",
    )
    with st.container(horizontal=True):
        link("pre-train", "Pre-train a language model", icon=":material/dns:")
        link("fine-tune", "Fine-tune and classify", icon=":material/tune:")


def _all_jobs(user: User, found: list[Job]) -> None:
    st.header("All jobs")
    shown = _filtered(user, found)
    if not shown:
        st.write("No job fits: choose other states, or search for something else.")
        return
    st.caption("Tick a job to open it; tick several to compare their learning curves.")
    frame = pd.DataFrame(
        {
            "Name": [job.name for job in shown],
            "State": [words.STATES[job.state][0] for job in shown],
            "Kind": [words.phase(job) for job in shown],
            "Whose": [job.owner_name for job in shown],
            "Seen by": ["the lab" if job.shared else "owner" for job in shown],
            "Submitted": [job.created for job in shown],
            "Ran for": [words.duration(seconds) if (seconds := words.took(job)) else "" for job in shown],
            "Remark": [words.remark(job) for job in shown],
        }
    )
    picked = st.dataframe(
        frame,
        key="jobs_table",
        hide_index=True,
        height=min(38 + 35 * len(shown), 560),
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "Submitted": st.column_config.DatetimeColumn(format="distance"),
            "Remark": st.column_config.TextColumn(width="large"),
        },
        alt=f"{len(shown)} jobs: name, state, kind, owner, when submitted, how long they ran",
    )
    _picked([shown[row] for row in picked["selection"]["rows"] if row < len(shown)])


def _filtered(user: User, found: list[Job]) -> list[Job]:
    """The jobs that fit the filters, which live in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = {state: word for state, (word, _, _) in words.STATES.items()}
        states = st.pills(
            "State",
            list(names),
            format_func=names.get,
            selection_mode="multi",
            default=[state for state in names if state in st.query_params.get("state", "").split(",")],
            key="jobs_state",
            on_change=lambda: _remember("state", ",".join(st.session_state["jobs_state"])),
        )
        mine = st.segmented_control(
            "Whose",
            ["all", "mine"],
            format_func={"all": "The lab's", "mine": "Mine"}.get,
            default="mine" if st.query_params.get("whose") == "mine" else "all",
            key="jobs_whose",
            on_change=lambda: _remember("whose", "mine" if st.session_state["jobs_whose"] == "mine" else ""),
        )
        text = st.text_input(
            "Search",
            value=st.query_params.get("q", ""),
            key="jobs_search",
            placeholder="name, person, genome, dataset …",
            width=280,
            on_change=lambda: _remember("q", st.session_state["jobs_search"].strip()),
        )
        st.button("Look again", key="jobs_again", icon=":material/refresh:", help="Read the list of jobs anew.")
    needles = text.lower().split()
    return [
        job
        for job in found
        if (not states or job.state in states)
        and (mine != "mine" or job.owner == user.id)
        and all(needle in _haystack(job) for needle in needles)
    ]


def _remember(parameter: str, value: str) -> None:
    if value:
        st.query_params[parameter] = value
    else:
        st.query_params.pop(parameter, None)


def _haystack(job: Job) -> str:
    sources = [*job.config.get("genomes", []), job.config.get("dataset"), job.config.get("model")]
    sources += [job.config.get("sequence"), job.config.get("region")]
    parts = [job.name, job.owner_name, words.phase(job), job.run.name, job.reason, *filter(None, sources)]
    return " ".join(map(str, parts)).lower()


def _picked(chosen: list[Job]) -> None:
    """What can be done with the ticked rows."""
    if not chosen:
        return
    with st.container(horizontal=True):
        for job in chosen[:MOST_RUNS]:
            link("jobs", f"Open {job.name}", icon=":material/open_in_full:", query={"job": job.id})
    if len(chosen) > 1:
        first, *others = chosen[:MOST_RUNS]
        link(
            "jobs",
            f"Compare the curves of these {len(chosen[:MOST_RUNS])}",
            icon=":material/stacked_line_chart:",
            query={"job": first.id, "compare": ",".join(job.id for job in others)},
        )
