"""What pages share: models and sequences loaded once and read-only, in bounded caches."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import streamlit as st

import dnalm
from dashboard import uploads
from dashboard.person import acting_user
from dnalm.errors import BundleError, DnalmError
from dnalm.lab.database import DatabaseError
from dnalm.model.bundle import Bundle, list_bundles, read_bundle
from dnalm.sequences import Record, read_records
from dnalm.settings import settings

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier

# What takes longer than this belongs to the command line or a job, not to a page that others share. Seconds.
TIME_LIMIT = 10.0


@dataclass(frozen=True)
class Sequence:
    """A sequence file that can be chosen: `key` stands in the address."""

    key: str
    title: str
    path: Path


def bundles() -> tuple[list[Bundle], list[str]]:
    """Every model that is here, and one sentence for each folder that cannot be read."""
    found, problems = [], []
    for folder in list_bundles():
        try:
            found.append(read_bundle(folder))
        except BundleError as error:
            problems.append(str(error))
    return found, problems


def scanners() -> list[Bundle]:
    """The models that can scan: track models, and classifiers of two classes; the best for E. coli first."""
    usable = [bundle for bundle in bundles()[0] if bundle.config.kind != "language-model" and bundle.config.positive]
    return sorted(usable, key=lambda bundle: _preference(bundle.name))


def _preference(name: str) -> tuple[int, str]:
    # First the models that were trained on what a scan meets; models of other organisms come last.
    order = ("ecoli-tss", "ecoli-starts", "ecoli-promoters", "ecoli")
    rank = next((index for index, start in enumerate(order) if name.startswith(start)), len(order))
    return rank, name


def model(bundle: Bundle) -> Classifier:
    """The loaded model of a bundle; loaded again when its files changed."""
    return _model(str(bundle.folder), _stamp(bundle.folder))


def stamp(bundle: Bundle) -> tuple[int, ...]:
    """Changes when the bundle's files do: a part of the key of what was computed with it."""
    return _stamp(bundle.folder)


def loaded(folder: str, stamp: tuple[int, ...]) -> Classifier:
    """The loaded model of a folder, for caches whose key is its name and `stamp`."""
    return _model(folder, stamp)


@st.cache_resource(max_entries=4, show_spinner=False)
def _model(folder: str, stamp: tuple[int, ...]) -> Classifier:
    return cast("Classifier", dnalm.load(folder))


def _stamp(folder: Path) -> tuple[int, ...]:
    names = ("config.json", "model.safetensors")
    return tuple((folder / name).stat().st_mtime_ns for name in names if (folder / name).exists())


def sequences() -> list[Sequence]:
    """The sequences that can be scanned: those that ship, then uploads that the acting person may see, newest first."""
    folder = settings().shipped_data / "genomes"
    shipped = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [
        Sequence(_stem(path), _TITLES.get(_stem(path), _stem(path)), path) for path in shipped if _is_sequence(path)
    ]
    try:
        brought = uploads.known(acting_user())
    except DatabaseError:
        brought = []  # what ships can be looked at all the same
    return found + [Sequence(upload.key, upload.title, upload.path) for upload in brought]


_TITLES = {"ecoli_k12_mg1655": "Escherichia coli K-12 MG1655"}
_SUFFIXES = (".fna", ".fa", ".fasta", ".gb", ".gbk", ".gbff")


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _is_sequence(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(_SUFFIXES)


def records(path: Path) -> dict[str, Record]:
    """The records of a file by id, in its order."""
    return _records(str(path), path.stat().st_mtime_ns)


@st.cache_resource(max_entries=4, show_spinner="Reading the sequence")
def _records(path: str, stamp: int) -> dict[str, Record]:
    return {record.id: record for record in read_records(path)}


def warm_up() -> None:
    """Load what the first page will ask for; what fails here will be said on the page itself."""
    import_module("dashboard.charts.track")
    import_module("dashboard.scans")
    import_module("dashboard.launching")
    import_module("dnalm.training.estimate")
    features = import_module("dashboard.features")
    try:
        for bundle in scanners()[:1]:
            model(bundle)
        for sequence in sequences()[:1]:
            records(sequence.path)
            features.genes(sequence)
    except (DnalmError, OSError):
        return
