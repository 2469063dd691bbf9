"""The last part of a launch page: a name, who sees it, the button; and the job that came of it."""

from __future__ import annotations

import hashlib
import secrets
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from pydantic import ValidationError

from dashboard.form_fields import at, blank, leaves, problems_of
from dashboard.links import link
from dashboard.person import acting_user
from dnalm.errors import DnalmError, InputError
from dnalm.lab import jobs
from dnalm.lab.roster import workers
from dnalm.lab.waiting import waiting
from dnalm.model.shelf import taken
from dnalm.training.config import RunConfig
from dnalm.training.estimate import duration_text

_REMEMBERED = 1000


@dataclass
class Launches:
    """Jobs by the intention that made them, so that a button pressed twice makes one."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    done: dict[str, jobs.Job] = field(default_factory=dict)

    def once(self, token: str, submit: Callable[[], jobs.Job]) -> jobs.Job:
        """The job of this intention, submitted now if it has not been."""
        with self.lock:
            if token not in self.done:
                self.done[token] = submit()
                for old in list(self.done)[:-_REMEMBERED]:
                    del self.done[old]
            return self.done[token]


@st.cache_resource
def _launches() -> Launches:
    return Launches()


def launch(config: RunConfig | None, *, key: str, refused: bool) -> None:
    """Draw the launch form, and what came of it.

    Args:
        config: what would run, its name aside; None while a field is wrong.
        key: what the widgets' names begin with.
        refused: whether it cannot run, which has been said.
    """
    st.subheader("Launch it", anchor=False)
    intention = st.session_state.setdefault(f"{key}:intention", secrets.token_hex(8))
    launched = st.session_state.get(f"{key}:launched")
    with st.form(f"{key}:launch", border=False, enter_to_submit=True):
        name, limit, share = _inputs(key)
        pressed = st.form_submit_button(
            "Launch",
            type="primary",
            icon=":material/rocket_launch:",
            disabled=config is None or refused or launched is not None,
            help="It joins the queue and runs on the server: you may close this page.",
        )
    if pressed and config is not None and not refused:
        launched = _submit(config, name, limit, share, intention)
        if launched is not None:
            st.session_state[f"{key}:launched"] = launched.id
            st.rerun()
    if launched is not None:
        _launched(launched if isinstance(launched, str) else launched.id, key)


def _inputs(key: str) -> tuple[str, float | None, bool]:
    columns = st.columns([3, 2, 2], vertical_alignment="bottom")
    name = columns[0].text_input(
        "Name of the model",
        key=f"{key}:name",
        placeholder="made from the phase and the time",
        help="Letters, digits, dots, dashes and underscores. Enter launches. At the shell: `--name`",
    )
    limit = columns[1].number_input(
        "Stop after (minutes)",
        value=None,
        format="%g",
        key=f"{key}:limit",
        placeholder="no limit",
        help="Wall-clock limit: the job is stopped then, after a checkpoint, and can be resumed.",
    )
    share = columns[2].checkbox(
        "Share with the lab", key=f"{key}:share", help="Everyone sees the job and its model; you can change it later."
    )
    return name.strip(), limit, share


def _submit(config: RunConfig, name: str, limit: float | None, share: bool, intention: str) -> jobs.Job | None:
    """The job; None where it was refused, which is said."""
    if limit is not None and limit <= 0:
        st.error(
            f"It was not launched: it cannot be stopped after {limit:g} minutes; give more than 0, or nothing for no "
            "limit.",
            icon=":material/error:",
        )
        return None
    try:
        named = type(config).model_validate({**config.model_dump(), "name": name})
    except ValidationError as error:
        st.error(next(iter(problems_of(type(config), error).values())), icon=":material/error:")
        return None
    wanted = f"{intention} {named.model_dump_json()} {limit} {share}"
    token = hashlib.sha256(wanted.encode()).hexdigest()
    user = acting_user()
    try:
        return _launches().once(token, lambda: jobs.submit(user, named, limit_minutes=limit, shared=share))
    except DnalmError as error:
        st.error(f"It was not launched: {error}", icon=":material/error:")
        return None


def _launched(job_id: str, key: str) -> None:
    """Say where the job stands and lead to it."""
    try:
        job = jobs.find(acting_user(), job_id)
    except InputError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.success(f"{job.name} is {job.state.value}{_prospect(job)}. You may close this page.", icon=":material/check:")
    if _has_namesake(job):
        st.info(
            f"{job.name} is the name of another model, or of one that is being made: the later one gets a number "
            f"behind its name, as {job.name}-2.",
            icon=":material/info:",
        )
    if not workers():
        st.warning(
            "No worker is running, so nothing starts: `dnalm serve` starts one with the dashboard, `dnalm worker` "
            "one by itself.",
            icon=":material/warning:",
        )
    with st.container(horizontal=True):
        link("jobs", "Follow it", icon=":material/monitoring:", query={"job": job.id})
        st.button("Launch another", key=f"{key}:again", icon=":material/add:", on_click=_again, args=(key,))


def _has_namesake(job: jobs.Job) -> bool:
    live = jobs.visible(acting_user(), states=(jobs.JobState.QUEUED, jobs.JobState.RUNNING))
    return taken(job.name) or any(other.name == job.name and other.id != job.id for other in live)


def _prospect(job: jobs.Job) -> str:
    if job.state != jobs.JobState.QUEUED:
        return ""
    try:
        found = waiting(job.id)
    except InputError:  # it began in this moment
        return ""
    place = "next in the queue" if found.position == 1 else f"number {found.position} in the queue"
    return f", {place}" + (f", begins in {duration_text(found.seconds)}" if found.seconds else "")


def _again(key: str) -> None:
    """A new intention: the same settings may be launched once more."""
    st.session_state.pop(f"{key}:launched", None)
    st.session_state[f"{key}:intention"] = secrets.token_hex(8)


def command(words: list[str], config: RunConfig, given: Mapping[str, str]) -> str:
    """The command that does the same at the shell.

    Args:
        words: how it begins.
        config: what it is to do.
        given: fields that have options of their own: dotted name to the option's words.
    """
    values, defaults = config.model_dump(), blank(type(config))
    options: list[str] = []
    for one in leaves(type(config)):
        value = at(values, one.path)
        if value == at(defaults, one.path) or value is None or one.path in ("genomes", "name"):
            continue
        options += (
            [*shlex.split(given[one.path]), _yaml(value)]
            if one.path in given
            else [
                "--set",
                f"{one.path}={_yaml(value)}",
            ]
        )
    return shlex.join([*words, *options])


def _yaml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
