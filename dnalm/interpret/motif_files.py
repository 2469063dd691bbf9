"""Motifs in files: JASPAR and MEME to read and write, tables of the motifs, their places and their matches."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from Bio import motifs as biopython

from dnalm.alphabet import BASES
from dnalm.errors import InputError
from dnalm.interpret.elements import Known, letters_of
from dnalm.interpret.motif import Motif
from dnalm.interpret.motif_report import MotifReport
from dnalm.sequences import open_text

LARGEST = 20_000_000
"""Characters of a file of known motifs: all of JASPAR has a tenth of that."""
SUMMARY = (
    *("motif", "consensus", "width", "places", "sequences", "mean_contribution", "information_bits"),
    *("median_position", "best_match", "match_q_value"),
)
SITES = ("motif", "sequence", "position", "strand", "contribution", "bases")
SPACING = ("bases_between", "sequences")
MATCHES = ("motif", "known", "consensus", "score", "overlap", "offset", "strand", "p_value", "q_value", "source")


def read_known(path: str | Path) -> list[Known]:
    """Motifs of a JASPAR or MEME file, as databases of transcription factors give them.

    Args:
        path: the file, plain or compressed.

    Raises:
        InputError: it is neither, holds no motif, or one whose counts are not those of four bases.
    """
    with open_text(path) as stream:
        text = stream.read(LARGEST + 1).decode("utf-8", "replace")
    if len(text) > LARGEST:
        raise InputError(f"{path}: is larger than a file of motifs can be ({LARGEST // 10**6} MB)")
    kind = "minimal" if text.lstrip().startswith("MEME version") else "jaspar"
    if kind == "jaspar" and not text.lstrip().startswith(">"):
        raise InputError(f"{path}: is neither JASPAR (`>ID NAME`, then counts of A, C, G and T) nor MEME")
    try:
        found = list(biopython.parse(io.StringIO(text), kind))
        known = [_known(one, Path(path).name) for one in found]
    except InputError:
        raise
    except Exception as error:  # Biopython's parsers fail in many ways on what is not theirs
        raise InputError(f"{path}: cannot be read as {kind.upper()}: {' '.join(str(error).split())}") from None
    if not known:
        raise InputError(f"{path}: holds no motif")
    return known


def _known(one: Any, source: str) -> Known:
    counts = np.array([list(one.counts[base]) for base in BASES], dtype=np.float64).T
    name = " ".join(filter(None, (getattr(one, "matrix_id", None), one.name))) or "unnamed"
    if not counts.size or (counts < 0).any() or (counts.sum(axis=1) <= 0).any():
        raise InputError(f"{source}: the motif {name!r} has a position without counts")
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    return Known(name, frequencies, source, letters_of(frequencies))


def jaspar_text(motifs: Iterable[Motif]) -> str:
    """Motifs as JASPAR counts: four lines each."""
    parts = []
    for motif in motifs:
        rows = [
            f"{base} [ {' '.join(f'{count:.0f}' for count in motif.counts[:, n])} ]" for n, base in enumerate(BASES)
        ]
        parts.append("\n".join([f">{motif.name} {motif.consensus}", *rows, ""]))
    return "\n".join(parts)


def meme_text(motifs: Iterable[Motif]) -> str:
    """Motifs as MEME's minimal format, version 4, which TOMTOM and FIMO read."""
    lines = ["MEME version 4", "", "ALPHABET= ACGT", "", "strands: + -", ""]
    lines += ["Background letter frequencies", "A 0.25 C 0.25 G 0.25 T 0.25", ""]
    for motif in motifs:
        lines += [f"MOTIF {motif.name} {motif.consensus}", ""]
        lines.append(f"letter-probability matrix: alength= 4 w= {len(motif)} nsites= {len(motif.sites)} E= 0")
        shares = motif.counts / np.maximum(motif.counts.sum(axis=1, keepdims=True), 1)
        lines += [" ".join(f"{share:.6f}" for share in row) for row in shares]
        lines.append("")
    return "\n".join(lines)


def spacing_rows(report: MotifReport) -> list[dict[str, Any]]:
    """One row for each distance between the boxes, the keys are `SPACING`; none without an anchor."""
    if report.spacing is None:
        return []
    pairs = zip(report.spacing.spacers, report.spacing.counts, strict=True)
    return [dict(zip(SPACING, pair, strict=True)) for pair in pairs]


def summary_rows(report: MotifReport) -> list[dict[str, Any]]:
    """One row for each motif, the keys are `SUMMARY`."""
    rows = []
    for motif in report.motifs.motifs:
        best = report.best_match(motif.name)
        cells = (
            *(motif.name, motif.consensus, len(motif), len(motif.sites)),
            len({site.sequence for site in motif.sites}),
            *(motif.mean_contribution, float(motif.information.sum()), float(np.median(motif.positions))),
            *(best.known if best else "", best.q_value if best else None),
        )
        rows.append(dict(zip(SUMMARY, cells, strict=True)))
    return rows


def site_rows(report: MotifReport, names: Sequence[str], letters: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each place of a motif, the keys are `SITES`.

    Args:
        report: what was found.
        names: of all sequences that were given, in their order.
        letters: their bases.
    """
    rows = []
    for motif in report.motifs.motifs:
        for site, position in zip(motif.sites, motif.positions, strict=True):
            number = report.used[site.sequence]
            bases = letters[number][site.start : site.start + len(motif)]
            cells = (motif.name, names[number], int(position), site.strand, site.contribution, bases)
            rows.append(dict(zip(SITES, cells, strict=True)))
    return rows


def match_rows(report: MotifReport) -> list[dict[str, Any]]:
    """One row for each motif and known motif, the keys are `MATCHES`."""
    return [{name: getattr(one, name) for name in MATCHES} for one in report.matches]


def tsv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Rows as tab-separated values with a header line."""
    lines = ["\t".join(columns)]
    lines += ["\t".join(_cell(row[column]) for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace("\t", " ").replace("\n", " ")


def report_dict(report: MotifReport) -> dict[str, Any]:
    """The whole report as JSON's types can hold it; figures stay `Figure`."""
    spacing = report.spacing
    return {
        **{name: getattr(report, name) for name in ("model", "label", "method", "baseline")},
        "sequences": {"given": report.given, "looked_through": len(report.used)},
        "engine": report.motifs.engine,
        "seqlets": {
            "found": len(report.motifs.seqlets.found),
            "fdr": report.motifs.seqlets.fdr,
            "estimated_fdr": report.motifs.seqlets.estimated_fdr,
            "null": report.motifs.seqlets.null,
        },
        "motifs": [
            {**row, "counts": motif.counts, "contributions": motif.contributions, "positions": motif.positions}
            for row, motif in zip(summary_rows(report), report.motifs.motifs, strict=True)
        ],
        "matches": match_rows(report),
        "spacing": spacing
        and {
            **{name: getattr(spacing, name) for name in ("upstream", "downstream", "spacers", "counts", "commonest")},
            **{name: getattr(spacing, name) for name in ("median", "at_optimum", "by_chance", "sequences")},
            "pairs": len(spacing.pairs),
        },
        "strongest_six_bases_at_minus_10": report.minus_10
        and {"share": report.minus_10, "by_chance": report.minus_10_by_chance},
    }
