"""Recipes: how each public dataset is made from the catalogue's files, the same bytes for the same seed.

A recipe says what goes in; `make` builds the rows, splits them, audits them and writes the dataset folder.
The building itself is in `building.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.alphabet import encode
from dnalm.datasets import catalog
from dnalm.datasets.audit import audit, group_summary
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
from dnalm.datasets.dataset import INFO, Dataset
from dnalm.datasets.splits import STRETCH, stretch_groups, train_valid_test
from dnalm.datasets.windows import DEMO_REGION
from dnalm.errors import InputError
from dnalm.settings import settings

SPLIT_METHODS = ("grouped", "random")
_ID = re.compile(r"(?P<recipe>.+?)(?:-(?P<split>random))?(?:-seed(?P<seed>[0-9]{1,9}))?")


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
        labels: of the negative class and of the positive one.
        valid: share of each label, or the number for each label.
        test: the same.
        singles_only: fill valid and test with sequences that share no stretch with any other.
        hide: half-open stretch of every window to set to N, after the rows are split.
        version: raised when the recipe makes other rows from the same files and seed.
    """

    name: str
    title: str
    description: str
    sources: Mapping[str, str]
    build: Callable[[Mapping[str, Path], np.random.Generator], Built]
    window: int | None
    anchor: int | None
    labels: tuple[str, str] = (NEGATIVE, POSITIVE)
    valid: float | Mapping[str, int] = 0.1
    test: float | Mapping[str, int] = 0.15
    singles_only: bool = False
    hide: tuple[int, int] | None = None
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
    )
}


def recipe(name: str) -> Recipe:
    """A recipe by name; InputError, with the names there are, for another."""
    if name not in RECIPES:
        raise InputError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def dataset_id(name: str, *, seed: int = 0, split: str = "grouped") -> str:
    """The folder's name of a recipe's dataset: the recipe's own for its defaults, else with what differs."""
    return name + ("" if split == "grouped" else f"-{split}") + ("" if seed == 0 else f"-seed{seed}")


def of_id(name: str) -> tuple[Recipe, str, int] | None:
    """The recipe, split and seed that make the dataset of this folder's name; None where no recipe does."""
    match = _ID.fullmatch(name)
    if match is None or match["recipe"] not in RECIPES:
        return None
    split, seed = match["split"] or "grouped", int(match["seed"] or 0)
    return (
        (RECIPES[match["recipe"]], split, seed) if dataset_id(match["recipe"], seed=seed, split=split) == name else None
    )


def make(
    name: str,
    *,
    seed: int = 0,
    split: str = "grouped",
    home: str | Path | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Make a recipe's dataset in `$DNALM_HOME/datasets`, or load it where it has been made already.

    Args:
        name: one of `RECIPES`.
        seed: for the random fragments and the split.
        split: "grouped" keeps sequences that share a 20-mer on either strand on one side; "random" ignores that,
            as published splits do. In both, every row of the demo region is a test row.
        home: another DNALM_HOME.
        force: make it anew even when it is there.
        progress: called with (bytes so far, bytes in all) while a source is downloaded.

    Returns:
        The dataset, saved.

    Raises:
        InputError: an unknown recipe or split, or a source that fails its checksum.
        RunError: a source that is not there and cannot be downloaded.
    """
    chosen = recipe(name)
    if split not in SPLIT_METHODS:
        raise InputError(f"there is no split {split!r}; there are {', '.join(SPLIT_METHODS)}")
    folder = (Path(home) / "datasets" if home else settings().datasets) / dataset_id(name, seed=seed, split=split)
    made_by = _made_by(chosen, seed, split)
    if not force and (folder / INFO).is_file():
        there = Dataset.load(folder)
        if all(there.info.get(key) == value for key, value in made_by.items()):
            return there
    files = {role: catalog.fetch(entry, progress) for role, entry in chosen.sources.items()}
    dataset = build(chosen, files, seed=seed, split=split)
    described = {"name": folder.name, "title": chosen.title, "description": chosen.description}
    dataset.info = {**described, **made_by, **dataset.info}
    dataset.info["audit"] = audit(dataset)
    dataset.save(folder)
    return dataset


def load_or_make(name_or_folder: str | Path) -> Dataset:
    """A dataset by folder or name; a recipe's name is made first where it has not been."""
    text = str(name_or_folder)
    if text in RECIPES and not (Path(text) / INFO).is_file():
        return make(text)
    return Dataset.load(name_or_folder)


def build(chosen: Recipe, files: Mapping[str, Path], *, seed: int, split: str) -> Dataset:
    """The recipe's rows, split, in memory, from given files; the windows and the split have streams of their own."""
    for_rows, for_split = np.random.default_rng(seed).spawn(2)
    built = chosen.build(files, for_rows)
    table = built.table
    codes = [encode(text) for text in table["sequence"]]
    groups = stretch_groups(codes)
    table["split"] = train_valid_test(
        table["label"].to_numpy(),
        groups if split == "grouped" else np.arange(len(groups)),
        for_split,
        valid=chosen.valid,
        test=chosen.test,
        singles_only=chosen.singles_only,
        force_test=table["in_demo_region"].to_numpy(),
    )
    if chosen.hide:
        first, last = chosen.hide
        text = table["sequence"]
        table["sequence"] = text.str.slice(0, first) + "N" * (last - first) + text.str.slice(last)
    inside = table["label"][table["in_demo_region"]]
    info = {
        "labels": list(chosen.labels),
        "positive": chosen.labels[1],
        "window": chosen.window,
        "anchor": chosen.anchor,
        "dropped": built.dropped,
        "notes": built.notes,
        "groups": {"stretch": STRETCH, **group_summary(groups)},
        "demo_region": {
            "region": str(DEMO_REGION),
            "rows": len(inside),
            "by_label": {label: int((inside == label).sum()) for label in chosen.labels},
            "rule": "every row that touches the region is a test row; Dataset.training leaves it out",
        },
    }
    return Dataset(table, info)


def _made_by(chosen: Recipe, seed: int, split: str) -> dict[str, Any]:
    """What decides the rows: recipe, seed, split and the sources' checksums."""
    entries = {role: catalog.entry(name) for role, name in chosen.sources.items()}
    return {
        "recipe": {
            "name": chosen.name,
            "version": chosen.version,
            "seed": seed,
            "split": split,
            "valid": chosen.valid if isinstance(chosen.valid, float) else dict(chosen.valid),
            "test": chosen.test if isinstance(chosen.test, float) else dict(chosen.test),
            "singles_only": chosen.singles_only,
            "hide": list(chosen.hide) if chosen.hide else None,
            **chosen.parameters,
        },
        "sources": [
            {
                "role": role,
                "name": entry.name,
                "sha256": entry.sha256,
                "content_sha256": entry.content_sha256,
                "source": entry.source,
                "licence": entry.licence,
                "citation": entry.citation,
            }
            for role, entry in entries.items()
        ],
    }
