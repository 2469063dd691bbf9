"""Long sequences: where along this sequence does the model see promoters?"""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.charts.overview import HEIGHT
from dashboard.saying import plain
from dashboard.views.genome_browser import genome_browser
from dashboard.views.scan_choice import read_choice
from dashboard.views.scan_controls import controls, matches, travel, upload
from dashboard.views.scan_files import view_of
from dashboard.views.scan_overview import overview
from dashboard.views.scan_picture import picture
from dashboard.views.scan_tracks import scanned
from dnalm.errors import DnalmError


def main() -> None:
    """Draw the page from its address."""
    st.title("Where along this sequence does the model see promoters?")
    models, sequences = resources.scanners(), resources.sequences()
    if not models or not sequences:
        _nothing_here(bool(models))
        return
    st.write(
        "The model reads both strands; the picture is the probability that a site is the start of a promoter. Known "
        "starts are red."
    )
    try:
        choice = read_choice(models, sequences)
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    controls(choice, sequences)
    for problem in choice.problems:
        st.warning(plain(problem), icon=":material/warning:")
    matches(choice)
    # Filled at the end, since the picture is what people wait for; its place is kept, so that nothing jumps.
    strip = st.container(key="scan_strip", gap=None)
    if choice.state.view == "picture" and len(choice.region) < len(choice.record):
        strip.html(f"<style>.st-key-scan_strip {{ min-height: {HEIGHT}px; }}</style>")
    found = scanned(choice)
    if found and choice.state.view == "browser":
        threshold = choice.state.threshold
        threshold = choice.usual_threshold if threshold is None else threshold
        genome_browser(choice.sequence, view_of(choice, found, threshold))
    elif found:
        picture(choice, found)
    else:
        with st.container(horizontal=True):
            travel(choice)
    if choice.state.view == "picture":
        with strip:
            overview(choice)


def _nothing_here(has_models: bool) -> None:
    if has_models:
        st.info("There is no sequence to scan yet. Bring your own:", icon=":material/upload:")
        upload()
        return
    st.info(
        "No classifier is here yet, so there is nothing to scan with. Train one, which takes all three phases, "
        "or import a bundle that someone gave you; then reload this page.",
        icon=":material/model_training:",
    )
    st.code("dnalm train --preset small --dataset ecoli-sigma70-81\ndnalm models import BUNDLE_FOLDER", language="bash")


main()
