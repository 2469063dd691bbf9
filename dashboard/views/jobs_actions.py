"""What a person may do with a job: cancel, resume, clone with changes, share, rename, download."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard.downloads import run_address
from dashboard.forms import filled
from dashboard.queue_reading import reader as queue_reader
from dashboard.saying import attempt
from dashboard.views import jobs_words as words
from dnalm.errors import InputError
from dnalm.lab import jobs
from dnalm.lab.jobs import Job, JobState
from dnalm.lab.people import User
from dnalm.training.config import CONFIGS

# Fields that are most often changed; the form folds the others.
MAIN = {
    "pretrain": ("name", "genomes", "preset", "minutes", "epochs", "seed"),
    "finetune": ("name", "model", "dataset", "epochs", "seed"),
    "train": ("name", "dataset", "model", "head", "epochs", "seed"),
    "track": ("name", "genome", "starts", "annotation", "model", "steps", "members", "seed"),
    "bench": ("name", "task", "match", "minutes"),
    "scan": ("name", "model", "sequence", "region", "stride", "strand", "mode", "threshold", "parts"),
}


def show_actions(user: User, job: Job) -> None:
    """The row of buttons; what this person may not do with this job is not offered."""
    own, there = user.is_admin or job.owner == user.id, job.run.is_dir()
    with st.container(horizontal=True):
        if own and job.state in words.LIVE:
            _cancel(user, job)
        if own and there and job.state in (JobState.FAILED, JobState.CANCELLED):
            _resume(user, job)
        if own:
            _share(user, job)
            _rename(user, job)
        if user.is_admin and job.state is JobState.QUEUED:
            _prioritise(user, job)
        if own and job.state not in words.LIVE:
            _delete(user, job)
        # In the address, so that the form is made only when it is wanted, and a reload keeps it open.
        cloning = st.query_params.get("clone") == "1"
        label = "Close the clone" if cloning else "Clone with changes"
        st.button(label, key="job_cloning", icon=":material/content_copy:", on_click=_turn, args=("clone", cloning))
        if there:
            st.link_button("Download the run", run_address(job.id), icon=":material/download:", help=_DOWNLOAD)
    if cloning:
        with st.container(border=True):
            _clone(user, job)
    if said := st.session_state.pop("job_said", None):
        st.toast(said, icon=":material/check:")


_DOWNLOAD = "A zip archive of the run folder: configuration, curves, logs and the model; without the checkpoint."


def _turn(parameter: str, on: bool) -> None:
    if on:
        st.query_params.pop(parameter, None)
    else:
        st.query_params[parameter] = "1"


def _do(act: Callable[[], Any], said: str) -> None:
    """Act, and draw the page anew; what is refused is said in its place."""
    try:
        act()
    except InputError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.session_state["job_said"] = said
    queue_reader.forget()
    st.rerun()


def _cancel(user: User, job: Job) -> None:
    with st.popover("Cancel", icon=":material/stop:", disabled=job.cancel_requested):
        running = job.state is JobState.RUNNING
        st.write(
            "Stop this scan? What it has scored stays, so Resume can go on from there."
            if running and job.phase == "scan"
            else "Stop this training? It writes a checkpoint first, so Resume can go on from there."
            if running
            else "Take this job out of the queue? Resume puts it back, at the end."
        )
        if st.button("Yes, stop it" if running else "Yes, take it out", key="job_cancel", type="primary"):
            _do(lambda: jobs.cancel(user, job.id), "It is being stopped." if running else "It is cancelled.")


def _resume(user: User, job: Job) -> None:
    if st.button("Resume", key="job_resume", icon=":material/play_arrow:", type="primary"):
        _do(lambda: jobs.resume(user, job.id), f"Queued again: {words.onward(job)}.")


def _share(user: User, job: Job) -> None:
    label = "Make private" if job.shared else "Share with the lab"
    icon = ":material/lock:" if job.shared else ":material/group:"
    if st.button(label, key="job_share", icon=icon):
        said = "Only you and admins see it now." if job.shared else "Everyone in the lab may see it now."
        _do(lambda: jobs.share(user, job.id, not job.shared), said)


def _rename(user: User, job: Job) -> None:
    with st.popover("Rename", icon=":material/edit:"):
        name = st.text_input("Name of this job", job.name, key="job_name", max_chars=200)
        st.caption("Its run folder and its model keep their names.")
        if st.button("Rename it", key="job_rename"):
            _do(lambda: jobs.rename(user, job.id, name), "Renamed.")


def _prioritise(user: User, job: Job) -> None:
    with st.popover("Priority", icon=":material/low_priority:"):
        bounds = jobs.PRIORITIES
        lowest, highest = bounds[0], bounds[-1]
        # Without bounds: beyond them the browser would show what was typed and send what was there before.
        value = st.number_input(f"Priority ({lowest} to {highest})", value=job.priority, step=1, key="job_priority")
        st.caption("Jobs of a higher priority begin first; 0 unless someone says otherwise.")
        if st.button("Set it", key="job_prioritise"):
            _do(lambda: jobs.prioritise(user, job.id, int(value)), "Priority set.")


def _delete(user: User, job: Job) -> None:
    with st.popover("Delete", icon=":material/delete:"):
        st.write("Delete this job with its run folder: curves, logs and checkpoint? The models that came of it stay.")
        if st.button("Yes, delete it", key="job_delete", type="primary", icon=":material/delete_forever:"):
            if attempt(lambda: jobs.delete(user, job.id), f"{job.name} was deleted."):
                queue_reader.forget()
                st.query_params.clear()
            st.rerun()


def _clone(user: User, job: Job) -> None:
    """A form that holds this job's configuration; what is changed in it makes the new job."""
    st.subheader(f"A new job like {job.name}", anchor=False)
    st.caption("A new job with this one's configuration but for what you change here. This one stays as it is.")
    kind = CONFIGS[job.phase]
    bases = {"encoder": kind(**job.config).resolved_encoder().model_dump()} if job.phase == "pretrain" else {}
    # The encoder of a track model is the language model's.
    skip = ("network.encoder",) if job.phase == "track" else ()
    form = filled(kind, job.config, key=f"clone_{job.id}", main=MAIN[job.phase], bases=bases, skip=skip)
    changed = differences(job.config, form.config.model_dump(mode="json")) if form.config else {}
    if form.config:
        st.write(f"Changed: {', '.join(f'`{name}`' for name in changed)}." if changed else "Nothing is changed yet.")
    label, icon = "Queue the clone", ":material/add:"
    if st.button(label, key="job_clone", icon=icon, type="primary", disabled=form.config is None):
        try:
            made = jobs.clone(user, job.id, changed)
        except InputError as error:
            st.error(str(error), icon=":material/error:")
            return
        queue_reader.forget()
        st.query_params.from_dict({"job": made.id})
        st.session_state["job_said"] = "Queued; this is the new job."
        st.rerun()


def differences(before: Mapping[str, Any], after: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Dotted fields of `after` that differ from `before`, as `{"optimizer.clip": 0.5}`."""
    found: dict[str, Any] = {}
    for name, value in after.items():
        was = before.get(name)
        if isinstance(was, Mapping) and isinstance(value, Mapping):
            found |= differences(was, value, f"{above}{name}.")
        elif value != was:
            found[f"{above}{name}"] = value
    return found
