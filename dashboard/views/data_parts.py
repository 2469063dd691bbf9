"""What the parts of the page Data share: inputs that live in the address, links, pictures with their data, tasks."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import addressed, background
from dashboard.background import Task, TaskState

chosen = addressed.chosen
bound = partial(addressed.bound, "data")


def number(parameter: str, name: str, default: float, low: float, high: float, *, whole: bool = False) -> float:
    """The number that was typed, or that the address says, if it lies within; else the default, which is said.

    Args:
        parameter: its name in the address.
        name: its name on the page.
        default: what it is where nothing is said.
        low: the least that it may be.
        high: the largest.
        whole: whether it has no part behind the point.
    """
    said = st.query_params.get(parameter)
    if said is None:
        return default
    try:
        value = float(said)
    except ValueError:
        value = math.nan
    if low <= value <= high and not (whole and value % 1):
        return value
    kind = "whole number" if whole else "number"
    st.warning(
        f"{name} cannot be {plain(said[:40])}: a {kind} from {low:,.0f} to {high:,.0f} is wanted; "
        f"{default:,.0f} is taken.",
        icon=":material/warning:",
    )
    return default


def go_to(**query: str) -> None:
    """Make this the page's whole address."""
    st.query_params.from_dict(query)


def rows(
    frame: pd.DataFrame,
    names: Sequence[str],
    *,
    key: str,
    choose: Callable[[str | None], None],
    chosen: str | None = None,
    tallest: int,
    columns: dict[str, Any],
    alt: str,
) -> None:
    """A table of which one row can be chosen; the address has the last word on which it is.

    Args:
        frame: what is shown.
        names: what the address calls each row.
        key: the widget's own.
        choose: writes the row into the address, or takes it out for None.
        chosen: the row that the address names.
        tallest: pixels of height from which the table scrolls.
        columns: Streamlit's configuration of the columns.
        alt: the table in words.
    """
    marked = [names.index(chosen)] if chosen in names else []
    held = st.session_state.get(key)
    if held is not None and held["selection"]["rows"] != marked:
        st.session_state[key] = {"selection": {"rows": marked}}

    def changed() -> None:
        now = st.session_state[key]["selection"]["rows"]
        choose(names[now[0]] if now else None)

    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=min(38 + 35 * len(names), tallest),
        on_select=changed,
        selection_mode="single-row",
        selection_default={"selection": {"rows": marked}} if held is None else None,
        column_config=columns,
        alt=alt,
    )


TALLEST = 760
"""Height in pixels from which a picture scrolls."""


def picture(figure: go.Figure, key: str, *, alt: str, name: str, table: pd.DataFrame) -> None:
    """A figure, which its camera button saves as SVG, and its numbers as CSV; one of very many labels scrolls."""
    config = {
        "displaylogo": False,
        "modeBarButtonsToRemove": ["select2d", "lasso2d"],
        "toImageButtonOptions": {"format": "svg", "filename": f"{name}-{key}"},
    }
    with st.container(height=TALLEST if (figure.layout.height or 0) > TALLEST else "content", border=False):
        st.plotly_chart(figure, theme=None, key=f"data_chart_{key}", config=config, alt=alt)
    st.download_button(
        "Numbers (CSV)",
        lambda: table.to_csv(index=False),
        file_name=f"{name}-{key}.csv",
        mime="text/csv",
        key=f"data_csv_{key}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )


def follow(task: Task) -> None:
    """A task's progress and a button that cancels it; drawn anew each second until the task has ended."""

    @st.fragment(run_every=1.0)
    def panel() -> None:
        now = background.find(task.key)
        if now is None or not now.under_way:
            st.rerun()
        _progress(now)

    panel()


def _progress(task: Task) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        waited = f"{task.seconds:.0f} s"
        doing = task.step if task.title in task.step else f"{task.title}: {task.step}"
        if task.state == TaskState.WAITING:
            st.progress(0.0, text=f"{task.title}: waits its turn, {waited} so far")
        elif task.total:
            share = min(task.done / task.total, 1.0)
            megabytes = f"{task.done / 1e6:.1f} of {task.total / 1e6:.1f} MB"
            st.progress(share, text=f"{doing}, {megabytes}, {waited}")
        else:
            st.progress(0.0, text=f"{doing}, {waited} so far")
        st.button("Cancel", key=f"data_cancel_{task.key}", icon=":material/close:", on_click=_cancel, args=(task.key,))
    st.caption("It goes on when you reload or leave this page; come back to this address to see it.")


def _cancel(key: str) -> None:
    background.cancel(key)


def outcome(task: Task | None) -> None:
    """Say how a task ended, where it did not end well."""
    if task is None or task.state not in (TaskState.FAILED, TaskState.CANCELLED):
        return
    if task.state == TaskState.FAILED:
        st.error(task.message, icon=":material/error:")
    else:
        st.info(f"{task.title}: cancelled.", icon=":material/info:")


def plain(text: str) -> str:
    """Text that a person wrote, made safe to stand in Markdown: shown as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#+!|~$:])", r"\\\1", text)


def size(count: int) -> str:
    """Bytes for people: `1.4 MB`."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
