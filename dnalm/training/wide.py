"""Fits the `wide` head: frozen states, pools, k-mers, words and bases into one regularised logistic regression.

There are far more features than sequences, so the fit works on the sequences' inner products (`dnalm.training.dual`).
The weights are then written back as one linear layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from torch import Tensor

from dnalm.alphabet import Codes
from dnalm.model.classifier import Member
from dnalm.model.heads import Encoding, WideHead
from dnalm.model.predict import pad, rows_by_length
from dnalm.training.dual import Kernels, Problem, Progress, Shares, choose, share_of, solve

BLOCK_WEIGHTS = {
    **{"states": 1.0, "pools": 0.05, "kmers": 0.01, "words": 1.0, "windows": 1.0, "places": 1.0, "bases": 0.1},
    **{"frames": 1.0, "codons": 1.0},
}
"""Prior variance of each block's part of the logit. Chosen on the training folds of the two 81 bp sets; those of the
reading frames were not."""
MOST_SEQUENCES = 8000
"""The fit's memory grows with the square of the sequences: of more, so many are drawn at random."""
_BATCH = 256
_BATCH_BASES = 256_000
SPARSE = frozenset({"words", "windows", "places"})
"""Blocks in which one feature in a hundred is not zero."""


@dataclass(frozen=True)
class WideFit:
    """What the fit chose.

    Attributes:
        penalty: of the ridge.
        shares: factors on groups of blocks, by the group's name (`dnalm.training.dual.SHARES`).
        logits: of the training sequences, each from a fit that had not seen its fold; shape `(n, classes)`.
        rows: which of the training sequences were read, all unless there are very many.
    """

    penalty: float
    shares: Shares
    logits: NDArray[np.float32]
    rows: NDArray[np.int64]


@torch.no_grad()
def fit_wide(
    member: Member,
    sequences: Sequence[Codes],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    class_weights: bool = False,
    progress: Progress | None = None,
) -> WideFit:
    """Fit the head of `member` in place; its encoder stays as it is.

    Args:
        member: with a `WideHead`; evaluation mode.
        sequences: training sequences.
        targets: class of each, shape `(n,)`.
        folds: inner fold of each, by which the penalty and the shares are chosen.
        generator: draws the sequences to read, where there are more than `MOST_SEQUENCES`, and to search on (`choose`).
        class_weights: weigh classes by the inverse of their share.
        progress: called with what is counted, how many are done, and how many there are, as far as is known: first
            sequences read, then fits.

    Returns:
        What was chosen, with out-of-fold logits to set a threshold by.
    """
    head = member.head
    assert isinstance(head, WideHead)
    rows = np.arange(len(targets))
    if len(rows) > MOST_SEQUENCES:
        rows = np.sort(generator.permutation(rows)[:MOST_SEQUENCES])
    read = [sequences[row] for row in rows]
    if "states" in head.sizes:
        _fit_components(member, read)
    blocks = _read_blocks(member, read, progress)
    kernels = Kernels.of(blocks)
    classes = head.linear.out_features
    truth = torch.from_numpy(targets[rows])
    weights = _sequence_weights(truth, classes, class_weights)
    problem = Problem(kernels, truth, torch.from_numpy(folds[rows]), weights, classes)
    shares, penalty, logits = choose(problem, generator, progress)
    duals = solve(kernels.at(shares), truth, weights, classes, penalty)
    _write_back(head, {name: block.times(share_of(name, shares)) for name, block in blocks.items()}, duals)
    if progress:
        progress("fits", 1, 1)
    return WideFit(penalty, shares, logits.numpy(), rows)


@dataclass(frozen=True)
class _Block:
    """One block's features, centred and scaled as a whole: `scale * (features - centre)`.

    Attributes:
        features: shape `(n, size)`; centred where dense, as read where sparse, which centring would fill.
        centre: what is subtracted, `(size,)`.
        scale: by which the block has its weight in the mean squared length.
    """

    features: Tensor | csr_array
    centre: Tensor
    scale: float

    @classmethod
    def dense(cls, features: Tensor, weight: float) -> _Block:
        """Centres `features` in place."""
        centre = features.mean(0)
        features -= centre
        return cls(features, centre, _scale(weight, float(features.square().sum(1).mean())))

    @classmethod
    def sparse(cls, features: csr_array, weight: float) -> _Block:
        centre = np.asarray(features.mean(0), np.float32)
        length = float(features.multiply(features).sum()) / features.shape[0] - float(centre @ centre)
        return cls(features, torch.from_numpy(centre), _scale(weight, length))

    def products(self) -> Tensor:
        """Inner products of the sequences, shape `(n, n)`."""
        if isinstance(self.features, Tensor):
            return (self.features @ self.features.T).mul_(self.scale**2)
        raw = torch.from_numpy((self.features @ self.features.T).toarray())
        with_centre = torch.from_numpy(self.features @ self.centre.numpy())
        raw -= with_centre[:, None]
        raw -= with_centre - self.centre @ self.centre
        return raw.mul_(self.scale**2)

    def times(self, factor: float) -> _Block:
        """The block with so many times its weight."""
        return replace(self, scale=self.scale * factor**0.5)

    def weights(self, duals: Tensor) -> Tensor:
        """Weights of the raw features, shape `(classes, size)`, from dual weights `(n, classes)`."""
        if isinstance(self.features, Tensor):
            return self.scale**2 * (duals.T @ self.features)
        raw = torch.from_numpy((self.features.T @ duals.numpy()).T)
        return self.scale**2 * (raw - duals.sum(0)[:, None] * self.centre)


def _scale(weight: float, length: float) -> float:
    return (weight / length) ** 0.5 if length > 0 else 0.0


def _encodings(member: Member, sequences: Sequence[Codes]) -> Iterator[tuple[NDArray[np.int64], Encoding]]:
    """The sequences as the head sees them, batch by batch, with the row of each."""
    device = next(member.parameters()).device
    lengths = np.array([len(codes) for codes in sequences], dtype=np.int64)
    for rows in rows_by_length(lengths, _BATCH_BASES, _BATCH):
        codes = pad([sequences[row] for row in rows]).to(device)
        yield rows, member.encode(codes, torch.from_numpy(lengths[rows]).to(device))


def _fit_components(member: Member, sequences: Sequence[Codes]) -> None:
    """Principal components of the states at all positions, both strands."""
    head = member.head
    width = head.centre.shape[0]
    count, total, product = 0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
    for _, encoding in _encodings(member, sequences):
        for states in (encoding.states, encoding.other):
            if states is not None:
                vectors = states.flatten(0, 1).double().cpu()
                count += len(vectors)
                total += vectors.sum(0)
                product += vectors.T @ vectors
    centre = total / count
    _, axes = torch.linalg.eigh(product / count - torch.outer(centre, centre))
    kept = axes.flip(1)[:, : head.components.shape[1]]
    signs = torch.where(kept.sum(0) < 0, -1.0, 1.0)  # an eigenvector's sign is arbitrary: settle it
    head.centre.copy_(centre)
    head.components.copy_(kept * signs)


def _read_blocks(member: Member, sequences: Sequence[Codes], progress: Progress | None) -> dict[str, _Block]:
    """All features of all sequences, on the CPU."""
    head = member.head
    dense = {name: torch.empty(len(sequences), size) for name, size in head.sizes.items() if name not in SPARSE}
    sparse: dict[str, list[csr_array]] = {name: [] for name in head.sizes if name in SPARSE}
    read: list[NDArray[np.int64]] = []
    for rows, batch in _encodings(member, sequences):
        read.append(rows)
        done = 0
        for encoding in batch.pieces():
            here = rows[done : done + len(encoding.states)]
            for name, values in head.blocks(encoding).items():
                if name in sparse:
                    sparse[name].append(csr_array(values.float().cpu().numpy()))
                else:
                    dense[name][here] = values.float().cpu()
            done += len(here)
        if progress:
            progress("sequences", sum(map(len, read)), len(sequences))
    back = np.argsort(np.concatenate(read))
    blocks = {name: _Block.dense(features, BLOCK_WEIGHTS[name]) for name, features in dense.items()}
    blocks |= {name: _Block.sparse(vstack(parts)[back], BLOCK_WEIGHTS[name]) for name, parts in sparse.items()}
    return {name: blocks[name] for name in head.sizes}


def _sequence_weights(truth: Tensor, classes: int, balanced: bool) -> Tensor:
    if not balanced:
        return torch.ones(len(truth))
    counts = torch.bincount(truth, minlength=classes).clamp_min(1)
    return len(truth) / (classes * counts[truth].float())


def _write_back(head: WideHead, blocks: Mapping[str, _Block], duals: Tensor) -> None:
    """One linear layer on raw features from the dual weights."""
    weight = [block.weights(duals) for block in blocks.values()]
    shifts = [part @ block.centre for part, block in zip(weight, blocks.values(), strict=True)]
    head.linear.weight.copy_(torch.cat(weight, 1))
    head.linear.bias.copy_(duals.sum(0) - sum(shifts))
