"""The strip of the whole record on the page Long sequences: where one is, and by a drag or a click where one goes."""

from __future__ import annotations

import streamlit as st

from dashboard import scans
from dashboard.chart_watch import watch
from dashboard.charts.overview import Overview, overview_figure, words
from dashboard.charts.theme import look
from dashboard.views.scan_choice import Choice
from dashboard.views.scan_controls import SHORTEST_REGION
from dnalm.sequences import Record, Region
from dnalm.tracks.places import moved_into


def overview(choice: Choice) -> None:
    """Draw the strip; where the region is the whole record, the picture itself is that."""
    record, region = choice.record, choice.region
    if len(region) >= len(record):
        return
    shown = Overview(
        record=record,
        region=region,
        genes=choice.genes,
        sites=choice.kind.sites,
        sites_name=choice.kind.title,
        trained=choice.trained.stretches,
        track=scans.whole_track(choice.wanted(choice.bundle), len(record)),
    )
    # A strip for each region: the browser's own frame of the last drag goes with the strip it was drawn on.
    key = f"scan_overview_{region.record}_{region.start}_{region.end}"
    with st.container(key="scan_overview", gap=None):
        st.plotly_chart(
            overview_figure(shown, look()),
            theme=None,
            key=key,
            on_select=lambda: _picked(key, record),
            selection_mode="box",
            config={"displayModeBar": False},
            alt=f"{words(shown)} The stretch that is shown, {region}, is framed. The field Region does the same.",
        )
        watch("scan_overview", key, lambda at, _: _go(around(record, at, len(region))), click=True)


def _picked(key: str, record: Record) -> None:
    """A drag gives its stretch."""
    for box in st.session_state[key]["selection"].get("box", []):
        ends = [float(x) for x in box.get("x", [])]
        if len(ends) >= 2:
            _go(around(record, (min(ends) + max(ends)) / 2, max(ends) - min(ends)))


def _go(there: Region) -> None:
    st.query_params["region"] = str(there)
    st.query_params.pop("peak", None)


def around(record: Record, middle: float, span: float) -> Region:
    """A region of a span around a 1-based place, moved into the record, not shorter than can be shown."""
    wide = max(round(span), SHORTEST_REGION)
    return moved_into(record, round(middle - 1 - wide / 2), wide)
