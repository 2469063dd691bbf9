"""Fits the `wide` head: frozen states, pools, k-mers, words and bases into one regularised logistic regression.

There are far more features than sequences, so the fit works on the sequences' inner products (the dual of ridge
logistic regression), in which a block of features is one matrix and its weight against the others a factor. Newton's
method needs a handful of steps. The weights are then written back as one linear layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from torch import Tensor

from dnalm.alphabet import Codes
from dnalm.model.classifier import Member
from dnalm.model.heads import Encoding, WideHead
from dnalm.model.predict import pad

BLOCK_WEIGHTS = {"states": 1.0, "pools": 0.05, "kmers": 0.01, "words": 1.0, "windows": 1.0, "bases": 0.1}
"""Prior variance of each block's part of the logit. Chosen on the training folds of the two 81 bp sets."""
OF_THE_LANGUAGE_MODEL = frozenset({"states", "pools"})
MODEL_SHARES = (3.0, 1.0, 0.3, 0.1)
"""Factors tried on the language model's blocks: how much it has to say differs from task to task."""
WORD_SHARES = (0.0, 0.3, 1.0, 3.0)
"""Factors tried on the block of words: long ones tell of kinship, which pays where relatives are to be called."""
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
"""Ridge penalties tried, from the strongest."""
MOST_SEQUENCES = 8000
"""The fit's memory grows with the square of the sequences: of more, so many are drawn at random."""
Progress = Callable[[str, int, int], None]
_USUAL_PLACES = 12  # of the grid, that the search looks at
_NEWTON_STEPS = 25
_CONVERGED = 1e-2
_BATCH = 256
SPARSE = frozenset({"words", "windows"})
"""Blocks in which one feature in a hundred is not zero."""


class Shares(NamedTuple):
    """Factors on the weights of blocks, against those of the rest."""

    model: float
    """On the language model's: its states and pools."""
    words: float
    """On the words."""

    def of(self, block: str) -> float:
        """The factor on a block."""
        return self.model if block in OF_THE_LANGUAGE_MODEL else self.words if block == "words" else 1.0


@dataclass(frozen=True)
class WideFit:
    """What the fit chose.

    Attributes:
        penalty: of the ridge.
        shares: factors on blocks.
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
        generator: draws the sequences to read, where there are more than `MOST_SEQUENCES`.
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
    kernels = _Kernels.of(blocks)
    classes = head.linear.out_features
    truth, fold = torch.from_numpy(targets[rows]), torch.from_numpy(folds[rows])
    weights = _sequence_weights(truth, classes, class_weights)
    shares, penalty, logits = _choose(kernels, truth, fold, weights, classes, progress)
    duals = _solve(kernels.at(shares), truth, weights, classes, penalty)
    _write_back(head, {name: block.times(shares.of(name)) for name, block in blocks.items()}, duals)
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


@dataclass(frozen=True)
class _Kernels:
    """Inner products of the sequences, each `(n, n)`: of blocks that share a factor, and of the rest with the bias."""

    model: Tensor
    words: Tensor | None
    rest: Tensor

    @classmethod
    def of(cls, blocks: Mapping[str, _Block]) -> _Kernels:
        model = sum(block.products() for name, block in blocks.items() if name in OF_THE_LANGUAGE_MODEL)
        words = blocks["words"].products() if "words" in blocks else None
        rest = sum(block.products() for name, block in blocks.items() if name not in {*OF_THE_LANGUAGE_MODEL, "words"})
        return cls(model, words, rest + 1.0)

    def at(self, shares: Shares) -> Tensor:
        found = torch.add(self.rest, self.model, alpha=shares.model)
        return found if self.words is None else found.add_(self.words, alpha=shares.words)


def _scale(weight: float, length: float) -> float:
    return (weight / length) ** 0.5 if length > 0 else 0.0


def _encodings(member: Member, sequences: Sequence[Codes]) -> Iterator[Encoding]:
    device = next(member.parameters()).device
    for first in range(0, len(sequences), _BATCH):
        piece = sequences[first : first + _BATCH]
        lengths = torch.tensor([len(codes) for codes in piece], device=device)
        yield member.encode(pad(piece).to(device), lengths)


def _fit_components(member: Member, sequences: Sequence[Codes]) -> None:
    """Principal components of the states at all positions, both strands."""
    head = member.head
    width = head.centre.shape[0]
    count, total, product = 0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
    for encoding in _encodings(member, sequences):
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
    done = 0
    for encoding in _encodings(member, sequences):
        for name, values in head.blocks(encoding).items():
            if name in sparse:
                sparse[name].append(csr_array(values.float().cpu().numpy()))
            else:
                dense[name][done : done + len(values)] = values.float().cpu()
        done += len(encoding.states)
        if progress:
            progress("sequences", done, len(sequences))
    blocks = {name: _Block.dense(features, BLOCK_WEIGHTS[name]) for name, features in dense.items()}
    blocks |= {name: _Block.sparse(vstack(parts), BLOCK_WEIGHTS[name]) for name, parts in sparse.items()}
    return {name: blocks[name] for name in head.sizes}


def _sequence_weights(truth: Tensor, classes: int, balanced: bool) -> Tensor:
    if not balanced:
        return torch.ones(len(truth))
    counts = torch.bincount(truth, minlength=classes).clamp_min(1)
    return len(truth) / (classes * counts[truth].float())


def _solve(
    kernel: Tensor, truth: Tensor, weights: Tensor, classes: int, penalty: float, near: Tensor | None = None
) -> Tensor:
    """Dual weights of each class's logit, shape `(n, classes)`; two classes share one, of the second.

    `near` are the dual weights of a penalty close by, where known: starting from them takes half the steps.
    """
    starts = torch.zeros(len(truth), classes) if near is None else near
    if classes == 2:
        second = newton(kernel, (truth == 1).float(), weights, penalty, starts[:, 1])
        return torch.stack([torch.zeros_like(second), second], 1)
    # Several classes: each against the rest, their logits compared as they are.
    one_each = [newton(kernel, (truth == one).float(), weights, penalty, starts[:, one]) for one in range(classes)]
    return torch.stack(one_each, 1)


def newton(kernel: Tensor, truth: Tensor, weights: Tensor, penalty: float, start: Tensor | None = None) -> Tensor:
    """Ridge logistic regression in the dual: iteratively reweighted least squares (Rasmussen & Williams 2006, 3.4).

    Minimises the sum of `weights` times the log loss, plus `penalty` / 2 times the squared length of the weights.

    Args:
        kernel: inner products of the sequences' features, shape `(n, n)`.
        truth: 0 or 1, shape `(n,)`.
        weights: of each sequence, shape `(n,)`.
        penalty: above 0.
        start: dual weights to start from; zeros unless given.

    Returns:
        Dual weights, shape `(n,)`: the logits of the training sequences are `kernel @ dual`.
    """
    dual = torch.zeros_like(truth) if start is None else start
    logits = kernel @ dual
    for _ in range(_NEWTON_STEPS):
        chance = torch.sigmoid(logits)
        curvature = (weights * chance * (1 - chance)).clamp_min(1e-5)
        wanted = logits + weights * (truth - chance) / curvature
        root = curvature.sqrt()
        system = (kernel * root).mul_(root[:, None] / penalty)
        system.diagonal().add_(1)
        factor = torch.linalg.cholesky(system)
        dual = root * torch.cholesky_solve((root * wanted)[:, None], factor)[:, 0] / penalty
        new = kernel @ dual
        moved = float((new - logits).abs().max())
        logits = new
        if moved < _CONVERGED:
            break
    return dual


def _choose(
    kernels: _Kernels,
    truth: Tensor,
    fold: Tensor,
    weights: Tensor,
    classes: int,
    progress: Progress | None = None,
) -> tuple[Shares, float, Tensor]:
    """The shares and the penalty with the lowest out-of-fold log loss, and the out-of-fold logits.

    The loss has one valley over the grid: the search goes from the middle to a better neighbour until there is none.
    """
    word_shares = (0.0,) if kernels.words is None else WORD_SHARES
    grid = (PENALTIES, MODEL_SHARES, word_shares)
    begin = (PENALTIES.index(0.1), MODEL_SHARES.index(1.0), 0 if kernels.words is None else WORD_SHARES.index(0.3))
    steps = [tuple(way if axis == one else 0 for axis in range(3)) for one in range(3) for way in (1, -1)]
    solved: dict[int, Tensor] = {}  # of each fold, at the place before
    folds, fits = fold.unique().tolist(), 0

    def unseen(penalty: float, *shares: float) -> tuple[float, Tensor]:
        nonlocal fits
        kernel, logits = kernels.at(Shares(*shares)), torch.zeros(len(truth), classes)
        for one in folds:
            inside, outside = (fold != one).nonzero()[:, 0], (fold == one).nonzero()[:, 0]
            seen = kernel[inside][:, inside]
            solved[one] = _solve(seen, truth[inside], weights[inside], classes, penalty, solved.get(one))
            logits[outside] = kernel[outside][:, inside] @ solved[one]
            fits += 1
            if progress:
                progress("fits", fits, max(fits, len(folds) * _USUAL_PLACES) + 1)
        return float(torch.nn.functional.cross_entropy(logits, truth)), logits

    def values(place: tuple[int, ...]) -> list[float]:
        return [axis[at] for axis, at in zip(grid, place, strict=True)]

    here, moved = begin, True
    tried = {here: unseen(*values(here))}
    while moved:
        moved = False
        for step in steps:
            place = tuple(at + by for at, by in zip(here, step, strict=True))
            if place in tried or not all(0 <= at < len(axis) for at, axis in zip(place, grid, strict=True)):
                continue
            tried[place] = unseen(*values(place))
            if tried[place][0] < tried[here][0]:
                here, moved = place, True
                break
    penalty, *shares = values(here)
    return Shares(*shares), penalty, tried[here][1]


def _write_back(head: WideHead, blocks: Mapping[str, _Block], duals: Tensor) -> None:
    """One linear layer on raw features from the dual weights."""
    weight = [block.weights(duals) for block in blocks.values()]
    shifts = [part @ block.centre for part, block in zip(weight, blocks.values(), strict=True)]
    head.linear.weight.copy_(torch.cat(weight, 1))
    head.linear.bias.copy_(duals.sum(0) - sum(shifts))
