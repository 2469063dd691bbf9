"""Scan a genome so that it may be stopped, gone on with, and shared by several processes and several machines.

Memory is bounded by a piece, however long the genome: its bases lie in a flat file, the scores in a file a piece, and
both are read as they are needed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnalm.errors import InputError
from dnalm.tracks.genome import GenomeFile, copy_codes
from dnalm.tracks.parts import WHOLE, WORK, Parts
from dnalm.tracks.pool import Records, Work, score_in_processes
from dnalm.tracks.scan import RecordScan, ScanOptions, count_windows, mode_of, window_of
from dnalm.tracks.store import bundle_digest
from dnalm.tracks.track import Track
from dnalm.tracks.windows import Progress

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier, TrackModel
    from dnalm.sequences import Region


@dataclass(frozen=True)
class Means:
    """With what a long scan is done.

    Attributes:
        processes: how many score at a time; at least one a device. With one, the model given does it.
        devices: where the processes compute, dealt out in turn.
        part: a share of the work, from 1, and how many there are; the whole when None.
        fresh: leave aside what an earlier attempt has scored.
    """

    processes: int = 1
    devices: tuple[str, ...] = ("cpu",)
    part: tuple[int, int] | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.processes < 1 or not self.devices:
            raise InputError(f"processes is {self.processes}; it must be 1 or more, each on a device")
        if self.part is not None and not 1 <= self.part[0] <= self.part[1]:
            raise InputError(f"part {self.part[0]}/{self.part[1]}: the parts are 1/{self.part[1]} and on")
        if self.part is not None and self.fresh:
            raise InputError("a part does not start anew: that would remove what the other parts have scored")

    @property
    def share(self) -> str:
        """Name of the share."""
        return WHOLE if self.part is None else f"part-{self.part[0]}-of-{self.part[1]}"


@dataclass
class LongScan:
    """A scan of a genome or of a region of it; to be used in a `with` statement.

    Attributes:
        model: a classifier or a track model, loaded from a bundle.
        genome: FASTA or GenBank, plain or compressed; `-` is standard input.
        folder: where the pieces are kept, see `parts_folder`; nowhere when None.
        region: what to scan; every record, whole, when None.
        options: how.
        circular: whether the records are circles; what the file says when None.
        means: with what.
        works: the pieces, by record and by place in the record. Where a region runs over the origin of a circle, what
            lies past the origin comes first.
        left_out: names of the records that are shorter than the model's windows.

    Raises:
        InputError: on entry: genome, region and options do not fit, the folder holds another scan, or another process
            is at it.
    """

    model: Classifier | TrackModel
    genome: str | Path
    folder: Path | None = None
    region: Region | None = None
    options: ScanOptions = field(default_factory=ScanOptions)
    circular: bool | None = None
    means: Means = field(default_factory=Means)
    works: list[Work] = field(default_factory=list, init=False)
    left_out: list[str] = field(default_factory=list, init=False)

    def __enter__(self) -> LongScan:
        with ExitStack() as stack:
            self._parts: Parts | None = None
            if self.folder is not None:
                self._parts = Parts(self.folder)
                stack.enter_context(self._parts.working(self.means.share))
                stack.callback(self._forsake)
            self.scratch = Path(tempfile.mkdtemp(prefix=WORK, dir=self.folder))
            stack.callback(shutil.rmtree, self.scratch, ignore_errors=True)
            only = self.region.record if self.region is not None else None
            file = copy_codes(self.genome, self.scratch / "codes", only=only, circular=self.circular)
            self._records = Records(self.model, file, self.region, self.options)
            self._plan(file)
            if self._parts is not None:
                self._parts.claim(self._manifest(file), fresh=self.means.fresh)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def lengths(self) -> dict[str, int]:
        """Bases of each record that is scanned, by name, in order."""
        entries = self._records.genome.entries
        return {entries[index].id: entries[index].length for index in dict.fromkeys(one.record for one in self.works)}

    @property
    def windows(self) -> int:
        """Scores asked for, of all pieces and both strands together."""
        return sum(work.windows for work in self.works)

    def scan_of(self, work: Work) -> RecordScan:
        """The scan of the record that a piece is of."""
        return self._records.of(work.record)

    def missing(self) -> list[Work]:
        """The pieces that are not scored yet."""
        done = self._parts.done() if self._parts else set()
        return [work for work in self.works if work.number not in done]

    def pieces(self, progress: Progress | None = None) -> Iterator[tuple[Work, Track]]:
        """All pieces, in order; those that are not scored yet are scored and kept.

        Args:
            progress: called with scores done and scores in all.
        """
        told = _Told(progress, self.windows)
        missing = self.missing()
        absent = {work.number for work in missing}
        scored = self._score(missing, told)
        for work in self.works:
            if work.number in absent:
                yield work, next(scored)
                continue
            track = self._kept(work)
            if track is None:  # the file is damaged
                track = self._keep(work, self._records.score(work))
            told.report(work.windows)
            yield work, track

    def score_part(self, progress: Progress | None = None) -> int:
        """Score and keep the pieces of this share, and nothing else; how many they are.

        Args:
            progress: called with scores done and scores in all, of this share.
        """
        share = self._share()
        told = _Told(progress, sum(work.windows for work in share))
        absent = {work.number for work in self.missing()}
        told.report(sum(work.windows for work in share if work.number not in absent))
        for _ in self._score([work for work in share if work.number in absent], told):
            pass
        return len(share)

    def remove(self) -> None:
        """Remove the pieces: the scan is written elsewhere."""
        if self._parts is not None:
            self._parts.remove()

    def _plan(self, file: GenomeFile) -> None:
        width, _ = window_of(self.model, self.options.window)
        windowed = mode_of(self.model, self.options.mode) == "window"
        self.works, self.left_out = [], []
        for index, entry in enumerate(file.entries):
            if self.region is None and windowed and entry.length < width:
                self.left_out.append(entry.id)
                continue
            scan = self._records.of(index)
            for first, end in sorted(scan.pieces, key=lambda piece: piece[0] % entry.length):
                windows = count_windows(first, end, self.options.stride, self.options.strand)
                self.works.append(Work(len(self.works), index, first, end, windows))
        if not self.works:
            raise InputError(f"{self.genome}: no record has {width:,} bases, as {self.model.name} reads them")

    def _manifest(self, file: GenomeFile) -> dict[str, Any]:
        """What the scores depend on, and into what pieces they are cut."""
        first = self._records.of(self.works[0].record)
        return {
            "version": 1,
            "model": bundle_digest(self.model.bundle.folder),
            "runtime": self.model.runtime,
            "genome": file.digest,
            "region": str(self.region) if self.region is not None else "whole",
            "stride": self.options.stride,
            "strand": self.options.strand,
            "mode": first.mode,
            "window": first.width,
            "label": first.label,
            "chunk": first.grid.size,
            "pieces": len(self.works),
        }

    def _share(self) -> list[Work]:
        """The pieces of this part: as many scores as any other's, all in a row."""
        if self.means.part is None:
            return self.works
        part, parts = self.means.part
        total, before, share = self.windows, 0, []
        for work in self.works:
            if (2 * before + work.windows) * parts // (2 * total) == part - 1:
                share.append(work)
            before += work.windows
        return share

    def _score(self, works: Sequence[Work], told: _Told) -> Iterator[Track]:
        processes = max(self.means.processes, len(self.means.devices))
        processes = min(processes, len(works))
        if processes > 1:
            scored = score_in_processes(self._records, works, processes=processes, devices=self.means.devices)
            for work, track in zip(works, scored, strict=True):
                told.report(work.windows)
                yield self._keep(work, track)
        else:
            for work in works:
                yield self._keep(work, self._records.score(work, told.report))

    def _keep(self, work: Work, track: Track) -> Track:
        if self._parts is not None:
            self._parts.save(work.number, track.forward, track.reverse)
        return track

    def _kept(self, work: Work) -> Track | None:
        scores = self._parts.load(work.number) if self._parts is not None else None
        if scores is None:
            return None
        track = self._records.of(work.record).track(work.first, work.end, scores.get("forward"), scores.get("reverse"))
        wanted = {"+", "-"} if self.options.strand == "both" else {self.options.strand}
        whole = track.strands().keys() == wanted and all(len(one) == len(track) for one in track.strands().values())
        return track if whole else None

    def _forsake(self) -> None:
        """Remove the folder where nothing was scored: a scan that was refused leaves nothing behind."""
        idle = self._parts is not None and not any(self._parts.folder.glob("part-*.lock"))
        if self._parts is not None and idle and not self._parts.done():
            self._parts.remove()


class _Told:
    """Counts what was done and says so."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def report(self, windows: int) -> None:
        self.done += windows
        if self.progress:
            self.progress(self.done, self.total)
