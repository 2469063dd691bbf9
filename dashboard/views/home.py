"""Home: what to do first, and what is here."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from dashboard import resources
from dashboard.links import link
from dashboard.person import acting_user
from dashboard.saying import plain
from dnalm.errors import DnalmError
from dnalm.lab import index, jobs
from dnalm.lab.job import JobState


def main() -> None:
    """Draw the page."""
    st.title("What do you want to find in your DNA?")
    st.write(
        "dnalm reads DNA with language models: pre-trained on genomes, fine-tuned on your kind of sequence, and "
        "taught by a few hundred labelled examples to tell, say, promoters from other DNA."
    )
    scanning = resources.scanners()
    if not resources.bundles()[0]:
        _no_models()
    _first_steps(scanning[0].name if scanning else None)
    st.header("What is here?")
    try:
        _counts()
    except DnalmError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
    st.subheader("At the shell", anchor=False)
    st.write("The same from the command line, and everything else there is:")
    st.code("dnalm --help\ndnalm models list\ndnalm predict MODEL sequences.fasta", language="bash")


def _no_models() -> None:
    st.info(
        "No model is here yet. Train one on data that dnalm fetches for you, which takes all three phases, or import "
        "a model that someone gave you; then reload this page.",
        icon=":material/model_training:",
    )
    st.code("dnalm train --preset small --dataset ecoli-promoters-150\ndnalm models import FILE.zip", language="bash")


def _first_steps(scanner: str | None) -> None:
    """By what a person has: a card each, the one that needs nothing first."""
    st.header("What to do first?")
    steps = [
        (
            "You have labelled sequences",
            "Bring two FASTA files or a table; see copies, leaks and what GC content alone would achieve.",
            ("data", "Bring yours", ":material/database:", {"show": "upload"}),
        ),
        (
            "You want a classifier",
            "Choose a language model and a labelled set; it is trained on the lab's queue while you do other things.",
            ("fine-tune", "Teach a model", ":material/tune:", {}),
        ),
        (
            "You have genomes",
            "Pre-train a language model on them: it needs no labels, and gives every later classifier a better start.",
            ("pre-train", "Pre-train", ":material/model_training:", {}),
        ),
    ]
    if scanner:
        see = (
            "You want to see it work",
            "Where a model that is here finds promoters along 40,000 bases of E. coli K-12, known starts in red.",
            ("long-sequences", "See it scan", ":material/monitoring:", {"model": scanner}),
        )
        why = (
            "You have a promoter",
            "Paste it: which of its bases the model reads, and what each mutation would do. Change it with a click.",
            ("saliency", "See why", ":material/equalizer:", {}),
        )
        steps[:0] = [see, why]
    across = 3 if len(steps) > 4 else len(steps)
    for first in range(0, len(steps), across):
        row = steps[first : first + across]
        for column, (title, text, (page, label, icon, query)) in zip(st.columns(across), row, strict=False):
            with column, st.container(border=True, height="stretch"):
                st.markdown(f"**{title}**")
                st.write(text)
                link(page, label, icon=icon, query=query)


def _counts() -> None:
    """What this person may see, counted, with the way to each."""
    user = acting_user()
    models, datasets = index.models(user), index.datasets(user)
    at_work = jobs.visible(user, states=[JobState.RUNNING, JobState.QUEUED])
    running = sum(job.state is JobState.RUNNING for job in at_work)
    shipped = sum(model.shipped for model in models)
    kinds = Counter(model.kind for model in models)
    scanning = f", {kinds['track']:,} that scan{'s' if kinds['track'] == 1 else ''}" if kinds["track"] else ""
    shown = [
        (
            _number(len(models), "model"),
            f"{_number(kinds['language-model'], 'language model')}, {_number(kinds['classifier'], 'classifier')}"
            f"{scanning}; {shipped} of them came with dnalm. With figures, cards and where each came from.",
            ("models", "All models", ":material/category:"),
        ),
        (
            _number(len(datasets), "labelled set"),
            "Made by recipe or brought by you; more can be made from public data.",
            ("data", "All data", ":material/database:"),
        ),
        (
            f"{_number(running, 'job')} running",
            f"{len(at_work) - running} waiting. A job goes on when you close this page.",
            ("jobs", "All jobs", ":material/list_alt:"),
        ),
    ]
    for column, (title, text, (page, label, icon)) in zip(st.columns(len(shown)), shown, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.subheader(title, anchor=False)
            st.caption(text)
            link(page, label, icon=icon)
    for problem in index.unreadable(user):
        st.warning(plain(problem), icon=":material/warning:")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


main()
