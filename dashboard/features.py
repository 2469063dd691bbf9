"""What is known about a sequence: its genes, and the start sites that a picture shows in red."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard.resources import Sequence, records
from dnalm.annotation import Gene, Site, read_genes, read_sites, start_sites
from dnalm.datasets import catalog
from dnalm.errors import InputError
from dnalm.model.bundle import Bundle
from dnalm.sequences import Region
from dnalm.settings import settings

GENES, TRANSCRIPTS, NOTHING = "genes", "tss", "none"
_STARTS = "Known σ70 transcription starts"


@dataclass(frozen=True)
class Known:
    """Known start sites of one kind.

    Attributes:
        title: what they are, for people.
        sites: the sites.
        complete: the stretches in which every such site is listed; everywhere when None. Outside them a call
            without a known site says nothing.
    """

    title: str
    sites: list[Site]
    complete: Region | None = None

    def covers(self, region: Region) -> bool:
        """Whether all known sites of a region are listed."""
        inside = self.complete
        return inside is None or (
            inside.record == region.record and inside.start <= region.start and region.end <= inside.end
        )


def genes(sequence: Sequence) -> list[Gene]:
    """Coding genes of a sequence: those in its GenBank file, or in the GFF3 file beside it. None known: empty."""
    source = _annotation(sequence.path)
    return _genes(str(source), source.stat().st_mtime_ns) if source else []


def known_starts(sequence: Sequence) -> dict[str, Known]:
    """The kinds of start sites known on a sequence, by their name in the address; always ends with none."""
    found = {}
    if sequence.path.parent == settings().shipped_data / "genomes":
        table = settings().shipped_data / "demo" / "sigma70_tss.tsv"
        whole = _all_starts(sequence)
        if whole is not None:
            # The whole genome's, once the file of the catalogue is here.
            found[TRANSCRIPTS] = Known(_STARTS, _sites(str(whole), DEMO_REGION.record))
        elif table.is_file():
            found[TRANSCRIPTS] = Known(_STARTS, _sites(str(table)), DEMO_REGION)
    if own := genes(sequence):
        found[GENES] = Known("Annotated gene starts", start_sites(own))
    return found | {NOTHING: Known("None", [])}


# The 40 kb that are kept out of the shipped classifiers' training data; the table of starts is of this stretch.
DEMO_REGION = Region("NC_000913.3", 800_000, 840_000)


def calls_transcription_starts(bundle: Bundle) -> bool:
    """Whether the model was trained on windows around transcription starts, not gene starts."""
    words = f"{bundle.name} {bundle.config.description} {bundle.config.trained.get('dataset', '')}".lower()
    return any(word in words for word in ("sigma70", "sigma-70", "tss", "transcription start", "promoters-81"))


def default_known(bundle: Bundle, known: dict[str, Known]) -> str:
    """The kind of known starts that a model's calls are to be held against."""
    wanted = TRANSCRIPTS if calls_transcription_starts(bundle) else GENES
    return wanted if wanted in known else next(iter(known))


def _annotation(path: Path) -> Path | None:
    if path.name.removesuffix(".gz").endswith((".gb", ".gbk", ".gbff")):
        return path
    beside = path.with_name(path.name.split(".")[0] + ".gff.gz")
    if beside.is_file():
        return beside
    # An upload keeps the name that the person gave it, which says little: GenBank files are known by reading.
    return path if path.parent.name.startswith("upload-") else None


@st.cache_resource(max_entries=8, show_spinner="Reading the annotation")
def _genes(path: str, stamp: int) -> list[Gene]:
    try:
        return read_genes(path)
    except InputError:
        # A FASTA file, or a GenBank record without genes: there is nothing to draw, and the sequence was read.
        return []


@st.cache_resource(max_entries=2, show_spinner=False)
def _sites(path: str, record: str = "") -> list[Site]:
    return read_sites(path, record=record)


def _all_starts(sequence: Sequence) -> Path | None:
    """The table of all known σ70 starts of the shipped E. coli genome, where it was fetched."""
    if DEMO_REGION.record not in records(sequence.path):
        return None
    try:
        return catalog.local("ecoli-sigma70-tss")
    except InputError:  # no catalogue, or a damaged copy: the page Data says so
        return None
