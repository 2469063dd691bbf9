"""Scan a sequence with a model: what it says about every site of both strands.

In window mode each site is scored in a window of its own, read from a fresh state. A window speaks of one site in it,
its anchor: base 60 of the 81 bp promoter windows is the transcription start. The score of a site is therefore the
probability of the window that puts this site at the anchor, read along the site's own strand. With a window of `w`
bases and its anchor at offset `a`, the forward window that starts at `s` scores site `s + a`, and the reverse window
that covers `[s, s + w)` scores site `s + w - 1 - a`. In stream mode a track model reads each strand once, in chunks,
and scores every base; see `dnalm.tracks.stream`.

Both strands are reported at the forward-strand position of the site, so that they can be drawn, compared and exported
together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnalm.errors import InputError
from dnalm.tracks.stream import CHUNK, Grid, Streamer
from dnalm.tracks.track import Track, gather
from dnalm.tracks.windows import Progress, Report, Scorer, Scores, shares_windows, site_windows

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier, TrackModel
    from dnalm.sequences import Record, Region

__all__ = ["RecordScan", "ScanOptions", "Scores", "Track", "count_windows", "gather", "mode_of", "scan", "window_of"]

STRANDS = ("both", "+", "-")
MODES = ("stream", "window")
# Sites of one piece in window mode: a first picture comes early, and Python costs nothing beside the model.
PIECE_SITES = 4096


@dataclass(frozen=True)
class ScanOptions:
    """How a scan is done.

    Attributes:
        stride: bases between sites, 1 or more.
        strand: "both", "+" or "-".
        mode: "window" or "stream"; the first of the model's own when None.
        window: window length in bases, for a model that takes any length.
        label: the class whose probability is wanted; the model's positive class when None.
        batch_size: windows scored at a time, in window mode.
        chunk: bases of a chunk in stream mode, about.
    """

    stride: int = 1
    strand: str = "both"
    mode: str | None = None
    window: int | None = None
    label: str | None = None
    batch_size: int = 256
    chunk: int = CHUNK


class RecordScan:
    """The scan of a record or of a region of it, cut into pieces that may be scored in any order.

    Args:
        model: a classifier or a track model; its `config` gives window, anchor (the middle when it names none), label.
        record: the sequence.
        region: what to scan; the whole record when None. Its own strand is not looked at.
        options: how.

    Attributes:
        pieces: first site of each piece and one past its last base, in order; none lies on both sides of the origin of
            a circular record.
        windows: scores that are asked for, both strands together.
        mode: "window" or "stream".

    Raises:
        InputError: region, stride, strand, mode, window or label do not fit the record or the model.
    """

    def __init__(
        self,
        model: Classifier | TrackModel,
        record: Record,
        region: Region | None = None,
        options: ScanOptions | None = None,
    ) -> None:
        self.options = options or ScanOptions()
        self.model, self.record = model, record
        self.start, self.end = _bounds(record, region)
        self.width, self.anchor = window_of(model, self.options.window)
        self.column, self.label = _column(model, self.options.label)
        self.mode = mode_of(model, self.options.mode)
        stride, strand = self.options.stride, self.options.strand
        if stride < 1:
            raise InputError(f"stride is {stride}; it must be 1 or more bases")
        if strand not in STRANDS:
            raise InputError(f"strand is {strand!r}; it must be one of {', '.join(STRANDS)}")
        if self.mode == "window" and len(record) < self.width:
            raise InputError(f"{record.id} has {len(record):,} bases; {model.name} needs at least {self.width:,}")
        if not len(record):
            raise InputError(f"{record.id} has no base")
        if self.options.chunk < 1:
            raise InputError(f"the chunk is {self.options.chunk} bases long; it must be 1 or more")
        self.grid = Grid.of(len(record), getattr(model, "step", 1), self.options.chunk)
        firsts = [first for low, high in self._stretches() if (first := self._site_from(low)) < high]
        self.pieces = list(zip(firsts, [*firsts[1:], self.end], strict=True))
        self.windows = count_windows(self.start, self.end, stride, strand)

    def score(self, first: int, end: int, report: Report | None = None) -> Track:
        """Score one of the pieces.

        Args:
            first: its first site.
            end: one past its last base.
            report: called with the scores done since it was called last, after each batch.
        """
        sites = np.arange(first, end, self.options.stride, dtype=np.int64)
        scored = self._streamed if self.mode == "stream" else self._windowed
        return self.track(first, end, *scored(sites, report or _nobody))

    def track(self, first: int, end: int, forward: Scores | None, reverse: Scores | None) -> Track:
        """The track of a piece from its scores; those of a strand that was not asked for are left out."""
        strand = self.options.strand
        return Track(
            record=self.record.id,
            start=first,
            end=end,
            stride=self.options.stride,
            window=self.width,
            positions=np.arange(first, end, self.options.stride, dtype=np.int64),
            forward=forward if strand != "-" else None,
            reverse=reverse if strand != "+" else None,
            model=self.model.name,
            label=self.label,
            record_length=len(self.record),
            mode=self.mode,
        )

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """What each piece may hold sites of, from end to end of what is scanned."""
        length, most = len(self.record), self.options.stride * PIECE_SITES
        low = self.start
        while low < self.end:
            lap = low // length * length
            stop = min(self.end, lap + length)
            if self.mode == "stream":
                yield from ((lap + a, lap + b) for a, b in self.grid.groups(low - lap, stop - lap))
            else:
                low = self._site_from(low)
                yield from ((a, min(a + most, stop)) for a in range(low, stop, most))
            low = stop

    def _site_from(self, position: int) -> int:
        """The first site that is not before a position."""
        return position + (self.start - position) % self.options.stride

    def _streamed(self, sites: np.ndarray, report: Report) -> tuple[Scores, Scores]:
        return Streamer(
            self.model,  # type: ignore[arg-type]  # a model of this mode is a track model
            self.record,
            self.grid,
            complement=self.label != self.model.config.positive,
            strands=2 if self.options.strand == "both" else 1,
            report=report,
        ).score(sites)

    def _windowed(self, sites: np.ndarray, report: Report) -> tuple[Scores | None, Scores | None]:
        stride, strand, read = self.options.stride, self.options.strand, (self.width, self.anchor)
        scorer = Scorer(self.model, self.column, self.options.batch_size, report)
        if strand == "both" and shares_windows(self.model, *read, stride, PIECE_SITES // 4):
            return scorer.score_both(self.record, sites, stride, *read)
        forward, reverse = (
            scorer.score(*site_windows(self.record, sites, stride, *read, one)) if strand in ("both", one) else None
            for one in "+-"
        )
        return forward, reverse


def scan(
    model: Classifier | TrackModel,
    record: Record,
    *,
    region: Region | None = None,
    stride: int = 1,
    strand: str = "both",
    mode: str | None = None,
    batch_size: int = 256,
    window: int | None = None,
    label: str | None = None,
    chunk: int = CHUNK,
    progress: Progress | None = None,
) -> Iterator[Track]:
    """Score the sites of a region.

    Sites are `region.start`, `region.start + stride` and so on below `region.end`. What is read to score them reaches
    over the region's ends where the record has bases there, and over the origin of a circular record.

    Args:
        model: a classifier or a track model.
        record: the sequence.
        region: what to scan; the whole record when None. Its own strand is not looked at.
        stride: bases between sites, 1 or more.
        strand: "both", "+" or "-".
        mode: "window", each site in a window of its own with a fresh model state, or "stream", one pass along each
            strand, for a track model; the first of the model's own when None.
        batch_size: windows scored at a time, in window mode.
        window: window length in bases, for a model that takes any length.
        label: the class whose probability is wanted; the model's positive class when None.
        chunk: bases of a chunk in stream mode, about.
        progress: called with scores done and scores in all, after each batch.

    Returns:
        An iterator of tracks, the pieces in order; `gather` joins them. Memory is bounded by the piece.

    Raises:
        InputError: at once, when something of this does not fit the record or the model.
    """
    options = ScanOptions(stride, strand, mode, window, label, batch_size, chunk)
    ready = RecordScan(model, record, region, options)
    done = 0

    def report(scores: int) -> None:
        nonlocal done
        done += scores
        if progress:
            progress(done, ready.windows)

    return (ready.score(first, end, report) for first, end in ready.pieces)


def count_windows(start: int, end: int, stride: int, strand: str = "both") -> int:
    """How many scores a scan of `[start, end)` gives: in window mode its time is proportional to it."""
    return len(range(start, end, stride)) * (2 if strand == "both" else 1)


def window_of(model: Classifier | TrackModel, window: int | None = None) -> tuple[int, int]:
    """Window length and anchor offset, in bases, with which a model is scanned.

    Raises:
        InputError: `window` contradicts the model's own, or neither is known.
    """
    own = model.config.window
    if window is not None and own is not None and window != own:
        raise InputError(f"{model.name} reads windows of {own} bases, not {window}")
    width = own if own is not None else window
    if width is None:
        raise InputError(f"{model.name} reads sequences of any length: give the window's length in bases")
    if width < 1:
        raise InputError(f"the window is {width} bases long; it must be 1 or more")
    anchor = model.config.anchor if model.config.anchor is not None else width // 2
    return width, anchor


def mode_of(model: Classifier | TrackModel, mode: str | None = None) -> str:
    """The mode in which a model is scanned: the one asked for, else the first of its own.

    Raises:
        InputError: it has no such mode.
    """
    own = list(getattr(model.config, "modes", None) or ["window"])
    if mode is None:
        return own[0]
    if mode not in MODES:
        raise InputError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if mode not in own:
        raise InputError(f"{model.name} has no {mode} mode; it is scanned in {' or '.join(own)} mode")
    return mode


def _nobody(scores: int) -> None:
    pass


def _bounds(record: Record, region: Region | None) -> tuple[int, int]:
    if region is None:
        return 0, len(record)
    if region.record != record.id:
        raise InputError(f"region {region} is of record {region.record}, but the sequence is {record.id}")
    limit = 2 * len(record) if record.circular else len(record)
    ordered = 0 <= region.start < region.end <= limit
    if not ordered or region.end - region.start > len(record):
        shape = "circular" if record.circular else "linear"
        raise InputError(f"region {region} does not lie in {record.id}, a {shape} record of {len(record):,} bases")
    return region.start, region.end


def _column(model: Classifier | TrackModel, label: str | None) -> tuple[int, str]:
    labels = list(model.config.labels)
    wanted = label if label is not None else model.config.positive
    if wanted is None:
        raise InputError(f"{model.name} has no positive class: choose one of {', '.join(labels)}")
    if wanted not in labels:
        raise InputError(f"{wanted!r} is not a label of {model.name}, which knows {', '.join(labels)}")
    return labels.index(wanted), wanted
