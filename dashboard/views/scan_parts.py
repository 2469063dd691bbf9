"""The parts of the page Long sequences: inputs that live in the address, and what stands below the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from dashboard import uploads
from dashboard.charts.sequence import sequence_html
from dashboard.charts.theme import look
from dashboard.download_row import Offered, download_row
from dashboard.features import Known
from dashboard.person import acting_user
from dashboard.state import Place, parse_place
from dnalm.alphabet import decode
from dnalm.errors import DnalmError
from dnalm.files import picture_bytes
from dnalm.sequences import Record, Region
from dnalm.tracks import Peak, Track, agreement, nearest_sites, site_window
from dnalm.tracks.boxes import find_boxes
from dnalm.tracks.export import bedgraph_text, tsv_text
from dnalm.tracks.picture import draw, shown_at
from dnalm.tracks.truth import DEFAULT_TOLERANCE

if TYPE_CHECKING:
    from dnalm.annotation import Gene, Site

SHORTEST_REGION = 200
# What a biologist uploads is a genome or a plasmid; larger sequences are scanned with `dnalm scan`. Megabytes.
LARGEST_UPLOAD = 30


def remember(parameter: str, *, default: str | None = None, clears: Sequence[str] = ()) -> None:
    """Write a widget's value into the address; its default, and what depends on it, leave the address."""
    value = str(st.session_state[f"scan_{parameter}"])
    for name in clears:
        st.query_params.pop(name, None)
    if value == default:
        st.query_params.pop(parameter, None)
    else:
        st.query_params[parameter] = value


def _put(parameter: str, value: Any) -> None:
    """Give a widget the address's value, only where it has another.

    A value that is put takes back what the person does in the same moment.
    """
    if st.session_state.get(f"scan_{parameter}") != value:
        st.session_state[f"scan_{parameter}"] = value


def select(
    label: str,
    parameter: str,
    options: list[str],
    value: str,
    *,
    width: int,
    show: Callable[[str], Any] | None = None,
    default: str | None = None,
    clears: Sequence[str] = (),
    explain: str | None = None,
) -> None:
    """A drop-down list bound to a parameter of the address, `width` pixels wide."""
    _put(parameter, value)
    st.selectbox(
        label,
        options,
        key=f"scan_{parameter}",
        format_func=show or str,
        help=explain,
        width=width,
        on_change=remember,
        args=(parameter,),
        kwargs={"default": default, "clears": clears},
    )


def text(label: str, parameter: str, value: str, *, width: int) -> None:
    """A line of text bound to a parameter of the address."""
    _put(parameter, value)
    st.text_input(
        label,
        key=f"scan_{parameter}",
        width=width,
        on_change=remember,
        args=(parameter,),
        kwargs={"default": "", "clears": ("peak",)},
        help="RECORD:FIRST-LAST, counted from 1, for example NC_000913.3:800,001-840,000",
    )


def threshold(value: float, *, width: int) -> None:
    """The slider of the least probability that counts as a peak."""
    _put("threshold", round(value, 2))
    st.slider(
        "Threshold (probability)",
        0.0,
        1.0,
        step=0.01,
        key="scan_threshold",
        width=width,
        on_change=remember,
        args=("threshold",),
        help="Sites at or over it are called, the highest of each 40 bases. The model's own until you move it.",
    )


def travel(region: Region, length: int) -> None:
    """Buttons that move the region: they work from the keyboard, and each place has its address."""
    span = region.end - region.start
    steps = {
        "Left": (":material/chevron_left:", -span // 2, span),
        "Right": (":material/chevron_right:", span // 2, span),
        "Zoom in": (":material/zoom_in:", span // 4, max(span // 2, SHORTEST_REGION)),
        "Zoom out": (":material/zoom_out:", -span // 2, span * 2),
    }
    with st.container(horizontal=True):
        for label, (icon, shift, wide) in steps.items():
            wide = min(wide, length)
            start = min(max(region.start + shift, 0), length - wide)
            there = Region(region.record, start, start + wide)
            disabled = there == region
            st.button(label, key=f"scan_go_{label}", icon=icon, on_click=_go, args=(str(there),), disabled=disabled)


def _go(region: str) -> None:
    st.query_params["region"] = region


def upload() -> None:
    """Take a person's own sequence; it is kept, so that the address can name it."""
    file = st.file_uploader(
        "FASTA or GenBank, plain or compressed",
        key="scan_upload",
        max_upload_size=LARGEST_UPLOAD,
        help="It is kept on the server that runs this page, for you alone until you share it on the page Data.",
    )
    if file is None or st.session_state.get("scan_upload_done") == file.file_id:
        return
    try:
        kept = uploads.keep(acting_user(), file.getvalue(), file.name)
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.session_state["scan_upload_done"] = file.file_id
    for name in ("region", "peak", "known"):
        st.query_params.pop(name, None)
    st.query_params["sequence"] = kept.key
    st.rerun()


def picked_in_chart() -> None:
    """A click on a peak or a known start: its site goes into the address."""
    points = st.session_state["scan_chart"]["selection"]["points"]
    for point in points:
        data = point.get("customdata")
        if isinstance(data, list | tuple) and data and isinstance(data[0], str):
            st.query_params["peak"] = str(parse_place(data[0]))
            return


def _picked_in_table(places: list[str]) -> None:
    rows = st.session_state["scan_table"]["selection"]["rows"]
    if rows:
        st.query_params["peak"] = places[rows[0]]


def summary(track: Track, peaks: Sequence[Peak], sites: Sequence[Site], kind: Known, region: Region) -> None:
    """How the calls and the known starts of this region agree, in counts."""
    here = [site for site in sites if shown_at(site.position, track) is not None]
    calls = f"**{len(peaks)}** {'peak' if len(peaks) == 1 else 'peaks'} at or over the threshold."
    if not here:
        st.write(calls)
        return
    counts = agreement(peaks, here, tolerance=DEFAULT_TOLERANCE)
    words = f"{calls} **{counts.found} of {counts.known}** known starts have a peak within {counts.tolerance} bases"
    if peaks and kind.covers(region):
        words += f"; **{counts.right} of {counts.calls}** peaks lie at a known start"
    st.write(words + ".")


def reading(record: Record, track: Track, place: Place, anchor: int | None, *, boxes: bool) -> None:
    """The sequence around a site as the model read it, letter by letter."""
    anchor = anchor if anchor is not None else track.window // 2
    start, end, codes = site_window(record, place.position, place.strand, window=track.window, anchor=anchor)
    strand = "forward" if place.strand == "+" else "reverse"
    st.subheader(f"The sequence at {place.position + 1:,}, {strand} strand")
    st.text(_words(track, place, start, end))
    found = find_boxes(codes, anchor) if boxes else None
    st.html(sequence_html(codes, anchor, look(), found))
    if found:
        st.caption(
            f"Shaded: the hexamers before the site most like the −35 box TTGACA ({found.matches_35} of 6 bases) and "
            f"the −10 box TATAAT ({found.matches_10} of 6), {found.spacer} bases apart. Numbers count from the site, "
            "+1, which is framed."
        )
    else:
        st.caption("Numbers count from the site, +1, which is framed.")
    st.code(f">{record.id}:{start + 1}-{end}({place.strand})\n{decode(codes)}", language=None)


def _words(track: Track, place: Place, start: int, end: int) -> str:
    at = shown_at(place.position, track)
    scores = track.strands().get(place.strand)
    if at is None or scores is None or (at - track.start) % track.stride:
        seen = "not scored in this picture"
    else:
        seen = f"probability {scores[(at - track.start) // track.stride]:.3f}"
    return f"{seen}; the model read bases {start + 1:,} to {end:,} of {track.record}"


def table(peaks: Sequence[Peak], sites: Sequence[Site], kind: Known) -> None:
    """The peaks as a table; choosing a row shows its sequence."""
    st.subheader("Peaks")
    if not peaks:
        st.write("No site reaches the threshold: move it down, or look at another region.")
        return
    matches = nearest_sites(peaks, sites)
    frame = pd.DataFrame(
        {
            "Position": [peak.position + 1 for peak in peaks],
            "Strand": [peak.strand for peak in peaks],
            "Probability": [peak.probability for peak in peaks],
        }
    )
    if any(match.site for match in matches):
        frame["Nearest known start"] = [match.site.name if match.site else "" for match in matches]
        frame["Distance (bases)"] = pd.array([match.offset for match in matches], dtype="Int64")
        st.caption(
            "Nearest known start on the same strand: " + kind.title.lower() + ". Distance: from it to the peak, "
            "positive downstream. Choose a row to see its sequence."
        )
    else:
        st.caption("Choose a row to see its sequence.")
    places = [str(Place(peak.position, peak.strand)) for peak in peaks]
    st.dataframe(
        frame,
        key="scan_table",
        hide_index=True,
        height=min(38 + 35 * len(peaks), 390),
        on_select=lambda: _picked_in_table(places),
        selection_mode="single-row",
        column_config={
            "Position": st.column_config.NumberColumn(format="localized"),
            "Probability": st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1),
            "Distance (bases)": st.column_config.NumberColumn(format="%+d"),
        },
    )


@dataclass(frozen=True)
class Picture:
    """What the picture of a track shows."""

    track: Track
    peaks: Sequence[Peak]
    sites: Sequence[Site]
    genes: Sequence[Gene]
    sites_name: str
    threshold: float

    def draw(self, kind: str) -> bytes:
        """The picture as the bytes of a "png" or "svg" file."""
        known = {"sites": self.sites, "sites_name": self.sites_name, "genes": self.genes}
        figure = draw(self.track, **known, peaks=self.peaks, threshold=self.threshold)
        return picture_bytes(figure, kind)


def downloads(picture: Picture) -> None:
    """Buttons for the picture and its data; each is made when it is asked for."""
    track = picture.track
    name = f"{track.model}.{track.record}.{track.start + 1}-{track.end}"
    offered = {
        "png": Offered("PNG", f"{name}.png", lambda: picture.draw("png")),
        "svg": Offered("SVG", f"{name}.svg", lambda: picture.draw("svg")),
        "bedgraph": Offered("bedGraph", f"{name}.bedgraph", lambda: bedgraph_text(track)),
        "tsv": Offered("TSV", f"{name}.tsv", lambda: tsv_text(track)),
    }
    download_row("scan", offered)
