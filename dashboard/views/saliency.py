"""Saliency: which bases made the model call this sequence what it called it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from dashboard import addressed, explaining, resources
from dashboard.charts.saliency import Row, saliency_figure
from dashboard.charts.theme import look
from dashboard.explaining import MUTATION, TITLES
from dashboard.person import acting_user
from dashboard.saying import plain
from dashboard.subject import Subject, read_subject
from dashboard.views import saliency_parts as parts
from dashboard.views import subject_inputs as inputs
from dnalm.errors import DnalmError
from dnalm.interpret.attribution import NEEDS_BASELINE
from dnalm.interpret.logo import on_bases
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle

USUAL = (MUTATION, "integrated-gradients")
VIEWS = {"one": "This sequence", "class": "Average over a class"}
METHOD_HELP = (
    "Mutation: what the call loses when a base is changed. Integrated gradients: what each base adds on the way from a "
    "baseline; the sum is the whole difference. The others are quicker or coarser; docs/explaining.md says how."
)


def page() -> None:
    """Draw the page from its address: model, with, the sequence, view, method, baseline."""
    st.title("Which bases does the model read?")
    st.caption("Letters above the line speak for the class, letters below against it; the taller, the more.")
    user = acting_user()
    if not inputs.models(user):
        inputs.no_model()
        return
    try:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            bundle, other = inputs.pick_models(user)
            methods, baseline = _methods()
            view = addressed.chosen("view", list(VIEWS), "one")
            st.segmented_control(
                "View",
                list(VIEWS),
                format_func=VIEWS.get,
                required=True,
                **inputs.bound("view", view, default="one"),
            )
        if view == "class":
            parts.of_class(user, bundle, methods[0], baseline)
            return
        if inputs.pick_source(user, bundle):
            _one(user, bundle, other, methods, baseline)
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")


def _methods() -> tuple[list[str], str]:
    asked = st.query_params.get("method", ",".join(USUAL)).split(",")
    methods = [one for one in dict.fromkeys(asked) if one in TITLES] or list(USUAL)
    st.multiselect(
        "Methods",
        list(TITLES),
        format_func=TITLES.get,
        width=420,
        help=METHOD_HELP,
        **inputs.bound("method", methods, default=",".join(USUAL)),
    )
    baseline = addressed.chosen("baseline", list(explaining.BASELINES), "background")
    if any(method in NEEDS_BASELINE for method in methods):
        st.selectbox(
            "Held against",
            list(explaining.BASELINES),
            format_func=explaining.BASELINES.get,
            width=240,
            help="What the sequence is compared with. Shuffled: the mean over several shuffles, which is slower and "
            "does not repay the promoter for its base composition.",
            **inputs.bound("baseline", baseline, default="background"),
        )
    return methods, baseline


def _one(user: User, bundle: Bundle, other: Bundle | None, methods: list[str], baseline: str) -> None:
    subject = read_subject(inputs.asked(bundle), user, bundle, resources.model(bundle))
    call = parts.say_call(bundle, subject)
    label = inputs.pick_label(bundle, call.label)
    with st.spinner("Reading the model"):
        rows = [_row(bundle, subject, method, baseline, label, named=False) for method in methods]
        if other is not None:
            theirs = read_subject(inputs.asked(bundle), user, other, resources.model(other))
            parts.say_call(other, theirs)
            inputs.say_two_kinds(bundle, other)
            rows = [row for method in methods for row in _pair(bundle, other, subject, theirs, method, baseline, label)]
    elements = parts.elements(bundle, subject)
    named = label or bundle.config.positive or call.label
    title = parts.title(rows[0], bundle, named, elements) if other is None else "Where the two models read differently"
    figure = saliency_figure(rows, look(), title=title, elements=elements)
    st.plotly_chart(
        figure,
        theme=None,
        key="saliency_chart",
        config={"displaylogo": False},
        alt=f"{title}: logos of {', '.join(row.title for row in rows)}; the TSV below has every base.",
    )
    parts.believe(bundle, subject, methods, baseline, label)
    parts.downloads(bundle, subject, rows)
    parts.onward(bundle, subject)


def _row(bundle: Bundle, subject: Subject, method: str, baseline: str, label: str | None, *, named: bool) -> Row:
    title = TITLES[method]
    if method == MUTATION:
        span = parts.mapped(subject)
        found = explaining.saturation(bundle, subject.codes, label, span)
        scores = found.bases
        if span is not None:
            title += f", of bases {span[0] + 1:,} to {span[1]:,}"
    else:
        scores = explaining.attribution(bundle, subject.codes, method, baseline, label).bases  # type: ignore[arg-type]
    heights = on_bases(np.asarray(scores), subject.codes)
    return Row(f"{bundle.name}: {title}" if named else title, subject, heights)


def _pair(
    bundle: Bundle, other: Bundle, subject: Subject, theirs: Subject, method: str, baseline: str, label: str | None
) -> list[Row]:
    """One method with both models, and what they differ by where they read the same bases."""
    one = _row(bundle, subject, method, baseline, label, named=True)
    shared_class = label if label in other.config.labels else None
    two = _row(other, theirs, method, baseline, shared_class, named=True)
    if label is not None and shared_class is None:  # they speak of different classes
        return [one, two]
    mine, yours = subject.positions(), theirs.positions()
    places = np.intersect1d(mine, yours)
    at, there = places - mine[0], places - yours[0]
    if len(places) == 0 or not np.array_equal(subject.codes[at], theirs.codes[there]):
        return [one, two]
    shared = replace(
        subject,
        codes=subject.codes[at],
        anchor=None if subject.anchor is None else subject.anchor - int(at[0]),
        region=None,
    )
    difference = on_bases(one.heights[at].sum(1) - two.heights[there].sum(1), shared.codes)
    return [one, two, Row(f"{bundle.name} less {other.name}: {TITLES[method]}", shared, difference)]


page()
