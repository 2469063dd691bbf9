"""Motifs: the words that a model reads in many sequences, what they are like, and where they stand."""

from __future__ import annotations

import shlex
from functools import partial

import streamlit as st

from dashboard import addressed
from dashboard import motif_reading as reading
from dashboard.links import link
from dashboard.motif_reading import Asked, Given
from dashboard.person import acting_user
from dashboard.resources import TIME_LIMIT
from dashboard.saying import plain
from dashboard.views import motifs_parts as parts
from dashboard.views.models_parts import bundle_of
from dnalm.datasets.recipes import of_id
from dnalm.errors import DnalmError
from dnalm.lab import index
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle

USUAL = "ecoli-sigma70-81"
AUTO = "auto"
METHOD_HELP = (
    "What a base adds to the call. Input × gradient asks how steeply the call changes with the base, and is quick; "
    "integrated gradients sums that on the way from four equally likely bases, and takes ten times as long."
)

chosen = addressed.chosen
bound = partial(addressed.bound, "motifs")


def page() -> None:
    """Draw the page from its address: model, set, split, label, most, method."""
    st.title("Which words does the model read?")
    st.caption(
        "Stretches whose bases add much to the call, put together where they are alike. Each motif is held against "
        "the known elements of bacterial promoters."
    )
    user = acting_user()
    try:
        found = _asked(user)
        if found is None:
            return
        bundle, asked = found
        given = reading.given(bundle, asked)
        needed = reading.seconds(bundle, given, asked.method)
        if needed > TIME_LIMIT:
            _too_long(bundle, asked, given, needed)
            return
        report = reading.report(bundle, asked)
    except (DnalmError, OSError) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    parts.show(report, given)
    st.subheader("At the shell")
    st.code(command(bundle, asked), language="bash")


def _asked(user: User) -> tuple[Bundle, Asked] | None:
    """The inputs, each bound to the address; None where there is nothing to look at, after saying what to do."""
    models = {one.name: one for one in index.models(user) if one.kind == "classifier"}
    if not models:
        st.info(
            "No classifier is here yet. Train one, or import one on the page Models: "
            "`dnalm train --preset small --dataset ecoli-sigma70-81`.",
            icon=":material/category:",
        )
        return None
    usual = USUAL if USUAL in models else next(iter(models))
    name = chosen("model", list(models), usual)
    _unknown("model", name, "model")
    bundle = bundle_of(models[name])
    known = reading.sources(user, bundle)
    usual_set = reading.usual_source(bundle, known)
    options = [usual_set, *(key for key in known if key != usual_set)]
    key = chosen("set", options, usual_set)
    _unknown("set", key, "set")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        depends = ("set", "split", "label")
        st.selectbox("Model", list(models), width=230, **bound("model", name, default=usual, clears=depends))
        st.selectbox(
            "Sequences",
            options,
            format_func=lambda one: known[one].title if one else "None yet",
            width=360,
            **bound("set", key, default=usual_set, clears=("split", "label")),
        )
        split = chosen("split", list(reading.SPLITS), "test")
        if key and known[key].is_set:
            st.selectbox(
                "Part",
                list(reading.SPLITS),
                format_func=reading.SPLITS.get,
                width=130,
                help="Test: what the model learned nothing from, where it was trained on this set.",
                **bound("split", split, default="test"),
            )
        label = _label(bundle)
        sizes = [AUTO, *(str(size) for size in reading.SIZES)]
        most = chosen("most", sizes, AUTO)
        st.selectbox(
            "At most",
            sizes,
            format_func=lambda size: "as come soon" if size == AUTO else f"{size} sequences",
            width=160,
            help="Of more sequences of the class, so many are drawn at random, always the same ones. "
            f"As come soon: up to {reading.USUAL_SIZE}, fewer on a slow machine or of long sequences.",
            **bound("most", most, default=AUTO),
        )
        methods = list(reading.METHODS)
        method = chosen("method", methods, methods[0])
        st.selectbox(
            "Method",
            methods,
            format_func=reading.METHODS.get,
            width=200,
            help=METHOD_HELP,
            **bound("method", method, default=methods[0]),
        )
    if not key:
        _nothing_fit(bundle)
        return None
    asked = Asked(known[key], split, label, reading.USUAL_SIZE if most == AUTO else int(most), method)
    return bundle, reading.usual_size(bundle, asked) if most == AUTO else asked


def _label(bundle: Bundle) -> str:
    """The class that is explained: asked of models without a positive one, or with more than two."""
    labels = bundle.config.labels
    usual = bundle.config.positive or labels[0]
    if len(labels) == 2 and bundle.config.positive is not None and "label" not in st.query_params:
        return usual
    label = chosen("label", labels, usual)
    st.selectbox("Class", labels, width=200, **bound("label", label, default=usual))
    return label


def _unknown(parameter: str, used: str, what: str) -> None:
    """Say it where the address asks for what is not here."""
    asked = st.query_params.get(parameter, used)
    if asked != used:
        instead = f"{used} is shown." if used else "choose another."
        words = f"The address asks for the {what} {asked}, which is not here; {instead}"
        st.warning(plain(words), icon=":material/warning:")


def _nothing_fit(bundle: Bundle) -> None:
    """Say how to get sequences that this model was made for."""
    name = reading.trained_on(bundle)
    words = f"No labelled set is chosen that {bundle.name} was made for. Choose one above"
    if of_id(name) is not None:
        st.info(plain(f"{words}, or make {name}, on which it was trained:"), icon=":material/database:")
        link("data", f"Make {name}", icon=":material/database:", query={"dataset": name})
    else:
        st.info(plain(f"{words}, or bring your own on the page Data."), icon=":material/database:")
        link("data", "Data", icon=":material/database:", query={"show": "upload"})


def _too_long(bundle: Bundle, asked: Asked, given: Given, needed: float) -> None:
    """Say how long it would take, what fits, and the command that does all."""
    fits = [size for size in reading.SIZES if size * needed / len(given.sequences) <= TIME_LIMIT]
    st.info(
        f"Reading {len(given.sequences):,} sequences would take about {needed:.0f} s here, and a page that others "
        f"share works for at most {TIME_LIMIT:.0f} s. "
        + ("Take fewer or the quicker method, or run this command:" if fits else "Run this command:"),
        icon=":material/timer:",
    )
    with st.container(horizontal=True):
        if fits:
            st.button(f"Take {fits[-1]}", on_click=_take, args=("most", str(fits[-1])), icon=":material/filter_alt:")
        if asked.method != next(iter(reading.METHODS)):
            quick = next(iter(reading.METHODS))
            st.button(f"Take {reading.METHODS[quick]}", on_click=_take, args=("method", quick), icon=":material/bolt:")
    st.code(command(bundle, asked), language="bash")


def _take(parameter: str, value: str) -> None:
    st.query_params[parameter] = value


def command(bundle: Bundle, asked: Asked) -> str:
    """The command that finds these motifs at the shell."""
    file = asked.source.key if asked.source.is_set else parts.file_name(bundle.folder.name, "sequences.fa")
    words = ["dnalm", "explain", "motifs", bundle.folder.name, file]
    words += ["--split", asked.split] if asked.source.is_set else []
    words += ["--label", asked.label] if asked.label != bundle.config.positive else []
    words += ["--method", asked.method, "--at-most", str(asked.most), "-o", "motifs"]
    return " ".join(shlex.quote(word) for word in words)


page()
