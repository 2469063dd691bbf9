"""Genes and start sites: read from GenBank, GFF3, BED and tables, or predicted where there is no annotation.

Coordinates are 0-based, half-open, on the forward strand; the files' own conventions end in `dnalm.features`.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnalm.alphabet import decode
from dnalm.errors import InputError
from dnalm.features import Feature, bed_features, genbank_features, gff_features, sniff_annotation
from dnalm.sequences import Record, open_text

# Prodigal's own bound: with fewer bases it cannot learn a genome's codon use, and ready-made profiles do better.
TRAINING_LENGTH = 20_000
# Longer than any bacterial gene bar a few giants: how far past the origin of a circle genes are looked for.
_PAST_ORIGIN = 30_000
_SITE_KINDS = ("TSS", "transcription_start_site", "transcription_initiation_site")
_POSITION_NAMES = ("tss", "position", "pos", "site", "start")
_RECORD_NAMES = ("record", "seqid", "chrom", "chromosome", "seqname", "contig", "sequence")
_SITE_NAMES = ("name", "promoter", "gene", "id", "promoter_id")
_STRAND_WORDS = {"+": "+", "-": "-", "−": "-", "forward": "+", "reverse": "-", "1": "+", "-1": "-"}


@dataclass(frozen=True)
class Gene:
    """One gene: 0-based, half-open span on the forward strand, introns included.

    Attributes:
        record: the id of its sequence.
        start: first position of the span.
        end: one past the last; beyond the record's length where the gene runs over the origin of a circle.
        strand: '+' or '-'.
        name: the gene's name, else its locus tag or id.
        kind: the feature's type, `CDS` or `gene` and so on.
        circle: the record's length where the gene runs over the origin, else None.
        start_known: False where the gene's first base lies beyond the sequence's end.
    """

    record: str
    start: int
    end: int
    strand: str
    name: str
    kind: str
    circle: int | None = None
    start_known: bool = True

    @property
    def start_site(self) -> int:
        """0-based forward position of the gene's first base on its own strand."""
        if self.strand == "+":
            return self.start
        return (self.end - 1) % self.circle if self.circle else self.end - 1


@dataclass(frozen=True)
class Site:
    """One position of a strand, such as a transcription start: `position` is 0-based on the forward strand."""

    record: str
    position: int
    strand: str
    name: str = ""


def read_genes(path: str | Path, kinds: Sequence[str] = ("CDS",)) -> list[Gene]:
    """Genes of a GenBank, GFF3 or BED file, in the order of the file.

    A CDS of several parts (introns, frameshifts, an origin in its midst) is one gene.

    Args:
        path: the file, plain or compressed with gzip, bzip2 or xz.
        kinds: the feature types to take; BED has no types, its rows all become the first of these.

    Raises:
        InputError: the file cannot be used, holds no feature of these kinds, or one of them has no strand.
    """
    with open_text(path) as stream:
        form = sniff_annotation(stream)
        if form == "table":
            raise InputError(f"{stream.name}: this is no GenBank, GFF3 or BED file.")
        genes = [_gene(feature, stream.name) for feature in _features(stream, form, kinds)]
    if not genes:
        raise InputError(f"{path}: there is no feature of type {' or '.join(kinds)}.")
    return genes


def start_sites(genes: Iterable[Gene]) -> list[Site]:
    """The first base of each gene whose start is known; genes that share a start give one site."""
    sites: dict[tuple[str, int, str], Site] = {}
    for gene in genes:
        if gene.start_known:
            site = Site(gene.record, gene.start_site, gene.strand, gene.name)
            sites.setdefault((site.record, site.position, site.strand), site)
    return list(sites.values())


def read_sites(path: str | Path, *, record: str = "") -> list[Site]:
    """Start sites of a table, a GFF3 or a BED file, in the order of the file.

    A table (tabs or commas, with a header) has the columns `tss` (or `position`, `pos`, `site`, `start`; 1-based) and
    `strand`, and perhaps a record and a name. Of GFF3, features of type TSS or transcription_start_site count; of
    these and of BED rows, the first base on their strand.

    Args:
        path: the file, plain or compressed.
        record: the sequence that the sites of a table without a record column are on.

    Raises:
        InputError: what is wrong, in which file and line.
    """
    with open_text(path) as stream:
        form = sniff_annotation(stream)
        if form == "table":
            sites = _table_sites(stream, record)
        else:
            genes = [_gene(feature, stream.name) for feature in _features(stream, form, _SITE_KINDS)]
            sites = [Site(gene.record, gene.start_site, gene.strand, gene.name) for gene in genes]
    if not sites:
        raise InputError(
            f"{path}: there is no start site (a table with tss and strand, BED, or GFF3 with TSS features)."
        )
    return sites


def predict_genes(record: Record) -> list[Gene]:
    """Find the genes of a bacterial or archaeal record with Prodigal (pyrodigal, the extra `genes`).

    Trained on the record itself from 20,000 bases on, with ready-made profiles below. Genes over the origin of a
    circular record are found; a gene cut off by the end of a linear one is kept with `start_known` False where the
    missing end is its start.

    Args:
        record: the sequence; unknown bases are read as such.

    Returns:
        genes of kind `CDS`, in order of their start, named `RECORD_1` and so on.

    Raises:
        InputError: pyrodigal is not installed.
    """
    try:
        from pyrodigal import GeneFinder
    except ImportError:
        raise InputError(
            "Genes cannot be predicted, pyrodigal is not installed: give an annotation (GenBank, GFF3 or BED), "
            "or install it with `pip install 'dnalm[genes]'`."
        ) from None
    length = len(record)
    finder = GeneFinder(meta=length < TRAINING_LENGTH)
    if length >= TRAINING_LENGTH:
        with warnings.catch_warnings():
            # Prodigal trains from 20,000 bases on and would like 100,000, of which pyrodigal reminds.
            warnings.filterwarnings("ignore", message="sequence should be at least 100000")
            finder.train(decode(record.codes))
    beyond = min(length, _PAST_ORIGIN) if record.circular else 0
    genes = []
    for found in finder.find_genes(decode(record.fetch(0, length + beyond))):
        start, end = found.begin - 1, found.end
        # Round a circle the first genes come twice, once cut off by the start: the whole one past the end counts.
        if record.circular and (start >= length or found.partial_begin or found.partial_end or end - start > length):
            continue
        forward = found.strand == 1
        known = not (found.partial_begin if forward else found.partial_end)
        circle = length if end > length else None
        genes.append((start, end, "+" if forward else "-", circle, known))
    return [
        Gene(record.id, start, end, strand, f"{record.id}_{number}", "CDS", circle, known)
        for number, (start, end, strand, circle, known) in enumerate(_without_cut_ends(genes, length), start=1)
    ]


_Found = tuple[int, int, str, int | None, bool]


def _without_cut_ends(genes: list[_Found], length: int) -> list[_Found]:
    """Drop what lies within a gene over the origin, which Prodigal may have called again from the circle's start."""
    over = [(end - length, strand) for _, end, strand, circle, _ in genes if circle]
    return [
        gene for gene in genes if gene[3] or not any(gene[1] <= reach and gene[2] == strand for reach, strand in over)
    ]


def _features(stream: io.BufferedReader, form: str, kinds: Sequence[str]) -> Iterable[Feature]:
    if form == "genbank":
        return genbank_features(stream, kinds)
    return gff_features(stream, kinds) if form == "gff" else bed_features(stream, kinds[0])


def _gene(feature: Feature, source: str) -> Gene:
    if feature.strand not in ("+", "-"):
        where = f"{source}, line {feature.line}" if feature.line else source
        raise InputError(
            f"{where}: {feature.kind} {feature.name!r} has the strand {feature.strand!r}; without '+' or '-' "
            "(BED's sixth column) it has no start."
        )
    start, end, over_origin = feature.span()
    circle = feature.circle if over_origin else None
    return Gene(feature.record, start, end, feature.strand, feature.name, feature.kind, circle, feature.start_known)


def _table_sites(stream: io.BufferedReader, record: str) -> list[Site]:
    name = stream.name
    first = stream.peek(1 << 16).split(b"\n", 1)[0]
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text, delimiter="\t" if b"\t" in first else ",")
    header = [cell.strip().lower().lstrip("#") for cell in next(reader)]

    def column(names: Sequence[str]) -> int | None:
        return next((header.index(word) for word in names if word in header), None)

    position_at, strand_at = column(_POSITION_NAMES), column(("strand",))
    record_at, name_at = column(_RECORD_NAMES), column(_SITE_NAMES)
    if position_at is None or strand_at is None:
        shown = ", ".join(repr(cell) for cell in header[:12])
        raise InputError(f"{name}: a table of sites needs the columns tss and strand; this one has {shown}.")
    sites = []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        where = f"{name}, line {reader.line_num}"
        if len(row) != len(header):
            raise InputError(f"{where}: it has {len(row)} columns, the header has {len(header)}.")
        cells = [cell.strip() for cell in row]
        strand = _STRAND_WORDS.get(cells[strand_at].lower())
        if strand is None:
            raise InputError(f"{where}: the strand is {cells[strand_at]!r}, '+' or '-' is wanted.")
        if not cells[position_at].isdecimal() or int(cells[position_at]) < 1:
            raise InputError(f"{where}: {cells[position_at]!r} is no position; they are whole numbers from 1 on.")
        on = cells[record_at] if record_at is not None else record
        label = cells[name_at] if name_at is not None else ""
        sites.append(Site(on, int(cells[position_at]) - 1, strand, label))
    return sites
