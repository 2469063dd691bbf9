"""What the parts of the page Benchmarks share: the address, and rows read once while their files stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dnalm.evaluation.bench import kept
from dnalm.evaluation.bench.benches import Bench
from dnalm.evaluation.bench.entries import Entry, entries
from dnalm.evaluation.results.gather import results_file


def entries_of(bench: Bench) -> list[Entry]:
    """A benchmark's rows.

    Raises:
        InputError: a file of results is damaged.
    """
    files = [results_file(folder, task) for folder in (kept.shipped(), kept.own()) for task in bench.tasks]
    return _entries(bench.name, tuple(_stamp(path) for path in files), bench)


@st.cache_data(max_entries=32, show_spinner=False)
def _entries(name: str, stamps: tuple[tuple[int, int], ...], _bench: Bench) -> list[Entry]:
    del name, stamps  # they name what is cached
    return entries(_bench)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def chosen(parameter: str, options: Sequence[str], default: str) -> str:
    """What the address says, if it is among the options; else the default."""
    value = st.query_params.get(parameter, default)
    return value if value in options else default


def bound(parameter: str, value: Any, *, default: str = "", clears: Sequence[str] = ()) -> dict[str, Any]:
    """The arguments that bind a widget to a parameter of the address, which has the last word."""
    key = f"bench_{parameter}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return {"key": key, "on_change": _remember, "args": (parameter, default, clears)}


def _remember(parameter: str, default: str, clears: Sequence[str]) -> None:
    value = st.session_state[f"bench_{parameter}"]
    text = ",".join(value) if isinstance(value, list) else str(value)
    for name in clears:
        st.query_params.pop(name, None)
    if text == default:
        st.query_params.pop(parameter, None)
    else:
        st.query_params[parameter] = text
