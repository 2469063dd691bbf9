"""How large genomes and labelled sets are, without reading a large one while somebody waits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dnalm.datasets import Dataset, catalog
from dnalm.datasets.recipes import of_id
from dnalm.errors import InputError
from dnalm.files import write_whole
from dnalm.sequences import read_records
from dnalm.settings import settings

MOST_READ = 128 << 20
"""Bytes of a file that are read to count its bases; of a larger one they are guessed from its size."""
_PACKED = 3.3  # bases in a byte of compressed FASTA
_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class GenomeLength:
    """A genome's size.

    Attributes:
        bases: of all records.
        longest: of the longest record.
        exact: whether they were counted, and not guessed from the file's size.
        here: whether the file is on this machine; else it is downloaded first.
    """

    bases: int
    longest: int
    exact: bool
    here: bool


def genome_length(name: str) -> GenomeLength:
    """Count a genome's bases.

    Args:
        name: a sequence file, or a name in the catalogue.

    Raises:
        InputError: there is no such file and no such name, or the file cannot be read.
    """
    path = Path(name)
    if not path.exists():
        if "/" in name or name not in catalog.load():
            raise InputError(f"{name}: no such file, and no such genome in the catalogue (`dnalm data list`)")
        found = catalog.local(name)
        if found is None:
            guess = round(catalog.entry(name).bytes * _PACKED)
            return GenomeLength(guess, guess, exact=False, here=False)
        path = found
    return _counted(path.resolve())


def _counted(path: Path) -> GenomeLength:
    state = path.stat()
    if state.st_size > MOST_READ:
        guess = round(state.st_size * (_PACKED if path.name.endswith(_SUFFIXES) else 1))
        return GenomeLength(guess, guess, exact=False, here=True)
    key = hashlib.sha256(f"{path} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:20]
    kept = settings().cache / "lengths" / f"{key}.json"
    try:
        return GenomeLength(**json.loads(kept.read_text()))
    except (OSError, ValueError, TypeError):  # not counted yet, or written by another version
        pass
    lengths = [len(record) for record in read_records(path)]
    found = GenomeLength(sum(lengths), max(lengths, default=0), exact=True, here=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_whole(kept, json.dumps(asdict(found)))
    return found


@dataclass(frozen=True)
class Sizes:
    """A labelled set in numbers, as training will see it.

    Attributes:
        train: sequences trained on.
        valid: sequences that validation looks at.
        test: sequences measured at the end.
        length: bases of every training sequence, where all have as many.
        longest: bases of the longest.
        mean: bases on average.
        classes: labels.
    """

    train: int
    valid: int
    test: int
    length: int | None
    longest: int
    mean: float
    classes: int


def dataset_sizes(dataset: Dataset, *, train_limit: int | None = None) -> Sizes:
    """Count what a phase will read.

    Raises:
        InputError: there is nothing to train on.
    """
    rows = dataset.training("train")
    lengths = rows["sequence"].str.len()
    if rows.empty:
        raise InputError(f"{dataset.name}: no training sequence")
    train, valid = len(rows), len(dataset.training("valid"))
    if train_limit is not None:
        train, valid = round(min(train, train_limit) * 3 / 4), round(min(train, train_limit) / 4)
    elif not valid:
        train, valid = round(train * 7 / 8), round(train / 8)
    one = int(lengths.iloc[0]) if lengths.nunique() == 1 else None
    return Sizes(
        train, valid, len(dataset.part("test")), one, int(lengths.max()), float(lengths.mean()), len(dataset.labels)
    )


def needs_making(name: str) -> bool:
    """Whether a dataset is a recipe's that has not been made yet: making it takes seconds to minutes."""
    return of_id(name) is not None and not (settings().datasets / name / "dataset.json").is_file()
