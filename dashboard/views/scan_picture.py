"""The picture of the page Long sequences and what stands below it: drawn anew without a new scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from dashboard import scans
from dashboard.chart_watch import watch
from dashboard.charts.drawn import until_drawn
from dashboard.charts.theme import LIGHT, look
from dashboard.charts.track import Shown, track_figure
from dashboard.saying import plain
from dashboard.state import USUAL_TOLERANCE, Place, ScanState, parse_place, read_state
from dashboard.views import scan_bases, scan_files, scan_truth
from dashboard.views.scan_choice import BASES, Choice
from dashboard.views.scan_controls import travel
from dashboard.views.scan_overview import around
from dashboard.views.scan_site import site
from dashboard.views.scan_tracks import Scanned, command, every_base
from dnalm.errors import DnalmError
from dnalm.tracks.verdicts import Judged, judge

MOST_ROWS = 2_000
_VERDICTS = {"right": "right", "wrong": "no known start", "unknown": "unknown"}


@st.fragment
def picture(choice: Choice, scanned: Sequence[Scanned]) -> None:
    """Draw it. What moves no scan (threshold, tolerance, the site that is chosen) draws this part alone anew."""
    state, _ = read_state(st.query_params)
    if _scan_of(state) != _scan_of(choice.state):
        st.rerun()  # a drag over the picture chose another stretch: the inputs above follow, and a scan
    choice = replace(choice, state=state)
    first, track = scanned[0], scanned[0].track
    threshold = state.threshold if state.threshold is not None else choice.usual_threshold
    with st.container(horizontal=True, vertical_alignment="bottom"):
        travel(choice)
        scan_truth.threshold_and_tolerance(choice, threshold, state.tolerance)
    sites = [site for site in choice.kind.sites if site.strand in track.strands() and site.record == track.record]
    told = {"tolerance": state.tolerance, "covered": choice.kind.complete, "circular_length": choice.circle}
    calls = judge(scans.peaks_over(first.wanted, track, threshold), sites, **told)
    told = {"tolerance": state.tolerance, "known": choice.known_kind, "table": choice.kind, "circle": choice.circle}
    sliding = scans.sliding(first.wanted, track, threshold, **told)
    place = state.peak or _best(calls)
    shown = Shown(
        tracks=[one.track for one in scanned],
        threshold=threshold,
        calls=calls,
        sites=sites,
        sites_name=choice.kind.title,
        genes=choice.genes,
        trained=choice.trained.stretches,
        place=place,
        letters=scan_bases.letters(choice),
    )
    shown = _with_logo(choice, shown)
    _chart(choice, scanned, shown)
    st.caption(_resolution(choice, shown))
    if track.stride > 1 and state.stride is None:
        every_base(choice, first)
    scan_truth.figures(choice, sliding, threshold, state.tolerance, len(calls))
    scan_files.downloads(choice, scanned, shown, sliding)
    if place is not None:
        site(choice, track, place, calls)
    _table(choice, calls)
    st.subheader("At the shell")
    st.write("The same scores as a file, from the command line:")
    st.code(command(choice, track.stride), language="bash")


def _scan_of(state: ScanState) -> ScanState:
    """What a scan depends on."""
    return replace(state, threshold=None, tolerance=USUAL_TOLERANCE, peak=None)


def _best(calls: Sequence[Judged]) -> Place | None:
    if not calls:
        return None
    best = max(calls, key=lambda one: one.peak.probability).peak
    return Place(best.position, best.strand)


def _with_logo(choice: Choice, shown: Shown) -> Shown:
    place = shown.place or scan_bases.best_place(shown.track)
    if shown.letters is None or place is None:
        return shown
    try:
        with st.spinner("Asking what each base adds"):
            logo = scan_bases.logo(choice, shown.track, place)
            if logo is None and (best := scan_bases.best_place(shown.track)) is not None:
                logo = scan_bases.logo(choice, shown.track, best)
    except DnalmError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        return shown
    return replace(shown, logo=logo)


def _chart(choice: Choice, scanned: Sequence[Scanned], shown: Shown) -> None:
    figure = track_figure(shown, look())
    region = choice.region
    # A chart for each region: the browser's own frame of the last drag goes with the chart it was drawn on.
    key = f"scan_chart_{region.record}_{region.start}_{region.end}"
    with st.container(key="scan_picture", gap=None):
        place_of_image = st.empty()
        if "scan_drawn" not in st.session_state and look() is LIGHT:  # the image is drawn on white
            image = until_drawn(
                scan_files.image(choice, scanned, shown.threshold), "scan_picture", int(figure.layout.height)
            )
            place_of_image.html(image)
        st.session_state["scan_drawn"] = True
        st.plotly_chart(
            figure,
            theme=None,
            key=key,
            on_select=lambda: _picked(key),
            selection_mode="points",
            config={"displaylogo": False, "modeBarButtonsToRemove": ["autoScale2d"]},
            alt=f"Probability of {shown.track.label} along {region} by {', '.join(one.model for one in shown.tracks)}; "
            f"{len(shown.calls)} peaks at or over {shown.threshold:.2f}, which the table below lists.",
        )

        watch("scan_picture", key, lambda low, high: _zoomed(choice, low, high), zoom=True)


def _zoomed(choice: Choice, low: float, high: float) -> None:
    """What is zoomed to becomes the region, which is then shown as finely as it can be."""
    there = around(choice.record, (low + high) / 2, high - low)
    if there != choice.region:
        st.query_params["region"] = str(there)


def _picked(key: str) -> None:
    """A click on a peak or a known start puts its site into the address."""
    for point in st.session_state[key]["selection"].get("points", []):
        data = point.get("customdata")
        if isinstance(data, list | tuple) and data and isinstance(data[0], str) and "-" in data[0]:
            st.query_params["peak"] = str(parse_place(data[0]))
            return


def _resolution(choice: Choice, shown: Shown) -> str:
    track, region = shown.track, choice.region
    step = "every base" if track.stride == 1 else f"one base in {track.stride}"
    how = "read at once" if track.mode == "stream" else f"each in a window of {track.window} bases"
    words = f"{plain(str(region))}: {step} of each strand scored, {how}."
    if track.stride > 1:
        words += " Peaks between scored sites are missed, so recall is too low here."
    if len(region) > BASES:
        words += f" From {BASES} bases down, letters and what each of them adds are shown."
    return words + " Drag over the picture to look closer; click a peak for its sequence."


def _table(choice: Choice, calls: Sequence[Judged]) -> None:
    """The calls as a table; choosing a row, or one of the list above it, shows its sequence."""
    st.subheader("Peaks")
    if not calls:
        st.write("No site reaches the threshold: move it down, or look at another region.")
        return
    kept = sorted(calls, key=lambda one: -one.peak.probability)[:MOST_ROWS]
    if len(calls) <= MOST_ROWS:
        kept = list(calls)
    places = [str(Place(one.peak.position, one.peak.strand)) for one in kept]
    labels = {
        place: f"{one.peak.position + 1:,} ({one.peak.strand}), {one.peak.probability:.3f}"
        for place, one in zip(places, kept, strict=True)
    }
    now = str(choice.state.peak) if choice.state.peak is not None else None
    st.selectbox(
        "Go to a peak",
        places,
        index=places.index(now) if now in places else None,
        format_func=labels.get,
        placeholder="choose one for its sequence",
        width=330,
        key="scan_call",
        on_change=_chosen_call,
    )
    frame = frame_of(kept)
    if any(one.site for one in kept):
        st.caption(
            f"Nearest known start on the same strand: {choice.kind.title.lower()}. Distance: from it to the peak, "
            "positive downstream. Choose a row to see its sequence."
        )
    else:
        st.caption("Choose a row to see its sequence.")
    if len(calls) > MOST_ROWS:
        st.caption(f"The {MOST_ROWS:,} highest of {len(calls):,} peaks; the downloads hold all.")
    st.dataframe(
        frame,
        key="scan_table",
        hide_index=True,
        height=min(38 + 35 * len(frame), 390),
        on_select=lambda: _picked_in_table(places),
        selection_mode="single-row",
        column_config={
            "Position": st.column_config.NumberColumn(format="localized"),
            "Probability": st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1),
            "Distance (bases)": st.column_config.NumberColumn(format="%+d"),
        },
    )


def frame_of(calls: Sequence[Judged]) -> pd.DataFrame:
    """The calls as a table; positions from 1."""
    frame = pd.DataFrame(
        {
            "Position": [one.peak.position + 1 for one in calls],
            "Strand": [one.peak.strand for one in calls],
            "Probability": [one.peak.probability for one in calls],
            "Known": [_VERDICTS[one.verdict] for one in calls],
        }
    )
    if any(one.site for one in calls):
        frame["Nearest known start"] = [one.site.name if one.site else "" for one in calls]
        frame["Distance (bases)"] = pd.array([one.offset for one in calls], dtype="Int64")
    return frame


def _chosen_call() -> None:
    if st.session_state["scan_call"]:
        st.query_params["peak"] = st.session_state["scan_call"]


def _picked_in_table(places: list[str]) -> None:
    rows = st.session_state["scan_table"]["selection"]["rows"]
    if rows:
        st.query_params["peak"] = places[rows[0]]
