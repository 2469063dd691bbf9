"""`dnalm explain embed`: where a model puts k-mers or sequences, in two dimensions, and what lies near what."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.evaluate import Part
from dnalm.cli.explain_input import sequences_of
from dnalm.cli.frame import Json, progress, say
from dnalm.cli.output import STANDARD, format_of, print_json, whole_file
from dnalm.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from dnalm.interpret.calls import Calls
    from dnalm.interpret.embedding import Embedding, Neighbour
    from dnalm.interpret.projection import Projection

FORMATS = {".tsv": "tsv", ".npz": "npz", ".png": "png", ".svg": "svg"}
NAMED = 5
"""Neighbours that the sentence at the end names."""


class What(StrEnum):
    """What is embedded."""

    KMERS = "kmers"
    SEQUENCES = "sequences"


class Method(StrEnum):
    """How many dimensions become two."""

    PCA = "pca"
    TSNE = "tsne"
    UMAP = "umap"


class Colour(StrEnum):
    """What colours the points of a picture."""

    FIRST = "first"
    LAST = "last"
    GC = "gc"
    CLASS = "class"
    ERROR = "error"
    PROBABILITY = "probability"


def embed(
    model: Annotated[str, typer.Argument(help="A model of either kind: its name, or its folder.", metavar="MODEL")],
    file: Annotated[
        str | None,
        typer.Argument(
            help="Sequences: FASTA, GenBank, CSV or TSV, or a dataset's name; none: k-mers.", metavar="FILE"
        ),
    ] = None,
    what: Annotated[What | None, typer.Option(help="kmers, or sequences, which is meant where FILE is given.")] = None,
    method: Annotated[Method, typer.Option(help="umap needs the extra of that name.")] = Method.PCA,
    neighbours_of: Annotated[
        str | None, typer.Option("--neighbours-of", help="A k-mer or an id: how similar all are to it.", metavar="X")
    ] = None,
    colour: Annotated[Colour | None, typer.Option(help="Of a picture; else the most telling.")] = None,
    split: Annotated[Part, typer.Option(help="Part of a dataset.")] = Part.TEST,
    member: Annotated[int, typer.Option(min=1, help="Of an ensemble: whose encoder.")] = 1,
    at_most: Annotated[int, typer.Option("--at-most", min=10, help="Points; of more, so many are drawn.")] = 5000,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample, of t-SNE and of UMAP.")] = 0,
    output: Annotated[
        str, typer.Option("-o", "--output", help="OUT.tsv .npz .png .svg; - is TSV to stdout.")
    ] = STANDARD,
    format: Annotated[str | None, typer.Option(help="tsv, npz, png or svg; else by the file's suffix.")] = None,
    as_json: Json = False,
) -> None:
    """Show which k-mers, or which sequences, a model takes for alike.

    Similarity is the cosine of whole vectors, never a distance in the picture; how faithful that is, is said beside it.
    """
    import numpy as np

    from dnalm.interpret import embedding as vectors
    from dnalm.interpret.kmer_neighbours import kmer_neighbours
    from dnalm.interpret.projection import check_method, project

    kind = format_of(output, format, FORMATS, "tsv")
    if output == STANDARD and kind != "tsv":
        raise InputError(f"{kind} is binary or a picture and needs a file: name one with -o")
    wanted = what or (What.KMERS if file is None else What.SEQUENCES)
    if (wanted is What.KMERS) != (file is None):
        asks = "--what kmers reads no FILE" if file else "--what sequences wants a FILE or a dataset's name"
        raise InputError(f"{asks}: k-mers are the model's own")
    generator = np.random.default_rng(seed)
    embedding, calls, total = _points(model, file, split, member - 1, at_most, neighbours_of, generator)
    check_method(method.value, len(embedding))
    chosen = embedding.find(neighbours_of) if neighbours_of is not None else None
    if colour is not None and kind not in ("png", "svg"):
        raise InputError(f"--colour is of a picture, and {kind} is none: name OUT.png or OUT.svg with -o")
    projection = project(embedding.vectors, method.value, generator)
    census = kmer_neighbours(embedding) if wanted is What.KMERS and len(embedding) == total else None
    near = [] if chosen is None else vectors.neighbours(embedding, chosen)
    report = _report(embedding, projection, near, total, seed)
    report |= {"nearest_neighbours": vars(census)} if census else {}
    report |= {"output": None if output == STANDARD else output}
    _write(output, kind, embedding, projection, calls, chosen, near, colour, report if as_json else None)
    if not as_json:
        _say(embedding, projection, chosen, near, total)
        if census:
            say(f"nearest neighbours that differ in the first base alone: {census.first}; in the last: {census.last}")
            median = f"median rank {census.median_rank:g} of {total - 1:,}"
            say(f"nearest neighbours that are the reverse complement: {census.reverse_complement}; {median}")


def _points(
    model: str,
    file: str | None,
    split: Part,
    member: int,
    at_most: int,
    keep: str | None,
    generator: np.random.Generator,
) -> tuple[Embedding, Calls | None, int]:
    """The points, what a classifier says of them, and how many there were before any were drawn."""
    import dnalm
    from dnalm.interpret import embedding as vectors
    from dnalm.interpret.calls import calls_of

    loaded = dnalm.load(model)
    if file is None:
        every = vectors.kmer_vectors(loaded, member=member)
        kept = every.find(keep) if keep is not None else None
        return every.take(vectors.sample(len(every), at_most, generator, kept)), None, len(every)
    sequences = sequences_of(file, split, allow_duplicates=False)
    kept = next((row for row, one in enumerate(sequences) if one.id == (keep or "").strip()), None)
    if keep is not None and kept is None:
        raise InputError(f"{file}: no sequence has the id {keep!r}; there are {len(sequences):,}")
    rows = vectors.sample(len(sequences), at_most, generator, kept)
    with progress("reading", "sequences") as advance:
        points = vectors.sequence_vectors(loaded, [sequences[row] for row in rows], member=member, progress=advance)
    calls = None
    if loaded.config.kind == "classifier":
        with progress("calling", "sequences") as advance:
            calls = calls_of(loaded, points, progress=advance)
    return points, calls, len(sequences)


def _report(
    embedding: Embedding, projection: Projection, near: list[Neighbour], total: int, seed: int
) -> dict[str, Any]:
    """What is said beside the points."""
    trust = projection.trust
    return {
        "model": embedding.model,
        "what": embedding.what,
        "method": projection.method,
        "seed": seed,
        "points": len(embedding),
        "drawn_from": total,
        "variance": projection.variance,
        "trustworthiness": None if trust is None else {"value": trust.value, "k": trust.k, "n": trust.points},
        "neighbours": [{"rank": one.rank, "id": one.id, "similarity": one.similarity} for one in near],
    }


def _write(
    output: str,
    kind: str,
    embedding: Embedding,
    projection: Projection,
    calls: Calls | None,
    chosen: int | None,
    near: list[Neighbour],
    colour: Colour | None,
    report: dict[str, Any] | None,
) -> None:
    """Write the file, or the table to standard output; with a report, that as JSON instead."""
    from dnalm.files import picture_bytes
    from dnalm.interpret import colouring, embedding_files

    if kind in ("png", "svg"):
        by = colour.value if colour else colouring.choices(embedding, calls)[0]
        colours = colouring.colouring(embedding, by, calls)
        figure = embedding_files.draw(embedding, projection, colours, chosen=chosen, near=near)
        content = picture_bytes(figure, kind)
    elif kind == "npz":
        content = embedding_files.npz_bytes(embedding, projection, calls)
    else:
        frame = embedding_files.table(embedding, projection, calls=calls, chosen=chosen)
        content = embedding_files.tsv_text(frame).encode()
        if output == STANDARD and report is not None:
            rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
            report = report | {"rows": rows}
    if output != STANDARD:
        with whole_file(output) as temporary:
            temporary.write_bytes(content)
    elif report is None:
        sys.stdout.write(content.decode())
    if report is not None:
        print_json(report)


def _say(embedding: Embedding, projection: Projection, chosen: int | None, near: list[Neighbour], total: int) -> None:
    from dnalm.interpret.embedding_files import faithfulness, title_of

    drawn = f" (drawn from {total:,}; --at-most draws more)" if total > len(embedding) else ""
    say(f"{title_of(embedding, projection)}{drawn}. {faithfulness(projection)}")
    if chosen is not None:
        told = ", ".join(f"{one.id} ({one.similarity:.3f})" for one in near[:NAMED])
        say(f"nearest to {embedding.ids[chosen]}, by cosine similarity of the whole vectors: {told}")
