"""Annotated features of GenBank, GFF3 and BED files, each with all its parts, as the file gives them.

`dnalm.annotation` turns them into genes and sites. Coordinates leave here 0-based and half-open.
"""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from Bio import SeqIO
from Bio.SeqFeature import AfterPosition, BeforePosition, SeqFeature, SimpleLocation

from dnalm.errors import InputError

_GENBANK_NAMES = ("gene", "locus_tag", "protein_id", "product", "note")
_GFF_NAMES = ("gene", "locus", "locus_tag", "Name", "ID")
# Sequence Ontology's terms for what holds one coding sequence each.
_TRANSCRIPTS = {"mRNA", "transcript"}
_PROTEINS = {"protein", "polypeptide"}


@dataclass
class Feature:
    """One feature: its parts, half-open, in any order, all on one strand ('+', '-' or '.').

    `circle` is the record's length where the record is circular; `start_known` is False where the file says that
    the feature's first base lies beyond what was sequenced; `line` is 1-based (0 in GenBank).
    """

    record: str
    kind: str
    name: str
    strand: str
    parts: list[tuple[int, int]] = field(default_factory=list)
    circle: int | None = None
    start_known: bool = True
    line: int = 0

    def span(self) -> tuple[int, int, bool]:
        """Start, end, and whether it runs over the origin of a circle (then `end` counts on beyond its length)."""
        parts = sorted(self.parts)
        start, end = parts[0][0], max(stop for _, stop in parts)
        if self.circle and len(parts) > 1 and start == 0 and end == self.circle:
            gaps = [later[0] - earlier[1] for earlier, later in itertools.pairwise(parts)]
            cut = gaps.index(max(gaps)) + 1
            return parts[cut][0], self.circle + parts[cut - 1][1], True
        return start, end, bool(self.circle and end > self.circle)


def sniff_annotation(stream: io.BufferedReader) -> str:
    """The format of an annotation stream, which is left at its start: 'genbank', 'gff', 'bed' or 'table'.

    Raises:
        InputError: the file is empty, binary, or a format that holds no positions known here.
    """
    head = stream.peek(1 << 16).removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        raise InputError(f"{stream.name} is empty.")
    if b"\x00" in head:
        raise InputError(f"{stream.name} is binary; GenBank, GFF3, BED or a table is wanted.")
    if head.lstrip().startswith(b"LOCUS ") or b"\nLOCUS " in head:
        return "genbank"
    if head.startswith(b"##gff-version"):
        return "gff"
    for line in head.splitlines():
        if not line.strip() or line.startswith((b"#", b"track", b"browser")):
            continue
        columns = line.split(b"\t") if b"\t" in line else line.split()
        if len(columns) == 9 and columns[3].isdigit() and columns[4].isdigit():
            if b'gene_id "' in columns[8]:
                raise InputError(f"{stream.name} is GTF, GFF3 is wanted (`gffread` turns one into the other).")
            return "gff"
        if len(columns) >= 3 and columns[1].isdigit() and columns[2].isdigit():
            return "bed"
        if line.startswith(b">"):
            raise InputError(f"{stream.name} is FASTA, which holds no annotation.")
        return "table"
    return "gff"


def genbank_features(stream: io.BufferedReader, kinds: Collection[str]) -> Iterator[Feature]:
    """Features of a GenBank file.

    Of a join over both strands or against its own direction (trans-splicing), the leading parts that run along one
    strand are kept: they hold the start. Parts on other records are left out.

    Raises:
        InputError: the file cannot be read as GenBank.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace")
    records = SeqIO.parse(text, "genbank")
    while True:
        try:
            with warnings.catch_warnings():
                # Biopython warns of LOCUS lines' column widths, which it reads all the same, and of locations that
                # it cannot read, which it leaves at None: the latter are refused below.
                warnings.simplefilter("ignore")
                record = next(records, None)
        except (ValueError, AssertionError, IndexError, KeyError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{stream.name} cannot be read as GenBank: {reason}.") from None
        if record is None:
            return
        circular = record.annotations.get("topology") == "circular"
        circle = len(record.seq) if circular else None
        for feature in record.features:
            if feature.type not in kinds:
                continue
            if feature.location is None:
                raise InputError(
                    f"{stream.name}, record {record.id!r}: {feature.type} {_genbank_name(feature)!r} has a location "
                    "that cannot be read."
                )
            found = _genbank_feature(record.id, feature, circle)
            if found is not None:
                yield found


def _genbank_feature(record: str, feature: SeqFeature, circle: int | None) -> Feature | None:
    # Biopython lists the parts in the order of transcription: the first holds the start.
    parts = [part for part in feature.location.parts if part.ref is None]
    if not parts:
        return None
    strand = parts[0].strand
    kept = _leading_parts(parts, circle)
    first_base = kept[0].start if strand != -1 else kept[0].end
    # On the reverse strand the start is the right-hand end: '>' there, '<' on the forward strand.
    known = not isinstance(first_base, BeforePosition | AfterPosition)
    bounds = [(int(part.start), int(part.end)) for part in kept]
    sign = {1: "+", -1: "-"}.get(strand, ".")
    return Feature(record, feature.type, _genbank_name(feature), sign, bounds, circle, known)


def _leading_parts(parts: list[SimpleLocation], circle: int | None) -> list[SimpleLocation]:
    """The parts from the first on that run on along its strand, over the origin of a circle too."""
    kept = parts[:1]
    for before, part in itertools.pairwise(parts):
        if part.strand != before.strand:
            break
        if part.strand == -1:
            onward = part.end <= before.end or (circle == part.end and before.start == 0)
        else:
            onward = part.start >= before.start or (circle == before.end and part.start == 0)
        if not onward:
            break
        kept.append(part)
    return kept


def _genbank_name(feature: SeqFeature) -> str:
    return next((feature.qualifiers[key][0] for key in _GENBANK_NAMES if key in feature.qualifiers), "")


@dataclass
class _Row:
    """One line of a GFF3 file."""

    record: str
    kind: str
    start: int
    end: int
    strand: str
    attributes: dict[str, str]
    line: int


def gff_features(stream: io.BufferedReader, kinds: Collection[str]) -> Iterator[Feature]:
    """Features of a GFF3 file; the lines of one ID, or of one transcript's CDS, are the parts of one feature.

    Raises:
        InputError: a line that is not GFF3, with its number.
    """
    rows: list[_Row] = []
    circles: dict[str, int] = {}
    transcripts: set[str] = set()
    proteins: set[str] = set()
    for row in _gff_rows(stream):
        identifier = row.attributes.get("ID", "")
        if row.attributes.get("Is_circular", "").lower() == "true":
            circles[row.record] = row.end
        if row.kind in _TRANSCRIPTS:
            transcripts.add(identifier)
        elif row.kind in _PROTEINS:
            proteins.add(identifier)
        if row.kind in kinds:
            rows.append(row)
    features: dict[tuple[str, str, str], Feature] = {}
    for row in rows:
        for key in _gff_groups(row, transcripts, proteins):
            known = features.get((row.record, row.kind, key))
            if known is None:
                names = [row.attributes[tag] for tag in _GFF_NAMES if tag in row.attributes]
                known = Feature(row.record, row.kind, names[0] if names else key, row.strand, line=row.line)
                known.circle = circles.get(row.record)
                features[row.record, row.kind, key] = known
            if row.strand == known.strand:
                known.parts.append((row.start, row.end))
            # NCBI writes start_range=.,190 where the sequence begins inside the feature.
            known.start_known &= ("end_range" if row.strand == "-" else "start_range") not in row.attributes
    yield from features.values()


def _gff_groups(row: _Row, transcripts: set[str], proteins: set[str]) -> list[str]:
    """What a row is a part of: its transcript's CDS, the feature of its ID, or each of its parents' feature.

    Some files give each exon's part of a CDS an ID of its own, so the transcript goes before the ID; bacterial
    files have no transcripts, and two CDS of one gene (dnaX of E. coli) differ in their ID alone.
    """
    parents = [parent for parent in row.attributes.get("Parent", "").split(",") if parent and parent not in proteins]
    if row.kind == "CDS" and len(parents) == 1 and parents[0] in transcripts:
        return parents
    if "ID" in row.attributes:
        return [row.attributes["ID"]]
    return parents or [f"{row.kind}_{row.line}"]


def _gff_rows(stream: io.BufferedReader) -> Iterator[_Row]:
    for number, raw in enumerate(stream, start=1):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith(("##FASTA", ">")):
            return
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{stream.name}, line {number}"
        columns = line.split("\t")
        if len(columns) not in (8, 9):
            raise InputError(f"{where}: it has {len(columns)} columns, GFF3 has 9, separated by tabs.")
        start, end = (_position(text, where) for text in columns[3:5])
        if start < 1 or end < start:
            raise InputError(f"{where}: {start}..{end} is no stretch; positions start at 1 and end after the start.")
        pairs = (item.partition("=") for item in [*columns, ""][8].split(";") if "=" in item)
        attributes = {key.strip(): unquote(value.strip()) for key, _, value in pairs}
        yield _Row(unquote(columns[0]), columns[2], start - 1, end, columns[6], attributes, number)


def bed_features(stream: io.BufferedReader, kind: str) -> Iterator[Feature]:
    """Features of a BED file, each of the `kind` given; BED12's thick part is its CDS.

    A row of BED12 without a thick part codes for nothing and is left out when CDS are wanted.

    Raises:
        InputError: a line that is not BED, with its number.
    """
    for number, raw in enumerate(stream, start=1):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        where = f"{stream.name}, line {number}"
        columns = line.split("\t") if "\t" in line else line.split()
        if len(columns) < 3:
            raise InputError(f"{where}: it has {len(columns)} columns, BED has 3 or more.")
        start, end = (_position(text, where) for text in columns[1:3])
        if len(columns) >= 12 and kind == "CDS":
            start, end = (_position(text, where) for text in columns[6:8])
            if start == end:
                continue
        if end <= start:
            raise InputError(f"{where}: {start}..{end} holds no base; BED's start is 0-based, its end is exclusive.")
        name = columns[3] if len(columns) > 3 else f"{kind}_{number}"
        strand = columns[5] if len(columns) > 5 else "."
        yield Feature(columns[0], kind, name, strand, [(start, end)], line=number)


def _position(text: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise InputError(f"{where}: {text!r} is no position, a whole number is wanted.")
    return int(text)
