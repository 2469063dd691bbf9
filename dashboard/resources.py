"""What pages share: models and sequences loaded once and read-only, scans with a time limit, all in bounded caches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st

import dnalm
from dashboard import uploads
from dashboard.person import acting_user
from dnalm.errors import BundleError, DnalmError, RunError
from dnalm.lab.database import DatabaseError
from dnalm.model.bundle import Bundle, list_bundles, read_bundle
from dnalm.sequences import Record, Region, read_records
from dnalm.settings import settings
from dnalm.tracks import Track, gather, scan, window_of
from dnalm.tracks.store import bundle_digest, find_track, record_digest, save_track, track_key

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier

# What takes longer than this belongs to the command line or a job, not to a page that others share. Seconds.
TIME_LIMIT = 10.0
# The first picture should stand within three seconds of opening the page; the rest of those is drawing.
FIRST_PICTURE = 1.5
# Scans kept on disk, the last used; bytes.
LARGEST_TRACK_STORE = 512 << 20
# Scans at a time: two people's on two cores, the rest wait their turn.
_SCANS = threading.BoundedSemaphore(2)


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


def classifiers() -> list[Bundle]:
    """The models that can scan: classifiers of windows of one length, the best E. coli promoter model first."""
    usable = [
        bundle
        for bundle in bundles()[0]
        if bundle.config.kind == "classifier" and bundle.config.window and bundle.config.positive
    ]
    return sorted(usable, key=lambda bundle: _preference(bundle.name))


def _preference(name: str) -> tuple[int, str]:
    # First the model that was trained on what a scan meets; models of other organisms come last.
    order = ("ecoli-starts", "ecoli-promoters", "ecoli")
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


@st.cache_resource(max_entries=16, show_spinner=False)
def _model_digest(folder: str, stamp: tuple[int, ...]) -> str:
    return bundle_digest(folder)


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


@st.cache_resource(max_entries=16, show_spinner=False)
def _record_digest(path: str, stamp: int, record: str) -> str:
    return record_digest(_records(path, stamp)[record])


# Measured anew now and then: it depends on what else the machine does.
@st.cache_resource(max_entries=16, ttl=300, show_spinner=False)
def _rate(folder: str, stamp: tuple[int, ...]) -> float:
    classifier = _model(folder, stamp)
    width, _ = window_of(classifier)
    windows = np.random.default_rng(0).integers(0, 4, (256, width)).astype(np.uint8)
    classifier.probabilities(windows[:8])
    # The best of three, unless one already takes long: a busy moment says little of the minutes after it.
    begun = time.perf_counter()
    times: list[float] = []
    while len(times) < 3 and sum(times) < 0.5:
        classifier.probabilities(windows)
        times.append(time.perf_counter() - begun - sum(times))
    return len(windows) / max(min(times), 1e-6)


def rate(bundle: Bundle) -> float:
    """Windows a second that this model scores here, measured once."""
    return _rate(str(bundle.folder), _stamp(bundle.folder))


def stored_track(bundle: Bundle, path: Path, region: Region, stride: int | None) -> Track | None:
    """A scan of both strands that is on disk already: shipped with the models, or made here before."""
    wanted = _blank(bundle, path, region)
    return find_track(_key(bundle, path, region.record), wanted, _folders(), stride=stride)


def computed_track(bundle: Bundle, path: Path, region: Region, stride: int, strand: str) -> Track:
    """Scan a region, from the cache where this was asked before.

    Raises:
        RunError: it took longer than the page's limit.
        InputError: the region does not fit the record.
    """
    stamps = _stamp(bundle.folder), path.stat().st_mtime_ns
    key = _key(bundle, path, region.record)
    place = (region.record, region.start, region.end)
    return _track(str(bundle.folder), str(path), stamps, key, place, stride, strand)


@st.cache_data(max_entries=64, show_spinner=False)
def _track(
    folder: str,
    path: str,
    stamps: tuple[tuple[int, ...], int],
    key: str,
    place: tuple[str, int, int],
    stride: int,
    strand: str,
) -> Track:
    classifier, region = _model(folder, stamps[0]), Region(*place)
    sequence = _records(path, stamps[1])[region.record]
    if not _SCANS.acquire(timeout=TIME_LIMIT):
        raise RunError("Other people's scans are running; try again in a few seconds.")
    try:
        pieces = scan(
            classifier,
            sequence,
            region=region,
            stride=stride,
            strand=strand,
            batch_size=64,
            progress=_deadline(),
        )
        track = gather(pieces)
    finally:
        _SCANS.release()
    if strand == "both" and stride == 1:
        save_track(track, key, settings().cache / "tracks", most_bytes=LARGEST_TRACK_STORE)
    return track


def _deadline() -> Callable[[int, int], None]:
    end = time.monotonic() + TIME_LIMIT

    def stop_late(done: int, total: int) -> None:
        if time.monotonic() > end and done < total:
            raise RunError(
                f"The scan was stopped after {TIME_LIMIT:.0f} s, when {done:,} of {total:,} windows were done."
            )

    return stop_late


def _blank(bundle: Bundle, path: Path, region: Region) -> Track:
    config = bundle.config
    length = len(records(path)[region.record])
    nothing = np.empty(0, dtype=np.int64)
    return Track(
        record=region.record,
        start=region.start,
        end=region.end,
        stride=1,
        window=config.window or 0,
        positions=nothing,
        forward=None,
        reverse=None,
        model=bundle.name,
        label=config.positive or "",
        record_length=length,
    )


def _key(bundle: Bundle, path: Path, record: str) -> str:
    config = bundle.config
    return track_key(
        _model_digest(str(bundle.folder), _stamp(bundle.folder)),
        _record_digest(str(path), path.stat().st_mtime_ns, record),
        window=config.window or 0,
        label=config.positive or "",
    )


def _folders() -> list[Path]:
    return [settings().shipped_data / "demo" / "tracks", settings().cache / "tracks"]


def warm_up() -> None:
    """Load what the first page will ask for; what fails here will be said on the page itself."""
    import_module("dashboard.charts.track")
    import_module("dashboard.launching")
    import_module("dnalm.training.estimate")
    features = import_module("dashboard.features")
    try:
        for bundle in classifiers()[:1]:
            model(bundle)
        for sequence in sequences()[:1]:
            records(sequence.path)
            features.genes(sequence)
    except (DnalmError, OSError):
        return
