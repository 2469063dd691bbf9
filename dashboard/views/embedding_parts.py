"""What stands below the picture of the page Embedding: how far to believe it, downloads, neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.download_row import Offered, download_row
from dashboard.embedding_reading import Drawn, Points
from dashboard.saying import plain
from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.files import picture_bytes
from dnalm.interpret.colouring import Colouring
from dnalm.interpret.embedding import Embedding, Neighbour, reverse_complement_ranks
from dnalm.interpret.embedding_files import draw, npz_bytes, table, tsv_text
from dnalm.interpret.kmer_neighbours import KmerNeighbours, kmer_neighbours
from dnalm.interpret.projection import Projection

# Of more k-mers, comparing all pairs takes longer than a page may.
MOST_COMPARED = 4096
SEQUENCES = "sequences.tsv"


def believe(projection: Projection, words: str) -> None:
    """How far the picture can be believed."""
    meaning = " At 1, all points that lie together here are neighbours in truth; about 0.5 is chance."
    st.caption(plain(words) + (meaning if projection.trust is not None else ""))


def drawn_from(points: Points, shown: int) -> None:
    """Say it where not all points are in the picture, and what else was left out."""
    notes = list(points.notes)
    if points.total > shown:
        notes.insert(
            0, f"{shown:,} of {points.total:,} are drawn, at random by the seed, so that the page stays quick."
        )
    for note in notes:
        st.caption(plain(note))


def downloads(found: Drawn, colours: Colouring, row: int | None, near: Sequence[Neighbour]) -> None:
    """Buttons for the picture and its data; each is made when it is asked for."""
    embedding, projection, calls = found.embedding, found.projection, found.calls

    def picture(kind: str) -> bytes:
        return picture_bytes(draw(embedding, projection, colours, chosen=row, near=near), kind)

    name = f"{embedding.model}.{embedding.what}.{projection.method}"
    offered = {
        "tsv": Offered(
            "Points (TSV)",
            f"{name}.tsv",
            lambda: tsv_text(table(embedding, projection, calls=calls, chosen=row)),
        ),
        "npz": Offered("Vectors (NPZ)", f"{name}.npz", lambda: npz_bytes(embedding, projection, calls)),
        "svg": Offered("SVG", f"{name}.svg", lambda: picture("svg")),
        "png": Offered("PNG", f"{name}.png", lambda: picture("png")),
    }
    if embedding.what == "sequences":
        offered["sequences"] = Offered("Sequences (TSV)", SEQUENCES, lambda: sequences_tsv(embedding))
    download_row("embed", offered)


def sequences_tsv(embedding: Embedding) -> str:
    """The sequences with their classes, as `dnalm explain embed` reads them."""
    letters = [decode(codes) for codes in embedding.codes]
    frame = pd.DataFrame({"id": embedding.ids, "sequence": letters})
    if any(label is not None for label in embedding.labels):
        frame["label"] = list(embedding.labels)
    return tsv_text(frame)


def neighbours_of(found: Drawn, row: int, near: Sequence[Neighbour]) -> None:
    """The nearest neighbours of the chosen point as a table, and its sequence."""
    embedding, calls = found.embedding, found.calls
    st.subheader(f"What is nearest to {plain(embedding.ids[row])}?", anchor=False)
    width = embedding.vectors.shape[1]
    st.caption(
        f"By cosine similarity of the whole vectors, {width} numbers each: 1 is the same direction, 0 unrelated. Not "
        "by distance in the picture, which may put others closer. Choose a row to go there."
    )
    rows = [one.row for one in near]
    columns: dict[str, list[object]] = {
        "Rank": [one.rank for one in near],
        "k-mer" if embedding.what == "kmers" else "Sequence": [one.id for one in near],
        "Similarity": [one.similarity for one in near],
    }
    if embedding.what == "kmers":
        columns["Differs in base"] = [_differing(embedding.codes[row], embedding.codes[other]) for other in rows]
    elif any(label is not None for label in embedding.labels):
        columns["Class"] = [embedding.labels[other] or "" for other in rows]
    if calls is not None:
        columns["Called"] = [calls.called[other] or "" for other in rows]
        columns["Probability"] = [float(calls.probabilities[other]) for other in rows]
    columns["GC (%)"] = [100 * float(share) for share in embedding.take(np.array(rows, dtype=int)).gc()]
    st.dataframe(
        pd.DataFrame(columns),
        key=f"embed_neighbours_{embedding.ids[row]}",
        hide_index=True,
        width="content",
        on_select=lambda: _go([one.id for one in near], f"embed_neighbours_{embedding.ids[row]}"),
        selection_mode="single-row",
        column_config={
            "Similarity": st.column_config.NumberColumn(format="%.3f"),
            "Probability": st.column_config.NumberColumn(format="%.3f"),
            "GC (%)": st.column_config.NumberColumn(format="%.0f"),
            "Sequence": st.column_config.TextColumn(width="medium"),
        },
    )
    if embedding.what == "kmers":
        _reverse_complement(found, row)
    else:
        _sequence(found, row)


def _go(ids: Sequence[str], key: str) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        st.query_params["pick"] = ids[rows[0]]


def _differing(one: np.ndarray, other: np.ndarray) -> str:
    return ", ".join(str(place + 1) for place in np.flatnonzero(one != other))


def _reverse_complement(found: Drawn, row: int) -> None:
    embedding = found.embedding
    other = decode(reverse_complement(encode(embedding.ids[row])))
    if other == embedding.ids[row]:
        st.write(f"{other} is its own reverse complement.")
        return
    rank = int(reverse_complement_ranks(embedding)[row])
    if not rank:
        st.write(f"Its reverse complement, {other}, is not among the points drawn.")
        return
    st.write(f"Its reverse complement, {other}, is neighbour {rank:,} of {len(embedding) - 1:,}.")


def _sequence(found: Drawn, row: int) -> None:
    embedding, calls = found.embedding, found.calls
    words = [f"{len(embedding.codes[row]):,} bases"]
    if embedding.labels[row] is not None:
        words.append(f"class {embedding.labels[row]}")
    if calls is not None and calls.called[row] is not None:
        of = calls.speaks_of or calls.called[row]
        words.append(f"probability of {of} {calls.probabilities[row]:.3f}, {calls.outcomes[row]}")
    st.text(", ".join(words))
    st.code(f">{embedding.ids[row]}\n{decode(embedding.codes[row])}", language=None, wrap_lines=True)


def kmers_in_words(points: Points) -> None:
    """What most k-mers' nearest neighbour is."""
    embedding = points.embedding
    if len(embedding) > MOST_COMPARED or len(embedding.ids[0]) < 2:
        return
    st.subheader("What is a k-mer's nearest neighbour?", anchor=False)
    found = _census(points.key, points)
    rows = {
        "the same but for its first base": found.first,
        "the same but for its last base": found.last,
        "the same but for one base between": found.inner,
        "its reverse complement": found.reverse_complement,
    }
    frame = pd.DataFrame(
        {
            "The nearest neighbour is": list(rows),
            "k-mers": [one.count for one in rows.values()],
            "of": [one.of for one in rows.values()],
            "Share": [one.value for one in rows.values()],
            "By chance": [one.by_chance for one in rows.values()],
        }
    )
    percent = st.column_config.NumberColumn(format="percent")
    config = {"Share": percent, "By chance": percent}
    st.dataframe(frame, hide_index=True, width="content", column_config=config)
    st.caption(
        f"The reverse complement stands in the middle of the neighbours at rank {found.median_rank:,.0f} of "
        f"{len(embedding) - 1:,}, where unrelated k-mers would stand at about {len(embedding) // 2:,}. "
        "Palindromes, their own reverse complements, are not counted there."
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _census(key: str, _points: Points) -> KmerNeighbours:
    return kmer_neighbours(_points.embedding)
