"""What commands read a track from: a file that a scan wrote, or a model that scans now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnalm.cli.frame import progress, say
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier, TrackModel
    from dnalm.sequences import Record, Region
    from dnalm.tracks import Track


@dataclass(frozen=True)
class Genome:
    """The records of a sequence file, or none where only tracks were given.

    Attributes:
        records: by name.
        circular: what `--circular` or `--linear` said; what the file says when None.
    """

    records: dict[str, Record] = field(default_factory=dict)
    circular: bool | None = None

    @classmethod
    def read(cls, name: str | None, circular: bool | None) -> Genome:
        """Read a file, or one of the catalogue by its name."""
        if name is None:
            return cls({}, circular)
        from dnalm.cli.output import STANDARD
        from dnalm.datasets.named_files import named_file
        from dnalm.sequences import read_records

        path = name if name == STANDARD else named_file(name)
        return cls({record.id: record for record in read_records(path, circular=circular)}, circular)

    def is_circle(self, record: str) -> bool:
        """Whether a record is a circle, as far as anyone said."""
        return self.records[record].circular if record in self.records else bool(self.circular)

    def first(self, tracks: Sequence[Track]) -> str:
        """The record that a table without names of records speaks of."""
        return next(iter(self.records), tracks[0].record if tracks else "")


@dataclass(frozen=True)
class Subject:
    """Tracks of one model or file.

    Attributes:
        name: the model's, or the file's without its ending.
        tracks: one a record, or one a region.
        threshold: the model's own; None of a file.
        model: None of a file.
        seen: regions whose truth the model has seen; None where it does not say.
    """

    name: str
    tracks: list[Track]
    threshold: float | None = None
    model: Classifier | TrackModel | None = None
    seen: tuple[Region, ...] | None = None


def read_subject(name: str, genome: Genome, regions: Sequence[Region], **options: Any) -> Subject:
    """Tracks of a file, or of a model that reads the genome.

    Args:
        name: a track's file, or a model's name or folder.
        genome: where a model reads; of a file it says how long records are.
        regions: what to look at; all when empty.
        options: of `scan`, for a model.

    Raises:
        InputError: there is no such file or model, or a model without a genome, or a region is not in it.
    """
    from dnalm.tracks.reading import is_track_file, read_tracks

    if is_track_file(name) and not Path(name).is_dir():
        lengths = {record.id: len(record) for record in genome.records.values()}
        tracks = read_tracks(name, lengths=lengths)
        return Subject(tracks[0].model, [_within(tracks, region) for region in regions] if regions else tracks)
    if not genome.records:
        raise InputError(f"{name} is no track's file; for a model name the genome that it reads too")
    import dnalm

    loaded = dnalm.load(name)
    if loaded.config.kind not in ("classifier", "track"):
        kind = loaded.config.kind.replace("-", " ")
        raise InputError(f"{name} is a {kind}; a classifier or a track model is wanted here")
    tracks = [scanned(loaded, record, region, **options) for record, region in _wanted(genome, regions)]
    return Subject(loaded.name, tracks, loaded.config.threshold, loaded, _seen(loaded))


def on_shared(subjects: Sequence[Subject]) -> list[Subject]:
    """Each cut to the stretches that all of them score, since figures are compared on the same bases alone.

    A file of windows does not reach as near to a record's ends as one that holds a score for every base.

    Raises:
        InputError: there is no such stretch.
    """
    from dnalm.sequences import Region

    spans = [[Region(track.record, track.start, track.end) for track in one.tracks] for one in subjects]
    shared = spans[0]
    for several in spans[1:]:
        shared = [
            Region(a.record, max(a.start, b.start), min(a.end, b.end))
            for a in shared
            for b in several
            if a.record == b.record and max(a.start, b.start) < min(a.end, b.end)
        ]
    if not shared:
        raise InputError(f"no base is scored by all of {', '.join(one.name for one in subjects)}")
    if all(several == shared for several in spans):
        return list(subjects)
    some = ", ".join(str(region) for region in shared[:3]) + (f" and {len(shared) - 3} more" * (len(shared) > 3))
    say(f"compared on the stretches that all of them score: {some}")
    return [replace(one, tracks=[_within(one.tracks, region) for region in shared]) for one in subjects]


def scanned(model: Classifier | TrackModel, record: Record, region: Region | None = None, **options: Any) -> Track:
    """Scan with a bar that says how far it is."""
    from dnalm.tracks import gather, scan

    with progress(f"scanning {record.id}", "sites") as advance:
        return gather(scan(model, record, region=region, progress=advance, **options))


def _wanted(genome: Genome, regions: Sequence[Region]) -> list[tuple[Record, Region | None]]:
    if not regions:
        return [(record, None) for record in genome.records.values()]
    for region in regions:
        if region.record not in genome.records:
            shown = ", ".join(list(genome.records)[:5])
            raise InputError(f"region {region}: the genome has no record {region.record}; it has {shown}")
    return [(genome.records[region.record], region) for region in regions]


def _within(tracks: Sequence[Track], region: Region) -> Track:
    """The part of the track of its record that lies in a region, which may go on past a circle's last base.

    Raises:
        InputError: no track holds any of it.
    """
    import numpy as np

    for track in tracks:
        # Sites past the origin stand behind the others, as far from the region's start as they are along the circle.
        turns = (0, track.record_length) if region.end > track.record_length > 0 else (0,)
        places = np.concatenate([track.positions + turn for turn in turns])
        chosen = np.flatnonzero((places >= region.start) & (places < region.end))
        index = chosen % len(track.positions)
        if region.record == track.record and len(chosen):
            return replace(
                track,
                start=max(track.start, region.start),
                end=region.end if len(turns) > 1 else min(track.end, region.end),
                positions=places[chosen],
                forward=None if track.forward is None else track.forward[index],
                reverse=None if track.reverse is None else track.reverse[index],
            )
    shown = ", ".join(f"{one.record}:{one.start + 1:,}-{one.end:,}" for one in tracks[:5])
    raise InputError(f"region {region}: there is no score in it; there are scores of {shown}")


def _seen(model: Classifier | TrackModel) -> tuple[Region, ...] | None:
    from dnalm.datasets.region_split import seen_regions

    texts = model.config.trained.get("regions")
    return tuple(seen_regions(texts)) if texts else None
