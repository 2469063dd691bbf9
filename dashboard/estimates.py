"""What a run will take, shown before it is launched; steps are timed beside the page, never by it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from typing import Any

import streamlit as st

from dnalm.errors import DnalmError
from dnalm.training.card import read_text
from dnalm.training.config import ANY_CONFIG, RunConfig
from dnalm.training.estimate import Estimate, duration_text, estimate, seconds_text, size_text
from dnalm.training.outline import PHASES

SOON = 0.5  # seconds that the page waits for a timing before it is drawn without
AGAIN = 2.0  # seconds between two looks whether the timing is done; a busy machine needs the rest for the page itself


@st.cache_resource
def _timers() -> tuple[ThreadPoolExecutor, dict[str, Future[Estimate]]]:
    """One thread that waits for timings, and the configurations that are being timed or have been."""
    return ThreadPoolExecutor(1, thread_name_prefix="timing"), {}


def estimated(config: RunConfig) -> tuple[Estimate | None, str, bool]:
    """An estimate without waiting long.

    Returns:
        What is known now, what is wrong, and whether steps are being timed.
    """
    try:
        found = estimate(config, measure=False)
    except DnalmError as error:
        return None, str(error), False
    if found.seconds is not None or found.refusals:
        return found, "", False
    pool, tasks = _timers()
    key = config.model_dump_json()
    if key not in tasks:
        for old in [name for name, task in tasks.items() if task.done() or task.cancel()]:
            tasks.pop(old, None)  # what nobody looks at any more need not be timed
        tasks[key] = pool.submit(estimate, ANY_CONFIG.validate_python(config.model_dump()))
    try:
        return tasks[key].result(timeout=SOON), "", False
    except NotYetError:
        return found, "", True
    except DnalmError as error:
        return found, f"The time could not be measured: {error}", False


def show(config: RunConfig) -> Estimate | None:
    """Draw the estimate; while steps are being timed, it redraws the page when they have been.

    Returns:
        The estimate; None where there is none, after saying why.
    """
    found, problem, timing = estimated(config)
    st.subheader("What it will take", anchor=False)
    if problem:
        st.error(problem, icon=":material/error:")
    if found is None:
        return None
    figures = [
        ("Parameters", f"{found.parameters:,}", "Weights of the model that comes out, in number."),
        ("GPU memory" if found.on_gpu else "Memory", f"about {size_text(found.memory)}", _memory_help(found)),
        ("Disk", f"about {size_text(found.disk)}", "Run folder with checkpoints, model, and the text of genomes."),
        ("Time", "measuring …" if timing else duration_text(found.seconds), "Steps timed here, times their number."),
    ]
    # Not in columns of fixed shares, which cut a figure short on a narrow screen.
    with st.container(horizontal=True, gap="large"):
        for label, value, explain in figures:
            st.metric(label, value, help=explain, width="content")
    st.caption(" ".join([*_paces(found), f"Measured on {found.machine.text()}."]))
    for note in found.notes:
        st.info(note, icon=":material/info:")
    for reason in found.refusals:
        st.error(f"This cannot run here: {reason}.", icon=":material/block:")
    if timing:
        _wait(config.model_dump_json())
    return found


def _memory_help(found: Estimate) -> str:
    part = max(found.parts, key=lambda one: one.memory.total)
    needed = part.memory
    parts = {
        "weights and gradients": needed.weights,
        "optimizer": needed.optimizer,
        "states of one step": needed.activations,
        "text": needed.text,
        "checkpoint": needed.checkpoint,
        "the process itself": needed.process,
    }
    listed = ", ".join(f"{name} {size_text(size)}" for name, size in parts.items() if size)
    return f"At its peak: {listed}." + (f" And {size_text(needed.host)} of main memory." if needed.host else "")


def _paces(found: Estimate) -> list[str]:
    lines = []
    for part in found.parts:
        if part.step_seconds is None or not part.steps:
            continue
        most = "at most " if any(stage.at_most for stage in part.stages) else ""
        read = f", {read_text(part.passes)}" if part.phase == "pretrain" and part.passes else ""
        lines.append(f"{PHASES[part.phase]}: {most}{part.steps:,} steps of {seconds_text(part.step_seconds)}{read}.")
    return lines


@st.fragment(run_every=AGAIN)
def _wait(key: str) -> None:
    """Look now and then whether the timing is done."""
    task: Any = _timers()[1].get(key)
    st.caption("A few steps of this size are being timed on this machine; you need not wait for it.")
    if task is None or task.done():
        st.rerun()
