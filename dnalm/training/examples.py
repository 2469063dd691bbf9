"""Labelled sequences as training reads them: in batches whose order is a function of the seed and the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnalm.alphabet import Codes, reverse_complement
from dnalm.datasets.splits import grouped_folds
from dnalm.errors import InputError
from dnalm.model.predict import pad

_SORTED_BATCHES = 50
"""Batches among which sequences are sorted by length, so that little is padding and yet batches differ."""


@dataclass(frozen=True)
class Examples:
    """Sequences and the class of each.

    Attributes:
        sequences: n arrays of base codes.
        targets: int64, shape `(n,)`.
        groups: of each, what stays on one side of a split, shape `(n,)`; None: sequences that share a stretch.
    """

    sequences: list[Codes]
    targets: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Examples:
        """Some of them, by index or mask."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        groups = None if self.groups is None else self.groups[index]
        return Examples([self.sequences[i] for i in index], self.targets[index], groups)

    @property
    def one_length(self) -> int | None:
        """Bases of every sequence, where all have as many."""
        lengths = {len(codes) for codes in self.sequences}
        return lengths.pop() if len(lengths) == 1 else None

    def check(self, least: int) -> None:
        """Refuse sequences shorter than `least` bases, and sets of a single class.

        Raises:
            InputError: names the first that is too short, or the only class.
        """
        for number, codes in enumerate(self.sequences, 1):
            if len(codes) < least:
                raise InputError(f"training sequence {number} has {len(codes)} bases; {least} or more are wanted")
        if len(np.unique(self.targets)) < 2:
            raise InputError("the training sequences are all of one class; two or more are wanted")


def limit(examples: Examples, count: int, generator: np.random.Generator) -> Examples:
    """`count` of the examples, classes in their shares, each at least once.

    Raises:
        InputError: there are fewer examples, or `count` is below the number of classes.
    """
    classes, sizes = np.unique(examples.targets, return_counts=True)
    if not len(classes) <= count <= len(examples):
        raise InputError(f"{count} training sequences are asked for; between {len(classes)} and {len(examples)} can be")
    shares = np.maximum(1, np.floor(sizes * count / sizes.sum())).astype(int)
    while shares.sum() < count:
        shares[np.argmax(sizes * count / sizes.sum() - shares)] += 1
    while shares.sum() > count:
        shares[np.argmax(shares)] -= 1
    rows = [
        generator.permutation(np.flatnonzero(examples.targets == one))[:share]
        for one, share in zip(classes, shares, strict=True)
    ]
    return examples.take(np.sort(np.concatenate(rows)))


def split_validation(examples: Examples, generator: np.random.Generator, parts: int = 8) -> tuple[Examples, Examples]:
    """Keep one part in `parts` for validation, sequences that share a stretch on one side."""
    folds = inner_folds(examples, generator, parts)
    return examples.take(folds != 0), examples.take(folds == 0)


def inner_folds(examples: Examples, generator: np.random.Generator, parts: int = 3) -> NDArray[np.int64]:
    """Folds within the training part, grouped and stratified; fewer where a class has fewer sequences."""
    least = int(np.unique(examples.targets, return_counts=True)[1].min())
    if least < 2:
        raise InputError("a class has a single training sequence; two or more of each are wanted")
    folds = max(2, min(parts, least))
    groups = examples.groups
    if groups is not None:
        groups = np.unique(groups, return_inverse=True)[1]
    return grouped_folds(examples.sequences, examples.targets, folds, generator, groups=groups)


@dataclass(frozen=True)
class Batches:
    """Batches of examples, every epoch in another order.

    Attributes:
        examples: what is read.
        size: sequences in a batch, over all processes together.
        seed: what the order is drawn from.
        turn: read each sequence on a strand drawn at random.
    """

    examples: Examples
    size: int
    seed: int
    turn: bool = False

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch: as even as they can be, so that none is too small to normalise over."""
        return max(1, round(len(self.examples) / self.size))

    def rows(self, step: int) -> NDArray[np.int64]:
        """Which examples a step reads."""
        epoch, within = divmod(step, self.per_epoch)
        generator = np.random.default_rng([self.seed, 1, epoch])
        order = generator.permutation(len(self.examples))
        if self.examples.one_length is None:
            lengths = np.array([len(codes) for codes in self.examples.sequences])
            chunk = self.size * _SORTED_BATCHES
            pieces = [order[first : first + chunk] for first in range(0, len(order), chunk)]
            order = np.concatenate([piece[np.argsort(lengths[piece], kind="stable")] for piece in pieces])
        batches = np.array_split(order, self.per_epoch)
        return batches[generator.permutation(self.per_epoch)[within]]

    def __call__(self, step: int, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """Codes `(batch, length)`, lengths and targets of a step, this process's share of them."""
        rows = self.rows(step)
        turned = np.random.default_rng([self.seed, 2, step]).random(len(rows))[rank::world] < 0.5
        rows = rows[rank::world]
        if not len(rows):
            raise InputError(f"a batch of about {self.size} sequences cannot be shared out among {world} processes")
        sequences: Sequence[Codes] = [self.examples.sequences[row] for row in rows]
        if self.turn:
            sequences = [
                reverse_complement(codes) if flip else codes for codes, flip in zip(sequences, turned, strict=True)
            ]
        lengths = torch.tensor([len(codes) for codes in sequences])
        return pad(sequences), lengths, torch.from_numpy(self.examples.targets[rows])
