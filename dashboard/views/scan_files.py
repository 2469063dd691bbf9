"""The picture of a scan and what it shows, as files; each is made when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import scans
from dashboard.charts.track import Shown
from dashboard.download_row import Offered, download_row
from dashboard.views.scan_choice import Choice
from dashboard.views.scan_downloads import scan_downloads
from dashboard.views.scan_tracks import Scanned
from dnalm.alphabet import decode
from dnalm.tracks import igv_session
from dnalm.tracks.igv_session import View
from dnalm.tracks.verdicts import Judged, Sliding
from dnalm.tracks.wig import wig_text

_FIRST = ("png", "svg", "bedgraph", "bigwig_plus", "bigwig_minus", "tsv")


def view_of(choice: Choice, scanned: Sequence[Scanned], threshold: float) -> View:
    """What files and genome browsers hold: each model's track and peaks, the first model's at the threshold set."""
    held = []
    for number, one in enumerate(scanned):
        own = one.wanted.bundle.config.threshold
        least = threshold if number == 0 else 0.5 if own is None else own
        held.append(igv_session.Scanned(one.track, scans.peaks_over(one.wanted, one.track, least)))
    return View(choice.record, choice.region, held, choice.kind.sites, choice.kind.title, choice.genes)


def image(choice: Choice, scanned: Sequence[Scanned], threshold: float) -> bytes:
    """The picture as a PNG file."""
    made = scan_downloads(view_of(choice, scanned, threshold), threshold=threshold)["png"].make()
    assert isinstance(made, bytes)
    return made


def downloads(choice: Choice, scanned: Sequence[Scanned], shown: Shown, sliding: Sliding) -> None:
    """Buttons for the picture and its data."""
    offered = scan_downloads(view_of(choice, scanned, shown.threshold), threshold=shown.threshold)
    with st.container(horizontal=True, vertical_alignment="center"):
        download_row("scan", {key: offered[key] for key in _FIRST if key in offered})
        with st.popover("More files", icon=":material/folder_zip:"):
            rest = {key: one for key, one in offered.items() if key not in _FIRST}
            for key, one in (rest | _own(choice, shown, sliding)).items():
                download_row("scan", {key: one}, label="")


def _own(choice: Choice, shown: Shown, sliding: Sliding) -> dict[str, Offered]:
    """What only this page knows: what is known of each peak, the curve, the letters, what each base adds."""
    track = shown.track
    name = f"{track.model}.{track.record}.{track.start + 1}-{track.end}"
    found = {}
    if shown.calls:
        found["judged"] = Offered(
            "Peaks with what is known of them, TSV", f"{name}.judged.tsv", lambda: _tsv(judged_frame(shown.calls))
        )
    if len(sliding.scores) and sliding.known:
        found["curve"] = Offered(
            "Precision and recall, TSV", f"{name}.precision-recall.tsv", lambda: _tsv(curve_frame(sliding))
        )
    region = choice.region
    found["fasta"] = Offered("Sequence, FASTA", f"{name}.fa", lambda: _fasta(choice))
    if shown.logo is not None:
        logo = shown.logo
        # A window at the end of a line reaches past it; no base is there.
        ends = (0, None) if choice.circle else (max(-logo.start, 0), len(choice.record) - logo.start)
        heights = logo.heights.sum(axis=1)[slice(*ends)]
        found["saliency"] = Offered(
            "What each base adds, wig",
            f"{name}.saliency.wig",
            lambda: wig_text(
                region.record, logo.start + ends[0], heights, name=logo.title, record_length=choice.circle
            ),
        )
    return found


def _fasta(choice: Choice) -> str:
    region = choice.region
    positions = np.arange(region.start, region.end) % len(choice.record)
    letters = decode(choice.record.codes[positions])
    lines = [letters[first : first + 80] for first in range(0, len(letters), 80)]
    return "\n".join([f">{region.record}:{region.start + 1}-{region.end}", *lines]) + "\n"


def judged_frame(calls: Sequence[Judged]) -> pd.DataFrame:
    """The peaks with what is known of each; positions from 1, as in all tables of peaks."""
    return pd.DataFrame(
        {
            "record": [one.peak.record for one in calls],
            "position": [one.peak.position + 1 for one in calls],
            "strand": [one.peak.strand for one in calls],
            "probability": [one.peak.probability for one in calls],
            "verdict": [one.verdict for one in calls],
            "nearest_known_start": [one.site.name if one.site else "" for one in calls],
            "distance": pd.array([one.offset for one in calls], dtype="Int64"),
        }
    )


def curve_frame(sliding: Sliding) -> pd.DataFrame:
    """Precision and recall at the score of each peak, the highest first."""
    return pd.DataFrame(
        {
            "threshold": sliding.scores,
            "peaks": range(1, len(sliding.scores) + 1),
            "spoken_of": sliding.spoken,
            "right": sliding.right,
            "found": sliding.found,
            "precision": sliding.precision,
            "recall": sliding.recall,
        }
    )


def _tsv(frame: pd.DataFrame) -> str:
    return frame.to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n")
