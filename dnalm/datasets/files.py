"""Make a dataset from a lab's own files: a table with labels, or two FASTA files, one a class."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.alphabet import decode
from dnalm.datasets.audit import audit, group_summary
from dnalm.datasets.cutting import Cut, dataset_at_sites
from dnalm.datasets.dataset import INFO, Dataset, table_of
from dnalm.datasets.intake import Intake, take_in
from dnalm.datasets.recipes import RECIPES
from dnalm.datasets.splits import STRETCH, stretch_groups, train_valid_test
from dnalm.errors import InputError
from dnalm.sequences import LabelledSequence, read_labelled
from dnalm.settings import settings

SPLIT_METHODS = ("grouped", "random")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_YES_NO = (("1", "0"), ("positive", "negative"), ("pos", "neg"), ("true", "false"), ("yes", "no"))
_THE_REST = frozenset(("other", "others", "rest", "none", "background", "control", "random", "shuffled"))


def guess_positive(labels: Iterable[str]) -> str | None:
    """The positive one of two labels where their names say it (`1`/`0`, `promoter`/`non-promoter`); else None."""
    names = sorted(set(labels))
    if len(names) != 2:
        return None
    lower = {name.lower(): name for name in names}
    for yes, no in _YES_NO:
        if set(lower) == {yes, no}:
            return lower[yes]
    for one, other in (names, names[::-1]):
        if other.lower() in _THE_REST and one.lower() not in _THE_REST:
            return one
        if other.lower() in {f"{prefix}{one.lower()}" for prefix in ("non-", "non_", "non", "not_", "not-", "no_")}:
            return one
    return None


def _rows(sequences: Iterable[LabelledSequence], source: str, split: str) -> list[dict[str, Any]]:
    return [
        {
            "id": item.id,
            "sequence": decode(item.codes),
            "label": item.label,
            "split": split,
            "source": f"{source} {item.id}",
            "in_demo_region": False,
        }
        for item in sequences
    ]


def _file_sha256(path: str | Path) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def from_files(
    *paths: str | Path,
    name: str = "dataset",
    labels: tuple[str, str] | None = None,
    positive: str | None = None,
    sequence: str | None = None,
    label: str | None = None,
    id: str | None = None,
    test_file: str | Path | None = None,
    split: str = "grouped",
    valid: float = 0.1,
    test: float = 0.15,
    seed: int = 0,
    stretch: int = STRETCH,
    drop_unusable: bool = False,
    drop_copies: bool = False,
) -> Dataset:
    """Read, split and audit a labelled set; nothing is written (`Dataset.save` does that).

    Args:
        paths: one CSV or TSV with labels, or two FASTA files: positives, then negatives.
        name: the dataset's name.
        labels: the two files' labels, positive first.
        positive: the positive one of two labels, where their names do not say it.
        sequence: the table's column with the bases, where it is not found by itself.
        label: the table's column with the labels, likewise.
        id: the table's column with the names, likewise.
        test_file: a table of its own for the test part; the rest is then split into train and valid.
        split: "grouped" keeps sequences that share a stretch on either strand on one side, "random" does not.
        valid: share of each label.
        test: share of each label; ignored with `test_file`.
        seed: for the split.
        stretch: bases of a shared stretch.
        drop_unusable: leave out rows that cannot be used and count them, see `dnalm.datasets.intake.take_in`.
        drop_copies: leave out copies, and what stands under two labels, likewise.

    Returns:
        The dataset with its audit.

    Raises:
        InputError: a file is not usable, has one label only, or the positive one of two labels is not told.
    """
    if split not in SPLIT_METHODS:
        raise InputError(f"there is no split {split!r}; there are {', '.join(SPLIT_METHODS)}")
    columns: dict[str, Any] = {"sequence": sequence, "label": label, "id": id}
    taken = take_in(
        *paths,
        labels=labels or ("positive", "negative"),
        columns=columns,
        drop_unusable=drop_unusable,
        drop_copies=drop_copies,
    )
    _refuse_unlabelled(taken, paths[0])
    rows = _rows(taken.rows, Path(paths[0]).name if len(paths) == 1 else name, "train")
    if test_file is not None:
        rows += _test_rows(test_file, columns, {row["id"] for row in rows})
    table = table_of(rows)
    names = sorted(set(table["label"]))
    if len(names) < 2:
        raise InputError(f"{paths[0]}: all {len(table)} sequences have the label {names[0]!r}; two are wanted")
    if len(names) == 2:
        positive = positive or (labels[0] if labels else guess_positive(names))
        if positive not in names:
            raise InputError(f"{paths[0]}: say which of {names[0]!r} and {names[1]!r} is the positive label")
        names = [other for other in names if other != positive] + [positive]
    else:
        positive = None
    dataset = Dataset(table, {"name": name, "labels": names, "positive": positive, "anchor": None})
    files = [*paths, *([test_file] if test_file is not None else [])]
    told = {"drop_unusable": drop_unusable, "drop_copies": drop_copies}
    _split(dataset, split, 0.0 if test_file is not None else test, valid, seed, stretch)
    _describe(dataset, files, {"name": "files", **_split_told(seed, split, valid, test), **told}, stretch)
    dataset.info |= {"dropped": taken.dropped, "notes": taken.notes()}
    return dataset


def from_genome(
    genome: str | Path,
    starts: str | Path,
    *,
    name: str = "dataset",
    upstream: int = 500,
    downstream: int = 500,
    per_site: float = 1.0,
    kind: str | None = None,
    circular: bool = False,
    split: str = "grouped",
    valid: float = 0.1,
    test: float = 0.15,
    seed: int = 0,
) -> Dataset:
    """Cut windows around the start sites of a genome, against random windows; see `dnalm.datasets.cutting`.

    Args:
        genome: its sequence file.
        starts: a table of sites, BED, or an annotation.
        name: the dataset's name.
        upstream: bases before a site, on its strand.
        downstream: bases from the site on, itself included.
        per_site: random windows for each window at a site.
        kind: take the starts of such features of an annotation: `CDS`, `mRNA` or `gene`.
        circular: whether the genome's records are circular.
        split: see `from_files`.
        valid: see `from_files`.
        test: see `from_files`.
        seed: for the random windows and the split.

    Raises:
        InputError: a file is not usable, or no site leaves a window.
    """
    if split not in SPLIT_METHODS:
        raise InputError(f"there is no split {split!r}; there are {', '.join(SPLIT_METHODS)}")
    cut = Cut(upstream, downstream, per_site)
    dataset, built = dataset_at_sites(genome, starts, cut, kind=kind, circular=circular, seed=seed)
    dataset.info["name"] = name
    told = {"upstream": upstream, "downstream": downstream, "per_site": per_site, "kind": kind}
    _split(dataset, split, test, valid, seed, STRETCH)
    _describe(dataset, [genome, starts], {"name": "windows", **_split_told(seed, split, valid, test), **told}, STRETCH)
    dataset.info |= {"dropped": built.dropped, "notes": built.notes}
    return dataset


def _split_told(seed: int, split: str, valid: float, test: float) -> dict[str, Any]:
    return {"seed": seed, "split": split, "valid": valid, "test": test}


def _split(dataset: Dataset, split: str, test: float, valid: float, seed: int, stretch: int) -> None:
    """Deal the rows that are not test rows already; groups are noted."""
    table, groups = dataset.table, stretch_groups(dataset.codes(), stretch)
    learn = ~(table["split"] == "test").to_numpy()
    table.loc[learn, "split"] = train_valid_test(
        table["label"].to_numpy()[learn],
        np.unique(groups[learn], return_inverse=True)[1] if split == "grouped" else np.arange(learn.sum()),
        np.random.default_rng(seed),
        valid=valid,
        test=test,
    )
    dataset.info["groups"] = {"stretch": stretch, **group_summary(groups)}


def _describe(dataset: Dataset, files: list[str | Path], recipe: dict[str, Any], stretch: int) -> None:
    dataset.info |= {
        "title": dataset.name,
        "description": f"made from {', '.join(Path(path).name for path in files)}",
        "window": dataset.window,
        "recipe": recipe,
        "sources": [{"name": Path(path).name, "sha256": _file_sha256(path)} for path in files],
        "audit": audit(dataset, stretch),
    }


def check_name(name: str) -> None:
    """Refuse a name that cannot be a dataset's folder, or that a recipe has or may give to its own."""
    if not NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be a dataset's name: wanted are 1 to 64 letters, digits, dots, hyphens and underscores, "
            "the first a letter or digit"
        )
    if taken := next((recipe for recipe in RECIPES if name == recipe or name.startswith(f"{recipe}-")), None):
        raise InputError(f"{name!r} is kept for the sets that the recipe {taken} makes; choose another name")


def make_from_files(name: str, *paths: str | Path, home: str | Path | None = None, **choices: Any) -> Dataset:
    """Make a dataset from a lab's own files in `$DNALM_HOME/datasets/NAME`.

    Args:
        name: the dataset's name and its folder's.
        paths: one table, or two FASTA files; see `from_files`.
        home: another DNALM_HOME.
        choices: as for `from_files`.

    Returns:
        The dataset, saved.

    Raises:
        InputError: the name is not usable or another dataset has it, or the files are refused.
    """
    check_name(name)
    return _saved(from_files(*paths, name=name, **choices), name, home)


def make_from_genome(
    name: str, genome: str | Path, starts: str | Path, *, home: str | Path | None = None, **choices: Any
) -> Dataset:
    """Make a dataset of windows of a genome in `$DNALM_HOME/datasets/NAME`; see `from_genome`.

    Raises:
        InputError: the name is not usable or another dataset has it, or the files are refused.
    """
    check_name(name)
    return _saved(from_genome(genome, starts, name=name, **choices), name, home)


def _saved(dataset: Dataset, name: str, home: str | Path | None) -> Dataset:
    folder = (Path(home) / "datasets" if home else settings().datasets) / name
    if (folder / INFO).is_file() and Dataset.load(folder).sha256() != dataset.sha256():
        raise InputError(f"there is a dataset {name!r} already, with other rows or another split; choose another name")
    dataset.save(folder)
    return dataset


def _refuse_unlabelled(taken: Intake, path: str | Path) -> None:
    if any(row.label is None for row in taken.rows):
        kind = {"fasta": "FASTA", "genbank": "GenBank"}[taken.kind]
        raise InputError(
            f"{path} is {kind}, which has no labels; give a table with labels, or two files, one for each label"
        )


def _test_rows(path: str | Path, columns: dict[str, Any], known: set[str]) -> list[dict[str, Any]]:
    """The test file's rows; two tables often number alike, so an id that the first has too becomes `test:ID`."""
    rows = _rows(read_labelled(path, **columns), Path(path).name, "test")
    for row in rows:
        if row["id"] in known:
            row["id"] = f"test:{row['id']}"
    return rows
