"""The tab Genome browser of the page Long sequences: the same tracks in igv.js.

    genome_browser(choice.sequence, View(record, region, [Scanned(track, peaks)], sites, sites_name, genes))

draws the tab. Call it only while the tab is open: it writes the files that igv.js reads (`dashboard.track_cache`).
"""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from dashboard import igv_copy, track_cache
from dashboard.charts.theme import DARK, look
from dashboard.download_row import download_row
from dashboard.resources import Sequence
from dashboard.track_files import page_address
from dashboard.views.scan_downloads import scan_downloads
from dnalm.errors import DnalmError
from dnalm.tracks.igv_session import View, rows

# What stands above the rows, and around each; pixels.
_HEAD, _AROUND, _MOST = 150, 8, 1000


def genome_browser(sequence: Sequence, view: View) -> None:
    """Draw the tab: igv.js with the scores, peaks, known starts and genes of a view, at its region.

    Args:
        sequence: the one that the record is of; who may read it may see the tab.
        view: what is shown.
    """
    _browser(sequence, view)
    # IGV on one's own computer has no bounds that are a server's.
    download_row("scan_browser", {"igv": scan_downloads(view)["igv"]})


def _browser(sequence: Sequence, view: View) -> None:
    copy, why = igv_copy.find_copy()
    if copy is None:
        st.info(
            f"{why} Whoever looks after this server can fetch it with the command below, from npm or PyPI, or out of a "
            "file brought from another machine; then reload this page. The session below shows the same tracks in IGV "
            "on your own computer.",
            icon=":material/extension_off:",
        )
        st.code(f"{igv_copy.HOW_TO}\n{igv_copy.HOW_TO} igv-{igv_copy.NPM_VERSION}.tgz", language="bash")
        return
    try:
        with st.spinner("Writing the tracks for the genome browser"):
            prepared = track_cache.prepare(sequence.key, view)
    except (DnalmError, OSError) as error:
        st.error(
            f"The genome browser cannot show this: {error}. The session below opens in IGV on your own computer.",
            icon=":material/error:",
        )
        return
    address = page_address(sequence.key, prepared, dark=look() is DARK, page_query=urlencode(st.query_params.to_dict()))
    shown = rows(view)
    height = min(_HEAD + sum(row.height + _AROUND for row in shown), _MOST)
    st.iframe(address, height=height, alt=f"Genome browser at {view.region}: {', '.join(row.name for row in shown)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button("Open alone in a window", address, icon=":material/open_in_new:")
        st.caption(
            "Drag to move, double-click to zoom in, or type the name of a gene or a place such as "
            f"{view.record.id}:{view.region.start + 1:,}-{min(view.region.start + 500, view.region.end):,}. "
            f"Scores are rounded to .001. Drawn by igv.js {copy.version}, from {copy.source}."
        )
