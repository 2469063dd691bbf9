"""The inputs of the page Embedding: each lives in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import streamlit as st

from dashboard import addressed, uploads
from dashboard import embedding_reading as reading
from dashboard.embedding_reading import Source
from dashboard.saying import plain, refused
from dnalm.errors import InputError
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle

chosen = addressed.chosen
bound = partial(addressed.bound, "embed")

METHOD_HELP = (
    "PCA: the two directions in which the vectors differ most; distances mean something. t-SNE and UMAP: who is whose "
    "neighbour; the distance between groups, and a group's size, say nothing."
)
REFUSED = "embed_refused"
LARGEST_UPLOAD = 10
LONGEST_PASTE = 200_000


def unknown(parameter: str, used: str, what: str) -> None:
    """Say it where the address asks for what is not here."""
    asked = st.query_params.get(parameter, used)
    if asked != used:
        words = f"The address asks for the {what} {asked}, which is not here; {used} is shown."
        st.warning(plain(words), icon=":material/warning:")


def sequences(bundle: Bundle, sources: Mapping[str, Source]) -> tuple[Source | None, str, int]:
    """Which sequences, which part of a set, and how many at most."""
    if not sources:
        return None, "", 0
    usual = reading.usual_source(bundle, dict(sources))
    key = chosen("set", list(sources), usual)
    unknown("set", key, "set")
    source = sources[key]
    st.selectbox(
        "Sequences",
        list(sources),
        format_func=lambda one: sources[one].title,
        width=330,
        **bound("set", key, default=usual, clears=("pick", "colour")),
    )
    split = chosen("split", list(reading.SPLITS), "test")
    if source.is_set:
        st.selectbox(
            "Part",
            list(reading.SPLITS),
            format_func=reading.SPLITS.get,
            width=130,
            help="Test: what the model learned nothing from, where it was trained on this set.",
            **bound("split", split, default="test", clears=("pick",)),
        )
    most = int(chosen("most", [str(size) for size in reading.SIZES], str(reading.USUAL_SIZE)))
    st.selectbox(
        "At most",
        reading.SIZES,
        format_func=lambda size: f"{size:,} points",
        width=140,
        help="Of more sequences, so many are drawn at random; the seed says which.",
        **bound("most", most, default=str(reading.USUAL_SIZE)),
    )
    return source, split, most


def member(bundle: Bundle) -> int:
    """Whose encoder, counted from 0; asked of ensembles only."""
    count = len(bundle.config.members)
    if count < 2:
        return 0
    names = [str(number) for number in range(1, count + 1)]
    value = chosen("member", names, "1")
    st.selectbox(
        "Encoder of",
        names,
        format_func=lambda one: f"{one}: {bundle.config.members[int(one) - 1].head.kind} head",
        width=160,
        help="This classifier is an ensemble: each member has an encoder of its own.",
        **bound("member", value, default="1"),
    )
    return int(value) - 1


def seed(method: str, most: int) -> int:
    """Where t-SNE, UMAP and the sample begin; PCA of all points needs none."""
    text = st.query_params.get("seed", "0")
    value = int(text) if text.isdecimal() and len(text) < 7 else 0
    if method != "pca" or most:
        words = "The same seed gives the same picture. What changes with the seed is no finding."
        st.number_input("Seed", 0, 999_999, step=1, width=120, help=words, **bound("seed", value, default="0"))
    return value


def search(what: str, pick: str) -> None:
    """The box that finds a point."""
    label = "Find a k-mer" if what == "kmers" else "Find a sequence by its id"
    st.text_input(label, width=280, placeholder="TATA" if what == "kmers" else "id", **bound("pick", pick))


def clicked(ids: Sequence[str]) -> None:
    """A click on a point: it goes into the address."""
    for point in st.session_state["embed_chart"]["selection"]["points"]:
        data = point.get("customdata")
        if isinstance(data, list | tuple) and data and int(data[0]) < len(ids):
            st.query_params["pick"] = ids[int(data[0])]
            return


def bring(user: User) -> None:
    """Take sequences that a person pastes or uploads; they are kept, so that the address can name them."""
    st.text_area(
        "Paste FASTA, or one sequence a line",
        key="embed_paste",
        height=120,
        max_chars=LONGEST_PASTE,
        placeholder=">lacUV5\nTTTACACTTTATGCTTCCGGCTCGTATAATGTGTGGAA",
    )
    st.button("Show these", key="embed_paste_show", icon=":material/content_paste:", on_click=_pasted, args=(user,))
    file = st.file_uploader(
        "Or a file: FASTA or GenBank, plain or compressed",
        key="embed_upload",
        max_upload_size=LARGEST_UPLOAD,
        help="It is kept on the server that runs this page, for you alone until you share it on the page Data.",
    )
    if file is not None and st.session_state.get("embed_upload_done") != file.file_id:
        st.session_state["embed_upload_done"] = file.file_id
        if _keep(user, file.getvalue, file.name):
            st.rerun()


def as_fasta(text: str) -> str:
    """Pasted text as FASTA: as it is where it has a header, else each line a sequence.

    Raises:
        InputError: there is nothing in it.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("Nothing was pasted: FASTA, or one sequence a line, is wanted.")
    if lines[0].startswith(">"):
        return "\n".join(lines) + "\n"
    return "".join(f">sequence_{number}\n{line}\n" for number, line in enumerate(lines, start=1))


def _pasted(user: User) -> None:
    _keep(user, lambda: as_fasta(st.session_state.get("embed_paste", "")).encode(), "pasted.fa")


def _keep(user: User, content: Callable[[], bytes], name: str) -> bool:
    """Keep what was brought and have the address name it; where it is refused, the page says why."""

    def work() -> None:
        key = uploads.keep(user, content(), name).key
        for parameter in ("pick", "colour", "split"):
            st.query_params.pop(parameter, None)
        st.query_params["set"] = key

    return not refused(work, here=REFUSED)
