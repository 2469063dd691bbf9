"""What the parts of the page Models share: words, the lineage's picture, messages that outlive a click."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import streamlit as st

from dashboard.charts.lineage import lineage_figure
from dashboard.charts.theme import look
from dashboard.links import link
from dnalm.lab import index
from dnalm.lab.indexed import IndexedModel, model_stamp
from dnalm.lab.lineage import Lineage, Stage
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle, read_bundle

MEANINGS = {
    Stage.LANGUAGE_MODEL: "language model, pre-trained on genomes",
    Stage.FINE_TUNED: "language model, fine-tuned on a task's sequences",
    Stage.CLASSIFIER: "classifier",
    Stage.TRACK: "track model, which scores every base of a sequence",
}
TALLEST = 760
"""Pixels of the picture that stand on the page at once; the rest is scrolled to."""


def open_model(name: str) -> None:
    """Make one model what the page shows."""
    st.query_params.from_dict({"model": name})


def show_all() -> None:
    """Show all models again."""
    st.query_params.clear()


def back() -> None:
    """The way to all models."""
    st.button("All models", key="models_back", icon=":material/arrow_back:", on_click=show_all)


def card_text(card: str) -> str:
    """A model's card without its title; its pictures become links, so that looking at it asks no other server."""
    title, _, rest = card.lstrip().partition("\n")
    return (rest if title.startswith("# ") else card).strip().replace("![", "\\![")


def size_text(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def whose(model: IndexedModel, user_id: str) -> str:
    """Whose a model is and who sees it."""
    if model.shipped:
        return "comes with dnalm"
    owner = "yours" if model.owner == user_id else f"{model.owner_name}'s"
    return f"{owner}, {'shared with the lab' if model.shared else 'private'}"


def model_links(user: User, run: str) -> bool:
    """Draw the ways to the models that came of a run, and on from them; False where none is here."""
    made = [model for model in index.models(user) if model.run == run]
    for model in made:
        with st.container(horizontal=True):
            link("models", f"Model {model.name}", icon=":material/category:", query={"model": model.name})
            if model.kind in ("classifier", "track"):
                scan = {"model": model.name}
                link("long-sequences", "Scan a long sequence with it", icon=":material/monitoring:", query=scan)
            else:
                link("fine-tune", "Teach it to classify", icon=":material/tune:", query={"model": model.name})
    return bool(made)


def lineage_picture(lineage: Lineage, *, focus: str | None = None) -> None:
    """The picture of where models came from; a click on one opens it."""
    figure = lineage_figure(lineage, look(), focus=focus)
    models = [node.name for node in lineage.nodes if node.model]
    made = [f"{lineage.node(child).name} from {lineage.node(parent).name}" for parent, child in lineage.edges]
    key = f"models_lineage_{focus or 'all'}"
    with st.container(height=TALLEST if figure.layout.height > TALLEST else "content", border=False):
        st.plotly_chart(
            figure,
            theme=None,
            key=key,
            on_select=lambda: _picked(key),
            selection_mode="points",
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Where {len(models)} models came from: {'; '.join(made) or 'no model here came from another'}.",
        )


def _picked(key: str) -> None:
    points = st.session_state[key].get("selection", {}).get("points", [])
    name = next((point.get("customdata") for point in points), None)
    name = name[0] if isinstance(name, list) else name
    if name:
        open_model(str(name))


def bundle_of(model: IndexedModel) -> Bundle:
    """A model's small files, read again when they changed.

    Raises:
        BundleError: they cannot be read.
    """
    return _bundle(model.folder, tuple(model_stamp(model.folder)))


@lru_cache(maxsize=256)
def _bundle(folder: Path, stamp: tuple[int, ...]) -> Bundle:
    return read_bundle(folder)
