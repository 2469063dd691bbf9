"""The site that a person looks at: its sequence as the model read it, what lies around it, and where to go with it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import features
from dashboard.charts.sequence import sequence_html
from dashboard.charts.theme import look
from dashboard.links import link
from dashboard.saying import plain
from dashboard.state import Place
from dashboard.views.scan_choice import Choice
from dnalm.alphabet import decode
from dnalm.sequences import lies_in
from dnalm.tracks import Track, site_window
from dnalm.tracks.boxes import find_boxes
from dnalm.tracks.picture import shown_at
from dnalm.tracks.places import neighbours
from dnalm.tracks.verdicts import Judged

WIDEST_SHOWN = 161
"""Bases of a window whose letters are shown; of longer ones those around the site."""
_NEAR = 3
_STRANDS = {"+": "forward", "-": "reverse"}
_LABELS = {
    "right": "at a known start",
    "wrong": "no known start there, which does not prove it wrong",
    "unknown": "no table of starts speaks of this place",
}


def site(choice: Choice, track: Track, place: Place, calls: Sequence[Judged]) -> None:
    """Draw all of it."""
    st.subheader(f"The sequence at {place.position + 1:,}, {_STRANDS[place.strand]} strand")
    _reading(choice, track, place, calls)
    _around(choice, place, calls)
    _onward(choice, place)


def _reading(choice: Choice, track: Track, place: Place, calls: Sequence[Judged]) -> None:
    """The sequence around a site as the model read it, letter by letter."""
    config, record = choice.bundle.config, choice.record
    window = track.window
    anchor = config.anchor if config.anchor is not None else window // 2
    shown, at = window, anchor
    if window > WIDEST_SHOWN:
        shown, at = WIDEST_SHOWN, WIDEST_SHOWN // 2
    start, end, codes = site_window(record, place.position, place.strand, window=shown, anchor=at)
    read = site_window(record, place.position, place.strand, window=window, anchor=anchor)
    st.text(_words(track, place, read[0], read[1], calls))
    boxes = find_boxes(codes, at) if features.calls_transcription_starts(choice.bundle) else None
    st.html(sequence_html(codes, at, look(), boxes))
    numbers = "Numbers count from the site, +1, which is framed."
    if boxes:
        numbers = (
            f"Shaded: the hexamers before the site most like the −35 box TTGACA ({boxes.matches_35} of 6 bases) and "
            f"the −10 box TATAAT ({boxes.matches_10} of 6), {boxes.spacer} bases apart. {numbers}"
        )
    st.caption(numbers)
    st.code(f">{record.id}:{start + 1}-{end}({place.strand})\n{decode(codes)}", language=None)


def _words(track: Track, place: Place, start: int, end: int, calls: Sequence[Judged]) -> str:
    at = shown_at(place.position, track)
    scores = track.strands().get(place.strand)
    if at is None or scores is None or (at - track.start) % track.stride:
        seen = "not scored in this picture"
    else:
        seen = f"probability {scores[(at - track.start) // track.stride]:.3f}"
    judged = next(
        (one for one in calls if (one.peak.position, one.peak.strand) == (place.position, place.strand)), None
    )
    known = f" A peak: {_LABELS[judged.verdict]}." if judged is not None else ""
    return f"{seen}; the model read bases {start + 1:,} to {end:,} of {track.record}.{known}"


def _around(choice: Choice, place: Place, calls: Sequence[Judged]) -> None:
    """What lies near: known starts, genes, the next calls."""
    rows = [*_starts(choice, place), *_genes(choice, place), *_calls(choice, place, calls)]
    if not rows:
        st.caption("No known start, gene or other peak lies near.")
        return
    st.markdown("**What lies around it**")
    frame = pd.DataFrame(rows, columns=["What", "Name", "Position", "Strand", "Distance (bases)", "Where"])
    st.dataframe(
        frame,
        hide_index=True,
        height=38 + 35 * len(frame),
        column_config={
            "Position": st.column_config.NumberColumn(format="localized"),
            "Distance (bases)": st.column_config.NumberColumn(format="localized"),
        },
    )


def _step(choice: Choice, here: int, there: int) -> int:
    """Bases from one position to another along the forward strand, the short way round a circle."""
    step, circle = there - here, choice.circle
    return (step + circle // 2) % circle - circle // 2 if circle else step


def _row(choice: Choice, place: Place, what: str, name: str, position: int, strand: str) -> list[object]:
    step = _step(choice, place.position, position)
    along = step if place.strand == "+" else -step
    where = "here" if along == 0 else "downstream" if along > 0 else "upstream"
    return [what, name, position + 1, strand, abs(along), where]


def _starts(choice: Choice, place: Place) -> list[list[object]]:
    if choice.known_kind == features.GENES:  # told as genes
        return []
    here = [known for known in choice.kind.sites if known.record == choice.record.id]
    nearest = sorted(here, key=lambda known: abs(_step(choice, place.position, known.position)))[:_NEAR]
    return [_row(choice, place, "known start", known.name, known.position, known.strand) for known in nearest]


def _genes(choice: Choice, place: Place) -> list[list[object]]:
    rows = []
    for gene, _ in neighbours(place.position, choice.record, choice.genes, most=_NEAR):
        row = _row(choice, place, f"start of a gene ({gene.kind})", gene.name, gene.start_site, gene.strand)
        if lies_in(place.position, gene.start, gene.end, choice.circle):
            row[-1] = f"{row[-1]}; the site lies in the gene"
        rows.append(row)
    return rows


def _calls(choice: Choice, place: Place, calls: Sequence[Judged]) -> list[list[object]]:
    others = [one.peak for one in calls if (one.peak.position, one.peak.strand) != (place.position, place.strand)]
    nearest = sorted(others, key=lambda peak: abs(_step(choice, place.position, peak.position)))[:_NEAR]
    return [
        _row(choice, place, "peak", f"probability {peak.probability:.3f}", peak.position, peak.strand)
        for peak in nearest
    ]


def _onward(choice: Choice, place: Place) -> None:
    """The way to the pages that say why the site was called."""
    bundle, named = choice.bundle, choice.bundle.name
    if bundle.config.kind == "track":
        other = next((one for one in choice.models if one.config.kind == "classifier" and one.config.window), None)
        if other is None:
            return
        st.caption(
            f"Saliency and Mutation sensitivity read classifiers; {plain(named)} scores whole stretches. At bases, the "
            f"picture above shows what it reads. {plain(other.name)} can be asked about the same site:"
        )
        named = other.name
    position = f"{choice.record.id}:{place.position + 1:,}({place.strand})"
    query = {"model": named, "source": "genome", "genome": choice.sequence.key, "region": position}
    with st.container(horizontal=True):
        link("saliency", "Which bases does the model read here?", icon=":material/equalizer:", query=query)
        link("mutation", "What would a mutation do here?", icon=":material/edit:", query=query)
