"""Ridge logistic regression of two classes on inner products of sequences; the search for its penalty and shares.

The `wide` head has far more features than sequences (see `dnalm.training.wide`), so it is fitted in the dual: a block
of features is one matrix of inner products, and its weight against the others a factor. Newton's method needs a handful
of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dnalm.training.valley import Place, descend

GROUPS = {
    **{"states": "model", "pools": "model", "words": "words", "places": "places"},
    **{"frames": "frames", "codons": "frames"},
}
"""Blocks that have a share of their own, or together; what the others have is one."""
SHARES = {
    "model": (10.0, 3.0, 1.0, 0.3, 0.1),
    "words": (0.0, 0.3, 1.0, 3.0),
    "places": (0.0, 10.0, 30.0, 100.0),
    "frames": (0.0, 1.0, 3.0, 10.0, 30.0),
}
"""Factors tried on a group's blocks, since how much each has to say differs from task to task: the language model's;
long words, which tell of kinship; reading frames, which tell of genes; and k-mers in place, which tell of signals that
never shift: of those all or nothing, since the loss is often higher with a little of them than without."""
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Ridge penalties tried, from the strongest."""
PENALTY = "penalty"
_BEGIN = {PENALTY: 0.1, "model": 1.0, "words": 0.0, "places": 0.0, "frames": 1.0}
MOST_SEARCHED = 4000
"""The time of a fit grows with the cube of the sequences: of more, the search takes so many, drawn at random."""
Progress = Callable[[str, int, int], None]
_USUAL_PLACES = 12  # of the grid, that the search looks at
_NEWTON_STEPS = 25
_HALVINGS = 10
_CONVERGED = 1e-2


Shares = Mapping[str, float]
"""The factor on each group of blocks, by its name."""


def share_of(block: str, shares: Shares) -> float:
    """The factor on a block, against those without a group."""
    return shares[GROUPS[block]] if block in GROUPS else 1.0


class Features(Protocol):
    """A block of features of all sequences."""

    def products(self) -> Tensor:
        """Inner products of the sequences, shape `(n, n)`."""
        ...


@dataclass(frozen=True)
class Kernels:
    """Inner products of the sequences, each `(n, n)`: of each group of blocks, and of the rest with the bias."""

    groups: Mapping[str, Tensor]
    rest: Tensor

    @classmethod
    def of(cls, blocks: Mapping[str, Features]) -> Kernels:
        """Multiply out the blocks."""
        groups: dict[str, Tensor] = {}
        for name, block in blocks.items():
            group = GROUPS.get(name, "rest")
            groups[group] = groups[group].add_(block.products()) if group in groups else block.products()
        rest = groups.pop("rest", torch.tensor(0.0)) + 1.0
        return cls(groups, rest)

    def take(self, rows: Tensor) -> Kernels:
        """Those of some of the sequences."""
        return Kernels({name: one[rows][:, rows] for name, one in self.groups.items()}, self.rest[rows][:, rows])

    def at(self, shares: Shares) -> Tensor:
        """Inner products over all blocks, each with its share."""
        found = self.rest.clone()
        for name, one in self.groups.items():
            found.add_(one, alpha=shares[name])
        return found


def solve(kernel: Tensor, truth: Tensor, weights: Tensor, penalty: float, near: Tensor | None = None) -> Tensor:
    """Dual weights of each of two classes' logits, shape `(n, 2)`; those of the first are zero.

    `near` are the dual weights of a penalty close by, where known: starting from them takes half the steps.
    """
    second = newton(kernel, (truth == 1).float(), weights, penalty, None if near is None else near[:, 1])
    return torch.stack([torch.zeros_like(second), second], 1)


def newton(kernel: Tensor, truth: Tensor, weights: Tensor, penalty: float, start: Tensor | None = None) -> Tensor:
    """Ridge logistic regression in the dual: damped Newton steps (Rasmussen & Williams 2006, 3.4).

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

    def cost(dual: Tensor, logits: Tensor) -> float:
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, weights, reduction="sum")
        return float(losses + penalty / 2 * (dual @ logits))

    dual = logits = torch.zeros_like(truth)
    lowest = cost(dual, logits)
    if start is not None and (begun := cost(start, begun_logits := kernel @ start)) < lowest:
        dual, logits, lowest = start, begun_logits, begun
    for _ in range(_NEWTON_STEPS):
        chance = torch.sigmoid(logits)
        curvature = (weights * chance * (1 - chance)).clamp_min(1e-5)
        wanted = logits + weights * (truth - chance) / curvature
        root = curvature.sqrt()
        system = (kernel * root).mul_(root[:, None] / penalty)
        system.diagonal().add_(1)
        factor = torch.linalg.cholesky(system)
        to = root * torch.cholesky_solve((root * wanted)[:, None], factor)[:, 0] / penalty
        to_logits = kernel @ to
        # A whole step may lead uphill, far from the end: half of it then, and so on. The logits go with the weights.
        for _ in range(_HALVINGS):
            reached = cost(to, to_logits)
            if reached <= lowest:
                break
            to, to_logits = (dual + to) / 2, (logits + to_logits) / 2
        moved = float((to_logits - logits).abs().max())
        dual, logits, lowest = to, to_logits, reached
        if moved < _CONVERGED:
            break
    return dual


@dataclass(frozen=True)
class Problem:
    """Sequences of two classes to fit on: inner products, classes, inner folds, weights, each `(n,)` or `(n, n)`."""

    kernels: Kernels
    truth: Tensor
    fold: Tensor
    weights: Tensor

    def take(self, rows: Tensor) -> Problem:
        """The same of some of the sequences."""
        return Problem(self.kernels.take(rows), self.truth[rows], self.fold[rows], self.weights[rows])

    def unseen(self, shares: Shares, penalty: float, solved: dict[int, Tensor], tell: Callable[[], None]) -> Tensor:
        """Logits of each sequence from a fit without its fold, shape `(n, 2)`.

        `solved` holds the dual weights of each fold from a penalty close by, to start from, and gets the new ones.
        """
        kernel, logits = self.kernels.at(shares), torch.zeros(len(self.truth), 2)
        for one in self.fold.unique().tolist():
            inside, outside = (self.fold != one).nonzero()[:, 0], (self.fold == one).nonzero()[:, 0]
            seen, truth = kernel[inside][:, inside], self.truth[inside]
            solved[one] = solve(seen, truth, self.weights[inside], penalty, solved.get(one))
            logits[outside] = kernel[outside][:, inside] @ solved[one]
            tell()
        return logits


def choose(
    problem: Problem, generator: np.random.Generator, progress: Progress | None = None
) -> tuple[Shares, float, Tensor]:
    """The shares and the penalty with the lowest out-of-fold log loss, and the out-of-fold logits.

    The loss has one valley over the grid, which is what the search wants (`dnalm.training.valley`).
    """
    count = len(problem.truth)
    searched = problem
    if count > MOST_SEARCHED:
        searched = problem.take(torch.from_numpy(np.sort(generator.permutation(count)[:MOST_SEARCHED])))
    axes = {PENALTY: PENALTIES, **{name: SHARES[name] for name in problem.kernels.groups}}
    solved: dict[int, Tensor] = {}
    best, kept = np.inf, torch.empty(0)
    fits, usual = 0, len(problem.fold.unique()) * _USUAL_PLACES

    def tell() -> None:
        nonlocal fits
        fits += 1
        if progress:
            progress("fits", fits, max(fits, usual) + 1)

    def loss(place: Place) -> float:
        nonlocal best, kept
        shares = {name: value for name, value in place.items() if name != PENALTY}
        logits = searched.unseen(shares, place[PENALTY], solved, tell)
        found = float(torch.nn.functional.cross_entropy(logits, searched.truth))
        if found < best:
            best, kept = found, logits
        return found

    shares = descend(axes, _BEGIN, loss)
    penalty = shares.pop(PENALTY)
    logits = kept if searched is problem else problem.unseen(shares, penalty, {}, tell)
    return shares, penalty, logits
