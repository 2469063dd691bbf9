"""What a training can start from: the genomes, language models and labelled sets that this person may use.

And what the pages that launch one share: the choice above their form, and what could not be used of the address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import streamlit as st

from dashboard import uploads
from dnalm.datasets import catalog
from dnalm.datasets.recipes import RECIPES
from dnalm.errors import InputError
from dnalm.lab import index, jobs
from dnalm.lab.people import User
from dnalm.lab.uploads import may_read


def genomes(user: User) -> tuple[dict[str, str], dict[str, str]]:
    """Genomes to pre-train on: the catalogue's, uploads, and files that this person's earlier runs read.

    Returns:
        Key in the address to title; and key to what a configuration calls it, where that is not the key itself.
    """
    try:
        entries = catalog.load()
    except InputError:  # the page Data says what is wrong with it
        entries = {}
    titles = {entry.name: entry.title for entry in entries.values() if entry.kind == "genome"}
    brought = uploads.known(user)
    files = {upload.key: str(upload.path) for upload in brought}
    titles |= {upload.key: upload.title for upload in brought}
    known = set(files.values())
    for path in _read_before(user):
        if str(path) not in known and path.is_file() and may_read(user, path):
            key = f"file-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
            files[key], titles[key] = str(path), f"{path.name} (read by an earlier run)"
    return titles, files


def _read_before(user: User) -> Iterable[Path]:
    found: dict[str, None] = {}
    for job in jobs.visible(user, mine=True):
        for told in (job.config, job.config.get("pretrain") or {}):
            found |= dict.fromkeys(name for name in told.get("genomes", []) if "/" in name)
    return map(Path, found)


def language_models(user: User) -> dict[str, str]:
    """Language models that this person may see: name to what is shown."""
    found = {}
    for model in index.models(user):
        if model.kind == "language-model" and model.name not in found:
            whose = "ships with dnalm" if model.shipped else "mine" if model.owner == user.id else model.owner_name
            found[model.name] = f"{model.name} ({whose})"
    return found


def labelled_sets(user: User) -> dict[str, str]:
    """Labelled sets: those that are here, then recipes that are made on first use. Name to what is shown."""
    found = {}
    for dataset in index.datasets(user):
        found[dataset.name] = f"{dataset.name} ({dataset.rows:,} sequences)"
    for name in RECIPES:
        found.setdefault(name, f"{name} (made when first used)")
    return found


def unknown(what: str, wanted: Iterable[str], offered: Iterable[str]) -> list[str]:
    """A sentence for each thing that the address asks for and that is not here."""
    have = set(offered)
    return [f"The address asks for the {what} {name}, which is not here." for name in wanted if name not in have]


def show_problems(problems: Iterable[str]) -> None:
    """Say what of the address could not be used."""
    for problem in dict.fromkeys(problems):
        st.warning(problem, icon=":material/warning:")


def one_of(
    label: str,
    titles: Mapping[str, str],
    chosen: str,
    *,
    key: str,
    on_change: Callable[[str], None],
    help: str | None = None,
) -> None:
    """The choice that decides which form follows, in a row; the address has the last word on what is chosen.

    Args:
        label: what is asked.
        titles: each option and what is shown of it.
        chosen: the option that the address stands for.
        key: the widget's own.
        on_change: writes another option into the address.
        help: a word of explanation.
    """
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen
    st.radio(
        label,
        list(titles),
        key=key,
        format_func=lambda option: titles[option],
        horizontal=True,
        on_change=lambda: on_change(st.session_state[key]),
        help=help,
    )


def query() -> dict[str, list[str]]:
    """The address's parameters, each with all its values."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
