"""Fits the `wide` head: frozen states, pools, k-mers, words and bases into one regularised logistic regression.

Of two classes there are far more features than sequences, so the fit works on the sequences' inner products
(`dnalm.training.dual`); of several it works on the features (`dnalm.training.softmax`). The weights are then written
back as one linear layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from torch import Tensor

from dnalm.alphabet import Codes
from dnalm.model.classifier import Member
from dnalm.model.heads import Encoding, WideHead
from dnalm.model.predict import pad, rows_by_length
from dnalm.training.blocks import Block
from dnalm.training.dual import Kernels, Problem, Progress, Shares, choose, solve
from dnalm.training.softmax import Softmax, choose_softmax, fit_softmax, shared

BLOCK_WEIGHTS = {
    **{"states": 1.0, "pools": 0.05, "kmers": 0.01, "words": 1.0, "windows": 1.0, "places": 1.0, "bases": 0.1},
    **{"frames": 1.0, "codons": 1.0, "gapped": 1.0},
}
"""Prior variance of each block's part of the logit. Chosen on the training folds of the two 81 bp sets; those of the
reading frames were not."""
MOST_SEQUENCES = 8000
"""The fit's memory grows with the square of the sequences: of more, so many are drawn at random."""
MOST_OF_SEVERAL = 60_000
"""The same where there are several classes, whose fit holds the features themselves."""
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
        logits: of the training sequences, each from a fit that had not seen its fold, shape `(n, 2)`; of several
            classes None, since no threshold is to be set by them.
        rows: which of the training sequences were read, all unless there are very many.
    """

    penalty: float
    shares: Shares
    logits: NDArray[np.float32] | None
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
    classes = head.linear.out_features
    rows, most = np.arange(len(targets)), MOST_SEQUENCES if classes == 2 else MOST_OF_SEVERAL
    if len(rows) > most:
        rows = np.sort(generator.permutation(rows)[:most])
    read = [sequences[row] for row in rows]
    if "states" in head.sizes:
        _fit_components(member, read)
    blocks = _read_blocks(member, read, progress, rare=classes > 2)
    truth = torch.from_numpy(targets[rows])
    weights = _sequence_weights(truth, classes, class_weights)
    if classes == 2:
        kernels = Kernels.of(blocks)
        problem = Problem(kernels, truth, torch.from_numpy(folds[rows]), weights)
        shares, penalty, out_of_fold = choose(problem, generator, progress)
        duals = solve(kernels.at(shares), truth, weights, penalty)
        _write_back(head, shared(blocks, shares), duals)
        logits = out_of_fold.numpy()
    else:
        told = (targets[rows], folds[rows], weights.numpy(), classes)
        shares, penalty = choose_softmax(blocks, *told, generator, progress)
        at = shared(blocks, shares)
        _write_softmax(head, at, fit_softmax(at, targets[rows], weights.numpy(), classes, penalty))
        logits = None
    if progress:
        progress("fits", 1, 1)
    return WideFit(penalty, shares, logits, rows)


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


def _read_blocks(
    member: Member, sequences: Sequence[Codes], progress: Progress | None, *, rare: bool
) -> dict[str, Block]:
    """All features of all sequences, on the CPU; `rare` weighs words by how rare they are."""
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
    blocks = {name: Block.dense(features, BLOCK_WEIGHTS[name]) for name, features in dense.items()}
    for name, parts in sparse.items():
        make = Block.rare if rare and name == "words" else Block.sparse
        blocks[name] = make(vstack(parts)[back], BLOCK_WEIGHTS[name])
    return {name: blocks[name] for name in head.sizes}


def _sequence_weights(truth: Tensor, classes: int, balanced: bool) -> Tensor:
    if not balanced:
        return torch.ones(len(truth))
    counts = torch.bincount(truth, minlength=classes).clamp_min(1)
    return len(truth) / (classes * counts[truth].float())


def _write_back(head: WideHead, blocks: Mapping[str, Block], duals: Tensor) -> None:
    """One linear layer on raw features from the dual weights."""
    weight = [block.weights(duals) for block in blocks.values()]
    shifts = [part @ block.centre for part, block in zip(weight, blocks.values(), strict=True)]
    head.linear.weight.copy_(torch.cat(weight, 1))
    head.linear.bias.copy_(duals.sum(0) - sum(shifts))


def _write_softmax(head: WideHead, blocks: Mapping[str, Block], fit: Softmax) -> None:
    """The same from the weights of scaled, centred features."""
    weight = [block.scale * torch.from_numpy(fit.weights[name].T) for name, block in blocks.items()]
    shifts = [part @ block.centre for part, block in zip(weight, blocks.values(), strict=True)]
    raw = [
        part if block.factors is None else part * block.factors
        for part, block in zip(weight, blocks.values(), strict=True)
    ]
    head.linear.weight.copy_(torch.cat(raw, 1))
    head.linear.bias.copy_(torch.from_numpy(fit.bias) - sum(shifts))
