"""The labelled sets that a person can see or make, and the tasks that make them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import background
from dashboard.background import Task
from dashboard.labelled_uploads import LabelledUpload, own_names
from dnalm.datasets import Dataset, catalog
from dnalm.datasets.audit import audit
from dnalm.datasets.dataset import INFO, TABLE
from dnalm.datasets.files import check_name
from dnalm.datasets.profile import Profile, profile
from dnalm.datasets.recipes import RECIPES, Recipe, of_id
from dnalm.errors import DnalmError, InputError
from dnalm.lab import index
from dnalm.lab.indexed import Indexed, IndexedDataset
from dnalm.lab.people import User
from dnalm.settings import settings

MAKING = "make:"
FETCHING = "fetch:"
# What takes longer than this to say anew is not computed on a page that others share.
MOST_AUDITED = 20_000


@dataclass(frozen=True)
class KnownSet:
    """One row of the overview: a set that is here, or a recipe that has not been made.

    Attributes:
        name: its name; the address says it.
        title: for people, one line.
        made: whether it is here.
        sequences: how many, where it is here.
        labels: in their order, where it is here.
        own: whether this person made it of their own files.
        whose: whose it is and whether the lab sees it, in words.
    """

    name: str
    title: str
    made: bool
    sequences: int | None = None
    labels: tuple[str, ...] = ()
    own: bool = False
    whose: str = "public"


@dataclass(frozen=True)
class Opened:
    """A set as its page shows it: the table, what its pictures are drawn from, its entry in the index."""

    dataset: Dataset
    audit: dict[str, Any]
    profile: Profile
    entry: IndexedDataset


def known_sets(user: User) -> list[KnownSet]:
    """The sets that this person may see, their own first, then the recipes, made or not."""
    here = {found.name: found for found in index.datasets(user)}
    rows = []
    for name, found in here.items():
        recipe = of_id(name)
        described = found.description if found.description != name else ""
        title = recipe[0].title if recipe else described or "Made of someone's own files"
        own = recipe is None and found.owner == user.id
        whose = "public" if recipe else whose_words(user, found)
        rows.append(KnownSet(name, title, True, found.rows, found.labels, own, whose))
    rows.sort(key=lambda row: not row.own)
    return rows + [KnownSet(name, recipe.title, False) for name, recipe in RECIPES.items() if name not in here]


def whose_words(user: User, one: Indexed) -> str:
    """Whose a set or an uploaded sequence is, and whether the lab sees it."""
    return ("yours" if one.owner == user.id else one.owner_name) + (", shared" if one.shared else "")


def open_set(user: User, name: str) -> Opened | None:
    """A set that is here and that this person may see, with its audit; None where there is none.

    Raises:
        InputError: its files are damaged.
    """
    found = next((found for found in index.datasets(user) if found.name == name), None)
    if found is None:
        return None
    folder = settings().datasets / name
    read = _read(str(folder), (folder / INFO).stat().st_mtime_ns, (folder / TABLE).stat().st_mtime_ns)
    return Opened(*read, found)


@st.cache_resource(max_entries=4, show_spinner="Reading the set")
def _read(folder: str, *stamps: int) -> tuple[Dataset, dict[str, Any], Profile]:
    dataset = Dataset.load(folder)
    report = dataset.info.get("audit")
    if not report:
        if len(dataset) > MOST_AUDITED:
            raise InputError(
                f"{dataset.name} has {len(dataset):,} sequences and no audit in its {INFO}; "
                f"`dnalm data audit {dataset.name}` makes one"
            )
        report = audit(dataset)
    return dataset, report, profile(dataset)


def fetch(name: str, user: User) -> Task:
    """Bring a file of the catalogue here, in the background; what was fetched before is not fetched again.

    Raises:
        InputError: the catalogue has none of this name.
        RunError: too much is under way.
    """
    title = catalog.entry(name).title
    return background.start(FETCHING + name, title, lambda task: _fetch(task, name), owner=user.id)


def _fetch(task: Task, name: str) -> None:
    entry = catalog.entry(name)
    task.step, task.done, task.total = f"fetching {entry.title}", 0, entry.bytes
    catalog.fetch(name, lambda done, total: task.progress(done, total or entry.bytes))


def make_recipe(user: User, name: str) -> Task:
    """Make a recipe's set in the background: fetch what it is made of, then run `dnalm data make`.

    Args:
        user: who asks.
        name: the set's name, which says the recipe, the split and the seed.

    Raises:
        InputError: no recipe makes a set of this name.
        RunError: too much is under way.
    """
    meant = of_id(name)
    if meant is None:
        raise InputError(f"no recipe makes a set called {name!r}")
    recipe, split, seed = meant
    words = ["data", "make", recipe.name, "--split", split, "--seed", str(seed), "--json"]

    def work(task: Task) -> None:
        for entry in dict.fromkeys(recipe.sources.values()):
            if catalog.holding(entry) is None:
                _fetch(task, entry)
        _make(task, words, user, name, shared=True)

    return background.start(MAKING + name, name, work, owner=user.id)


def make_own(
    user: User,
    name: str,
    uploads: Sequence[LabelledUpload],
    *,
    options: Sequence[str],
) -> Task:
    """Make a set of a person's own files in the background; it is theirs alone until they share it.

    Args:
        user: whose it will be.
        name: the set's name, new.
        uploads: one table, or two FASTA files, the positives first.
        options: further words for `dnalm data make`, checked by it.

    Raises:
        InputError: the name cannot be used, or is taken.
        RunError: too much is under way.
    """
    check_name(name)
    if (settings().datasets / name / INFO).is_file() or background.find(MAKING + name) in background.under_way():
        raise InputError(f"There is a set called {name} already; choose another name.")
    files = tuple((str(upload.path), upload.name) for upload in uploads)
    # `--` keeps a name that begins with a hyphen from being read as an option.
    words = ["data", "make", "--json", *options, "--", name, *(path for path, _ in files)]

    def work(task: Task) -> None:
        try:
            _make(task, words, user, name, shared=False)
        except DnalmError as error:
            error.args = (own_names(str(error), files),)
            raise

    return background.start(MAKING + name, name, work, owner=user.id)


def _make(task: Task, words: Sequence[str], user: User, name: str, *, shared: bool) -> None:
    task.step, task.done, task.total = "reading, splitting and auditing the sequences", 0, 0
    folder = settings().datasets / name
    there = folder.is_dir()
    try:
        background.run_dnalm(task, *words)
    finally:
        if not there and not (folder / INFO).is_file():
            shutil.rmtree(folder, ignore_errors=True)  # stopped between its two files
    taken = {found.name: found for found in index.datasets(user)}.get(name)
    if taken is None or taken.owner == user.id:
        index.add_dataset(user, folder, shared=shared)


def sources_here(recipe: Recipe) -> list[tuple[catalog.Entry, bool]]:
    """The files that a recipe is made of, and whether each is here."""
    names = dict.fromkeys(recipe.sources.values())
    return [(catalog.entry(name), catalog.holding(name) is not None) for name in names]
