"""What the parts of the page Benchmarks share: the address, and rows read once while their files stay as they are."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from dashboard import addressed
from dnalm.evaluation.bench import kept
from dnalm.evaluation.bench.benches import Bench
from dnalm.evaluation.bench.entries import Entry, entries
from dnalm.evaluation.results.gather import results_file

chosen = addressed.chosen
bound = partial(addressed.bound, "bench")


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
