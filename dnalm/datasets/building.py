"""The rows of each kind of dataset, from files: published two-class sets, and windows cut at gene starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dnalm.alphabet import decode
from dnalm.annotation import Gene, read_genes
from dnalm.datasets.dataset import table_of
from dnalm.datasets.place import likeliest, place
from dnalm.datasets.windows import DEMO_REGION, Window, inner_windows, overlaps, random_windows, start_windows
from dnalm.errors import InputError
from dnalm.sequences import Record, Region, read_labelled, read_records

POSITIVE = "promoter"
NEGATIVE = "non-promoter"
UPSTREAM = 100
DOWNSTREAM = 50
RANDOM_WINDOWS = 12_000
NEAR_A_START = 10
"""Bases around a start within which no random window's site lies: a scan's peak there would be right."""


@dataclass
class Built:
    """Rows before they are split, what was left out and why, and what a reader should know.

    `groups` says which rows come from one sequence and stay together, where that is not for shared stretches to say:
    an int64 of each row.
    """

    table: pd.DataFrame
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    groups: NDArray[np.int64] | None = None


def source_text(region: Region) -> str:
    """`record:start-end(strand)`, 1-based inclusive and without thousands commas; `Region.parse` reads it."""
    return f"{region.record}:{region.start + 1}-{region.end}({region.strand})"


def one_chromosome(path: Path) -> Record:
    """The one record of a complete bacterial chromosome's file; circular, which FASTA cannot say."""
    records = list(read_records(path, circular=True))
    if len(records) != 1:
        raise InputError(f"{path} has {len(records)} records; this recipe wants one chromosome")
    return records[0]


def published(
    files: Mapping[str, Path], generator: np.random.Generator, *, positive: str = POSITIVE, negative: str = NEGATIVE
) -> Built:
    """Two FASTA files, positives and negatives, all rows kept; placed on `genome` where one is given.

    Args:
        files: "positives", "negatives" and, optional, "genome".
        generator: unused: a published set has nothing random.
        positive: what the positives are called.
        negative: what the negatives are called.

    Returns:
        Positives first, each file in its order. Where a sequence matches the genome at several places, its
        source names the one nearest to the position in its header, and it counts as of the demo region when
        any of them touches it.
    """
    del generator
    labelled = [
        (label, record)
        for label, role in ((positive, "positives"), (negative, "negatives"))
        for record in read_records(files[role], allow_duplicates=True)
    ]
    genome = one_chromosome(files["genome"]) if "genome" in files else None
    placed = place([record.codes for _, record in labelled], genome) if genome else [[] for _ in labelled]
    numbers = dict.fromkeys((positive, negative), 0)
    rows = []
    for (label, record), regions in zip(labelled, placed, strict=True):
        numbers[label] += 1
        header = f"{record.id} {record.description}".strip()
        file = files["positives" if label == positive else "negatives"].name
        source = source_text(likeliest(regions, record.id)) if regions else f"{file} {header}"
        rows.append(
            {
                "id": f"{label}-{numbers[label]:04d}",
                "sequence": decode(record.codes),
                "label": label,
                "split": "train",
                "source": source,
                "in_demo_region": genome is not None
                and any(overlaps(region, DEMO_REGION, len(genome)) for region in regions),
            }
        )
    notes = []
    if genome:
        several = sum(len(regions) > 1 for regions in placed)
        nowhere = sum(not regions for regions in placed)
        notes = [
            f"{len(placed) - nowhere} of {len(placed)} sequences match {genome.id} exactly, {several} of them at "
            f"several places; {nowhere} match nowhere and count as outside the demo region."
        ]
    return Built(table_of(rows), notes=notes)


def from_table(files: Mapping[str, Path], generator: np.random.Generator, *, positive: str, negative: str) -> Built:
    """A table with the columns `seq` and `label` (1 positive, 0 negative), every row kept, in its order.

    Args:
        files: "table".
        generator: unused: a published set has nothing random.
        positive: what label 1 is called.
        negative: what label 0 is called.
    """
    del generator
    names, numbers = {"1": positive, "0": negative}, dict.fromkeys((positive, negative), 0)
    rows = []
    for row, one in enumerate(read_labelled(files["table"], sequence="seq", label="label"), start=1):
        if one.label not in names:
            raise InputError(f"{files['table']}, row {row}: label {one.label!r}; 0 and 1 are wanted")
        label = names[one.label]
        numbers[label] += 1
        rows.append(
            {
                "id": f"{label.replace(' ', '-')}-{numbers[label]:04d}",
                "sequence": decode(one.codes),
                "label": label,
                "split": "train",
                "source": f"{files['table'].name} row {row}",
                "in_demo_region": False,
            }
        )
    return Built(table_of(rows))


def start_windows_against_genes(files: Mapping[str, Path], generator: np.random.Generator) -> Built:
    """Windows around every CDS start against fragments inside genes, one a gene, same strand, same frame.

    Args:
        files: "genome" (one chromosome) and "genes" (its annotation).
        generator: where the fragments' places come from.
    """
    record, genes = _genome_and_genes(files)
    starts, shared = start_windows(genes, UPSTREAM, DOWNSTREAM, len(record))
    inner, without = inner_windows(genes, record, UPSTREAM + DOWNSTREAM, UPSTREAM, starts, generator)
    rows = [_row(window, POSITIVE, record) for window in starts]
    rows += [_row(window, NEGATIVE, record) for window in inner]
    return Built(
        table_of(rows),
        dropped={
            "genes that share their start with another (one window for both)": shared,
            f"genes with no {UPSTREAM + DOWNSTREAM} bp clear of every start window (no fragment)": without,
        },
    )


def start_windows_against_anywhere(files: Mapping[str, Path], generator: np.random.Generator) -> Built:
    """Windows around every CDS start against windows anywhere else, on either strand and in any frame.

    Args:
        files: "genome" (one chromosome) and "genes" (its annotation).
        generator: where the random places come from.
    """
    record, genes = _genome_and_genes(files)
    starts, shared = start_windows(genes, UPSTREAM, DOWNSTREAM, len(record))
    length = UPSTREAM + DOWNSTREAM
    others = random_windows(record, length, UPSTREAM, starts, NEAR_A_START, RANDOM_WINDOWS, generator)
    rows = [_row(window, POSITIVE, record) for window in starts]
    rows += [_row(window, NEGATIVE, record) for window in others]
    return Built(table_of(rows), dropped={"genes that share their start with another (one window for both)": shared})


def _genome_and_genes(files: Mapping[str, Path]) -> tuple[Record, list[Gene]]:
    """One chromosome and its coding genes with a known start, in the order of their places."""
    record = one_chromosome(files["genome"])
    genes = [gene for gene in read_genes(files["genes"], kinds=("CDS",)) if gene.record == record.id]
    genes = [gene for gene in genes if gene.start_known]
    return record, sorted(genes, key=lambda gene: (gene.start, gene.end, gene.strand, gene.name))


def _row(window: Window, label: str, record: Record) -> dict[str, object]:
    region = window.region
    return {
        "id": f"{label}-{window.gene}-{region.start + 1}{region.strand}",
        "sequence": decode(record.extract(region)),
        "label": label,
        "split": "train",
        "source": source_text(region),
        "in_demo_region": overlaps(region, DEMO_REGION, len(record)),
    }
