"""Write called peaks, start sites and genes to files that genome browsers read: BED, narrowPeak and GFF3.

A peak is one base wide, as is a start site. BED and narrowPeak are 0-based and half-open, GFF3 is 1-based; all are
forward-strand coordinates. Each file is whole or not there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from dnalm.errors import InputError
from dnalm.files import write_whole
from dnalm.tracks import colours
from dnalm.tracks.peaks import Peak

if TYPE_CHECKING:
    from dnalm.annotation import Gene, Site

_Placed = TypeVar("_Placed", "Peak", "Site", "Gene")
# In the first column of GFF3 these stay as they are, all else is percent-encoded (GFF3 1.26).
_SEQID_SAFE = "!$*+:@^_|?.-"
# In an attribute's value percent, semicolon, equals sign, ampersand, comma and control characters are encoded.
# Unicode's own ends of a line too: some readers part lines there.
_ATTRIBUTE = re.compile("[%;=&,\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BLANK = re.compile(r"\s+")


def write_peaks(peaks: Iterable[Peak], path: str | Path, *, source: str = "dnalm") -> list[Path]:
    """Write peaks in the format that the file's name asks for.

    Args:
        peaks: calls, of any number of records.
        path: ends in one of `PEAK_FORMATS`: .bed, .narrowpeak, .gff3 or .gff.
        source: what called them, a model's name.

    Returns:
        The file written, alone in a list.

    Raises:
        InputError: the name ends in something else.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in PEAK_FORMATS:
        raise InputError(f"{path}: peaks are written as {', '.join(PEAK_FORMATS)}, not {suffix or 'without ending'}")
    write_whole(Path(path), PEAK_FORMATS[suffix](list(peaks), source))
    return [Path(path)]


def bed_text(peaks: Sequence[Peak], source: str = "dnalm") -> str:
    """Peaks as BED6+3: name, score (probability times 1,000), strand, then thick span and colour by strand.

    Sorted by record, in the order in which they come, and position.
    """
    header = f'track name="{_bed_name(source)} peaks" itemRgb="On" useScore="0"\n'
    rows = (
        (
            *(peak.record, peak.position, peak.position + 1),
            *(f"peak_{number}", _thousandths(peak.probability), peak.strand),
            *(peak.position, peak.position + 1, rgb(colours.STRANDS[peak.strand])),
        )
        for number, peak in _numbered(peaks)
    )
    return header + _lines(rows)


def narrowpeak_text(peaks: Sequence[Peak], source: str = "dnalm") -> str:
    """Peaks as ENCODE's narrowPeak, BED6+4: signal the probability, q as -log10, -1 where there is none; peak 0."""
    name = _bed_name(source).replace(" ", "_")
    rows = (
        (
            *(peak.record, peak.position, peak.position + 1),
            *(f"{name}_{number}", _thousandths(peak.probability), peak.strand),
            *(f"{peak.probability:.6g}", -1, _minus_log10(peak.q), 0),
        )
        for number, peak in _numbered(peaks)
    )
    return _lines(rows)


def gff3_text(peaks: Sequence[Peak], source: str = "dnalm", *, lengths: Mapping[str, int] | None = None) -> str:
    """Peaks as GFF3: score and attributes hold the probability, and prominence, q-value and calibration where known.

    Their type is `sequence_feature`: what a call is, a start of transcription or of a gene, its model says.

    Args:
        peaks: calls.
        source: the second column, a model's name.
        lengths: bases of each record, for the `##sequence-region` lines.
    """
    rows = (
        (
            *(_seqid(peak.record), _seqid(source), "sequence_feature"),
            *(peak.position + 1, peak.position + 1, f"{peak.probability:.6g}", peak.strand, "."),
            _attributes(
                ID=f"peak_{number}",
                Name=str(peak),
                probability=f"{peak.probability:.6g}",
                prominence=_given(peak.prominence),
                q_value=_given(peak.q),
                calibrated=_given(peak.calibrated),
            ),
        )
        for number, peak in _numbered(peaks)
    )
    return _gff_head(lengths) + _lines(rows)


PEAK_FORMATS: dict[str, Callable[[Sequence[Peak], str], str]] = {
    ".bed": bed_text,
    ".narrowpeak": narrowpeak_text,
    ".gff3": gff3_text,
    ".gff": gff3_text,
}


def sites_bed(sites: Sequence[Site], name: str = "known starts") -> str:
    """Start sites as BED6+3, in the colour of what is known."""
    colour = rgb(colours.KNOWN)
    rows = (
        (
            *(site.record, site.position, site.position + 1, _bed_name(site.name) or "start", 0, site.strand),
            *(site.position, site.position + 1, colour),
        )
        for site in _placed(sites, lambda site: site.position)
    )
    return f'track name="{_bed_name(name)}" itemRgb="On"\n' + _lines(rows)


def genes_gff3(genes: Sequence[Gene], *, lengths: Mapping[str, int] | None = None) -> str:
    """Genes as GFF3 features of their own kind.

    A gene over the origin of a circle is written as two parts with one ID, as GFF3 has features of several parts:
    many readers take no position past the record's end.
    """
    rows = []
    for number, gene in enumerate(_placed(genes, lambda gene: gene.start), start=1):
        for start, end in _parts(gene):
            named = _attributes(ID=f"gene_{number}", Name=gene.name)
            place = (start + 1, end, ".", gene.strand, "0" if gene.kind == "CDS" else ".")
            rows.append((_seqid(gene.record), "annotation", gene.kind, *place, named))
    return _gff_head(lengths) + _lines(rows)


def rgb(colour: str) -> str:
    """A colour such as `#0072B2` as browsers' files have it: `0,114,178`."""
    return ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))


def _parts(gene: Gene) -> list[tuple[int, int]]:
    if gene.circle is None or gene.end <= gene.circle:
        return [(gene.start, gene.end)]
    return [(gene.start, gene.circle), (0, gene.end - gene.circle)]


def _numbered(peaks: Sequence[Peak]) -> Iterable[tuple[int, Peak]]:
    return enumerate(_placed(peaks, lambda peak: peak.position), start=1)


def _placed(items: Sequence[_Placed], position: Callable[[_Placed], int]) -> list[_Placed]:
    """By record, in the order in which they come, then by position, as indexers want them."""
    order = {record: number for number, record in enumerate(dict.fromkeys(item.record for item in items))}
    return sorted(items, key=lambda item: (order[item.record], position(item)))


def _thousandths(probability: float) -> int:
    return min(1000, max(0, round(probability * 1000)))


def _minus_log10(q: float | None) -> str:
    # A q of nought would be infinite, which readers do not take: as small as a float gets.
    return "-1" if q is None else f"{abs(math.log10(max(q, 1e-300))):.6g}"


def _given(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"


def _attributes(**values: str | None) -> str:
    def encoded(text: str) -> str:
        return _ATTRIBUTE.sub(lambda match: quote(match[0], safe=""), text)

    return ";".join(f"{name}={encoded(value)}" for name, value in values.items() if value is not None)


def _gff_head(lengths: Mapping[str, int] | None) -> str:
    regions = (f"##sequence-region {_seqid(record)} 1 {length}\n" for record, length in (lengths or {}).items())
    return "##gff-version 3\n" + "".join(regions)


def _seqid(text: str) -> str:
    return quote(text, safe=_SEQID_SAFE)


def _bed_name(text: str) -> str:
    """A name without what would end the field or the quotes around it; BED allows 255 characters."""
    return _BLANK.sub(" ", text).replace('"', "'").strip()[:255]


def _lines(rows: Iterable[tuple[object, ...]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)
