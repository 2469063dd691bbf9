"""Windows taken evenly from what a scan reads, to see on them how far a faster model strays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnalm.alphabet import Codes
from dnalm.tracks.windows import site_window

if TYPE_CHECKING:
    from dnalm.sequences import Record


def sample_windows(record: Record, start: int, end: int, *, window: int, anchor: int, count: int = 256) -> Codes:
    """Windows of sites spread evenly over a stretch, their strands in turn.

    Args:
        record: the sequence.
        start: first base of the stretch, 0-based.
        end: one past its last base.
        window: window length in bases.
        anchor: offset of the site in the window.
        count: sites wanted; fewer are taken where the stretch has fewer.

    Returns:
        Base codes as the model reads them, shape `(sites, window)`; bases beyond a linear record's ends are unknown.
    """
    sites = np.unique(np.linspace(start, end - 1, min(count, end - start)).astype(np.int64))
    told = {"window": window, "anchor": anchor}
    return np.stack([site_window(record, int(site), "+-"[i % 2], **told)[2] for i, site in enumerate(sites)])
