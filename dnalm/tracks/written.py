"""Write a long scan to its file, and call its peaks on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnalm.tracks.calling import PeakCaller
from dnalm.tracks.long_scan import LongScan
from dnalm.tracks.peaks import Peak
from dnalm.tracks.scan import RecordScan
from dnalm.tracks.track import Track
from dnalm.tracks.windows import Progress
from dnalm.tracks.writer import Writer

Opening = Callable[[Mapping[str, int], Sequence[str], Path], Writer]
"""Opens a writer: bases of each record, strands, and a folder for half-written files."""


@dataclass(frozen=True)
class ScannedRecord:
    """What was scanned of a record.

    Attributes:
        record: its name.
        start: first base scanned, 0-based.
        end: one past the last; beyond `length` where the region runs over the origin.
        length: bases of the record.
        circular: whether it is a circle.
        sites: positions that were scored.
        window: bases of a window.
        peaks: calls, by position along the region.
    """

    record: str
    start: int
    end: int
    length: int
    circular: bool
    sites: int
    window: int
    peaks: list[Peak]


def write_scan(
    scan: LongScan, opening: Opening, *, threshold: float, progress: Progress | None = None
) -> tuple[list[Path], list[ScannedRecord]]:
    """Write a scan as its pieces come, and remove the pieces when the files are there.

    Args:
        scan: entered.
        opening: makes the writer, for example of `open_writer`.
        threshold: least probability of a peak.
        progress: called with scores done and scores in all.

    Returns:
        The files, and what was scanned of each record.
    """
    strands = "+-" if scan.options.strand == "both" else scan.options.strand
    writer = opening(scan.lengths, strands, scan.scratch)
    records: list[ScannedRecord] = []
    try:
        calls: _Calls | None = None
        for work, piece in scan.pieces(progress):
            if calls is None or calls.of.record.id != piece.record:
                if calls is not None:
                    records.append(calls.finish())
                calls = _Calls(scan.scan_of(work), threshold)
            writer.add(piece)
            calls.add(piece)
        if calls is not None:
            records.append(calls.finish())
        files = writer.close()
    finally:
        writer.abandon()
    scan.remove()
    return files, records


class _Calls:
    """The calls of one record."""

    def __init__(self, of: RecordScan, threshold: float) -> None:
        self.of = of
        around = of.record.circular and of.end - of.start == len(of.record)
        self._caller = PeakCaller(threshold, round=around)
        # What lies past the origin comes first and belongs last. Circles are small: it may wait.
        self._past: list[Track] = []
        self._sites = 0

    def add(self, piece: Track) -> None:
        self._sites += len(piece)
        if piece.start >= len(self.of.record):
            self._past.append(piece)
        else:
            self._caller.add(piece)

    def finish(self) -> ScannedRecord:
        for piece in self._past:
            self._caller.add(piece)
        of = self.of
        return ScannedRecord(
            record=of.record.id,
            start=of.start,
            end=of.end,
            length=len(of.record),
            circular=of.record.circular,
            sites=self._sites,
            window=of.width,
            peaks=self._caller.finish(),
        )
