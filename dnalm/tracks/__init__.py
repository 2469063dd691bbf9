"""Scan a long sequence with a classifier, call peaks, compare them with known sites, write and draw them."""

from dnalm.tracks.scan import Track, count_windows, gather, scan, site_window, window_of

__all__ = ["Track", "count_windows", "gather", "scan", "site_window", "window_of"]
