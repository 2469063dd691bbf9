"""Finds the genomes that a configuration names and makes their corpus, once for all runs on the same text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dnalm.datasets import catalog
from dnalm.datasets.recipes import load_or_make
from dnalm.datasets.splits import shared_spans
from dnalm.errors import InputError
from dnalm.sequences import Record, Region, read_records
from dnalm.settings import settings
from dnalm.training.config import PretrainConfig
from dnalm.training.corpus import Corpus, Holdout, build_corpus


def prepare_corpus(config: PretrainConfig) -> tuple[Corpus, list[dict[str, Any]]]:
    """The corpus of a configuration, from the cache where it was built before, and where each file came from."""
    files = [genome_file(name) for name in config.genomes]
    sources = [{"name": name, "sha256": file_hash(file)} for name, file in zip(config.genomes, files, strict=True)]
    dataset = load_or_make(config.exclude_matches) if config.exclude_matches else None
    key = {
        "sources": [source["sha256"] for source in sources],
        "held_out": config.held_out,
        "records": config.held_out_records,
        "exclude": config.exclude,
        "matches": dataset.sha256() if dataset else None,
    }
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:20]
    folder = settings().cache / "corpora" / name
    if (folder / "corpus.json").exists():
        return Corpus(folder), sources
    cuts = [Region.parse(text) for text in config.exclude]
    if dataset is not None:
        sequences = dataset.codes()
        for record in _records(files):
            cuts += [Region(record.id, start, end) for start, end in shared_spans(record.codes, sequences)]
    holdout = Holdout(config.held_out, tuple(config.held_out_records), tuple(cuts))
    return build_corpus(_records(files), folder, holdout), sources


def _records(files: list[Path]) -> Iterator[Record]:
    for file in files:
        yield from read_records(file)


def genome_file(name: str) -> Path:
    """A genome given as a file, or by its name in the catalogue."""
    path = Path(name)
    if path.exists():
        return path
    if "/" in name or name not in catalog.load():
        raise InputError(f"{name}: no such file, and no such genome in the catalogue (`dnalm data list`)")
    return catalog.fetch(name)


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
