"""The dropouts of AWD-LSTM (Merity et al. 2017), each named for the paper's term.

Every mask is drawn from the module's `generator`, which `set_generator` hands down; without one, from PyTorch's own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def keep_mask(shape: tuple[int, ...], rate: float, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Zeros with probability `rate`, else 1 / (1 - rate), so that the expectation is one."""
    mask = torch.empty(shape, dtype=like.dtype, device=like.device)
    return mask.bernoulli_(1 - rate, generator=generator).div_(1 - rate)


class Dropping(nn.Module):
    """A dropout with a rate, and a generator of its own."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    @property
    def active(self) -> bool:
        """Whether a mask is drawn: in training, and at a rate above zero."""
        return self.training and self.rate > 0

    def extra_repr(self) -> str:
        """Show the rate in the printed model."""
        return f"rate={self.rate}"


class Dropout(Dropping):
    """A new mask for every element."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of `x`, any shape."""
        return x * keep_mask(tuple(x.shape), self.rate, x, self.generator) if self.active else x


class VariationalDropout(Dropping):
    """One mask a sequence, the same at every position."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop features of `x`, shape `(batch, tokens, features)`."""
        if not self.active:
            return x
        return x * keep_mask((x.shape[0], 1, x.shape[2]), self.rate, x, self.generator)


class EmbeddingDropout(Dropping):
    """Zeroes whole rows of the embedding: a k-mer is missing wherever it occurs in the batch."""

    def forward(self, weight: Tensor) -> Tensor:
        """Drop rows of `weight`, shape `(vocabulary, features)`."""
        if not self.active:
            return weight
        return weight * keep_mask((weight.shape[0], 1), self.rate, weight, self.generator)


class WeightDrop(Dropping):
    """DropConnect: zeroes single hidden-to-hidden weights, once a forward pass."""

    def forward(self, weight: Tensor) -> Tensor:
        """Drop elements of `weight`; gradients reach the raw weight through the kept ones."""
        return weight * keep_mask(tuple(weight.shape), self.rate, weight, self.generator) if self.active else weight


def set_generator(module: nn.Module, generator: torch.Generator | None) -> None:
    """Make every dropout below `module` draw from `generator`, which must live on the model's device."""
    for child in module.modules():
        if isinstance(child, Dropping):
            child.generator = generator
