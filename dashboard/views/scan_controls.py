"""The inputs of the page Long sequences, each of which lives in the address."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import addressed, scans, uploads
from dashboard.person import acting_user
from dashboard.resources import Sequence
from dashboard.saying import plain
from dashboard.state import MODES, MOST_MODELS, STRANDS, STRIDES, VIEWS, WIDEST_WINDOW
from dashboard.views.scan_choice import Choice
from dnalm.errors import DnalmError
from dnalm.sequences import lies_in
from dnalm.tracks.places import moved_into

SHORTEST_REGION = 60
# What a biologist uploads is a genome or a plasmid; larger sequences are scanned with `dnalm scan`. Megabytes.
LARGEST_UPLOAD = 30
MODEL_HELP = (
    "A model tells apart what it was trained on. Track models and ecoli-starts-150 met sites from anywhere in the "
    "genome; the other shipped ones met negatives from inside genes alone, on one strand, "
    "and call much else a promoter."
)
REGION_HELP = (
    "FIRST-LAST counted from 1, such as 800,001-840,000 or 0.8M-0.84M, with or without RECORD: before it; one "
    "position; a gene or a known start by name, such as lacZ; or a record's name for all of it."
)
bound = partial(addressed.bound, "scan")


def controls(choice: Choice, sequences: list[Sequence]) -> None:
    """The main inputs in one row; the rest opens from the row below."""
    titles = {item.key: item.title for item in sequences}
    names = [item.name for item in choice.models]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Model", names, width=230, help=MODEL_HELP, **bound("model", choice.bundle.name, clears=("threshold",))
        )
        clears = ("region", "peak", "known")
        st.selectbox(
            "Sequence",
            list(titles),
            format_func=titles.get,
            width=270,
            **bound("sequence", choice.sequence.key, clears=clears),
        )
        # What could not be used, or a name, stays in the box as it was typed.
        typed = st.query_params.get("region", "").strip() or str(choice.region)
        st.text_input(
            "Region, position or gene", width=290, help=REGION_HELP, **bound("region", typed, clears=("peak",))
        )
        others = [name for name in names if name != choice.bundle.name]
        if others:
            st.multiselect(
                "Compare with",
                others,
                max_selections=MOST_MODELS - 1,
                placeholder="no other model",
                width=260,
                help="Drawn over the same stretch, a line each; peaks and figures stay the first model's.",
                **bound("with", [one.name for one in choice.also]),
            )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "View",
            list(VIEWS),
            format_func=VIEWS.get,
            required=True,
            label_visibility="collapsed",
            **bound("view", choice.state.view, default="picture"),
        )
        with st.popover("Known starts, strand, step", icon=":material/tune:"):
            _more(choice)
        with st.popover("Bring your own sequence", icon=":material/upload:"):
            upload()


def _more(choice: Choice) -> None:
    state, config = choice.state, choice.bundle.config
    if len(choice.records) > 1:
        st.selectbox(
            "Record",
            list(choice.records),
            index=list(choice.records).index(choice.record.id),
            width=260,
            key=f"scan_record_{choice.record.id}",
            on_change=_to_record,
            args=(f"scan_record_{choice.record.id}",),
        )
    kinds = {key: item.title for key, item in choice.known.items()}
    st.selectbox("Known starts", list(kinds), format_func=kinds.get, width=300, **bound("known", choice.known_kind))
    st.selectbox(
        "Strand", list(STRANDS), format_func=STRANDS.get, width=130, **bound("strand", state.strand, default="both")
    )
    mode = choice.wanted(choice.bundle).mode
    if len(config.modes) > 1:
        st.selectbox(
            "How",
            list(config.modes),
            format_func=MODES.get,
            width=220,
            help="At once: the model reads along the stretch and scores every base; a window a site: each site is read "
            "from a fresh start, as in training classifiers, which takes far longer.",
            **bound("mode", mode, default=config.modes[0]),
        )
    strides = {"auto": "auto", **{str(n): "base" if n == 1 else f"{n} bases" for n in STRIDES}}
    st.selectbox(
        "Score every",
        list(strides),
        format_func=strides.get,
        width=130,
        help="Auto: a kept scan of every base where there is one, else the finest step that comes at once.",
        **bound("stride", str(state.stride) if state.stride else "auto", default="auto"),
    )
    window = choice.wanted(choice.bundle).window
    told = {} if config.window else bound("window", window, default=str(scans.USUAL_WINDOW))
    st.number_input(
        "Window (bases)",
        1,
        WIDEST_WINDOW,
        disabled=config.window is not None,
        width=140,
        help="Bases that the model reads around a site; the model's own where it reads one length alone.",
        **(told or {"value": window, "key": f"scan_window_{choice.bundle.name}"}),
    )


def _to_record(key: str) -> None:
    st.query_params["region"] = st.session_state[key]
    st.query_params.pop("peak", None)


def matches(choice: Choice) -> None:
    """What a name that was typed fits, where it fits several things."""
    if not choice.found:
        return
    st.write(f"**{plain(choice.state.region or '')}** fits several; the first is shown.")
    with st.container(horizontal=True):
        for number, one in enumerate(choice.found):
            st.button(
                plain(f"{one.name}, {one.kind}, {one.start + 1:,}"),
                key=f"scan_found_{number}",
                on_click=_go,
                args=(str(one.region),),
            )


def travel(choice: Choice) -> None:
    """Buttons that move the region: they work from the keyboard, and each place has its address."""
    region, length = choice.region, len(choice.record)
    span, place = len(region), choice.state.peak
    middle = region.start + span // 2
    # One zooms to the site that one looks at.
    inside = place is not None and lies_in(place.position, region.start, region.end, choice.circle)
    target = place.position if place is not None and inside else middle
    near, far = max(span // 2, min(SHORTEST_REGION, span)), min(span * 2, length)
    steps = {
        "Left": (":material/chevron_left:", region.start - span // 2, span),
        "Right": (":material/chevron_right:", region.start + span // 2, span),
        "Zoom in": (":material/zoom_in:", target - near // 2, near),
        "Zoom out": (":material/zoom_out:", middle - far // 2, far),
        "Bases": (":material/abc:", target - 60, 120),
        "Whole record": (":material/zoom_out_map:", 0, length),
    }
    for label, (icon, start, wide) in steps.items():
        there = moved_into(choice.record, start, wide)
        st.button(label, key=f"scan_go_{label}", icon=icon, on_click=_go, args=(str(there),), disabled=there == region)


def _go(region: str) -> None:
    st.query_params["region"] = region


def upload() -> None:
    """Take a person's own sequence; it is kept, so that the address can name it."""
    file = st.file_uploader(
        "Your own sequence: FASTA or GenBank, plain or compressed",
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
