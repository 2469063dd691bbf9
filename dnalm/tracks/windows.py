"""The windows of a scan: views of one stretch of codes, and the scores that a model gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes, reverse_complement

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier, TrackModel
    from dnalm.sequences import Record

Progress = Callable[[int, int], None]
Report = Callable[[int], None]
Scores = NDArray[np.float32]


def site_window(record: Record, site: int, strand: str, *, window: int, anchor: int) -> tuple[int, int, Codes]:
    """The window that scores a site.

    Args:
        record: the sequence.
        site: 0-based forward position.
        strand: "+" or "-", the strand that is read.
        window: window length in bases.
        anchor: offset of the site in the window.

    Returns:
        `(start, end, codes)`: 0-based half-open forward coordinates, and the bases as the model read them (on
        "-", the reverse complement), shape `(window,)`; bases beyond the ends of a linear record are unknown.
    """
    start = site - _lead(window, anchor, strand)
    codes = context(record, start, start + window)
    return start, start + window, codes if strand == "+" else reverse_complement(codes)


@dataclass
class Scorer:
    """Feeds windows to the model in batches and leaves out those that say nothing.

    `report` is called after each batch with the scores that it gave.
    """

    model: Classifier | TrackModel
    column: int
    batch_size: int
    report: Report

    def score(self, windows: Codes, inside: NDArray[np.bool_]) -> Scores:
        """Probability of each window, shape `(n,)`; nan where not `inside` or more than half unknown."""
        scores = np.full(len(windows), np.nan, dtype=np.float32)
        for first in range(0, len(windows), self.batch_size):
            batch = windows[first : first + self.batch_size]
            useful = inside[first : first + self.batch_size] & ~_mostly_unknown(batch)
            if useful.any():
                scores[first : first + len(batch)][useful] = self.model.probabilities(
                    np.ascontiguousarray(batch[useful])
                )[:, self.column]
            self.report(len(batch))
        return scores

    def score_both(
        self, record: Record, sites: NDArray[np.int64], stride: int, width: int, anchor: int
    ) -> tuple[Scores, Scores]:
        """Probabilities of equally spaced sites on both strands, each window scored once for the two.

        Returns:
            Forward and reverse, each shape `(sites,)`; see `score`.
        """
        shift = width - 1 - 2 * anchor
        more = abs(shift) // stride
        first, last = int(sites[0]) - max(shift, 0), int(sites[-1]) + max(-shift, 0)
        every = np.arange(first, last + 1, stride, dtype=np.int64)
        windows, inside = site_windows(record, every, stride, width, anchor, "+")
        told = 0
        ahead, back = (np.full(len(every), np.nan, dtype=np.float32) for _ in range(2))
        for start in range(0, len(every), self.batch_size):
            batch = windows[start : start + self.batch_size]
            useful = inside[start : start + self.batch_size] & ~_mostly_unknown(batch)
            if useful.any():
                pair = self.model.logits_both_strands(np.ascontiguousarray(batch[useful]))
                for scores, logits in zip((ahead, back), pair, strict=True):
                    scores[start : start + len(batch)][useful] = _softmax(logits)[:, self.column]
            done = start + len(batch)
            scored = 2 * len(sites) * done // len(every)
            self.report(scored - told)
            told = scored
        low, high = (more, 0) if shift > 0 else (0, more)
        return ahead[low : low + len(sites)], back[high : high + len(sites)]


def _mostly_unknown(windows: Codes) -> NDArray[np.bool_]:
    return 2 * (windows == UNKNOWN).sum(axis=1) > windows.shape[1]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def shares_windows(model: Classifier | TrackModel, width: int, anchor: int, stride: int, most: int) -> bool:
    """Whether one window serves two sites, read one way for each, by a model that does both at once.

    The forward window of a site and the reverse window of another are the same bases where the stride divides the
    distance between the two. Not worth it where that distance is more than `most` sites.
    """
    shift = abs(width - 1 - 2 * anchor)
    return hasattr(model, "logits_both_strands") and shift % stride == 0 and shift // stride < most


def _lead(width: int, anchor: int, strand: str) -> int:
    """Bases of a window that lie before its site on the forward strand."""
    return anchor if strand == "+" else width - 1 - anchor


def site_windows(
    record: Record, sites: NDArray[np.int64], stride: int, width: int, anchor: int, strand: str
) -> tuple[Codes, NDArray[np.bool_]]:
    """The windows of equally spaced sites, a view of one stretch of codes, and whether each fits.

    Returns:
        uint8 codes as the model reads them, shape `(sites, width)`, and bool, shape `(sites,)`.
    """
    starts = sites - _lead(width, anchor, strand)
    codes = context(record, int(starts[0]), int(starts[-1]) + width)
    if strand == "+":
        windows = sliding_window_view(codes, width)[::stride]
    else:
        # Read from the other end the last site comes first: step backwards to keep the order of positions.
        windows = sliding_window_view(reverse_complement(codes), width)[::-1][::stride]
    if record.circular:
        return windows, np.ones(len(sites), dtype=bool)
    return windows, (starts >= 0) & (starts + width <= len(record))


def context(record: Record, start: int, end: int) -> Codes:
    """Bases `[start, end)`, wrapped on a circular record, unknown beyond the ends of a linear one."""
    length = len(record)
    if start >= 0 and end <= length:
        return record.codes[start:end]
    index = np.arange(start, end)
    if record.circular:
        return record.codes[index % length]
    codes = np.full(end - start, UNKNOWN, dtype=np.uint8)
    within = (index >= 0) & (index < length)
    codes[within] = record.codes[index[within]]
    return codes
