"""What the page Embedding draws: vectors and pictures of them, in bounded caches and with a time limit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from dashboard import features, resources, uploads
from dashboard.turns import a_turn
from dnalm.annotation import Site
from dnalm.datasets import Dataset
from dnalm.datasets.dataset import INFO
from dnalm.errors import InputError, RunError
from dnalm.interpret.around_sites import around, elsewhere
from dnalm.interpret.calls import Calls, calls_of
from dnalm.interpret.embedding import Embedding, Progress, kmer_vectors, sample, sequence_vectors
from dnalm.interpret.projection import Projection, project
from dnalm.lab import index
from dnalm.lab.people import User
from dnalm.model.bundle import CONFIG, WEIGHTS, Bundle
from dnalm.sequences import LabelledSequence, read_any
from dnalm.settings import settings

STARTS = "starts"
STARTS_TITLE = "E. coli: known starts and random places (ships)"
PROMOTER, GENE, RANDOM = "σ70 promoter", "gene start", "random place"
SPLITS = {"test": "Test", "valid": "Validation", "train": "Training", "all": "All"}
SIZES = (250, 500, 1000, 2000, 5000)
USUAL_SIZE = 1000
# On one core of a small server t-SNE of 1,500 points takes about six seconds, UMAP of 2,000 about four.
MOST_DRAWN = {"pca": 5000, "tsne": 1500, "umap": 2000}
# Of all sequences of a picture together: about a second of reading, and of calling them two to six.
MOST_BASES = 200_000
LONGEST = 20_000
SHORTEST_WINDOW = 81


@dataclass(frozen=True)
class Source:
    """Sequences that can be looked at: `key` stands in the address; `stamp` changes when they do."""

    key: str
    title: str
    path: Path
    stamp: int
    is_set: bool = False


@dataclass(frozen=True, eq=False)
class Points:
    """What can be drawn.

    Attributes:
        key: names these points, for caches.
        embedding: vectors of k-mers or sequences.
        calls: of the classifier; None where there is none.
        total: how many there were to draw from.
        notes: what was left out and why, in sentences.
    """

    key: str
    embedding: Embedding
    calls: Calls | None
    total: int
    notes: tuple[str, ...]


def sources(user: User) -> dict[str, Source]:
    """The sequences that this person may look at: what ships, the labelled sets that are made, and their uploads."""
    found = {}
    known = settings().shipped_data / "demo" / "sigma70_tss.tsv"
    if known.is_file() and _genome() is not None:
        found[STARTS] = Source(STARTS, STARTS_TITLE, known, known.stat().st_mtime_ns)
    for one in index.datasets(user):
        info = one.folder / INFO
        if info.is_file():
            title = f"{one.name} ({one.rows:,} sequences)"
            found[one.name] = Source(one.name, title, one.folder, info.stat().st_mtime_ns, is_set=True)
    for brought in uploads.known(user):
        found[brought.key] = Source(brought.key, brought.title, brought.path, brought.path.stat().st_mtime_ns)
    return found


def _genome() -> resources.Sequence | None:
    """The shipped genome that the known starts are of."""
    folder = settings().shipped_data / "genomes"
    return next((one for one in resources.sequences() if one.path.parent == folder), None)


def usual_source(bundle: Bundle, known: dict[str, Source]) -> str:
    """The set that a model was trained on, where it is here; else what ships."""
    data = bundle.config.trained.get("data")
    trained_on = str(data.get("dataset") if isinstance(data, dict) else "")
    return trained_on if trained_on in known else next(iter(known), "")


def kmers(bundle: Bundle, member: int) -> Points:
    """The k-mers of a model."""
    embedding = _kmers(str(bundle.folder), stamp_of(bundle), member, bundle)
    return Points(f"{bundle.folder} {stamp_of(bundle)} {member} kmers", embedding, None, len(embedding), ())


@st.cache_resource(max_entries=8, show_spinner=False)
def _kmers(folder: str, stamp: tuple[int, ...], member: int, _bundle: Bundle) -> Embedding:
    return kmer_vectors(resources.model(_bundle), member=member)


def stamp_of(bundle: Bundle) -> tuple[int, ...]:
    """Changes when a model's files do."""
    return tuple((bundle.folder / name).stat().st_mtime_ns for name in (CONFIG, WEIGHTS))


def sequences(bundle: Bundle, member: int, source: Source, split: str, most: int, seed: int, keep: str = "") -> Points:
    """Sequences of a source as a model reads them, at most `most`, drawn with `seed`; one of the id `keep` is in it.

    Raises:
        InputError: the source cannot be read, or holds nothing that the model can read.
        RunError: it took longer than the page's limit.
    """
    stamps = (*stamp_of(bundle), source.stamp)
    part = split if source.is_set else ""
    usual = _sequences(str(bundle.folder), stamps, member, source, part, most, seed, "", bundle)
    if not keep or keep in usual.embedding.ids or len(usual.embedding) == usual.total:
        return usual
    return _sequences(str(bundle.folder), stamps, member, source, part, most, seed, keep, bundle)


@st.cache_resource(max_entries=12, show_spinner="Reading the sequences")
def _sequences(
    folder: str,
    stamps: tuple[int, ...],
    member: int,
    source: Source,
    split: str,
    most: int,
    seed: int,
    keep: str,
    _bundle: Bundle,
) -> Points:
    model = resources.model(_bundle)
    every = _read(model.bundle, source, split, most, seed)
    k = model.config.encoder.k if model.config.encoder else model.config.members[member].encoder.k
    usable = [one for one in every if k <= len(one.codes) <= LONGEST]
    if not usable:
        raise InputError(f"{source.title}: none of {len(every):,} sequences has {k} to {LONGEST:,} bases")
    notes = []
    if model.config.kind == "classifier" and (source.key == STARTS or split in ("train", "all")):
        notes.append(
            "The model may have learned from these very sequences: see where it puts them, not how good it is."
        )
    if len(usable) < len(every):
        notes.append(
            f"{len(every) - len(usable):,} sequences shorter than {k} or longer than {LONGEST:,} bases are out."
        )
    kept = next((row for row, one in enumerate(usable) if one.id == keep), None) if keep else None
    drawn = [usable[row] for row in sample(len(usable), most, np.random.default_rng(seed), kept)]
    bases = np.cumsum([len(one.codes) for one in drawn])
    fits = max(1, int(np.searchsorted(bases, MOST_BASES, side="right")))
    if fits < len(drawn):
        kept = next((row for row, one in enumerate(drawn) if one.id == keep), None) if keep else None
        rows = sample(len(drawn), fits, np.random.default_rng(seed), kept)
        drawn = [drawn[row] for row in rows]
    with a_turn():
        end = time.monotonic() + resources.TIME_LIMIT
        embedding = sequence_vectors(model, drawn, member=member, progress=_deadline("Reading the sequences", end))
        calls = None
        if model.config.kind == "classifier":
            try:
                calls = calls_of(model, embedding, progress=_deadline("Calling the sequences", end))
            except RunError as error:
                notes.append(f"{error} So there are no probabilities here: choose fewer points.")
    key = f"{folder} {stamps} {member} {source.key} {split} {most} {seed} {keep}"
    return Points(key, embedding, calls, len(usable), tuple(notes))


def _deadline(what: str, end: float) -> Progress:
    def stop_late(done: int, total: int) -> None:
        if time.monotonic() > end and done < total:
            limit = f"{resources.TIME_LIMIT:.0f} s"
            raise RunError(f"{what} was stopped after {limit}, when {done:,} of {total:,} were done.")

    return stop_late


def _read(bundle: Bundle, source: Source, split: str, most: int, seed: int) -> list[LabelledSequence]:
    if source.key == STARTS:
        return _starts(bundle, source, most, np.random.default_rng(seed))
    if not source.is_set:
        return list(read_any(source.path))
    dataset = Dataset.load(source.path)
    rows = dataset.table if split == "all" else dataset.part(split)
    if rows.empty:
        raise InputError(f"{source.key} has no sequence in its split {split}")
    return [LabelledSequence(*one) for one in zip(rows["id"], dataset.codes(rows), rows["label"], strict=True)]


def _starts(bundle: Bundle, source: Source, most: int, generator: np.random.Generator) -> list[LabelledSequence]:
    """Windows around the shipped genome's known starts, and elsewhere, by the classes' names of the model."""
    genome = _genome()
    if genome is None:
        raise InputError("no genome ships with this installation")
    known = features.known_starts(genome)
    promoters, genes = (known[kind].sites if kind in known else [] for kind in (features.TRANSCRIPTS, features.GENES))
    record = max(resources.records(genome.path).values(), key=len)
    window = bundle.config.window or SHORTEST_WINDOW
    # Where a model speaks of no place, the known start stands where it does in the published promoter sets: far right.
    anchor = bundle.config.anchor if bundle.config.anchor is not None else window * 60 // 81
    positive, other = _classes_of(bundle)
    names = (positive if calls_gene_starts(bundle) else GENE, positive if calls_promoters(bundle) else PROMOTER)
    some = _some(genes, max(1, (most - len(promoters)) // 2), generator)
    count = max(1, most - len(promoters) - len(some))
    return [
        *around(record, promoters, window, anchor, names[1] or PROMOTER),
        *around(record, some, window, anchor, names[0] or GENE),
        *elsewhere(record, [*promoters, *genes], window, anchor, count, other or RANDOM, generator),
    ]


def _some(sites: list[Site], most: int, generator: np.random.Generator) -> list[Site]:
    return [sites[row] for row in sample(len(sites), most, generator)] if sites else []


def _classes_of(bundle: Bundle) -> tuple[str | None, str | None]:
    """What a model of E. coli starts calls a start, and all else; nothing of other models."""
    positive = bundle.config.positive
    if positive is None or not (calls_gene_starts(bundle) or calls_promoters(bundle)):
        return None, None
    return positive, next(label for label in bundle.config.labels if label != positive)


def calls_gene_starts(bundle: Bundle) -> bool:
    """Whether the model was trained on windows around starts of genes."""
    return bundle.config.anchor is not None and "gene start" in bundle.config.description.lower()


def calls_promoters(bundle: Bundle) -> bool:
    """Whether the model was trained on windows around transcription starts."""
    return bundle.config.anchor is not None and features.calls_transcription_starts(bundle)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The points of one picture, and the picture."""

    embedding: Embedding
    calls: Calls | None
    projection: Projection


def drawn(points: Points, method: str, seed: int, keep: int | None) -> Drawn:
    """The picture of points; of more than the method manages in time, some are drawn, `keep` among them.

    Raises:
        InputError: there are too few points, or UMAP is not installed.
        RunError: others are at it.
    """
    most = MOST_DRAWN.get(method, min(MOST_DRAWN.values()))
    total = len(points.embedding)
    # A point that was drawn anyway changes nothing: the picture stays as it is when another is chosen.
    there = keep is None or total <= most or keep in sample(total, most, np.random.default_rng(seed))
    kept = None if there else keep
    return _drawn(points.key, method, seed, kept, most, points)


@st.cache_resource(max_entries=24, show_spinner=False)
def _drawn(key: str, method: str, seed: int, keep: int | None, most: int, _points: Points) -> Drawn:
    generator = np.random.default_rng(seed)
    rows = sample(len(_points.embedding), most, generator, keep)
    embedding = _points.embedding if len(rows) == len(_points.embedding) else _points.embedding.take(rows)
    calls = _points.calls.take(rows) if _points.calls is not None else None
    with a_turn():
        return Drawn(embedding, calls, project(embedding.vectors, method, generator))
