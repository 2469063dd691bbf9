"""The scores that the page Long sequences draws: kept ones, or made where that takes a page's time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import streamlit as st

from dashboard import resources, scans
from dashboard.person import acting_user
from dashboard.saying import plain
from dashboard.scans import Wanted
from dashboard.state import STRAND_SIGNS
from dashboard.views.jobs_words import duration
from dashboard.views.scan_choice import Choice
from dashboard.views.scan_job import queue_scan
from dnalm.errors import DnalmError, RunError
from dnalm.model.bundle import Bundle
from dnalm.tracks import Track


@dataclass(frozen=True, eq=False)
class Scanned:
    """A scan and what was wanted."""

    wanted: Wanted
    track: Track


def scanned(choice: Choice) -> list[Scanned]:
    """The first model's scan and those beside it; none where the first cannot be made, which is said."""
    first = _one(choice, choice.bundle)
    if first is None:
        return []
    others = (_one(choice, bundle, beside=True) for bundle in choice.also)
    return [first, *(one for one in others if one is not None)]


def _one(choice: Choice, bundle: Bundle, *, beside: bool = False) -> Scanned | None:
    wanted = choice.wanted(bundle)
    try:
        stored = scans.stored_track(wanted)
        if stored is not None:
            return Scanned(wanted, stored)
        with st.spinner("Reading the model"):
            stride = scans.affordable(wanted)
            seconds = scans.seconds(wanted, stride)
        if scans.beyond(wanted, stride):
            if beside:
                st.info(f"{plain(bundle.name)} is left out: it would take about {duration(seconds)} here.")
            else:
                _refuse(choice, wanted, stride, seconds)
            return None
        with st.spinner(f"Scoring {wanted.sites(stride):,} sites, about {seconds:.0f} s"):
            return Scanned(wanted, scans.computed_track(wanted, stride))
    except RunError as error:
        st.error(plain(str(error)), icon=":material/error:")
        if not beside:
            _queue(choice, wanted, choice.state.stride or 1, None)
        return None
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _refuse(choice: Choice, wanted: Wanted, stride: int, seconds: float) -> None:
    """Say how long it would take, and offer it as a job and as a command."""
    # A job has the time to score every base, unless a person wants less.
    step = choice.state.stride or 1
    long = scans.seconds(wanted, step)
    wider = "" if wanted.at_once else " or a wider step"
    st.info(
        f"Scoring {wanted.sites(stride):,} sites would take about {duration(seconds)} here, and a page that "
        f"others share works for at most {resources.TIME_LIMIT:.0f} s. Choose a shorter region{wider}, or let "
        "the queue do it: when it is done, its track opens here at once.",
        icon=":material/timer:",
    )
    _queue(choice, wanted, step, long)
    st.write("Or at the shell:")
    st.code(command(choice, stride), language="bash")


def every_base(choice: Choice, scanned_first: Scanned) -> None:
    """Offer to score every base, where a first look left some out: here where that is a matter of seconds."""
    wanted = scanned_first.wanted
    seconds = scans.seconds(wanted, 1)
    if seconds <= resources.TIME_LIMIT:
        st.button(
            f"Score every base (about {duration(seconds)})",
            key="scan_every_base",
            icon=":material/density_small:",
            on_click=_every,
        )
    else:
        st.write("Every base takes longer than a page may work, but not too long for a job:")
        _queue(choice, wanted, 1, seconds)


def _every() -> None:
    st.query_params["stride"] = "1"


def _queue(choice: Choice, wanted: Wanted, stride: int, seconds: float | None) -> None:
    queue_scan(
        acting_user(),
        wanted.bundle,
        wanted.path,
        None if len(wanted.region) == len(choice.record) and len(choice.records) == 1 else wanted.region,
        stride=stride,
        strand=wanted.strand,
        mode=wanted.mode,
        window=None if wanted.bundle.config.window else wanted.window,
        threshold=choice.state.threshold,
        seconds=seconds,
    )


def command(choice: Choice, stride: int) -> str:
    """The command that does this scan at the shell."""
    wanted, config = choice.wanted(choice.bundle), choice.bundle.config
    # An upload is known to the person by its own name, not by where it is kept here.
    uploaded = choice.sequence.key.startswith("upload-")
    name = choice.sequence.path.name if uploaded else choice.sequence.key
    words = ["dnalm", "scan", choice.bundle.name, name, "--region", str(choice.region).replace(",", "")]
    words += ["--stride", str(stride), "--strand", STRAND_SIGNS[choice.state.strand]]
    if wanted.mode != config.modes[0]:
        words += ["--mode", wanted.mode]
    if config.window is None:
        words += ["--window", str(wanted.window)]
    return " ".join(shlex.quote(word) for word in [*words, "-o", "scan.bedgraph"])
