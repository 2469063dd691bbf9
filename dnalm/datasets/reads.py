"""Reads simulated from genes of known origin: pieces of each gene with sequencing errors, labelled by its genus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from Bio.Data.IUPACData import ambiguous_dna_values
from Bio.Seq import Seq
from numpy.typing import NDArray

from dnalm.alphabet import Codes, decode, encode, reverse_complement
from dnalm.datasets.building import Built, source_text
from dnalm.datasets.dataset import table_of
from dnalm.errors import InputError
from dnalm.sequences import Record, Region, read_records

FORWARD_PRIMER = "CCTACGGGAGGCAGCAG"
REVERSE_PRIMER = "CCGTCAATTCMTTTRAGT"
"""Around the regions V3 and V4 of the 16S rRNA gene, as Fiannaca et al. 2018 give them."""
MOST_MISMATCHES = 2
READS_PER_GENE = 28
"""28,000 reads of 1,000 genes, as many as theirs."""
READ_LENGTH = 250
ERROR_RATE = 0.005
"""Errors a base: four substitutions to each insertion or deletion, the proportion that Grinder takes unless told."""
_SUBSTITUTIONS = 0.8
_SLACK = 20  # bases of template beyond a read's length, since deletions shorten it


def primer_site(codes: Codes, primer: str) -> tuple[int, int]:
    """Where a primer fits a sequence best.

    Args:
        codes: the sequence, shape `(length,)`.
        primer: letters, IUPAC codes among them, read 5' to 3' on the sequence's own strand.

    Returns:
        The 0-based offset of its first base, the leftmost of equally good ones, and how many bases do not fit there.

    Raises:
        InputError: the sequence is shorter than the primer.
    """
    if len(codes) < len(primer):
        raise InputError(f"a primer of {len(primer)} bases cannot lie on a sequence of {len(codes)}")
    fits = np.zeros((len(primer), 5), dtype=bool)
    for place, letter in enumerate(primer):
        fits[place, encode(ambiguous_dna_values[letter])] = True
    here = np.lib.stride_tricks.sliding_window_view(codes, len(primer))
    missed = (~fits[np.arange(len(primer)), here]).sum(axis=1)
    best = int(missed.argmin())
    return best, int(missed[best])


def amplicon_of(codes: Codes) -> tuple[int, int] | None:
    """The half-open stretch between the two primers; None where one of them does not fit, or they are turned round."""
    first, missed = primer_site(codes, FORWARD_PRIMER)
    last, missed_too = primer_site(codes, str(Seq(REVERSE_PRIMER).reverse_complement()))
    start = first + len(FORWARD_PRIMER)
    if max(missed, missed_too) > MOST_MISMATCHES or last - start < READ_LENGTH:
        return None
    return start, last


def with_errors(
    template: Codes, length: int, generator: np.random.Generator, *, rate: float = ERROR_RATE
) -> NDArray[np.uint8]:
    """A read of a template: its first bases, some substituted, some left out, some with another before them.

    Args:
        template: at least as long as the read; a little longer, for deletions.
        length: bases of the read, at most.
        generator: draws the errors.
        rate: errors a base.
    """
    drawn = generator.random(len(template))
    read = template.copy()
    wrong = (drawn < rate * _SUBSTITUTIONS) & (template < 4)
    read[wrong] = (read[wrong] + generator.integers(1, 4, wrong.sum())) % 4
    middle = rate * (1 + _SUBSTITUTIONS) / 2
    times = np.ones(len(template), dtype=np.int64)
    times[(drawn >= rate * _SUBSTITUTIONS) & (drawn < middle)] = 0
    inserted = (drawn >= middle) & (drawn < rate)
    times[inserted] = 2
    at = (np.cumsum(times) - times)[inserted]
    read = np.repeat(read, times)
    read[at] = generator.integers(0, 4, len(at))
    return read[:length]


def amplicon_reads(files: Mapping[str, Path], generator: np.random.Generator) -> Built:
    """Reads of the stretch between two primers, from its first base on: as sequencing an amplicon from one end gives.

    Args:
        files: "genes", whose headers end in the genus.
        generator: draws the errors.
    """
    rows, groups, without = [], [], 0
    for number, (record, genus) in enumerate(_genes(files)):
        found = amplicon_of(record.codes)
        if found is None:
            without += 1
            continue
        region = Region(record.id, *found)
        for read in range(READS_PER_GENE):
            rows.append(_row(record, genus, read, region, generator))
            groups.append(number)
    return _built(rows, groups, {"genes on which one of the primers does not fit": without})


def shotgun_reads(files: Mapping[str, Path], generator: np.random.Generator) -> Built:
    """Reads that begin anywhere on a gene, on either strand.

    Args:
        files: "genes", whose headers end in the genus.
        generator: draws the places and the errors.
    """
    rows, groups = [], []
    span = READ_LENGTH + _SLACK
    for number, (record, genus) in enumerate(_genes(files)):
        for read in range(READS_PER_GENE):
            start = int(generator.integers(len(record) - span + 1))
            strand = "+" if generator.random() < 0.5 else "-"
            rows.append(_row(record, genus, read, Region(record.id, start, start + span, strand), generator))
            groups.append(number)
    return _built(rows, groups, {})


def _genes(files: Mapping[str, Path]) -> Iterator[tuple[Record, str]]:
    for record in read_records(files["genes"]):
        genus = record.description.split()[-1] if record.description else ""
        if not genus or len(record) < READ_LENGTH + _SLACK:
            raise InputError(
                f"{files['genes']}: {record.id} has {len(record):,} bases and the header {record.description!r}; "
                f"wanted are {READ_LENGTH + _SLACK} bases or more, and a header that ends in the genus"
            )
        yield record, genus


def _row(record: Record, genus: str, read: int, region: Region, generator: np.random.Generator) -> dict[str, object]:
    """A read from a region's first base on, on its strand; of a shotgun read the region holds some bases to spare."""
    template = record.codes[region.start : region.end][: READ_LENGTH + _SLACK]
    if region.strand == "-":
        template = reverse_complement(template)
    return {
        "id": f"{record.id}-{read + 1:02d}",
        "sequence": decode(with_errors(template, READ_LENGTH, generator)),
        "label": genus,
        "split": "train",
        "source": source_text(region),
        "in_demo_region": False,
    }


def _built(rows: list[dict[str, object]], groups: list[int], dropped: dict[str, int]) -> Built:
    notes = [
        f"Each read is of {READ_LENGTH} bases with {ERROR_RATE:.1%} errors, {READS_PER_GENE} of each gene. A gene's "
        "reads stay on one side of the grouped split."
    ]
    _, numbers = np.unique(groups, return_inverse=True)
    table: pd.DataFrame = table_of(rows)
    return Built(table, dropped=dropped, notes=notes, groups=numbers)
