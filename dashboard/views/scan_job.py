"""A scan that takes longer than a page may work for, as a job of the lab's queue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.links import link
from dashboard.saying import refused, say_refusal
from dashboard.views import jobs_words as words
from dnalm.lab import jobs
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle
from dnalm.sequences import Region
from dnalm.training.config import ScanConfig

REFUSED = "scan_refused"
_LOOKED_THROUGH = 200
_SAME = ("model", "sequence", "region", "stride", "strand", "mode", "window")


def queue_scan(
    user: User,
    bundle: Bundle,
    path: Path,
    region: Region | None,
    *,
    stride: int = 1,
    strand: str = "both",
    mode: str | None = None,
    window: int | None = None,
    threshold: float | None = None,
    truth: Path | None = None,
    formats: Sequence[str] = ("bigwig",),
    seconds: float | None = None,
    key: str = "scan_queue",
) -> None:
    """Draw a button that queues a scan, or, where the same scan waits, runs or is done, the way to its job.

    When the job is done the track lies where `resources.stored_track` finds it (both strands), so that the page
    Long sequences opens at once; its files and peaks stand on the page of the job.

    Args:
        user: the acting person, who will own the job.
        bundle: the model to scan with: a classifier or a track model.
        path: the sequence's file.
        region: what to scan; every record of the file, whole, when None.
        stride: bases between scored sites.
        strand: "both", "+" or "-".
        mode: "window" or "stream"; the model's first when None.
        window: length of the windows, for models of any length.
        threshold: least probability of a peak; the model's own when None.
        truth: a file of known start sites; peaks are held against it.
        formats: files of the track: of bigwig, bedgraph, tsv, parquet.
        seconds: what it will take on one slot; said on the button where it is known.
        key: what the widgets' keys begin with.
    """
    config = ScanConfig(
        name=_name(bundle, region, path),
        model=bundle.name,
        sequence=str(path),
        region=str(region).replace(",", "") if region is not None else "",
        stride=stride,
        strand=strand,  # type: ignore[arg-type]
        mode=mode,  # type: ignore[arg-type]
        window=window,
        threshold=threshold,
        truth=str(truth) if truth is not None else None,
        formats=list(formats),
    )
    before = _same(user, config)
    if before is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{words.badge(before)} This scan is a job already:")
            link("jobs", "see it", icon=":material/list_alt:", query={"job": before.id})
    if before is None or before.state not in words.LIVE:
        time = f" (about {words.duration(seconds)})" if seconds is not None else ""
        st.button(
            f"{'Queue it again' if before else 'Queue this scan'}{time}",
            key=key,
            icon=":material/play_arrow:",
            type="secondary" if before else "primary",
            on_click=_submit,
            args=(user, config),
            help="It joins the queue and runs on the server: you may close this page. It can be cancelled and resumed.",
        )
    say_refusal(REFUSED)


def _submit(user: User, config: ScanConfig) -> None:
    refused(lambda: jobs.submit(user, config), here=REFUSED)


def _same(user: User, config: ScanConfig) -> jobs.Job | None:
    """The newest job of this very scan that did not fail; it is known by what it was told, so a reload finds it."""
    for job in jobs.visible(user, limit=_LOOKED_THROUGH):
        if job.phase == config.phase and job.state in (*words.LIVE, jobs.JobState.SUCCEEDED):
            told: dict[str, Any] = job.config
            if all(told.get(name) == getattr(config, name) for name in _SAME):
                return job
    return None


def _name(bundle: Bundle, region: Region | None, path: Path) -> str:
    """What the job is called: letters that a run folder may have."""
    place = f"{region.record}-{region.start + 1}-{region.end}" if region is not None else path.name.split(".")[0]
    text = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in place)
    return f"scan-{bundle.name}-{text}"[:100].rstrip("._-")
