"""What comes of a scan: its files in the run folder, the peaks and what is known of them, and the kept track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnalm.annotation import Site, read_sites
from dnalm.datasets.named_files import named_file
from dnalm.datasets.region_split import seen_regions
from dnalm.evaluation.scan_pieces import Pieces, Stretch
from dnalm.sequences import Region
from dnalm.settings import settings
from dnalm.tracks import Peak, Track, agreement, write_track
from dnalm.tracks.calling import PeakCaller
from dnalm.tracks.calls import calls_of
from dnalm.tracks.evaluate import evaluate, score
from dnalm.tracks.export_peaks import write_peaks
from dnalm.tracks.peaks import is_whole
from dnalm.tracks.store import save_track, track_key

if TYPE_CHECKING:
    from dnalm.evaluation.scan_run import Task

ENDINGS = {"bigwig": ".bw", "bedgraph": ".bedgraph", "tsv": ".tsv", "parquet": ".parquet"}
PEAKS = "peaks.bed"
# Bases within which a call counts for the figures with intervals; the counts of `agreement` are stricter.
TOLERANCE = 100
FIGURES = ("recall", "precision", "false_per_kb", "auprc")
# A page draws bacterial genomes at once; a chromosome is seen by its files. Sites.
MOST_KEPT = 20_000_000
LARGEST_STORE = 512 << 20
# Peaks are called in so many sites at a time, so that memory does not grow with the record.
_STRETCH = 1 << 20


def write_results(task: Task, pieces: Pieces, run: Path) -> dict[str, Any]:
    """Write a finished scan's files; what `result.json` is to hold."""
    tracks = [_track(task, pieces, place, one) for place, one in enumerate(task.stretches)]
    files = [path for kind in task.config.formats for path in write_track(tracks, run / f"track{ENDINGS[kind]}")]
    known = _known(task)
    records: list[dict[str, Any]] = []
    peaks: list[Peak] = []
    for one, track in zip(task.stretches, tracks, strict=True):
        called = peaks_of(track, task.threshold, circular=one.record.circular)
        peaks += called
        row: dict[str, Any] = {"record": track.record, "start": track.start, "end": track.end, "sites": len(track)}
        row |= {"length": track.record_length, "peaks": len(called), "kept": _keep(task, one, track)}
        if known:
            here = [site for site in known if _covers(track, site)]
            circle = track.record_length if one.record.circular else None
            row["agreement"] = asdict(agreement(called, here, circular_length=circle))
        records.append(row)
    files += write_peaks(peaks, run / PEAKS, source=task.model.name)
    totals: dict[str, Any] = {name: sum(row[name] for row in records) for name in ("sites", "peaks")}
    if known:
        counted = ("known", "found", "calls", "right")
        totals["agreement"] = {name: sum(row["agreement"][name] for row in records) for name in counted}
        totals["agreement"]["tolerance"] = records[0]["agreement"]["tolerance"]
        if totals["agreement"]["known"]:
            totals |= _measured(task, tracks, known)
    return {
        "scan": task.model.name,
        "label": task.label,
        "mode": task.mode,
        "window": task.window,
        "stride": task.config.stride,
        "strand": task.config.strand,
        "threshold": task.threshold,
        **totals,
        "records": records,
        "skipped": task.skipped,
        "files": [{"name": path.name, "bytes": path.stat().st_size} for path in files],
    }


def peaks_of(track: Track, threshold: float, *, circular: bool = False) -> list[Peak]:
    """The peaks of a track of any length, as `call_peaks` gives them, called a stretch at a time."""
    caller = PeakCaller(threshold, round=circular and is_whole(track))
    for first in range(0, len(track), _STRETCH):
        part = slice(first, first + _STRETCH)
        own = track.positions[part]
        end = int(track.positions[first + _STRETCH]) if first + _STRETCH < len(track) else track.end
        scores = {name: None if (of := getattr(track, name)) is None else of[part] for name in ("forward", "reverse")}
        caller.add(replace(track, start=int(own[0]), end=end, positions=own, **scores))
    return caller.finish()


def _measured(task: Task, tracks: Sequence[Track], known: Sequence[Site]) -> dict[str, Any]:
    """Figures with intervals, where the model was not trained if it says where that was."""
    calls = [calls_of(track, circular=one.record.circular) for one, track in zip(task.stretches, tracks, strict=True)]
    scored = score(
        task.model.name,
        calls,
        known,
        tolerances=(TOLERANCE,),
        trained_on=_trained_on(task, {track.record for track in tracks}),
        threshold=task.threshold,
    )
    found = evaluate(scored, generator=np.random.default_rng(task.config.seed), figures=FIGURES)
    row = found.row(tolerance=TOLERANCE)
    figures = {name: figure.as_dict() for name, figure in row.figures.items()}
    return {"figures": figures, "measured": {"part": row.key.part, "tolerance": TOLERANCE, "sites": row.sites}}


def _trained_on(task: Task, records: set[str]) -> list[Region] | None:
    """What a track model was trained or chosen on of these records; None where a bundle does not say it by place."""
    told = task.model.config.trained.get("regions")
    if not isinstance(told, Mapping):
        return None
    return [region for region in seen_regions(told) if region.record in records]


def _track(task: Task, pieces: Pieces, place: int, stretch: Stretch) -> Track:
    config = task.config
    positions = np.arange(stretch.start, stretch.end, config.stride, dtype=np.int64)
    names = {"both": ("forward", "reverse"), "+": ("forward",), "-": ("reverse",)}[config.strand]
    scores = pieces.joined(place, len(positions), len(names))
    return Track(
        record=stretch.record.id,
        start=stretch.start,
        end=stretch.end,
        stride=config.stride,
        window=task.window,
        positions=positions,
        model=task.model.name,
        label=task.label,
        record_length=len(stretch.record),
        mode=task.mode,
        **{"forward": None, "reverse": None, **dict(zip(names, scores, strict=True))},
    )


def _known(task: Task) -> list[Site]:
    """The known start sites; those of a table that names no record are of the first that is scanned."""
    truth = task.config.truth
    return read_sites(named_file(truth), record=task.stretches[0].record.id) if truth else []


def _covers(track: Track, site: Site) -> bool:
    """Whether a site lies in what was scanned, over the origin too, and on a strand that was."""
    same = site.record == track.record and site.strand in track.strands()
    return same and (site.position - track.start) % track.record_length < track.end - track.start


def _keep(task: Task, stretch: Stretch, track: Track) -> bool:
    """Put the track among the kept scans, where the page Long sequences looks; whether it fits there."""
    if track.forward is None or track.reverse is None or len(track) > MOST_KEPT:
        return False
    weights, bases = task.sources["model"]["sha256"], task.sources["sequence"]["records"][stretch.record.id]
    key = track_key(weights, bases, window=task.window, label=task.label, mode=task.mode)
    save_track(track, key, settings().cache / "tracks", most_bytes=LARGEST_STORE)
    return True
