"""The live part of the page of all jobs: the worker, the slots and who holds them, what runs, what waits."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.links import link
from dashboard.queue_reading import Snapshot
from dashboard.views import jobs_words as words
from dnalm.errors import RunError
from dnalm.lab.jobs import Job, JobState
from dnalm.lab.people import User
from dnalm.training.run import RunFolder

RUNNING_S, WAITING_S, NO_WORKER_S = 2.0, 5.0, 15.0
# Running jobs that are drawn with a bar of their own.
MOST_BARS = 24


def refresh_every(found: Sequence[Job], *, worker: bool) -> float | None:
    """Seconds between two looks at jobs: None, no looks at all, once none of them runs or waits."""
    if any(job.state is JobState.RUNNING for job in found):
        return RUNNING_S
    if any(job.state is JobState.QUEUED for job in found):
        return WAITING_S if worker else NO_WORKER_S
    return None


def progress_of(job: Job) -> dict:
    """What the run says of itself; a damaged file says nothing."""
    try:
        return RunFolder(job.run).read_progress()
    except RunError:
        return {}


def show_queue(user: User, live: Sequence[Job], snapshot: Snapshot) -> None:
    """Draw it."""
    running = [job for job in live if job.state is JobState.RUNNING]
    queued = [job for job in live if job.state is JobState.QUEUED]
    if not snapshot.workers:
        no_worker(len(queued))
    if running:
        st.header("Running")
        for job in running[:MOST_BARS]:
            _running(job)
        if len(running) > MOST_BARS:
            st.caption(f"and {len(running) - MOST_BARS} more; the table below has them all")
    if queued:
        st.header("Waiting")
        _waiting(user, queued, snapshot)
    _slots(live, snapshot)


def no_worker(waiting: int) -> None:
    """Say that nothing will begin, and what to do about it."""
    kept = f" {waiting} {'job waits' if waiting == 1 else 'jobs wait'} meanwhile; nothing is lost." if waiting else ""
    st.warning(
        f"No worker is running, so no job begins.{kept} Start one where the jobs shall run; `dnalm serve` starts one "
        "beside the dashboard.",
        icon=":material/power_off:",
    )
    st.code("dnalm worker", language="bash")


def _running(job: Job) -> None:
    progress = progress_of(job)
    with st.container(horizontal=True, vertical_alignment="center"):
        link("jobs", f"**{job.name}**", query={"job": job.id}, width=260)
        st.progress(words.share_done(progress), text=f"{words.standing(job, progress)} {_whose(job)}")


def _whose(job: Job) -> str:
    held = f" on {', '.join(job.slots)}" if job.slots else ""
    return f"({job.owner_name}, {words.phase(job).lower()}{held})"


def _waiting(user: User, queued: Sequence[Job], snapshot: Snapshot) -> None:
    order = {job_id: place for place, job_id in enumerate(snapshot.waiting)}
    queued = sorted(queued, key=lambda job: order.get(job.id, len(order)))
    hidden = len(snapshot.waiting) - sum(job.id in order for job in queued)
    worker = bool(snapshot.workers)
    prospects = [snapshot.waiting.get(job.id) for job in queued]
    frame = pd.DataFrame(
        {
            "Place": pd.array([one.position if one else None for one in prospects], dtype="Int64"),
            "Name": [job.name for job in queued],
            "Kind": [words.phase(job) for job in queued],
            "Whose": [job.owner_name for job in queued],
            "Slots wanted": [job.devices for job in queued],
            "When": [words.prospect(one, worker=worker) for one in prospects],
            "Remark": [words.reason(job) for job in queued],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=min(38 + 35 * len(queued), 320),
        alt=f"{len(queued)} waiting jobs in the order in which they begin",
    )
    told = "People take turns: whoever has the fewest jobs running comes first, then whoever waited longest."
    if hidden > 0:
        told += f" {hidden} private {'job' if hidden == 1 else 'jobs'} of other people stand in the queue as well."
    st.caption(told)


def _slots(live: Sequence[Job], snapshot: Snapshot) -> None:
    """Each slot of each worker, who holds it, and a GPU's memory."""
    if snapshot.trouble:
        st.warning(snapshot.trouble, icon=":material/warning:")
    held = {(lease.host, lease.slot): lease for lease in snapshot.leases}
    names = {job.id: job.name for job in live}
    places = sorted({(worker.host, slot) for worker in snapshot.workers for slot in worker.slots} | set(held))
    for worker in snapshot.workers:
        if not worker.slots:
            st.caption(
                f"Jobs are handed to {worker.backend.capitalize()} by {worker.host}, which has a queue of its own."
            )
    if not places:
        return
    rows = []
    for host, slot in places:
        lease, device = held.get((host, slot)), snapshot.slots.get((host, slot))
        memory = ""
        if device and device.memory_total:
            memory = f"{words.bytes_text(device.memory_used or 0)} of {words.bytes_text(device.memory_total)}"
        rows.append(
            {
                "Slot": slot,
                "What it is": device.name if device else "",
                "Machine": host,
                "Held by": lease.owner_name if lease else "free",
                "For": names.get(lease.job_id, "a private job") if lease else "",
                "Memory in use": memory,
            }
        )
    if not any(row["Memory in use"] for row in rows):
        for row in rows:
            del row["Memory in use"]
    busy = sum(place in held for place in places)
    st.header("Slots")
    st.caption(f"{busy} of {len(places)} in use. A slot is a GPU, or a share of the processor where there is none.")
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=f"{len(places)} slots, {busy} in use, and who holds them")
