"""Learn the boxes before starts: where they lie is not known, so it is learned with their composition.

Expectation maximisation (Lawrence & Reilly 1990) from the consensus TTGACA and TATAAT: at each start every spacer and
discriminator counts as far as it is likely, until the likelihood grows no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from dnalm.alphabet import Codes, encode
from dnalm.model.box_path import DISCRIMINATORS, MINUS_10, MINUS_35, REACH, SPACERS, WIDTH

Floats = NDArray[np.float64]
LEAST_SITES = 20
"""Known starts that are wanted to learn from."""
_CONSENSUS = 0.7
_PSEUDOCOUNT = 2.0
_ROUNDS = 200
_ENOUGH = 1e-5


@dataclass(frozen=True, eq=False)
class LearnedBoxes:
    """The boxes of promoters.

    Attributes:
        minus_35: probability of each base at each position of the -35 box, shape `(6, 4)`.
        minus_10: of the -10 box.
        spacers: probability of 15 to 19 bases between the boxes.
        discriminators: probability of 4 to 10 bases from the -10 box to the start.
        background: composition of the training regions, both strands.
        rounds: how many it took to learn.
    """

    minus_35: Floats
    minus_10: Floats
    spacers: Floats
    discriminators: Floats
    background: Floats
    rounds: int = 0


def learn_boxes(windows: NDArray[np.uint8], codes: Codes) -> LearnedBoxes:
    """Learn from the bases before known starts.

    Args:
        windows: the `REACH` bases before each start, as read along its strand, shape `(n, REACH)`.
        codes: all bases of the training regions.
    """
    counts = np.bincount(codes, minlength=5)[:4].astype(np.float64)
    boxes = LearnedBoxes(
        _from_consensus(MINUS_35),
        _from_consensus(MINUS_10),
        np.full(len(SPACERS), 1 / len(SPACERS)),
        np.full(len(DISCRIMINATORS), 1 / len(DISCRIMINATORS)),
        (counts + counts[::-1]) / (2 * counts.sum()),
    )
    likelihood = -np.inf
    for _ in range(_ROUNDS):
        boxes, reached = _round(boxes, windows)
        if reached - likelihood < _ENOUGH:
            break
        likelihood = reached
    return boxes


def log_odds(box: Floats, background: Floats) -> Floats:
    """Of a base at each place, shape `(6, 5)`: unknown bases say nothing."""
    return np.concatenate([np.log(box / background), np.zeros((len(box), 1))], axis=1)


def _round(boxes: LearnedBoxes, windows: NDArray[np.uint8]) -> tuple[LearnedBoxes, float]:
    """How likely each place of the boxes is at each start, and boxes from all places by that."""
    first, second = log_odds(boxes.minus_35, boxes.background), log_odds(boxes.minus_10, boxes.background)
    log_places = np.empty((len(windows), len(DISCRIMINATORS), len(SPACERS)))
    for d, s, at_35, at_10 in _places():
        log_places[:, d, s] = (
            _of_hexamer(first, windows[:, at_35 : at_35 + WIDTH])
            + _of_hexamer(second, windows[:, at_10 : at_10 + WIDTH])
            + np.log(boxes.discriminators[d])
            + np.log(boxes.spacers[s])
        )
    whole = logsumexp(log_places, axis=(1, 2))
    share = np.exp(log_places - whole[:, None, None])
    counts = [np.tile(_PSEUDOCOUNT * boxes.background, (WIDTH, 1)) for _ in range(2)]
    for d, s, at_35, at_10 in _places():
        for count, at in zip(counts, (at_35, at_10), strict=True):
            for place in range(WIDTH):
                count[place] += np.bincount(windows[:, at + place], weights=share[:, d, s], minlength=5)[:4]
    discriminators, spacers = share.sum(axis=(0, 2)) + 1, share.sum(axis=(0, 1)) + 1
    learned = LearnedBoxes(
        *(count / count.sum(axis=1, keepdims=True) for count in counts),
        spacers / spacers.sum(),
        discriminators / discriminators.sum(),
        boxes.background,
        boxes.rounds + 1,
    )
    return learned, float(whole.mean())


def _places() -> list[tuple[int, int, int, int]]:
    """Number of discriminator and spacer, and offsets of both boxes in the `REACH` bases before the start."""
    found = []
    for d, discriminator in enumerate(DISCRIMINATORS):
        for s, spacer in enumerate(SPACERS):
            at_10 = REACH - discriminator - WIDTH
            found.append((d, s, at_10 - spacer - WIDTH, at_10))
    return found


def _from_consensus(text: str) -> Floats:
    box = np.full((len(text), 4), (1 - _CONSENSUS) / 3)
    box[np.arange(len(text)), encode(text)] = _CONSENSUS
    return box


def _of_hexamer(table: Floats, hexamers: NDArray[np.uint8]) -> Floats:
    return table[np.arange(WIDTH), hexamers].sum(axis=1)
