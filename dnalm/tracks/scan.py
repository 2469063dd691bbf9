"""Slide a classifier along a sequence: what the model says about every site of both strands.

A window speaks of one site in it, its anchor: base 60 of the 81 bp promoter windows is the transcription
start. The score of a site is therefore the probability of the window that puts this site at the anchor, read
along the site's own strand. With a window of `w` bases and its anchor at offset `a`, the forward window
that starts at `s` scores site `s + a`, and the reverse window that covers `[s, s + w)` scores site
`s + w - 1 - a`. Both strands are reported at the forward-strand position of the site, so that they can be
drawn, compared and exported together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.tracks.windows import Progress, Scorer, Scores, shares_windows, site_windows

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier
    from dnalm.sequences import Record, Region

STRANDS = ("both", "+", "-")
# Sites of one piece: small enough that a first picture comes early, large enough that Python costs nothing.
PIECE_SITES = 4096


@dataclass(frozen=True)
class Track:
    """Scores along a stretch of a record.

    Attributes:
        record: the record's identifier.
        start: first base of the scanned region, 0-based.
        end: one past its last base; beyond `record_length` where a region of a circular record wraps.
        stride: bases from one scored site to the next.
        window: length in bases of the windows that were scored.
        positions: sites, 0-based on the forward strand, ascending, shape `(n,)`; like `end` they run on past
            `record_length` where the region wraps (`wrapped` brings them back).
        forward: probability that the label holds at each site read along the forward strand, shape `(n,)`;
            nan where a window does not fit in a linear record or is more than half unknown bases. None when
            not asked for.
        reverse: the same, read along the reverse strand.
        model: name of the model.
        label: the class whose probability this is.
        record_length: bases in the whole record.
    """

    record: str
    start: int
    end: int
    stride: int
    window: int
    positions: NDArray[np.int64]
    forward: Scores | None
    reverse: Scores | None
    model: str
    label: str = "positive"
    record_length: int = 0

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def wrapped(self) -> NDArray[np.int64]:
        """The sites as positions of the record, those past the origin brought back to its beginning."""
        return self.positions % self.record_length if self.record_length else self.positions

    def strands(self) -> dict[str, Scores]:
        """The strands that were scored: "+" and "-" to their scores."""
        scores = {"+": self.forward, "-": self.reverse}
        return {strand: values for strand, values in scores.items() if values is not None}


def scan(
    model: Classifier,
    record: Record,
    *,
    region: Region | None = None,
    stride: int = 1,
    strand: str = "both",
    batch_size: int = 256,
    window: int | None = None,
    label: str | None = None,
    progress: Progress | None = None,
) -> Iterator[Track]:
    """Score the sites of a region, each in a window of its own with a fresh model state.

    Sites are `region.start`, `region.start + stride` and so on below `region.end`. Windows reach over the
    region's ends where the record has bases there, and over the origin of a circular record.

    Args:
        model: a classifier; its `config` gives window, anchor (the middle when it names none) and label.
        record: the sequence.
        region: what to scan; the whole record when None. Its own strand is not looked at.
        stride: bases between sites, 1 or more.
        strand: "both", "+" or "-".
        batch_size: windows scored at a time.
        window: window length in bases, for a model that takes any length.
        label: the class whose probability is wanted; the model's positive class when None.
        progress: called with windows done and windows in all, after each batch.

    Returns:
        An iterator of tracks of up to `PIECE_SITES` sites, in order; `gather` joins them.

    Raises:
        InputError: at once, when region, stride, strand, window or label do not fit the record or the model.
    """
    start, end = _bounds(record, region)
    width, anchor = window_of(model, window)
    column, name = _column(model, label)
    if stride < 1:
        raise InputError(f"stride is {stride}; it must be 1 or more bases")
    if strand not in STRANDS:
        raise InputError(f"strand is {strand!r}; it must be one of {', '.join(STRANDS)}")
    if len(record) < width:
        raise InputError(f"{record.id} has {len(record):,} bases; {model.name} needs at least {width:,}")
    total = count_windows(start, end, stride, strand)
    scorer = Scorer(model, column, batch_size, total, progress)
    shared = strand == "both" and shares_windows(model, width, anchor, stride, PIECE_SITES // 4)

    def pieces() -> Iterator[Track]:
        for first in range(start, end, stride * PIECE_SITES):
            stop = min(first + stride * PIECE_SITES, end)
            sites = np.arange(first, stop, stride, dtype=np.int64)
            forward: Scores | None = None
            reverse: Scores | None = None
            if shared:
                forward, reverse = scorer.score_both(record, sites, stride, width, anchor)
            elif strand != "-":
                forward = scorer.score(*site_windows(record, sites, stride, width, anchor, "+"))
            if strand != "+" and not shared:
                reverse = scorer.score(*site_windows(record, sites, stride, width, anchor, "-"))
            yield Track(
                record=record.id,
                start=first,
                end=stop,
                stride=stride,
                window=width,
                positions=sites,
                forward=forward,
                reverse=reverse,
                model=model.name,
                label=name,
                record_length=len(record),
            )

    return pieces()


def gather(pieces: Iterable[Track]) -> Track:
    """Join the pieces of one scan, in the order they came, into one track.

    Raises:
        InputError: there is no piece.
    """
    parts = list(pieces)
    if not parts:
        raise InputError("there is nothing to join: the scan gave no piece")

    def joined(scores: list[Scores | None]) -> Scores | None:
        kept = [part for part in scores if part is not None]
        return np.concatenate(kept) if kept else None

    return replace(
        parts[0],
        end=parts[-1].end,
        positions=np.concatenate([part.positions for part in parts]),
        forward=joined([part.forward for part in parts]),
        reverse=joined([part.reverse for part in parts]),
    )


def count_windows(start: int, end: int, stride: int, strand: str = "both") -> int:
    """How many windows a scan of `[start, end)` scores: what its time is proportional to."""
    return len(range(start, end, stride)) * (2 if strand == "both" else 1)


def window_of(model: Classifier, window: int | None = None) -> tuple[int, int]:
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


def _column(model: Classifier, label: str | None) -> tuple[int, str]:
    labels = list(model.config.labels)
    wanted = label if label is not None else model.config.positive
    if wanted is None:
        raise InputError(f"{model.name} has no positive class: choose one of {', '.join(labels)}")
    if wanted not in labels:
        raise InputError(f"{wanted!r} is not a label of {model.name}, which knows {', '.join(labels)}")
    return labels.index(wanted), wanted
