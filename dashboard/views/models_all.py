"""All models: where they came from, a row each with what it is and how good, two or more side by side, a way in."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard.figures import headline, measured_on
from dashboard.links import link
from dashboard.saying import attempt, plain, say_what_was_done
from dashboard.views import models_compare
from dashboard.views.models_parts import MEANINGS, bundle_of, lineage_picture, open_model, size_text, whose
from dnalm.errors import DnalmError
from dnalm.lab import index
from dnalm.lab.indexed import IndexedModel
from dnalm.lab.people import User
from dnalm.settings import settings

LARGEST_UPLOAD = 600
"""Megabytes of an archive: the published size has about 130."""
PAGE = 25
WIDTHS = (1.0, 3.3, 3.3, 1.9)


def show(user: User) -> None:
    """Draw the page of all models."""
    st.title("Which models are here, and where did they come from?")
    say_what_was_done()
    found = index.models(user)
    for problem in index.unreadable(user):
        st.warning(plain(problem), icon=":material/warning:")
    if not found:
        _nothing_here()
        _import(user)
        return
    st.write(
        "A language model learns from genomes without labels, may be fine-tuned on the sequences of a task, and then "
        "gives a classifier its start. Choose a model to see how good it is and what to do with it."
    )
    lineage_picture(index.lineage(user))
    shown = _chosen(found)
    _rows(user, shown)
    by_name = {model.name: model for model in found}
    models_compare.show([by_name[name] for name in dict.fromkeys(ticked()) if name in by_name])
    _import(user)
    st.subheader("At the shell", anchor=False)
    st.code("dnalm models list\ndnalm models show NAME\ndnalm models import FILE.zip", language="bash")


def ticked() -> list[str]:
    """Names of the models to compare, as the address has them."""
    return [name for name in st.query_params.get("compare", "").split(",") if name]


def _nothing_here() -> None:
    st.info(
        "No model is here yet. Pre-train one on a genome, train a classifier in one go on data that dnalm fetches for "
        "you, or import a model that someone gave you.",
        icon=":material/model_training:",
    )
    with st.container(horizontal=True):
        link("pre-train", "Pre-train a language model", icon=":material/model_training:")
        link("fine-tune", "Train a classifier", icon=":material/tune:")
    st.code("dnalm train --preset small --dataset ecoli-promoters-150\ndnalm models import FILE.zip", language="bash")


def _chosen(found: Sequence[IndexedModel]) -> list[IndexedModel]:
    """The models to list: by words where there are many."""
    st.subheader(f"{len(found)} models" if len(found) > 1 else "1 model", anchor=False)
    if len(found) <= PAGE:
        return list(found)
    words = st.text_input(
        "Find", key="models_find", placeholder="part of a name or description", help="Names, descriptions and owners."
    )
    hits = [
        model
        for model in found
        if words.lower() in f"{model.name} {model.description} {model.owner_name} {model.stage}".lower()
    ]
    if len(hits) > PAGE:
        st.caption(f"The first {PAGE} of {len(hits)} are listed; type a part of a name to find others.")
    # What is ticked stays in sight, so that it can be unticked.
    names = set(ticked())
    return hits[:PAGE] + [model for model in found if model.name in names and model not in hits[:PAGE]]


def _rows(user: User, models: Sequence[IndexedModel]) -> None:
    """A row a model."""
    names = ticked()
    for column, heading in zip(st.columns(WIDTHS), ("Compare", "Model", "How good", "What and whose"), strict=True):
        column.caption(heading)
    for model in models:
        with st.container(border=True):
            tick, what, figures, facts = st.columns(WIDTHS, vertical_alignment="center")
            key = f"models_tick_{model.id}"
            if st.session_state.get(key) != (model.name in names):
                st.session_state[key] = model.name in names
            label = f"Compare {model.name}"
            tick.checkbox(label, key=key, on_change=_tick, args=(model.name, key), label_visibility="collapsed")
            with what, st.container(gap=None):
                st.button(
                    plain(model.name),
                    key=f"models_open_{model.id}",
                    type="tertiary",
                    icon=":material/category:",
                    on_click=open_model,
                    args=(model.name,),
                    help="How good it is, where it came from, what to do with it.",
                )
                st.caption(plain(model.description or MEANINGS[model.stage]))
            figures.text(_headline(model))
            facts.caption(
                plain(f"{model.stage.value}, {size_text(model.size_bytes)}, {model.created:%d %b %Y}, ")
                + plain(whose(model, user.id))
            )


def _headline(model: IndexedModel) -> str:
    try:
        metrics = bundle_of(model).metrics
    except DnalmError as error:
        return str(error)
    lines = []
    for figure in headline(metrics, most=2):
        where = measured_on(metrics, figure)
        lines.append(f"{figure.title}: {figure}" + (f", {where}" if where else ""))
    return "\n".join(lines) or "It holds no figures."


def _tick(name: str, key: str) -> None:
    names = [other for other in ticked() if other != name] + ([name] if st.session_state[key] else [])
    if names:
        st.query_params["compare"] = ",".join(names)
    else:
        st.query_params.pop("compare", None)


def _import(user: User) -> None:
    with (
        st.expander("Bring a model that someone gave you", icon=":material/upload:"),
        st.form("models_import", border=False, clear_on_submit=True),
    ):
        file = st.file_uploader(
            "A model as a zip file, as its page's Export or `dnalm models export` writes it",
            type="zip",
            key="models_upload",
            max_upload_size=LARGEST_UPLOAD,
            help="Weights, settings, figures and card alone are taken in, and checked: no file of a model can run.",
        )
        name = st.text_input("Name here", key="models_upload_name", help="Leave it empty for the model's own name.")
        shared = st.checkbox("Share it with the lab", key="models_upload_shared")
        if st.form_submit_button("Import", icon=":material/upload:"):
            if file is None:
                st.warning("Choose a zip file first.", icon=":material/warning:")
                return
            if take_in(user, file.name, file.getbuffer(), name.strip(), shared):
                st.rerun()
            say_what_was_done()


def take_in(user: User, shown: str, content: bytes | memoryview, name: str, shared: bool) -> bool:
    """Import an uploaded archive; what is no model leaves nothing behind. Says on the page how it went."""
    settings().cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings().cache, prefix="import-") as folder:
        path = Path(folder) / "upload.zip"
        path.write_bytes(content)

        def work() -> None:
            try:
                open_model(index.import_model(user, path, name=name or None, shared=shared).name)
            except DnalmError as error:
                # The person knows the file by its name, and models by theirs, not by where they were put.
                text = str(error).replace(str(path), shown).replace(f"{settings().models}/", "")
                raise type(error)(text) from error

        return attempt(work, f"{shown} was checked and imported.")
