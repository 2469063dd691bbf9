"""How jobs, times and states are said in words."""

from __future__ import annotations

import re

from dashboard.charts.curves import stage_name
from dnalm.lab.jobs import Job, JobState
from dnalm.lab.queue import Waiting
from dnalm.settings import settings

PHASES = {
    **{"pretrain": "Pre-training", "finetune": "Fine-tuning", "train": "Classifier"},
    **{"track": "Track model", "bench": "Benchmark", "scan": "Scan"},
}
STATES = {
    JobState.QUEUED: ("waits", ":material/schedule:", "gray"),
    JobState.RUNNING: ("running", ":material/play_circle:", "blue"),
    JobState.SUCCEEDED: ("done", ":material/check_circle:", "green"),
    JobState.FAILED: ("failed", ":material/error:", "red"),
    JobState.CANCELLED: ("cancelled", ":material/cancel:", "orange"),
}
LIVE = (JobState.QUEUED, JobState.RUNNING)
WITHOUT_CURVES = ("bench", "scan")
"""Phases that have no learning curve: many models are fitted there, each on folds of its own, or none."""


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`, `2 days 4 h`."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 36:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


def bytes_text(size: float) -> str:
    """`3.4 GB`, in powers of ten."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def phase(job: Job) -> str:
    """What kind of work it is."""
    return PHASES.get(job.phase, job.phase)


def badge(job: Job) -> str:
    """The job's state as a badge, in Markdown."""
    word, icon, colour = STATES[job.state]
    if job.cancel_requested:
        word = "stopping"
    return f":{colour}-badge[{icon} {word}]"


def prospect(waiting: Waiting | None, *, worker: bool) -> str:
    """When a queued job will begin."""
    if not worker:
        return "waits until a worker is started"
    if waiting is None:
        return "about to begin"
    place = "next in the queue" if waiting.position == 1 else f"number {waiting.position} in the queue"
    if waiting.seconds is None:
        return f"{place}; when it begins cannot be foretold yet"
    return f"{place}; begins " + ("at once" if waiting.seconds < 1 else f"in about {duration(waiting.seconds)}")


def share_done(progress: dict) -> float:
    """How much of its present stage a run has done, 0 to 1."""
    total = progress.get("total") or 0
    return min(1.0, max(0.0, progress.get("step", 0) / total)) if total else 0.0


def standing(job: Job, progress: dict) -> str:
    """How far a running job is, in a sentence."""
    if job.cancel_requested:
        return "Stopping: it writes a checkpoint first, so that it can go on from here later."
    if progress.get("state") != "running" or not progress.get("total"):
        return "Beginning again from its last checkpoint." if has_checkpoint(job) else "Beginning: reading its data."
    share = share_done(progress)
    stage = stage_name(str(progress.get("phase", ""))).capitalize()
    words = f"{stage}: {_unit(progress)} {progress['step']:,} of {progress['total']:,} ({share:.0%})"
    if progress["step"] >= progress["total"]:
        return words + ("." if job.phase == "scan" else "; measuring what it has learnt.")
    if progress.get("rate"):
        words += f", {progress['rate']:,.0f} {progress.get('unit', '')}"
    if progress.get("eta_s") is not None:
        words += f", about {duration(progress['eta_s'])} left" + (" in this stage" if job.phase == "train" else "")
    return words + "."


def came_to(progress: dict) -> str:
    """How far a run had come that ended early, in a sentence; empty where it did not begin to train."""
    if not progress.get("total"):
        return ""
    stage, share = stage_name(str(progress.get("phase", ""))), share_done(progress)
    return f"It had come to {_unit(progress)} {progress['step']:,} of {progress['total']:,} ({share:.0%}) of {stage}."


def _unit(progress: dict) -> str:
    """What a stage goes through one by one."""
    return "site" if progress.get("phase") in ("scanning", "writing") else "step"


def has_checkpoint(job: Job) -> bool:
    """Whether its run, or a phase of it, has written something to go on from."""
    ends = ("checkpoint/state.json", "result.json")
    return any((job.run / end).exists() or any(job.run.glob(f"*/{end}")) for end in ends)


def onward(job: Job) -> str:
    """Where it would go on when it is resumed."""
    if has_checkpoint(job):
        return "it goes on from its last checkpoint"
    return "it begins anew, as it came to no checkpoint"


def remark(job: Job) -> str:
    """Why it is as it is, for the list; where its run folder is gone, that matters more."""
    if job.state not in LIVE and not job.run.is_dir():
        return "its run folder was deleted outside the dashboard"
    return reason(job)


def reason(job: Job) -> str:
    """Why it is as it is, files called by their names: in which folder of the server they lie helps nobody here."""
    return re.sub(re.escape(f"{settings().home}/") + r"(?:[^/\s:]+/)*", "", job.reason)


def took(job: Job) -> float | None:
    """Seconds from its last beginning to its end; None where it has not both."""
    return (job.ended - job.started).total_seconds() if job.started and job.ended else None
