"""Embedding: where a model puts k-mers or sequences, what lies near what, and how far the picture can be believed."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass

import streamlit as st

from dashboard import embedding_reading as reading
from dashboard.charts.embedding import scatter
from dashboard.charts.theme import look
from dashboard.embedding_reading import Drawn, Points
from dashboard.person import acting_user
from dashboard.saying import plain, say_refusal
from dashboard.views import embedding_inputs as inputs
from dashboard.views import embedding_parts as parts
from dashboard.views.models_parts import bundle_of
from dnalm.errors import DnalmError, InputError
from dnalm.interpret import colouring
from dnalm.interpret.embedding import neighbours
from dnalm.interpret.embedding_files import faithfulness, title_of
from dnalm.interpret.projection import METHODS, NO_UMAP, TITLES, has_umap
from dnalm.lab import index
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle

USUAL = "ecoli-lm"
WHAT = {"kmers": "k-mers", "sequences": "Sequences"}


@dataclass(frozen=True)
class Choice:
    """What the address asks for, checked."""

    bundle: Bundle
    what: str
    member: int
    source: reading.Source | None
    split: str
    most: int
    method: str
    seed: int
    pick: str


def page() -> None:
    """Draw the page from its address: model, what, member, set, split, most, method, colour, seed, pick."""
    st.title("What does the model take for alike?")
    st.caption(
        "Each point is a k-mer, or a sequence, where the model puts it. What the model treats alike lies together; "
        "click a point, or search for one, to see its nearest neighbours."
    )
    user = acting_user()
    try:
        choice = _choice(user)
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    if choice is None:
        st.info("No model is here yet. Pre-train one, or import one on the page Models.", icon=":material/category:")
        return
    if choice.method == "umap" and not has_umap():
        st.warning(NO_UMAP, icon=":material/extension_off:")
        return
    try:
        points = _points(choice)
        chosen_row = _find(points, choice.pick)
        with st.spinner(_waiting(choice)):
            found = reading.drawn(points, choice.method, choice.seed, chosen_row)
    except (DnalmError, OSError) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    _show(choice, points, found)


def _choice(user: User) -> Choice | None:
    """The inputs, each bound to the address; None where there is no model."""
    models = {one.name: one for one in sorted(index.models(user), key=lambda one: one.kind != "language-model")}
    if not models:
        return None
    usual = USUAL if USUAL in models else next(iter(models))
    name = inputs.chosen("model", list(models), usual)
    inputs.unknown("model", name, "model")
    bundle = bundle_of(models[name])
    what = inputs.chosen("what", list(WHAT), "kmers")
    sources = reading.sources(user)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        depends = ("member", "pick", "set", "colour")
        st.selectbox("Model", list(models), width=230, **inputs.bound("model", name, default=usual, clears=depends))
        st.segmented_control(
            "Of what",
            list(WHAT),
            format_func=WHAT.get,
            required=True,
            **inputs.bound("what", what, default="kmers", clears=("pick", "colour")),
        )
        source, split, most = inputs.sequences(bundle, sources) if what == "sequences" else (None, "", 0)
        member = inputs.member(bundle)
        method = inputs.chosen("method", METHODS, "pca")
        st.segmented_control(
            "Method",
            list(METHODS),
            format_func=TITLES.get,
            required=True,
            help=inputs.METHOD_HELP,
            **inputs.bound("method", method, default="pca"),
        )
        seed = inputs.seed(method, most)
    if what == "sequences":
        with st.expander("Bring your own sequences", icon=":material/upload:"):
            inputs.bring(user)
        say_refusal(inputs.REFUSED)
        if source is None:
            raise InputError("there are no sequences to look at here: bring your own, or make a set on the page Data")
    pick = st.query_params.get("pick", "").strip()
    return Choice(bundle, what, member, source, split, most, method, seed, pick)


def _points(choice: Choice) -> Points:
    if choice.what == "kmers" or choice.source is None:
        return reading.kmers(choice.bundle, choice.member)
    return reading.sequences(
        choice.bundle, choice.member, choice.source, choice.split, choice.most, choice.seed, choice.pick
    )


def _find(points: Points, pick: str) -> int | None:
    if not pick:
        return None
    try:
        return points.embedding.find(pick)
    except InputError as error:
        st.warning(plain(str(error)), icon=":material/search_off:")
        return None


def _waiting(choice: Choice) -> str:
    if choice.method == "umap" and "umap" not in sys.modules:
        return "UMAP is being made ready, which takes some 10 to 20 seconds the first time after the server started"
    return f"Making the picture by {TITLES[choice.method]}, some seconds"


def _show(choice: Choice, points: Points, found: Drawn) -> None:
    embedding, projection = found.embedding, found.projection
    possible = colouring.choices(embedding, found.calls)
    by = inputs.chosen("colour", possible, possible[0])
    colours = colouring.colouring(embedding, by, found.calls)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Colour by",
            possible,
            format_func=lambda one: colouring.TITLES[one].capitalize() if one != "gc" else "GC share",
            required=True,
            **inputs.bound("colour", by, default=possible[0]),
        )
        inputs.search(choice.what, choice.pick)
    row = embedding.find(choice.pick) if choice.pick and _here(found, choice.pick) else None
    near = neighbours(embedding, row) if row is not None else []
    title = title_of(embedding, projection)
    figure = scatter(embedding, projection, colours, look(), title=title, calls=found.calls, chosen=row, near=near)
    st.plotly_chart(
        figure,
        theme=None,
        key="embed_chart",
        on_select=lambda: inputs.clicked(embedding.ids),
        selection_mode="points",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt=f"{title}, coloured by {colours.title}; the table that can be downloaded below has every point.",
    )
    parts.believe(projection, faithfulness(projection))
    parts.drawn_from(points, len(embedding))
    parts.downloads(found, colours, row, near)
    if row is None:
        example = embedding.ids[len(embedding) // 2]
        st.info(f"Click a point, or search for one such as {plain(example)}.", icon=":material/ads_click:")
    else:
        parts.neighbours_of(found, row, near)
    if choice.what == "kmers":
        parts.kmers_in_words(points)
    st.subheader("At the shell")
    st.code(_command(choice, by), language="bash")


def _here(found: Drawn, pick: str) -> bool:
    try:
        found.embedding.find(pick)
    except InputError:
        return False
    return True


def _command(choice: Choice, by: str) -> str:
    """The command that makes this picture at the shell; what is no set is read from the sequences downloaded here."""
    words = ["dnalm", "explain", "embed", choice.bundle.folder.name]
    if choice.source is not None:
        named = choice.source.key if choice.source.is_set else parts.SEQUENCES
        words += [named, *(["--split", choice.split] if choice.source.is_set else []), "--at-most", str(choice.most)]
    words += ["--method", choice.method, "--seed", str(choice.seed), "--colour", by]
    words += ["--member", str(choice.member + 1)] if choice.member else []
    words += ["--neighbours-of", choice.pick] if choice.pick else []
    return " ".join(shlex.quote(word) for word in [*words, "-o", "embedding.svg"])


page()
