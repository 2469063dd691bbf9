"""The inputs that the pages of Explain share: the model, another one beside it, and the sequence."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import addressed, explaining, features, resources, sets
from dashboard.saying import plain
from dashboard.subject import SOURCES, examples, usual_example
from dashboard.views.models_parts import bundle_of
from dnalm.datasets.dataset import Dataset
from dnalm.lab import index
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle

USUAL = "ecoli-sigma70-81"
NOBODY = "none"
SPLITS = {"test": "Test", "valid": "Validation", "train": "Training", "all": "All"}
OUTCOMES = {"any": "Right and wrong", "right": "Right calls", "wrong": "Wrong calls"}
MOST_CALLED = 4000
"""Sequences of a set that are called for the table, """
MOST_CALLED_BASES = 400_000
"""and bases of them."""

chosen = addressed.chosen
bound = partial(addressed.bound, "explain")
_OF_SEQUENCE = ("edits", "from", "part", "window")


def models(user: User) -> dict[str, index.IndexedModel]:
    """The classifiers that this person may see."""
    return {one.name: one for one in index.models(user) if one.kind == "classifier"}


def no_model() -> None:
    """Say what to do where there is no classifier."""
    st.info(
        "No classifier is here yet. Train one, or import one on the page Models; then come back.",
        icon=":material/category:",
    )
    st.code("dnalm train --preset small --dataset ecoli-sigma70-81", language="bash")


def pick_models(user: User) -> tuple[Bundle, Bundle | None]:
    """The model, and the one to compare it with, each bound to the address."""
    known = models(user)
    usual = USUAL if USUAL in known else next(iter(known))
    name = chosen("model", list(known), usual)
    _unknown("model", name)
    other = chosen("with", [NOBODY, *known], NOBODY)
    st.selectbox("Model", list(known), width=250, **bound("model", name, default=usual, clears=("label",)))
    st.selectbox(
        "Compare with",
        [NOBODY, *(one for one in known if one != name)],
        format_func=lambda one: "no other model" if one == NOBODY else one,
        width=220,
        help="A second model on the same sequence: both pictures and their difference.",
        **bound("with", other if other != name else NOBODY, default=NOBODY),
    )
    bundle = bundle_of(known[name])
    return bundle, bundle_of(known[other]) if other not in (NOBODY, name) else None


def pick_label(bundle: Bundle, called: str | None = None) -> str | None:
    """The class that is explained, where there are several."""
    labels = bundle.config.labels
    if bundle.config.positive is not None:
        return None
    usual = called or labels[0]
    label = chosen("label", labels, usual)
    st.selectbox("Class", labels, width=200, **bound("label", label, default=usual))
    return label


def pick_source(user: User, bundle: Bundle) -> bool:
    """Which sequence: the choice itself, and what it needs; False where there is nothing to choose from."""
    source = chosen("source", list(SOURCES), "example")
    st.segmented_control(
        "Sequence",
        list(SOURCES),
        format_func=SOURCES.get,
        required=True,
        **bound("source", source, default="example", clears=_OF_SEQUENCE),
    )
    if source == "example":
        _pick_example(bundle)
    elif source == "set":
        return _pick_of_set(user, bundle)
    elif source == "genome":
        _pick_place()
    else:
        st.text_area(
            "Sequence: letters or one FASTA record",
            height=110,
            placeholder="Paste a promoter here. A longer sequence is searched for the window that the model scores "
            "highest.",
            **bound("seq", st.query_params.get("seq", ""), clears=_OF_SEQUENCE),
        )
    return True


def _pick_example(bundle: Bundle) -> None:
    usual = usual_example(bundle)
    if not usual:
        st.info("No known promoters ship with this installation: paste a sequence.", icon=":material/content_paste:")
        return
    name = chosen("example", list(examples()), usual)
    st.pills(
        "Example",
        list(examples()),
        required=True,
        label_visibility="collapsed",
        **bound("example", name, default=usual, clears=_OF_SEQUENCE),
    )


def _pick_place() -> None:
    known = {one.key: one.title for one in resources.sequences()}
    if not known:
        st.info("No genome is here. Bring one on the page Data.", icon=":material/upload:")
        return
    usual = next(iter(known))
    if "genome" not in st.query_params:
        st.query_params["genome"] = usual
    key = chosen("genome", list(known), usual)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Genome", list(known), format_func=known.get, width=300, **bound("genome", key, clears=_OF_SEQUENCE)
        )
        st.text_input(
            "Region, site or gene",
            width=330,
            placeholder="lacZ, or NC_000913.3:366,343(-)",
            help="A gene's name or RECORD:POSITION(-) is a site, around which the model's window is cut; "
            "RECORD:FIRST-LAST(-) is a region. Positions count from 1.",
            **bound("region", st.query_params.get("region", ""), clears=_OF_SEQUENCE),
        )


def _pick_of_set(user: User, bundle: Bundle) -> bool:
    here = [one for one in sets.known_sets(user) if one.made]
    if not here:
        st.info(
            "No labelled set has been made on this server yet. The page Data makes one from public data.",
            icon=":material/dataset:",
        )
        return False
    names = {one.name: one for one in here}
    trained_on = str(bundle.config.trained.get("dataset", ""))
    usual = trained_on if trained_on in names else here[0].name
    name = chosen("set", list(names), usual)
    if "set" not in st.query_params:
        st.query_params["set"] = name
    opened = sets.open_set(user, name)
    if opened is None:
        return False
    dataset = opened.dataset
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Labelled set", list(names), width=260, **bound("set", name, clears=("id", *_OF_SEQUENCE)))
        split = chosen("split", list(SPLITS), "test")
        st.selectbox("Part", list(SPLITS), format_func=SPLITS.get, width=130, **bound("split", split, default="test"))
        of_class = chosen("class", ["any", *dataset.labels], "any")
        st.selectbox(
            "Class",
            ["any", *dataset.labels],
            format_func=lambda one: "any class" if one == "any" else one,
            width=160,
            **bound("class", of_class, default="any"),
        )
        outcome = chosen("outcome", list(OUTCOMES), "any")
        st.selectbox(
            "Calls", list(OUTCOMES), format_func=OUTCOMES.get, width=160, **bound("outcome", outcome, default="any")
        )
        words = st.query_params.get("find", "")
        st.text_input("Find", placeholder="id or bases", width=150, **bound("find", words))
    _table(dataset, bundle, split, of_class, outcome, words.strip())
    return True


def _table(dataset: Dataset, bundle: Bundle, split: str, of_class: str, outcome: str, words: str) -> None:
    """The set's sequences with what the model says of them; a click takes one."""
    rows = dataset.table if split == "all" else dataset.part(split)
    if words:
        found = rows["id"].str.contains(words, regex=False, case=False)
        rows = rows[found | rows["sequence"].str.contains(words.upper(), regex=False)]
    if of_class != "any":
        rows = rows[rows["label"] == of_class]
    fitting = int((rows["sequence"].str.len().cumsum() <= MOST_CALLED_BASES).sum())
    most = min(MOST_CALLED, max(1, fitting))
    more = len(rows) - most
    rows = rows.iloc[:most].reset_index(drop=True)
    model, length = resources.model(bundle), dataset.window
    fits = model.module.fixed_length in (None, length)
    shown = rows[["id", "label", "source"]]
    if fits and len(rows):
        key = f"{dataset.sha256()}:{split}:{of_class}:{words}"
        said = explaining.calls(bundle, dataset.codes(rows), key)
        shown = pd.concat([shown, said], axis=1)
        if outcome != "any":
            right = shown["called"] == shown["label"]
            shown = shown[right if outcome == "right" else ~right]
    low, high = _limits()
    if "probability" in shown:
        shown = shown[shown["probability"].between(low, high)]
    st.caption(
        f"{len(shown):,} sequences; choose a row."
        + (f" The first {most:,} of {most + more:,} were called." if more > 0 else "")
        + ("" if fits else f" {bundle.name} reads {model.module.fixed_length} bases and does not call this set.")
    )
    ids = shown["id"].tolist()
    st.dataframe(
        shown,
        key="explain_table",
        hide_index=True,
        height=220,
        on_select=lambda: _taken(ids),
        selection_mode="single-row",
        column_config={
            "id": "Sequence",
            "label": "Class",
            "source": "Where it lies",
            "called": "Called",
            "probability": st.column_config.ProgressColumn("Probability", format="%.3f", min_value=0, max_value=1),
        },
    )
    if "id" not in st.query_params and ids:
        st.query_params["id"] = ids[0]


def _limits() -> tuple[float, float]:
    text = st.query_params.get("between", "0,1").split(",")
    try:
        low, high = (min(max(float(one), 0.0), 1.0) for one in text)
    except ValueError:
        low, high = 0.0, 1.0
    if not low <= high:  # not numbers
        low, high = 0.0, 1.0
    if st.session_state.get("explain_between") != (low, high):
        st.session_state["explain_between"] = (low, high)
    return st.slider(
        "Probability between",
        0.0,
        1.0,
        step=0.01,
        width=320,
        key="explain_between",
        on_change=_remember_limits,
    )


def _remember_limits() -> None:
    low, high = st.session_state["explain_between"]
    if (low, high) == (0.0, 1.0):
        st.query_params.pop("between", None)
    else:
        st.query_params["between"] = f"{low:g},{high:g}"


def _taken(ids: list[str]) -> None:
    rows = st.session_state["explain_table"]["selection"]["rows"]
    if rows:
        st.query_params["id"] = ids[rows[0]]
        for name in _OF_SEQUENCE:
            st.query_params.pop(name, None)


def _unknown(parameter: str, used: str) -> None:
    asked = st.query_params.get(parameter, used)
    if asked != used:
        words = f"The address asks for the {parameter} {asked}, which is not here; {used} is shown."
        st.warning(plain(words), icon=":material/warning:")


def asked(bundle: Bundle) -> dict[str, str]:
    """The address, with what it leaves out of the sequence as it is for this model: a second one reads the same."""
    query = dict(st.query_params.items())
    if query.get("source", "example") == "example":
        query.setdefault("example", usual_example(bundle))
    return query


def say_two_kinds(bundle: Bundle, other: Bundle) -> None:
    """Say it where the start site of one model is not the other's."""
    kinds = [features.calls_transcription_starts(one) for one in (bundle, other)]
    if kinds[0] != kinds[1] and bundle.config.anchor is not None and other.config.anchor is not None:
        starts = other if kinds[0] else bundle
        st.caption(
            plain(
                f"Mind: +1 of {starts.name} is the start of a gene, of the other model that of transcription. At one "
                "and the same base they look for different things."
            )
        )


def knows_promoters(bundle: Bundle) -> bool:
    """Whether the elements of a bacterial promoter are worth marking."""
    return features.calls_transcription_starts(bundle)
