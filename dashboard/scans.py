"""Scans for pages: from disk where they were made before, else within a time limit, in bounded caches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import streamlit as st

from dashboard import resources
from dashboard.features import Known
from dashboard.state import STRIDES
from dnalm.errors import RunError
from dnalm.model.bundle import Bundle
from dnalm.sequences import Record, Region
from dnalm.settings import settings
from dnalm.tracks import Peak, Track, call_peaks, count_windows, gather, scan
from dnalm.tracks.store import bundle_digest, find_track, record_digest, save_track, track_key
from dnalm.tracks.verdicts import Sliding, slide

# The first picture should stand within three seconds of opening the page; the rest of those is drawing.
FIRST_PICTURE = 1.5
# Scans kept on disk, the last used; bytes.
LARGEST_TRACK_STORE = 512 << 20
# What a model of any length reads at a time unless one chooses; bases.
USUAL_WINDOW = 300
# Peaks below this probability are looked at only where the threshold is lower still.
FLOOR = 0.05
# Scans at a time: two people's on two cores, the rest wait their turn.
_SCANS = threading.BoundedSemaphore(2)
# How far off the measured speed may be.
_SLACK = 3.0
# Bases on which a model's speed is measured.
_TRIAL = {"window": 256, "stream": 12_000}


@dataclass(frozen=True)
class Wanted:
    """A scan that a page wants.

    Attributes:
        bundle: the model.
        path: the file of the sequence.
        region: the stretch.
        strand: "both", "+" or "-".
        mode: "window" or "stream", one of the model's own.
        window: bases of a window.
        stride: bases between scored sites; None: what can be had at once.
    """

    bundle: Bundle
    path: Path
    region: Region
    strand: str
    mode: str
    window: int
    stride: int | None = None

    @property
    def at_once(self) -> bool:
        """Whether all bases are scored in one go, so that a stride saves no time."""
        return self.mode == "stream"

    def sites(self, stride: int) -> int:
        """Scores that have to be made: what the time is proportional to."""
        if self.at_once:
            return 2 * len(self.region)
        return count_windows(self.region.start, self.region.end, stride, self.strand)


def wanted(
    bundle: Bundle,
    path: Path,
    region: Region,
    *,
    strand: str = "both",
    mode: str | None = None,
    window: int | None = None,
    stride: int | None = None,
) -> Wanted:
    """A scan with the model's own mode and window where it does not have those asked for."""
    modes = bundle.config.modes
    chosen = mode if mode is not None and mode in modes else modes[0]
    return Wanted(bundle, path, region, strand, chosen, bundle.config.window or window or USUAL_WINDOW, stride)


def rate(bundle: Bundle, mode: str = "window", window: int | None = None) -> float:
    """Sites a second that this model scores here, measured once; each strand's sites count."""
    return _rate(str(bundle.folder), resources.stamp(bundle), mode, bundle.config.window or window or USUAL_WINDOW)


# Measured anew now and then: it depends on what else the machine does.
@st.cache_resource(max_entries=16, ttl=300, show_spinner=False)
def _rate(folder: str, stamp: tuple[int, ...], mode: str, window: int) -> float:
    model = resources.loaded(folder, stamp)
    sites = _TRIAL[mode]
    codes = np.random.default_rng(0).integers(0, 4, sites + window).astype(np.uint8)
    record = Record("trial", codes)
    own = None if model.config.window else window

    def once(bases: int) -> int:
        region = Region("trial", window // 2, window // 2 + bases)
        return sum(2 * len(track) for track in scan(model, record, region=region, mode=mode, window=own))

    once(8)
    # The best of several, unless they take long: a busy moment says little of the minutes after it.
    begun, best, scored = time.perf_counter(), float("inf"), 1
    for trial in range(10):
        start = time.perf_counter()
        scored = once(sites)
        best = min(best, time.perf_counter() - start)
        if time.perf_counter() - begun > (0.5 if trial > 1 else 2.0):
            break
    return scored / max(best, 1e-6)


def seconds(scan_wanted: Wanted, stride: int) -> float:
    """How long a scan takes here, about."""
    return scan_wanted.sites(stride) / rate(scan_wanted.bundle, scan_wanted.mode, scan_wanted.window)


def beyond(scan_wanted: Wanted, stride: int) -> bool:
    """Whether a scan takes longer than a page may work, even if the machine was busy when its speed was measured.

    One that may fit is tried: it is stopped at the limit.
    """
    return seconds(scan_wanted, stride) > _SLACK * resources.TIME_LIMIT


def affordable(scan_wanted: Wanted) -> int:
    """The stride that was asked for; else the finest at which the picture comes at once, the widest when none does."""
    if scan_wanted.stride is not None or scan_wanted.at_once:
        return scan_wanted.stride or 1
    for stride in STRIDES:
        if seconds(scan_wanted, stride) <= FIRST_PICTURE:
            return stride
    return STRIDES[-1]


def stored_track(scan_wanted: Wanted) -> Track | None:
    """A scan that is on disk already: shipped with the models, made here before, or by a job."""
    key, region = _key(scan_wanted), scan_wanted.region
    files = tuple(sorted(path.name for folder in _folders() if folder.is_dir() for path in folder.glob(f"{key}.*")))
    if not files:
        return None
    found = _stored(key, files, (region.record, region.start, region.end), scan_wanted.stride, _blank(scan_wanted))
    if found is None:
        return None
    strand = scan_wanted.strand
    return replace(
        found, forward=None if strand == "-" else found.forward, reverse=None if strand == "+" else found.reverse
    )


# A whole genome's takes a second to unpack.
@st.cache_resource(max_entries=6, show_spinner=False)
def _stored(
    key: str, files: tuple[str, ...], place: tuple[str, int, int], stride: int | None, _like: Track
) -> Track | None:
    del files, place  # they name what is cached
    return find_track(key, _like, _folders(), stride=stride)


def whole_track(scan_wanted: Wanted, length: int) -> Track | None:
    """A scan of both strands of the whole record, where one is on disk."""
    region = Region(scan_wanted.region.record, 0, length)
    return stored_track(replace(scan_wanted, region=region, strand="both", stride=None))


def peaks(scan_wanted: Wanted, track: Track, threshold: float) -> list[Peak]:
    """The peaks of a track that reach a low threshold, for a higher one leaves the higher of the same peaks.

    They reach `FLOOR` where the threshold does, else 0.
    """
    circular = resources.records(scan_wanted.path)[scan_wanted.region.record].circular
    return _peaks(*_named(scan_wanted, track), FLOOR if threshold >= FLOOR else 0.0, circular, track)


def peaks_over(scan_wanted: Wanted, track: Track, threshold: float) -> list[Peak]:
    """The peaks of a track that reach a threshold."""
    return [peak for peak in peaks(scan_wanted, track, threshold) if peak.probability >= threshold]


def sliding(
    scan_wanted: Wanted, track: Track, threshold: float, *, tolerance: int, known: str, table: Known, circle: int | None
) -> Sliding:
    """What the peaks of `peaks` find of a table of known starts, at every threshold.

    Args:
        scan_wanted: what was scanned.
        track: the scores.
        threshold: the one that is set.
        tolerance: bases.
        known: names the table.
        table: it.
        circle: bases of the record where it is a circle.
    """
    every = peaks(scan_wanted, track, threshold)
    low = min((peak.probability for peak in every), default=0.0) < FLOOR
    how = (tolerance, known, len(table.sites), low)
    return _sliding(*_named(scan_wanted, track), how, every, track, scan_wanted.region, table, circle)


_Place = tuple[str, int, int, int, str]


def _named(scan_wanted: Wanted, track: Track) -> tuple[str, _Place]:
    region = scan_wanted.region
    return _key(scan_wanted), (region.record, region.start, region.end, track.stride, scan_wanted.strand)


@st.cache_resource(max_entries=16, show_spinner=False)
def _peaks(key: str, place: _Place, floor: float, circular: bool, _track_of: Track) -> list[Peak]:
    del key, place  # they name what is cached
    return call_peaks(_track_of, floor, circular=circular)


@st.cache_resource(max_entries=16, show_spinner=False)
def _sliding(
    key: str,
    place: _Place,
    how: tuple[int, str, int, bool],
    _every: list[Peak],
    _track_of: Track,
    _stretch: Region,
    _table: Known,
    _circle: int | None,
) -> Sliding:
    del key, place
    sites = [site for site in _table.sites if site.strand in _track_of.strands()]
    return slide(_every, sites, tolerance=how[0], stretch=_stretch, covered=_table.complete, circular_length=_circle)


def computed_track(scan_wanted: Wanted, stride: int) -> Track:
    """Scan a region, from the cache where this was asked before.

    Raises:
        RunError: it took longer than the page's limit.
        InputError: the region does not fit the record.
    """
    bundle, path, region = scan_wanted.bundle, scan_wanted.path, scan_wanted.region
    stamps = resources.stamp(bundle), path.stat().st_mtime_ns
    place = (region.record, region.start, region.end)
    how = (stride, scan_wanted.strand, scan_wanted.mode, scan_wanted.window)
    return _track(str(bundle.folder), str(path), stamps, _key(scan_wanted), place, how)


@st.cache_data(max_entries=64, show_spinner=False)
def _track(
    folder: str,
    path: str,
    stamps: tuple[tuple[int, ...], int],
    key: str,
    place: tuple[str, int, int],
    how: tuple[int, str, str, int],
) -> Track:
    model, region = resources.loaded(folder, stamps[0]), Region(*place)
    sequence = resources.records(Path(path))[region.record]
    stride, strand, mode, window = how
    if not _SCANS.acquire(timeout=resources.TIME_LIMIT):
        raise RunError("Other people's scans are running; try again in a few seconds.")
    try:
        pieces = scan(
            model,
            sequence,
            region=region,
            stride=stride,
            strand=strand,
            mode=mode,
            window=None if model.config.window else window,
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
    end = time.monotonic() + resources.TIME_LIMIT

    def stop_late(done: int, total: int) -> None:
        if time.monotonic() > end and done < total:
            raise RunError(
                f"The scan was stopped after {resources.TIME_LIMIT:.0f} s, when {done:,} of {total:,} sites were done."
            )

    return stop_late


def _blank(scan_wanted: Wanted) -> Track:
    config, region = scan_wanted.bundle.config, scan_wanted.region
    return Track(
        record=region.record,
        start=region.start,
        end=region.end,
        stride=1,
        window=scan_wanted.window,
        positions=np.empty(0, dtype=np.int64),
        forward=None,
        reverse=None,
        model=scan_wanted.bundle.name,
        label=config.positive or "",
        record_length=len(resources.records(scan_wanted.path)[region.record]),
        mode=scan_wanted.mode,
    )


def _key(scan_wanted: Wanted) -> str:
    bundle, path = scan_wanted.bundle, scan_wanted.path
    return track_key(
        _model_digest(str(bundle.folder), resources.stamp(bundle)),
        _record_digest(str(path), path.stat().st_mtime_ns, scan_wanted.region.record),
        window=scan_wanted.window,
        label=bundle.config.positive or "",
        mode=scan_wanted.mode,
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _model_digest(folder: str, stamp: tuple[int, ...]) -> str:
    return bundle_digest(folder)


@st.cache_resource(max_entries=16, show_spinner=False)
def _record_digest(path: str, stamp: int, record: str) -> str:
    return record_digest(resources.records(Path(path))[record])


def _folders() -> list[Path]:
    return [settings().shipped_data / "demo" / "tracks", settings().cache / "tracks"]
