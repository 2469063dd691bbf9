"""Home: what is here, and what to do first."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.figures import all_figures, headline, measured_on
from dnalm.model.bundle import Bundle

KINDS = {"language-model": "language model", "classifier": "classifier"}


def main() -> None:
    """Draw the page."""
    st.title("What do you want to find in your DNA?")
    st.write(
        "dnalm reads DNA with language models: pre-trained on genomes, fine-tuned on your kind of sequence, and "
        "taught by a few hundred labelled examples to tell, say, promoters from other DNA."
    )
    found, problems = resources.bundles()
    _first_steps(bool(resources.classifiers()))
    st.header("Which models are here?")
    for problem in problems:
        st.warning(problem, icon=":material/warning:")
    if not found:
        _no_models()
        return
    scanning = {bundle.name for bundle in resources.classifiers()}
    st.caption(
        "Figures have 95 % intervals and say on which sequences they were measured. The card says how, and on what the "
        "model was trained."
    )
    for first in range(0, len(found), 2):
        for column, bundle in zip(st.columns(2), found[first : first + 2], strict=False):
            with column, st.container(border=True, height="stretch"):
                _card(bundle, can_scan=bundle.name in scanning)


def _first_steps(can_scan: bool) -> None:
    st.header("What to do first?")
    if can_scan:
        st.write(
            "See where a model that ships finds promoters along 40,000 bases of *E. coli* K-12, known starts in red."
        )
        st.page_link(
            "views/long_sequences.py",
            label="Look along a long sequence",
            icon=":material/monitoring:",
        )
    st.write("The same from the command line, and everything else there is:")
    st.code("dnalm --help\ndnalm models list\ndnalm predict MODEL sequences.fasta", language="bash")


def _no_models() -> None:
    st.info(
        "No model is here yet. Train one on data that dnalm fetches for you, which takes all three phases, or import "
        "a bundle that someone gave you; then reload this page.",
        icon=":material/model_training:",
    )
    st.code(
        "dnalm train --preset small --dataset ecoli-promoters-150\ndnalm models import BUNDLE_FOLDER", language="bash"
    )


def _card(bundle: Bundle, *, can_scan: bool) -> None:
    """One model: what it is, how good it is, what to do with it."""
    config = bundle.config
    st.subheader(bundle.name, anchor=False)
    reads = f"; reads windows of {config.window} bases" if config.window else ""
    st.caption(f"A {KINDS[config.kind]}{reads}")
    if config.description:
        st.text(config.description)
    shown = headline(bundle.metrics)
    lines = []
    for figure in shown:
        where = measured_on(bundle.metrics, figure)
        lines.append(f"{figure.title}: {figure}" + (f", {where}" if where else ""))
    st.text("\n".join(lines or ["Its metrics.json holds no figures."]))
    if can_scan:
        st.page_link(
            "views/long_sequences.py",
            label="Scan with it",
            icon=":material/monitoring:",
            query_params={"model": bundle.name},
        )
    with st.expander("Model card"):
        # Markdown without HTML: Streamlit shows tags as text.
        st.markdown(bundle.card or "This model has no card.")
    with st.expander("All figures"):
        rows = [
            {
                "Measured on": " / ".join(figure.where),
                "Figure": figure.title,
                "Value": figure.value,
                "Low (95 %)": figure.low,
                "High (95 %)": figure.high,
                "n": figure.n,
            }
            for figure in all_figures(bundle.metrics)
        ]
        st.dataframe(rows, hide_index=True)


main()
