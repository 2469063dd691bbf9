"""Ridge softmax regression of several classes on blocks of features, and the search for its penalty and shares.

With many classes there are many sequences: the time of `dnalm.training.dual` grows with their cube, for each class
anew. The weights themselves are found here, by L-BFGS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from dnalm.training.blocks import Block
from dnalm.training.dual import GROUPS, PENALTY, Progress, Shares, share_of
from dnalm.training.unfreezing import log_loss
from dnalm.training.valley import Place, descend

SHARES = {"model": (0.0, 0.03, 0.1, 0.3, 1.0, 3.0), "words": (0.3, 1.0, 3.0)}
"""Factors tried on a group's blocks; others count once."""
PENALTIES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
_BEGIN = {PENALTY: 0.03, "model": 0.1, "words": 1.0}
MOST_SEARCHED = 6000
"""Of more sequences, the search takes so many, drawn at random."""
_USUAL_PLACES = 10  # of the grid, that the search looks at
STEPS = 80
SEARCHING_STEPS = 40
MEMORY = 8  # pairs of gradients that L-BFGS remembers: each is as large as the weights

Floats = NDArray[np.float32]
Blocks = Mapping[str, Block]


@dataclass(frozen=True)
class Softmax:
    """Fitted weights: of each block's scaled, centred features, shape `(size, classes)`, and a bias `(classes,)`."""

    weights: Mapping[str, Floats]
    bias: Floats

    def logits(self, blocks: Blocks) -> Floats:
        """Of the sequences of some blocks, shape `(n, classes)`."""
        return sum((block.logits(self.weights[name]) for name, block in blocks.items()), self.bias[None])


def fit_softmax(
    blocks: Blocks,
    truth: NDArray[np.int64],
    weights: Floats,
    classes: int,
    penalty: float,
    *,
    steps: int = STEPS,
) -> Softmax:
    """Minimise the sum of `weights` times the log loss, plus `penalty` / 2 times the squared length of the weights.

    Args:
        blocks: features of n sequences, by name.
        truth: class of each, shape `(n,)`.
        weights: of each sequence, shape `(n,)`.
        classes: how many.
        penalty: above 0; the bias bears it too, as it does with two classes.
        steps: of L-BFGS at most.
    """
    sizes = [block.centre.shape[0] for block in blocks.values()]
    edges = np.cumsum([0, *sizes]) * classes
    rows, total = np.arange(len(truth)), float(weights.sum())

    def parts(flat: NDArray[np.float64]) -> Softmax:
        short = flat.astype(np.float32)
        pieces = {
            name: short[first:last].reshape(-1, classes)
            for name, first, last in zip(blocks, edges[:-1], edges[1:], strict=True)
        }
        return Softmax(pieces, short[edges[-1] :])

    def cost(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = parts(flat).logits(blocks)
        logits -= logits.max(1, keepdims=True)
        right = logits[rows, truth]
        chance = np.exp(logits, out=logits)
        sums = chance.sum(1)
        loss = float(weights @ (np.log(sums) - right))
        chance /= sums[:, None]
        chance[rows, truth] -= 1
        chance *= weights[:, None]
        slope = np.concatenate([*(block.back(chance).ravel() for block in blocks.values()), chance.sum(0)])
        # Of a mean, so that the same tolerance ends fits on few sequences and on many.
        return (loss + penalty / 2 * float(flat @ flat)) / total, (slope + penalty * flat) / total

    start = np.zeros(edges[-1] + classes)
    options = {"maxiter": steps, "maxcor": MEMORY, "gtol": 1e-6}
    return parts(minimize(cost, start, jac=True, method="L-BFGS-B", options=options).x)


def choose_softmax(
    blocks: Blocks,
    truth: NDArray[np.int64],
    folds: NDArray[np.int64],
    weights: Floats,
    classes: int,
    generator: np.random.Generator,
    progress: Progress | None = None,
) -> tuple[Shares, float]:
    """The shares and the penalty with the lowest log loss on the first inner fold, from a fit on the others.

    Of more than `MOST_SEARCHED` sequences the shares are chosen on so many; the penalty, which suits a number of
    sequences, then on all.
    """
    groups = dict.fromkeys(GROUPS[name] for name in blocks if GROUPS.get(name) in SHARES)
    axes = {PENALTY: PENALTIES, **{name: SHARES[name] for name in groups}}
    every = np.arange(len(truth))
    fits = 0

    def loss_on(rows: NDArray[np.int64]) -> Callable[[Place], float]:
        inside, outside = rows[folds[rows] != 0], rows[folds[rows] == 0]
        seen = {name: block.take(inside) for name, block in blocks.items()}
        unseen = {name: block.take(outside) for name, block in blocks.items()}

        def loss(place: Place) -> float:
            nonlocal fits
            at = shared(seen, place)
            found = fit_softmax(at, truth[inside], weights[inside], classes, place[PENALTY], steps=SEARCHING_STEPS)
            logits = found.logits(shared(unseen, place)).astype(np.float64)
            fits += 1
            if progress:
                progress("fits", fits, max(fits, _USUAL_PLACES) + 1)
            return log_loss(logits, truth[outside])

        return loss

    few = len(every) <= MOST_SEARCHED
    searched = every if few else np.sort(generator.permutation(every)[:MOST_SEARCHED])
    place = descend(axes, _BEGIN, loss_on(searched))
    if not few:
        place = descend(
            {name: axes[name] if name == PENALTY else (place[name],) for name in axes}, place, loss_on(every)
        )
    penalty = place.pop(PENALTY)
    return place, penalty


def shared(blocks: Blocks, shares: Mapping[str, float]) -> dict[str, Block]:
    """The blocks with their shares."""
    return {
        name: block.times(share_of(name, {**dict.fromkeys(GROUPS.values(), 1.0), **shares}))
        for name, block in blocks.items()
    }
