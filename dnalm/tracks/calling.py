"""Peaks of a scan as its pieces come: a genome's track is never held whole for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dnalm.tracks.peaks import DEFAULT_DISTANCE, Peak, call_peaks
from dnalm.tracks.track import Track, gather

# Where every site is over the threshold there is no place to cut; then a cut falls after so many sites.
_MOST_SITES = 1 << 22


class PeakCaller:
    """Calls the peaks of one record's track from its pieces, as `call_peaks` would of the whole.

    Two peaks know of one another only where every stretch between them that is as long as the distance has a site over
    the threshold. Elsewhere the track can be cut.

    Args:
        threshold: least probability of a call, 0 to 1.
        distance: of two maxima of one strand nearer than this, in bases, the higher is kept.
        round: the pieces go once around a circle: a peak at the origin then counts once.
    """

    def __init__(self, threshold: float, *, distance: int = DEFAULT_DISTANCE, round: bool = False) -> None:
        self.threshold, self.distance, self.round = threshold, distance, round
        self.peaks: list[Peak] = []
        self._waiting: list[Track] = []
        self._head: Track | None = None

    def add(self, piece: Track) -> None:
        """Take the next piece."""
        self._waiting.append(piece)
        sites = sum(map(len, self._waiting))
        # Most pieces hold a place to cut at their end; look at a long wait only as it doubles.
        if len(self._waiting) > 1 and self._cut(piece) is None and sites < _MOST_SITES:
            return
        track = gather(self._waiting)
        cut = self._cut(track)
        if cut is None:
            cut = len(track) if sites >= _MOST_SITES else 0
        if cut:
            self._take(_between(track, 0, cut))
        self._waiting = [_between(track, cut, len(track))] if cut < len(track) else []

    def finish(self) -> list[Peak]:
        """The peaks of all pieces, by position along the track."""
        rest, head = self._waiting, self._head
        if head is not None:
            shift = head.record_length
            rest = [*rest, replace(head, positions=head.positions + shift, end=head.end + shift)]
        if rest:
            self._call(gather(rest), circular=self.round and head is None)
        if head is not None:
            self.peaks.sort(key=lambda peak: (peak.position - head.start) % head.record_length)
        self._waiting, self._head = [], None
        return self.peaks

    def _take(self, track: Track) -> None:
        if self.round and self._head is None:
            self._head = track  # its beginning lies beside the last piece's end
        else:
            self._call(track)

    def _call(self, track: Track, *, circular: bool = False) -> None:
        self.peaks += call_peaks(track, self.threshold, distance=self.distance, circular=circular)

    def _cut(self, track: Track) -> int | None:
        """The last site before which there is nothing over the threshold for the distance; None where there is none."""
        spacing = max(1, -(-self.distance // track.stride))
        over = np.zeros(len(track), dtype=bool)
        for scores in track.strands().values():
            over |= scores >= self.threshold  # nan is not
        high = np.flatnonzero(over)
        if not len(high) or len(over) - 1 - high[-1] >= spacing:
            return len(over) if len(over) >= spacing else None
        gaps = np.flatnonzero(np.diff(high) > spacing)
        return int(high[gaps[-1] + 1]) if len(gaps) else None


def _between(track: Track, first: int, last: int) -> Track:
    return replace(
        track,
        start=int(track.positions[first]),
        end=int(track.positions[last]) if last < len(track) else track.end,
        positions=track.positions[first:last],
        forward=None if track.forward is None else track.forward[first:last],
        reverse=None if track.reverse is None else track.reverse[first:last],
    )
