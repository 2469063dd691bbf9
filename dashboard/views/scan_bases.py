"""At bases: what each base adds to the call at one site, as a logo under the scan."""

from __future__ import annotations

import numpy as np

from dashboard import explaining
from dashboard.charts.track_rows import Logo
from dashboard.state import Place
from dashboard.views.scan_choice import BASES, Choice
from dnalm.alphabet import Codes
from dnalm.interpret.logo import on_bases
from dnalm.tracks import Track, site_window
from dnalm.tracks.picture import shown_at

METHOD = "integrated-gradients"


def letters(choice: Choice) -> Codes | None:
    """The region's bases, where it is short enough for them to be read."""
    if len(choice.region) > BASES:
        return None
    positions = np.arange(choice.region.start, choice.region.end) % len(choice.record)
    return choice.record.codes[positions]


def best_place(track: Track) -> Place | None:
    """The site of the highest score in the picture; None where nothing was scored."""
    best: tuple[float, Place] | None = None
    for strand, scores in track.strands().items():
        if np.isnan(scores).all():
            continue
        index = int(np.nanargmax(scores))
        if best is None or scores[index] > best[0]:
            best = float(scores[index]), Place(int(track.wrapped[index]), strand)
    return best[1] if best else None


def logo(choice: Choice, track: Track, place: Place) -> Logo | None:
    """What each base adds to the log-odds at a site, read along its strand; None where the site is not in sight.

    Raises:
        DnalmError: others' pictures are being made, or it took too long.
    """
    at = shown_at(place.position, track)
    if at is None:
        return None
    anchor = choice.bundle.config.anchor if choice.bundle.config.anchor is not None else track.window // 2
    start, _, codes = site_window(choice.record, place.position, place.strand, window=track.window, anchor=anchor)
    found = explaining.attribution(choice.bundle, codes, METHOD, "background", None)
    heights = on_bases(np.asarray(found.bases), codes)
    if place.strand == "-":
        heights = heights[::-1]
    way = "left to right" if place.strand == "+" else "right to left, the letters of the reverse strand"
    title = f"What each base adds to the peak at {place.position + 1:,} ({place.strand}), read {way}"
    return Logo(at - (place.position - start), heights, title, place.strand)
