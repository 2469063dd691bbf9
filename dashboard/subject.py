"""The sequence that the pages of Explain look at: an example, one of a labelled set, a place in a genome, or pasted.

The address says which; what a model of one length reads of it is cut here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.lib.stride_tricks import sliding_window_view

from dashboard import features, resources, sets
from dashboard.addressed import whole
from dashboard.turns import a_turn
from dnalm.alphabet import UNKNOWN, Codes, encode
from dnalm.errors import InputError
from dnalm.interpret.edits import edited, parse_edits
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle
from dnalm.model.predict import Classifier
from dnalm.sequences import Record, Region
from dnalm.settings import settings
from dnalm.tracks import site_window

SOURCES = {"example": "A known promoter", "set": "From a labelled set", "genome": "From a genome", "paste": "Pasted"}
LONGEST = 5000
"""Bases of a sequence that a page looks at whole; of longer ones a region is asked for."""
MOST_TRIED = 90_000
"""Bases read to find the window of a longer sequence that a model likes best: of more, some windows are left out."""
AROUND = 400  # bases around a site, for models that read any length


@dataclass(frozen=True, eq=False)
class Subject:
    """A sequence as a model reads it, before a person's changes.

    Attributes:
        codes: base codes, shape `(length,)`.
        anchor: offset of the site that positions count from; none: they count from the first base.
        title: what it is, for people.
        region: where it lies, where that is known; read along its strand.
        label: its class in its labelled set.
        note: what was done to it, or what to mind.
        sited: whether the site is known to be where the numbers count from.
        genome: key of the sequence file that it was cut from, where it was.
    """

    codes: Codes
    anchor: int | None
    title: str
    region: Region | None = None
    label: str | None = None
    note: str = ""
    sited: bool = True
    genome: str = ""

    @property
    def id(self) -> str:
        """A name without spaces, for files."""
        return re.sub(r"[^A-Za-z0-9_.:()+-]+", "_", self.title.split(",")[0]).strip("_") or "sequence"

    def positions(self) -> np.ndarray:
        """The field's numbers of all bases as places on an axis: 0 is +1, -1 is -1; or from 1 where none counts."""
        return np.arange(len(self.codes)) - (self.anchor if self.anchor is not None else -1)


@dataclass(frozen=True)
class Example:
    """A known site of the shipped genome; `position` is 0-based and forward."""

    name: str
    record: str
    position: int
    strand: str
    kind: str
    edits: str
    note: str


def examples() -> dict[str, Example]:
    """Known sites by name; none where an installation ships none."""
    path = settings().shipped_data / "demo" / "promoters.tsv"
    return _examples(path) if path.is_file() else {}


@cache
def _examples(path: Path) -> dict[str, Example]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        row["name"]: Example(
            row["name"], row["record"], int(row["site"]) - 1, row["strand"], row["kind"], row["edits"], row["note"]
        )
        for row in rows
    }


def usual_example(bundle: Bundle) -> str:
    """The example that a model is shown with: a gene start where it calls those, else a promoter."""
    kind = "gene" if bundle.config.anchor is not None and not features.calls_transcription_starts(bundle) else "tss"
    return next((one.name for one in examples().values() if one.kind == kind), next(iter(examples()), ""))


def read_subject(query: Mapping[str, str], user: User, bundle: Bundle, model: Classifier) -> Subject:
    """The sequence that an address asks for, as a model reads it.

    Raises:
        InputError: there is no such sequence, or the model does not read it.
    """
    source = query.get("source", "example")
    if source == "set":
        found = _of_set(query, user)
    elif source == "genome":
        found = _of_genome(query, bundle)
    elif source == "paste":
        found = _pasted(query.get("seq", ""))
    else:
        found = _example(query.get("example") or usual_example(bundle), bundle)
    if len(found.codes) > LONGEST:
        raise InputError(
            f"{found.title} has {len(found.codes):,} bases; a page looks at {LONGEST:,} at most: choose a region of it"
        )
    found = _fitted(found, model, query.get("from", ""))
    unknown = int((found.codes == UNKNOWN).sum())
    if unknown:
        words = f"{unknown:,} of its {len(found.codes):,} bases are unknown (N)."
        found = replace(found, note=f"{found.note} {words}".strip())
    return found


def _example(name: str, bundle: Bundle) -> Subject:
    one = examples().get(name)
    if one is None:
        raise InputError(f"there is no example {name!r}; wanted: {', '.join(examples())}")
    genome, record = _shipped_record(one.record)
    found = _around(record, one.position, one.strand, bundle)
    if one.edits:
        changed = edited(found.codes, parse_edits(one.edits, found.anchor), length=None, anchor=None)
        found = replace(found, codes=changed)
    return replace(found, title=f"{one.name}, {one.note}", note=_of_another_kind(bundle), genome=genome)


def _of_another_kind(bundle: Bundle) -> str:
    """What to mind where a model that never met bacteria is shown E. coli."""
    words = f"{bundle.name} {bundle.config.description} {bundle.config.trained.get('dataset', '')}".lower()
    if "16s" in words:
        return f"{bundle.name} tells genera apart by 16S reads: what it says of a promoter means nothing."
    if not any(word in words for word in ("human", "mouse", "mrna", "eukaryote")):
        return ""
    return (
        f"{bundle.name} was not trained on bacteria: what it says of E. coli means little. "
        "Choose a sequence of a labelled set, or paste one."
    )


def _shipped_record(name: str) -> tuple[str, Record]:
    for sequence in resources.sequences():
        if _ships(sequence):
            records = resources.records(sequence.path)
            if name in records:
                return sequence.key, records[name]
    raise InputError(f"the genome with the record {name} is not here")


def _ships(sequence: resources.Sequence) -> bool:
    return sequence.path.parent == settings().shipped_data / "genomes"


def _around(record: Record, position: int, strand: str, bundle: Bundle) -> Subject:
    """What a model reads around a site; of any length, some hundred bases to both sides."""
    window, anchor = bundle.config.window, bundle.config.anchor
    if window is None or anchor is None:
        window, anchor = AROUND, AROUND // 2
    start, end, codes = site_window(record, position, strand, window=window, anchor=anchor)
    region = Region(record.id, start, end, strand) if start >= 0 else None
    return Subject(codes, anchor, f"{record.id}:{position + 1:,}({strand})", region)


def _of_set(query: Mapping[str, str], user: User) -> Subject:
    name = query.get("set", "")
    opened = sets.open_set(user, name) if name else None
    if opened is None:
        raise InputError(f"there is no labelled set {name!r} here" if name else "choose a labelled set")
    table, wanted = opened.dataset.table, query.get("id", "")
    rows = table[table["id"] == wanted]
    if rows.empty:
        raise InputError(f"{name} has no sequence {wanted!r}" if wanted else "choose a sequence of the set")
    row = rows.iloc[0]
    try:
        region = Region.parse(str(row["source"]))
    except InputError:
        region = None
    codes = encode(row["sequence"])
    if region is not None and len(region) != len(codes):
        region = None
    return Subject(codes, opened.dataset.anchor, f"{wanted} of {name}", region, str(row["label"]))


def _of_genome(query: Mapping[str, str], bundle: Bundle) -> Subject:
    known = {one.key: one for one in resources.sequences()}
    key = query.get("genome", "")
    if key not in known:
        raise InputError(f"there is no genome {key!r} here" if key else "choose a genome")
    records, text = resources.records(known[key].path), query.get("region", "").strip()
    if not text:
        raise InputError("say which region: RECORD:FIRST-LAST, RECORD:POSITION(-) of a site, or a gene's name")
    site = _site(text, known[key])
    note = _of_another_kind(bundle) if _ships(known[key]) else ""
    if site is not None:
        record, position, strand = site
        if ":" not in text and features.calls_transcription_starts(bundle):
            note += f" +1 is the first base of {text}; {bundle.name} looks for starts of transcription, before it."
        if record not in records or not 0 <= position < len(records[record]):
            raise InputError(f"{known[key].title} has no base {text}")
        return replace(_around(records[record], position, strand, bundle), title=text, note=note.strip(), genome=key)
    region = Region.parse(text)
    if region.record not in records:
        raise InputError(f"{known[key].title} has no record {region.record!r}; it has {', '.join(list(records)[:3])}")
    codes = records[region.record].extract(region)
    return Subject(codes, None, str(region), region, note=note, genome=key)


def _site(text: str, sequence: resources.Sequence) -> tuple[str, int, str] | None:
    """A site given as `RECORD:POSITION(strand)`, 1-based, or as the name of a gene, whose start it is."""
    record, _, rest = text.rpartition(":")
    number, _, strand = rest.partition("(")
    position = whole(number.replace(",", "").strip())
    if record and position is not None:
        return record, position - 1, strand.rstrip(")") if strand.rstrip(")") in ("+", "-") else "+"
    if record:
        return None
    for gene in features.genes(sequence):
        if gene.name.lower() == text.lower():
            start = gene.start if gene.strand != "-" else gene.end - 1
            return gene.record, start, gene.strand if gene.strand in ("+", "-") else "+"
    raise InputError(f"{sequence.title} has no gene {text!r}; a region is written RECORD:FIRST-LAST")


def _pasted(text: str) -> Subject:
    lines = [line.strip() for line in text.strip().splitlines()]
    if not any(lines):
        raise InputError("paste a sequence: letters A, C, G, T, or one FASTA record")
    name = lines[0][1:].split()[0] if lines[0].startswith(">") and lines[0][1:].split() else "the pasted sequence"
    body = lines[1:] if lines[0].startswith(">") else lines
    if any(line.startswith(">") for line in body):
        raise InputError("paste one sequence; files of many are for `dnalm explain saliency`")
    letters = "".join("".join(line.split()) for line in body)
    strange = sorted(set(letters.upper()) - set("ACGTUNRYSWKMBDHV"))
    if strange or not letters:
        raise InputError(f"{name} has {strange[0] if strange else 'no letter'!r}; wanted: letters A, C, G, T or N")
    return Subject(encode(letters), None, name)


def _fitted(subject: Subject, model: Classifier, wanted: str) -> Subject:
    """What the model reads of a sequence: all of it, or of a longer one a window, the best unless one is asked for."""
    length, least = model.module.fixed_length, model.module.least_length
    anchor = model.config.anchor
    size = len(subject.codes)
    if length is None:
        if size < least:
            raise InputError(f"{subject.title} has {size} bases; {model.name} reads {least} or more")
        return subject
    if size < length:
        raise InputError(
            f"{subject.title} has {size} bases; {model.name} reads exactly {length}. Give more of it, or choose a model"
            " that reads any length"
        )
    counted = (
        f" +1 is where {model.name} has the start site, base {(anchor or 0) + 1} of its window; that one is there is"
        " not known."
        if anchor is not None and subject.anchor is None
        else ""
    )
    sited = subject.anchor is not None
    if size == length:
        return replace(subject, anchor=anchor, sited=sited, note=f"{subject.note}{counted}".strip())
    windows = sliding_window_view(subject.codes, length)
    asked = whole(wanted)
    if asked is not None and 1 <= asked <= len(windows):
        start, words = asked - 1, ""
    else:
        step = -(-len(windows) * length // MOST_TRIED)
        start = _best_window(str(model.bundle.folder), subject.codes.tobytes(), length, step, model)
        words = (
            f", the one it scores highest of {-(-len(windows) // step):,} on this strand; random DNA of such a length"
            " often has one that it scores high too"
        )
    note = (
        f"{model.name} reads {length} bases: of the {size:,} given, bases {start + 1:,} to {start + length:,} are"
        f" shown{words}.{counted} {subject.note}"
    )
    region = subject.region
    if region is not None:
        low = region.start + start if region.strand == "+" else region.end - start - length
        region = Region(region.record, low, low + length, region.strand)
    told = {"anchor": anchor, "region": region, "note": note.strip(), "sited": sited}
    return replace(subject, codes=np.ascontiguousarray(windows[start]), **told)


@st.cache_data(max_entries=100, show_spinner="Looking for the window that the model scores highest")
def _best_window(folder: str, codes: bytes, length: int, step: int, _model: Classifier) -> int:
    with a_turn():
        tried = np.ascontiguousarray(sliding_window_view(np.frombuffer(codes, np.uint8), length)[::step])
        tried = np.where((tried == UNKNOWN).mean(1, keepdims=True) > 0.5, UNKNOWN, tried).astype(np.uint8)
        column = _model.config.labels.index(_model.config.positive or _model.config.labels[-1])
        return int(np.argmax(_model.probabilities(tried)[:, column])) * step
