"""What the page Motifs draws: sequences, and what a model reads in them, in bounded caches and with a time limit."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from dashboard import embedding_reading, features, resources
from dashboard.embedding_reading import Source, calls_gene_starts, calls_promoters, stamp_of
from dashboard.turns import a_turn
from dnalm.annotation import Site, read_sites
from dnalm.datasets import Dataset
from dnalm.errors import InputError
from dnalm.interpret.around_sites import around
from dnalm.interpret.attribution import attribute
from dnalm.interpret.motif_report import MotifReport, explain_motifs
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle
from dnalm.model.predict import Classifier
from dnalm.sequences import LabelledSequence, read_any
from dnalm.settings import settings

STARTS = embedding_reading.STARTS
SPLITS = embedding_reading.SPLITS
SIZES = (25, 50, 100, 150, 300, 600)
USUAL_SIZE = 150
# What is shown before anything is chosen should not be long in coming; seconds of reading.
SOON = 6.0
METHODS = {"input-x-gradient": "Input × gradient", "integrated-gradients": "Integrated gradients"}
BASELINE = "uniform"
LIKELY = (
    "These are windows of the E. coli genome: around the known starts that ship, and around sites before genes that "
    "ecoli-sigma70-81 itself scores highest. The latter say what that model looks for, not where transcription starts."
)
# Sequences of a picture are read one by one; longer ones belong to the command line.
LONGEST = 5_000


@dataclass(frozen=True)
class Asked:
    """What is to be read: the address, checked.

    Attributes:
        source: the sequences.
        split: part of a labelled set.
        label: the class that is explained.
        most: sequences at most.
        method: of the attribution.
    """

    source: Source
    split: str
    label: str
    most: int
    method: str


@dataclass(frozen=True, eq=False)
class Given:
    """The sequences of one picture.

    Attributes:
        sequences: those that are read.
        total: how many there were to draw from.
        notes: what was left out and why, in sentences.
    """

    sequences: tuple[LabelledSequence, ...]
    total: int
    notes: tuple[str, ...]


def sources(user: User, bundle: Bundle) -> dict[str, Source]:
    """The sequences that this person may look at with a model: labelled sets, uploads, and what ships for it."""
    found = embedding_reading.sources(user)
    shipped = found.pop(STARTS, None)
    if shipped is None or not (calls_gene_starts(bundle) or calls_promoters(bundle)):
        return found
    if calls_gene_starts(bundle):
        title = "E. coli: annotated gene starts (ships)"
    else:
        title = "E. coli: known and likely starts (ships)"
    return {STARTS: Source(STARTS, title, shipped.path, shipped.stamp), **found}


def usual_source(bundle: Bundle, known: dict[str, Source]) -> str:
    """The set that a model was trained on, where it is here; else what ships; empty where there is nothing fit."""
    data = bundle.config.trained.get("data")
    trained_on = str(data.get("dataset") if isinstance(data, dict) else "")
    return trained_on if trained_on in known else STARTS if STARTS in known else ""


def trained_on(bundle: Bundle) -> str:
    """The labelled set that a model was trained on; empty where that is not told."""
    data = bundle.config.trained.get("data")
    return str(data.get("dataset") or "") if isinstance(data, dict) else ""


def given(bundle: Bundle, asked: Asked) -> Given:
    """The sequences of a class that the model can read, at most as many as were asked for.

    Raises:
        InputError: the source cannot be read, or holds nothing of this class that the model reads.
    """
    return _given(str(bundle.folder), stamp_of(bundle), asked, bundle)


@st.cache_resource(max_entries=12, show_spinner="Reading the sequences")
def _given(folder: str, stamp: tuple[int, ...], asked: Asked, _bundle: Bundle) -> Given:
    every = _read(_bundle, asked)
    labels = {str(one.label) for one in every if one.label is not None}
    of_class = [one for one in every if one.label is None or str(one.label) == asked.label]
    if not of_class:
        raise InputError(
            f"{asked.source.title}: has no sequence of the class {asked.label}; its labels are "
            f"{', '.join(sorted(labels)[:6])}"
        )
    module = resources.model(_bundle).module
    fixed, least = module.fixed_length, module.least_length
    usable = [one for one in of_class if (fixed or least) <= len(one.codes) <= (fixed or LONGEST)]
    if not usable:
        wanted = f"exactly {fixed:,}" if fixed else f"{least:,} to {LONGEST:,}"
        raise InputError(f"{asked.source.title}: {_bundle.name} reads sequences of {wanted} bases; none is here")
    notes = [LIKELY] if asked.source.key == STARTS and not calls_gene_starts(_bundle) else []
    if len(usable) < len(of_class):
        out = len(of_class) - len(usable)
        wanted = f"have not the {fixed:,} bases" if fixed else f"are shorter than {least:,} or longer than {LONGEST:,}"
        notes.append(f"{out:,} sequences {wanted} that {_bundle.name} reads, and are left out.")
    rows = np.arange(len(usable))
    if len(usable) > asked.most:
        rows = np.sort(np.random.default_rng(0).choice(len(usable), asked.most, replace=False))
    return Given(tuple(usable[row] for row in rows), len(usable), tuple(notes))


def _read(bundle: Bundle, asked: Asked) -> list[LabelledSequence]:
    source = asked.source
    if source.key == STARTS:
        return _starts(bundle, asked)
    if not source.is_set:
        return list(read_any(source.path, allow_duplicates=True))
    dataset = Dataset.load(source.path)
    rows = dataset.table if asked.split == "all" else dataset.part(asked.split)
    if rows.empty:
        raise InputError(f"{source.key} has no sequence in its split {asked.split}")
    return [LabelledSequence(*one) for one in zip(rows["id"], dataset.codes(rows), rows["label"], strict=True)]


def _starts(bundle: Bundle, asked: Asked) -> list[LabelledSequence]:
    """Windows of the shipped genome: around its genes' starts, or around known and likely transcription starts."""
    folder = settings().shipped_data / "genomes"
    genome = next((one for one in resources.sequences() if one.path.parent == folder), None)
    window, anchor = bundle.config.window, bundle.config.anchor
    if genome is None or window is None or anchor is None:
        raise InputError("no genome ships with this installation")
    record = max(resources.records(genome.path).values(), key=len)
    known = features.known_starts(genome)
    if calls_gene_starts(bundle):
        sites = known[features.GENES].sites if features.GENES in known else []
    else:
        sites = [*(known[features.TRANSCRIPTS].sites if features.TRANSCRIPTS in known else []), *_likely()]
    unique = {(site.position, site.strand): site for site in sites}
    return around(record, unique.values(), window, anchor, asked.label)


def _likely() -> list[Site]:
    """Starts that the shipped sigma-70 model finds before genes: see scripts/demo_starts.py."""
    table = settings().shipped_data / "demo" / "predicted_starts.tsv"
    return read_sites(table) if table.is_file() else []


def usual_size(bundle: Bundle, asked: Asked) -> Asked:
    """The same with as many sequences, up to the usual number, as are read soon on this machine; the fewest if none."""
    fitting = [replace(asked, most=size) for size in sorted(SIZES, reverse=True) if size <= USUAL_SIZE]
    return next((one for one in fitting if seconds(bundle, given(bundle, one), one.method) <= SOON), fitting[-1])


def seconds(bundle: Bundle, sequences: Given, method: str) -> float:
    """About how long reading these sequences takes here: a few are timed, once in a while."""
    lengths = [len(one.codes) for one in sequences.sequences]
    middle = int(np.median(lengths))
    return len(lengths) * _pace(str(bundle.folder), stamp_of(bundle), method, middle, bundle)


# Measured anew now and then: it depends on what else the machine does.
@st.cache_resource(max_entries=32, ttl=300, show_spinner="Timing the model")
def _pace(folder: str, stamp: tuple[int, ...], method: str, length: int, _bundle: Bundle) -> float:
    """Seconds that one sequence takes, the better of two."""
    model, times = resources.model(_bundle), []
    codes = np.random.default_rng(0).integers(0, 4, length).astype(np.uint8)
    for _ in range(2):
        begun = time.perf_counter()
        _attributed(model, [codes], method)
        times.append(time.perf_counter() - begun)
    return min(times)


def _attributed(model: Classifier, codes: list[np.ndarray], method: str) -> None:
    label = model.config.positive or model.config.labels[0]
    draws = np.random.default_rng(0)
    attribute(model, codes, method=method, baseline=BASELINE, label=label, generator=draws)  # type: ignore[arg-type]


def report(bundle: Bundle, asked: Asked) -> MotifReport:
    """What the model reads in these sequences.

    Raises:
        InputError: the model calls none of them the class.
        RunError: it took longer than the page's limit, or others are at it.
    """
    return _report(str(bundle.folder), stamp_of(bundle), asked, bundle)


@st.cache_resource(max_entries=24, show_spinner=False)
def _report(folder: str, stamp: tuple[int, ...], asked: Asked, _bundle: Bundle) -> MotifReport:
    bar = st.progress(0.0, text="Reading what each base adds")
    try:
        with a_turn(1.5 * resources.TIME_LIMIT) as stop_late:

            def follow(done: int, total: int) -> None:
                bar.progress(done / total, text=f"Reading what each base adds: {done:,} of {total:,} sequences")
                stop_late(done, total)

            return explain_motifs(
                resources.model(_bundle),
                [one.codes for one in given(_bundle, asked).sequences],
                generator=np.random.default_rng(0),
                method=asked.method,  # type: ignore[arg-type]
                baseline=BASELINE,
                label=asked.label,
                progress=follow,
            )
    finally:
        bar.empty()
