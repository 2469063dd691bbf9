"""One job: how far it is, its curves and log while it runs; its figures and where to go from there when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.curves import MOST_RUNS, Shown, curves_figure
from dashboard.charts.theme import look
from dashboard.engine import engine
from dashboard.figures import all_figures, headline, measured_on
from dashboard.links import link
from dashboard.queue_reading import reader as queue_reader
from dashboard.run_reading import reader, tail
from dashboard.saying import plain, say_what_was_done
from dashboard.views import jobs_scan
from dashboard.views import jobs_words as words
from dashboard.views.jobs_actions import show_actions
from dashboard.views.jobs_list import signature
from dashboard.views.jobs_queue import no_worker, progress_of, refresh_every
from dashboard.views.models_parts import model_links
from dnalm.errors import InputError, RunError
from dnalm.lab import jobs
from dnalm.lab.jobs import Job, JobState
from dnalm.lab.people import User
from dnalm.training.run import RunFolder

DEFAULT_SMOOTHING = 0.9
# Jobs offered for comparison, the newest.
MOST_OFFERED = 100
LOG_LINES = 60
UNLISTED = ("lm-ecoli", "mcc-vs-bits")
"""Measurements that stand in docs/results.md and in no benchmark's table."""


def back() -> None:
    """The way to all jobs."""
    link("jobs", "All jobs", icon=":material/arrow_back:")


def show(user: User, job: Job) -> None:
    """Draw the page of one job."""
    back()
    st.title(f"How is {job.name} doing?" if job.state in words.LIVE else f"What came of {job.name}?")
    st.markdown(f"{words.badge(job)} {words.phase(job)}, submitted by {plain(job.owner_name)} {_when(job)}")
    say_what_was_done()
    show_actions(user, job)
    if not job.run.is_dir():
        st.warning(_FOLDER_GONE, icon=":material/folder_off:")
        if job.state not in words.LIVE:
            _told(job)
            return
    if job.state is JobState.SUCCEEDED:
        _result(user, job)
    shown = [job, *_compared(user, job)[0]]
    every = refresh_every(shown, worker=bool(queue_reader.snapshot().workers))
    # The clock runs only while one of these jobs waits or runs.
    st.fragment(_live, run_every=every)(user, job, signature(shown))
    _told(job)


_FOLDER_GONE = (
    "The run folder of this job was deleted outside the dashboard, with its curves, log and checkpoint. Models "
    "that came of it stay. **Clone with changes** makes a job like it; **Delete** takes it off the list."
)


def _told(job: Job) -> None:
    with st.expander("What it was told", icon=":material/settings:"):
        st.caption("Every field of its configuration; `config.yaml` in the download has versions and checksums, too.")
        st.json(job.config, expanded=1)
        st.code(f"dnalm run {job.run}", language="bash")


def _when(job: Job) -> str:
    text = f"on {job.created:%Y-%m-%d at %H:%M} UTC"
    if job.attempts > 1:
        text += f", begun {job.attempts} times"
    return text + ("; the lab may see it" if job.shared else "; private")


def _live(user: User, job: Job, seen: tuple) -> None:
    """What changes while the job runs: read anew at each tick, a few milliseconds."""
    others, problems = _compared(user, job)
    shown = [_again(user, job), *others]
    if signature(shown) != seen:
        queue_reader.forget()
        st.rerun()  # one began, ended or was ticked: title, buttons and perhaps the clock change
    _standing(shown[0])
    if job.phase not in words.WITHOUT_CURVES:
        st.header("Learning curves")
        for problem in problems:
            st.warning(problem, icon=":material/warning:")
        _controls(user, job, [other.id for other in others])
        _curves(shown)
    _log(shown[0])


def _again(user: User, job: Job) -> Job:
    """The job as it is now; one that has ended stays as it was until someone acts on it."""
    return jobs.find(user, job.id) if job.state in words.LIVE else job


def _standing(job: Job) -> None:
    snapshot = queue_reader.snapshot()
    if job.state is JobState.QUEUED:
        if not snapshot.workers:
            no_worker(0)
        prospect = words.prospect(snapshot.waiting.get(job.id), worker=bool(snapshot.workers))
        st.info(f"{prospect[:1].upper()}{prospect[1:]}.", icon=":material/schedule:")
        if job.reason:
            st.write(f"It is queued again: {plain(words.reason(job))}")
    elif job.state is JobState.RUNNING:
        progress, said = progress_of(job), engine.standing(job)
        if said:
            st.info(said, icon=":material/dns:")
        if not said or progress:
            st.progress(words.share_done(progress), text=words.standing(job, progress))
        if job.slots:
            st.caption(f"On {', '.join(job.slots)}." + _limit(job))
    elif job.state is JobState.FAILED:
        reason = words.reason(job) or "It failed without a word; its log, below, may say more."
        st.error(plain(reason), icon=":material/error:")
        came_to = f" {plain(words.came_to(progress_of(job)))}"
        st.write(f"Put right what the sentence says, then **Resume**: {words.onward(job)}.{came_to}".rstrip())
    elif job.state is JobState.CANCELLED:
        onward = "" if "resumed" in job.reason else f" **Resume** it, and {words.onward(job)}."
        came_to = f" {plain(words.came_to(progress_of(job)))}".rstrip()
        st.warning(_sentence(words.reason(job) or "cancelled") + came_to + onward, icon=":material/cancel:")


def _limit(job: Job) -> str:
    return f" It is stopped after {words.duration(job.limit_minutes * 60)}." if job.limit_minutes else ""


def _sentence(text: str) -> str:
    return plain(f"{text[:1].upper()}{text[1:]}".rstrip(".") + ".")


def _compared(user: User, job: Job) -> tuple[list[Job], list[str]]:
    """The jobs that the address asks to compare with, and a sentence for each that is not here."""
    found, problems = [], []
    wanted = [one for one in st.query_params.get("compare", "").split(",") if one and one != job.id]
    for job_id in dict.fromkeys(wanted):
        try:
            found.append(jobs.find(user, job_id))
        except InputError:
            problems.append(f"The job {job_id}, to compare with, is not here, or is not shared with you.")
    if len(found) >= MOST_RUNS:
        problems.append(f"At most {MOST_RUNS} runs are drawn at once; the first ones are.")
    return found[: MOST_RUNS - 1], problems


def _controls(user: User, job: Job, chosen: list[str]) -> None:
    """What is drawn and how: both live in the address."""
    offered = {one.id: one for one in jobs.visible(user, limit=MOST_OFFERED) if one.id != job.id}
    offered |= {job_id: jobs.find(user, job_id) for job_id in chosen if job_id not in offered}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if offered:
            st.multiselect(
                "Compare with",
                list(offered),
                default=_begin_with("job_compare", chosen),
                format_func=lambda job_id: f"{offered[job_id].name} ({words.phase(offered[job_id]).lower()})",
                key="job_compare",
                max_selections=MOST_RUNS - 1,
                placeholder="tick other jobs",
                width=460,
                on_change=_remember,
            )
        st.slider(
            "Smoothing",
            0.0,
            0.99,
            value=_begin_with("job_smooth", _asked_smoothing()),
            step=0.01,
            key="job_smooth",
            width=260,
            on_change=_remember,
            help="How much each point of a training curve takes over from the points before it. 0: as measured. "
            "Points measured on held-out or validation sequences are never smoothed.",
        )


def _begin_with(key: str, value: Any) -> Any:
    """What a widget begins with: the address's value, as its default, so that no message of its own can get lost.

    Where the address has changed under a widget that is there already, the widget is told instead.
    """
    if key in st.session_state and st.session_state[key] != value:
        st.session_state[key] = value
        return None
    return value


def _remember() -> None:
    compared = ",".join(st.session_state.get("job_compare", []))
    smoothing = f"{st.session_state['job_smooth']:.2f}"
    for name, value, default in (("compare", compared, ""), ("smooth", smoothing, f"{DEFAULT_SMOOTHING:.2f}")):
        if value == default:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value


def _asked_smoothing() -> float:
    try:
        value = float(st.query_params.get("smooth", DEFAULT_SMOOTHING))
    except ValueError:
        return DEFAULT_SMOOTHING
    return round(value, 2) if 0 <= value <= 0.99 else DEFAULT_SMOOTHING


def _curves(shown: Sequence[Job]) -> None:
    runs = [Shown(job.name, reader.curves(job.run)) for job in shown]
    drawn = [run for run in runs if run.curves.series]
    for run in runs:
        if not run.curves.series and len(runs) > 1:
            st.caption(f"{plain(run.name)} has no point yet.")
    if not drawn:
        st.write(_no_points(shown[0]))
        return
    st.plotly_chart(
        curves_figure(drawn, look(), smoothing=_asked_smoothing()),
        theme=None,
        key="job_curves",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt=f"Learning curves of {', '.join(run.name for run in drawn)} over {drawn[0].curves.last:,} steps",
    )
    st.caption(
        "Drag over the picture to zoom into some steps, double-click to see all again; click a name to hide it. The "
        "numbers are in `metrics.jsonl` of the download."
    )


def _no_points(job: Job) -> str:
    if job.state is JobState.SUCCEEDED:
        return "It has no learning curve: its head is solved for in one go, without steps."
    if job.state in words.LIVE:
        return "The first point comes a few seconds after it has begun to train."
    return "It ended before the first point."


def _log(job: Job) -> None:
    noted, printed = tail(job.run / "log.txt", LOG_LINES), tail(job.run / "process.txt", LOG_LINES)
    with st.expander("Log", icon=":material/description:", expanded=job.state is JobState.FAILED):
        st.caption("What the run noted, the newest at the bottom; times are UTC.")
        st.code("\n".join(noted) or "nothing yet", language=None, wrap_lines=True, height=220)
        if printed:
            st.caption("What its process printed:")
            st.code("\n".join(printed), language=None, wrap_lines=True, height=220)


def _result(user: User, job: Job) -> None:
    """The figures, each with its interval, and the next steps."""
    try:
        result = RunFolder(job.run).result()
    except RunError as error:
        st.error(str(error), icon=":material/error:")
        return
    seconds = words.took(job)
    st.header("Result")
    for figure in headline(result):
        where = measured_on(result, figure)
        st.write(f"**{figure.title}: {figure}**" + (f", measured on {plain(where)}" if where else ""))
    if seconds is not None:
        since = " since it was begun the last time" if job.attempts > 1 else ""
        st.caption(f"It ran for {words.duration(seconds)}{since}.")
    if job.phase == "bench":
        _bench(result)
        return
    if job.phase == "scan":
        jobs_scan.show(job, result)
        return
    rows = [
        {
            "Measured on": " / ".join(figure.where),
            "Figure": figure.title,
            "Value": figure.value,
            "Low (95 %)": figure.low,
            "High (95 %)": figure.high,
            "n": figure.n,
        }
        for figure in all_figures(result)
    ]
    with st.expander("All figures", icon=":material/table:"):
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="all figures with their 95 % intervals")
    _onward(user, job)


def _bench(result: dict[str, Any]) -> None:
    """What a benchmark's job measured, and the way to its table."""
    measured, left = result.get("measured", 0), result.get("left", 0)
    st.write(f"**{measured:,} units measured**" + (f", {left:,} left for another time" if left else ""))
    if impossible := result.get("impossible"):
        st.warning(f"{len(impossible):,} cannot be measured; the log says why.", icon=":material/warning:")
    task = str(result.get("bench", ""))
    if task not in UNLISTED:
        link("benchmarks", "See the table", icon=":material/leaderboard:", query={"task": task})


def _onward(user: User, job: Job) -> None:
    if not model_links(user, job.run.name):
        st.caption(
            "Its model is not among the models here: it was deleted since, or comes in a few seconds. The download "
            "has it in any case."
        )
