"""Scan a long sequence with a model, call peaks, compare them with known sites, write and draw them."""

from dnalm.tracks.export import to_frame, write_bedgraph, write_bigwig, write_parquet, write_track, write_tsv
from dnalm.tracks.peaks import Peak, call_peaks
from dnalm.tracks.scan import RecordScan, ScanOptions, count_windows, mode_of, scan, window_of
from dnalm.tracks.track import Track, gather
from dnalm.tracks.truth import Agreement, Match, agreement, nearest_sites
from dnalm.tracks.windows import site_window

__all__ = [
    "Agreement",
    "Match",
    "Peak",
    "RecordScan",
    "ScanOptions",
    "Track",
    "agreement",
    "call_peaks",
    "count_windows",
    "gather",
    "mode_of",
    "nearest_sites",
    "scan",
    "site_window",
    "to_frame",
    "window_of",
    "write_bedgraph",
    "write_bigwig",
    "write_parquet",
    "write_track",
    "write_tsv",
]
