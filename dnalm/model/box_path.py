"""Boxes before a start, read as a physicist would: how well two hexamers fit, at any of the distances they may have.

A bacterial RNA polymerase knows a promoter by two hexamers, of sigma 70 TTGACA and TATAAT in the consensus, 15 to 19
bases apart, the second some bases before the start (Harley & Reynolds 1987). Some hundred known starts are too few for
convolutions to learn this from nothing, and enough to learn it in this form, by expectation maximisation
(`box_learning`). What is learned so is kept as it is while the rest of a network is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dnalm.alphabet import encode

if TYPE_CHECKING:
    from dnalm.model.box_learning import LearnedBoxes

MINUS_35 = "TTGACA"
MINUS_10 = "TATAAT"
SPACERS = range(15, 20)
"""Bases between the boxes."""
DISCRIMINATORS = range(4, 11)
"""Bases from the -10 box to the start. Wider than the 5 to 9 of a textbook promoter: mapped starts stray, and this
found more of those held out."""
WIDTH = len(MINUS_10)
REACH = 2 * WIDTH + SPACERS[-1] + DISCRIMINATORS[-1]
"""Bases before a start that are looked at."""
_LARGEST, _UNIT = 10.0, 4.0


class BoxPath(nn.Module):
    """Log-odds of boxes before a base, of all distances together; fresh, those of the consensus.

    Kept as buffers: training leaves them alone.
    """

    minus_35: Tensor
    """Log-odds of each base at each place of the box, shape `(4, 6)`."""
    minus_10: Tensor
    spacers: Tensor
    """Log-probability of each distance, shape `(5,)`."""
    discriminators: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, text in {"minus_35": MINUS_35, "minus_10": MINUS_10}.items():
            self.register_buffer(name, torch.from_numpy(_of_consensus(text)))
        for name, places in {"spacers": SPACERS, "discriminators": DISCRIMINATORS}.items():
            self.register_buffer(name, torch.full((len(places),), 1 / len(places)).log())

    def take(self, boxes: LearnedBoxes) -> None:
        """Look for the boxes that were learned."""
        told = {"minus_35": np.log(boxes.minus_35 / boxes.background).T}
        told["minus_10"] = np.log(boxes.minus_10 / boxes.background).T
        told |= {"spacers": np.log(boxes.spacers), "discriminators": np.log(boxes.discriminators)}
        for name, values in told.items():
            getattr(self, name).copy_(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)))

    def forward(self, bases: Tensor) -> Tensor:
        """Read base probabilities in reading order; what is unknown, or before the first base, says nothing.

        Args:
            bases: shape `(batch, 4, length)`.

        Returns:
            Shape `(batch, 1, length)`, about 1 at a good promoter's start and no larger than 2.5.
        """
        length = bases.shape[2]
        boxes = torch.stack([self.minus_35, self.minus_10]).to(bases.dtype)
        fits = functional.conv1d(functional.pad(bases, (REACH, 0)), boxes)
        first, second = fits[:, :1], fits[:, 1:]
        # `first` and `second` at a place are of the hexamer that begins there; pairs are numbered by their -10 box.
        lead = WIDTH + SPACERS[-1]
        count = first.shape[2] - lead
        pairs = _any_of(first, SPACERS, self.spacers, count) + second[..., lead:]
        starts = _any_of(pairs, DISCRIMINATORS, self.discriminators, length)
        return starts.clamp(-_LARGEST, _LARGEST) / _UNIT


def _any_of(fits: Tensor, distances: range, chances: Tensor, length: int) -> Tensor:
    """Log-odds of what stands at any of the distances before each place; the first place is the largest away."""
    shifted = [
        fits[..., distances[-1] - distance :][..., :length] + chance
        for distance, chance in zip(distances, chances, strict=True)
    ]
    return torch.stack(shifted).logsumexp(0)


def _of_consensus(text: str, share: float = 0.7) -> NDArray[np.float32]:
    """Log-odds of a box that has the consensus base in 7 of 10 cases, on a background of equal parts."""
    box = np.full((4, len(text)), (1 - share) / 3)
    box[encode(text), np.arange(len(text))] = share
    return np.log(box / 0.25).astype(np.float32)
