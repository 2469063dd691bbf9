"""Which sequences may stand on different sides of a split, and the splits that respect it.

Near-duplicates on both sides of a split make a model look better than it is. Two sequences belong to one
group when they share a stretch (by default 20 bases) on either strand, directly or through a third sequence;
a grouped split keeps every group whole. The random split ignores groups, as most published splits do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnalm.alphabet import Codes
from dnalm.datasets.stretches import STRETCH, Ints, shared_spans, shared_with, stretch_groups
from dnalm.errors import InputError

__all__ = [
    "SPLITS",
    "STRETCH",
    "folds_of_groups",
    "grouped_folds",
    "random_folds",
    "shared_spans",
    "shared_with",
    "stretch_groups",
    "train_valid_test",
]

SPLITS = ("train", "valid", "test")


def _label_counts(labels: ArrayLike, groups: Ints) -> Ints:
    """Count the labels of each group: shape `(groups, labels)`."""
    _, label = np.unique(np.asarray(labels), return_inverse=True)
    counts = np.zeros((int(groups.max()) + 1, int(label.max()) + 1), dtype=np.int64)
    np.add.at(counts, (groups, label), 1)
    return counts


def folds_of_groups(groups: Ints, labels: ArrayLike, n_folds: int, generator: np.random.Generator) -> Ints:
    """Deal whole groups to folds so that every label is spread as evenly as the groups allow.

    The largest groups are dealt first (in random order among equals), each to the fold that has least of
    its labels so far, counted as shares of each label's total: a rare label weighs as much as a common one.

    Args:
        groups: group of each sequence, shape `(n,)`, from 0 up.
        labels: label of each sequence, shape `(n,)`.
        n_folds: number of folds, 2 or more.
        generator: where the random order comes from.

    Returns:
        Fold of each sequence, shape `(n,)`, 0 to `n_folds - 1`.

    Raises:
        InputError: fewer than 2 folds, or fewer groups than folds.
    """
    groups = np.asarray(groups, dtype=np.int64)
    found = len(np.unique(groups))
    if n_folds < 2 or found < n_folds:
        raise InputError(
            f"{n_folds} folds were asked for; 2 to {found} are possible, since sequences that share "
            "a stretch stay together"
        )
    counts = _label_counts(labels, groups)
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    size = counts.sum(axis=1)
    order = generator.permutation(len(counts))
    order = order[np.argsort(-size[order], kind="stable")]
    load = np.zeros((n_folds, counts.shape[1]))
    fold_of_group = np.zeros(len(counts), dtype=np.int64)
    for group in order:
        cost = load @ shares[group]
        # Among folds that tie for this group's labels, the emptiest of all.
        tied = np.flatnonzero(cost <= cost.min() + 1e-12)
        fold = tied[np.argmin(load[tied].sum(axis=1))]
        fold_of_group[group] = fold
        load[fold] += shares[group]
    return fold_of_group[groups]


def grouped_folds(
    sequences: Sequence[Codes],
    labels: ArrayLike,
    n_folds: int,
    generator: np.random.Generator,
    *,
    length: int = STRETCH,
    groups: Ints | None = None,
) -> Ints:
    """Stratified k-fold that keeps sequences sharing a stretch in one fold.

    Args:
        sequences: n arrays of codes.
        labels: label of each, shape `(n,)`.
        n_folds: number of folds.
        generator: where the random order comes from.
        length: bases of a shared stretch.
        groups: the groups, shape `(n,)`, where they are known already (they do not depend on the folds).

    Returns:
        Fold of each sequence, shape `(n,)`.
    """
    known = stretch_groups(sequences, length) if groups is None else np.asarray(groups)
    return folds_of_groups(known, labels, n_folds, generator)


def random_folds(labels: ArrayLike, n_folds: int, generator: np.random.Generator) -> Ints:
    """Stratified k-fold that ignores shared stretches, as most published splits do.

    Folds differ by at most one sequence of each label.

    Returns:
        Fold of each sequence, shape `(n,)`.
    """
    labels = np.asarray(labels)
    if not 2 <= n_folds <= len(labels):
        raise InputError(
            f"{n_folds} folds were asked for; 2 to {len(labels)} are possible with {len(labels)} sequences"
        )
    fold = np.zeros(len(labels), dtype=np.int64)
    dealt = 0  # the next label goes on where the last one stopped, so that the folds' sizes stay even too
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        fold[rows] = (dealt + np.arange(len(rows))) % n_folds
        dealt += len(rows)
    return fold


def _targets(wanted: float | Mapping[str, int], names: NDArray, totals: Ints, part: str) -> Ints:
    """How many of each label a part shall have: shape `(labels,)`."""
    if isinstance(wanted, Mapping):
        unknown = set(wanted) - set(names.tolist())
        if unknown:
            raise InputError(f"the {part} part asks for label {sorted(unknown)[0]!r}; the labels are {names.tolist()}")
        return np.array([wanted.get(name, 0) for name in names.tolist()], dtype=np.int64)
    if not 0 <= wanted < 1:
        raise InputError(f"the {part} part is a share from 0 to below 1, not {wanted}")
    return np.maximum(np.rint(wanted * totals), 1 if wanted else 0).astype(np.int64)


def train_valid_test(
    labels: ArrayLike,
    groups: Ints,
    generator: np.random.Generator,
    *,
    valid: float | Mapping[str, int] = 0.1,
    test: float | Mapping[str, int] = 0.15,
    singles_only: bool = False,
    force_test: NDArray[np.bool_] | None = None,
) -> NDArray[np.str_]:
    """Split into train, valid and test, every group whole on one side, every label in its share.

    Groups are taken in random order; one goes to test, else to valid, when no label of it would exceed its
    number there; the rest is train. For a random split give each sequence its own group (`np.arange(n)`).

    Args:
        labels: label of each sequence, shape `(n,)`.
        groups: group of each sequence, shape `(n,)`.
        generator: where the random order comes from.
        valid: share of each label, or the number for each label.
        test: the same for the test part.
        singles_only: fill valid and test with groups of one only: sequences that share with no other.
        force_test: sequences that must be test, shape `(n,)`; the groups that hold them go there whole.

    Returns:
        "train", "valid" or "test" of each sequence, shape `(n,)`.

    Raises:
        InputError: the groups do not allow the numbers asked for, or leave a label no training sequences.
    """
    labels, groups = np.asarray(labels), np.asarray(groups, dtype=np.int64)
    names, totals = np.unique(labels, return_counts=True)
    counts = _label_counts(labels, groups)
    part_of_group = np.full(len(counts), "train", dtype="<U5")
    forced = np.unique(groups[force_test]) if force_test is not None else np.empty(0, np.int64)
    part_of_group[forced] = "test"
    order = generator.permutation(len(counts))
    for part, wanted in (("test", test), ("valid", valid)):
        target = _targets(wanted, names, totals, part)
        have = counts[part_of_group == part].sum(axis=0)
        for group in order:
            if part_of_group[group] != "train" or (singles_only and counts[group].sum() != 1):
                continue
            if np.all(have >= target):
                break
            if np.all(have + counts[group] <= np.maximum(target, have)):
                part_of_group[group] = part
                have = have + counts[group]
        if isinstance(wanted, Mapping) and np.any(have != target):
            got = dict(zip(names.tolist(), have.tolist(), strict=True))
            raise InputError(f"the {part} part asks for {dict(wanted)}; the groups of shared stretches allow {got}")
    split = part_of_group[groups]
    for name in names:
        if not np.any((labels == name) & (split == "train")):
            raise InputError(f"label {str(name)!r} has no training sequence left: too few, or all share stretches")
    return split
