"""The table of recipes: what goes into each public dataset, and how its rows are split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.datasets.building import (
    NEGATIVE,
    POSITIVE,
    Built,
    from_table,
    published,
    start_windows_against_anywhere,
    start_windows_against_genes,
)
from dnalm.datasets.cutting import BACKGROUND, eukaryote_starts
from dnalm.datasets.reads import ERROR_RATE, READ_LENGTH, READS_PER_GENE, amplicon_reads, shotgun_reads


@dataclass(frozen=True)
class Recipe:
    """How a dataset is made.

    Attributes:
        name: its name, and its folder's.
        title: for people, one line.
        description: what the rows are.
        sources: the catalogue's entries it is made from, by role.
        build: makes the rows from (role -> file, generator).
        window: bases of every sequence; None where they differ in length.
        anchor: 0-based offset in it of the site that the label speaks of; None where it speaks of the whole.
        labels: of the negative class and of the positive one; None where there are several classes, as the rows say.
        valid: share of each label, or the number for each label.
        test: the same.
        singles_only: fill valid and test with sequences that share no stretch with any other.
        hide: half-open stretch of every window to set to N, after the rows are split.
        whole: whether the label speaks of the whole sequence, and of no place in it.
        version: raised when the recipe makes other rows from the same files and seed.
    """

    name: str
    title: str
    description: str
    sources: Mapping[str, str]
    build: Callable[[Mapping[str, Path], np.random.Generator], Built]
    window: int | None
    anchor: int | None
    labels: tuple[str, str] | None = (NEGATIVE, POSITIVE)
    valid: float | Mapping[str, int] = 0.1
    test: float | Mapping[str, int] = 0.15
    singles_only: bool = False
    hide: tuple[int, int] | None = None
    whole: bool = False
    version: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)


_PROMOTERS_150 = Recipe(
    name="ecoli-promoters-150",
    title="E. coli K-12 gene starts, 150 bp",
    description="Bases -100 to +50 around every CDS start on its strand (the start codon's first base is at index "
    "100) against 150 bp fragments inside genes, of the same strand, that touch no start window and have the first "
    "base of a codon at index 100.",
    sources={"genome": "ecoli-k12", "genes": "ecoli-k12-genes"},
    build=start_windows_against_genes,
    window=150,
    anchor=100,
    valid={POSITIVE: 375, NEGATIVE: 375},
    test={POSITIVE: 415, NEGATIVE: 415},
    singles_only=True,
    parameters={"upstream": 100, "downstream": 50},
)


def _reads(kind: str, build: Callable[[Mapping[str, Path], np.random.Generator], Built], where: str) -> Recipe:
    """Reads of 16S rRNA genes, by genus."""
    return Recipe(
        name=f"16s-{kind}",
        title=f"Bacterial genera from 16S {kind} reads, 250 bp",
        description=f"Reads of 250 bases {where}, simulated from 1,000 16S rRNA genes of 100 genera (Fiannaca 2018), "
        f"{READS_PER_GENE} of each gene, with {ERROR_RATE:.1%} errors. The label is the genus.",
        sources={"genes": "16s-1000"},
        build=build,
        labels=None,
        window=READ_LENGTH,
        anchor=None,
        valid=0.15,  # of some genera seven genes have both primers: one of them is this share
        parameters={"reads_per_gene": READS_PER_GENE, "length": READ_LENGTH, "error_rate": ERROR_RATE},
    )


_EUKARYOTES = ("athaliana", "celegans", "dmelanogaster")

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _PROMOTERS_150,
        Recipe(
            **{
                **{key: getattr(_PROMOTERS_150, key) for key in _PROMOTERS_150.__dataclass_fields__},
                "name": "ecoli-promoters-150-masked",
                "title": "E. coli K-12 gene starts, 150 bp, start codon hidden",
                "description": _PROMOTERS_150.description
                + " The rows and the split of ecoli-promoters-150, with bases 100 to 102 set to N in both classes: "
                "the start codon alone would give most of the answer away.",
                "hide": (100, 103),
            }
        ),
        Recipe(
            name="ecoli-scan-150",
            title="E. coli K-12 gene starts among all other sites, 150 bp",
            description="Bases -100 to +50 around every CDS start on its strand (index 100) against 12,000 windows "
            "drawn at random from both strands, in genes and between them, in any frame: what a scan of a genome "
            "meets. No random window's site lies within 10 bases of a start on its strand.",
            sources={"genome": "ecoli-k12", "genes": "ecoli-k12-genes"},
            build=start_windows_against_anywhere,
            window=150,
            anchor=100,
            parameters={"upstream": 100, "downstream": 50, "random_windows": 12_000},
        ),
        Recipe(
            name="ecoli-sigma70-81",
            title="E. coli sigma-70 promoters, 81 bp",
            description="839 sigma-70 promoters (-60 to +20, the transcription start at index 60) against 3,000 "
            "fragments of genes read along the opposite strand (Umarov and Solovyev 2017), each placed on NC_000913.3 "
            "by exact match.",
            sources={
                "positives": "ecoli-sigma70-promoters",
                "negatives": "ecoli-sigma70-nonpromoters",
                "genome": "ecoli-k12",
            },
            build=published,
            window=81,
            anchor=60,
        ),
        Recipe(
            name="bsubtilis-promoters-81",
            title="B. subtilis promoters, 81 bp",
            description="373 promoters (-60 to +20, the transcription start at index 60) against 1,000 fragments of "
            "genes read along the opposite strand (Umarov and Solovyev 2017).",
            sources={"positives": "bsubtilis-promoters", "negatives": "bsubtilis-nonpromoters"},
            build=published,
            window=81,
            anchor=60,
        ),
        Recipe(
            name="mouse-tata-251",
            title="Mouse TATA promoters, 251 bp",
            description="1,255 TATA promoters (-200 to +50, the transcription start at index 200) against 3,530 "
            "fragments of genes after the first exon (Umarov and Solovyev 2017).",
            sources={"positives": "mouse-tata-promoters", "negatives": "mouse-nonpromoters"},
            build=published,
            window=251,
            anchor=200,
        ),
        Recipe(
            name="human-nontata-251",
            title="Human non-TATA promoters, 251 bp",
            description="4,915 promoters without a TATA box (-200 to +50, the transcription start at index 200) "
            "against 4,119 fragments of genes after the first exon: the test split that the Genomic Benchmarks "
            "(Gresova 2023) drew from Umarov and Solovyev's human set.",
            sources={"table": "human-nontata-251"},
            build=partial(from_table, positive=POSITIVE, negative=NEGATIVE),
            window=251,
            anchor=200,
        ),
        Recipe(
            name="human-enhancers-500",
            title="Human enhancers, 500 bp",
            description="3,474 enhancers against 3,474 background sequences (Cohn 2018), 500 bp: the test split that "
            "the Genomic Benchmarks (Gresova 2023) drew from them.",
            sources={"table": "human-enhancers-cohn"},
            build=partial(from_table, positive="enhancer", negative="background"),
            labels=("background", "enhancer"),
            window=500,
            anchor=None,
            whole=True,
            version=2,
        ),
        Recipe(
            name="eukaryote-starts-1000",
            title="Transcript starts of a plant, a worm and a fly, 1,000 bp",
            description="Bases -500 to +500 around the annotated transcript starts of about 1 % each of A. thaliana, "
            "C. elegans and D. melanogaster, against as many windows drawn at random from both strands that touch "
            "none of them.",
            sources={f"{name}{end}": f"{name}-1pc{end}" for name in _EUKARYOTES for end in ("", "-genes")},
            build=eukaryote_starts,
            labels=(BACKGROUND, POSITIVE),
            window=1000,
            anchor=500,
            parameters={"upstream": 500, "downstream": 500},
        ),
        Recipe(
            name="mrna-lncrna",
            title="Human transcripts: coding or not",
            description="4,000 human transcripts that code for a protein against 4,000 that do not, whole, on the "
            "strand that is transcribed: CPAT's independent test set (Wang 2013).",
            sources={"positives": "human-coding-mrna", "negatives": "human-noncoding-rna"},
            build=partial(published, positive="coding", negative="noncoding"),
            labels=("noncoding", "coding"),
            window=None,
            anchor=None,
        ),
        _reads("amplicon", amplicon_reads, "of the stretch V3 to V4 between two primers, from its first base on"),
        _reads("shotgun", shotgun_reads, "from anywhere on the gene, on either strand"),
    )
}
