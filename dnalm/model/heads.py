"""Classifier heads: what turns an encoder's states into a call.

Each head reads the states of the sequence as it is, and where the classifier reads both strands also those of its
reverse complement, each in its own reading order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dnalm.model.config import AlignedHeadConfig, EncoderConfig, HeadConfig, PoolHeadConfig, WideHeadConfig
from dnalm.model.doors import kmer_probabilities
from dnalm.model.dropout import Dropout


class Encoding(NamedTuple):
    """A batch of sequences as the heads see it."""

    states: Tensor
    """Shape `(batch, tokens, width)`."""
    other: Tensor | None
    """States of the reverse complement, in its reading order, the same shape; none where one strand is read."""
    tokens: Tensor
    """Number of tokens of each sequence, shape `(batch,)`."""
    bases: Tensor
    """Base probabilities, shape `(batch, length, 4)`; zeros behind a shorter sequence's end."""


def pools(states: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Last, highest and mean state over each sequence's own tokens, each `(batch, width)`."""
    inside = torch.arange(states.shape[1], device=states.device) < tokens.unsqueeze(1)
    masked = states.masked_fill(~inside.unsqueeze(-1), 0)
    mean = masked.sum(1) / tokens.clamp_min(1).unsqueeze(1).to(states.dtype)
    highest = states.masked_fill(~inside.unsqueeze(-1), torch.finfo(states.dtype).min).amax(1)
    last = states[torch.arange(len(states), device=states.device), (tokens - 1).clamp_min(0)]
    return last, highest, mean


def _mlp(inputs: int, width: int, classes: int, dropout: float) -> nn.Sequential:
    """ULMFiT's classifier block: normalise, drop, widen, rectify, and again."""
    return nn.Sequential(
        nn.BatchNorm1d(inputs),
        Dropout(dropout),
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.BatchNorm1d(width),
        Dropout(dropout / 2),
        nn.Linear(width, classes),
    )


class PoolHead(nn.Module):
    """ULMFiT's concat pooling into a small MLP: for sequences of any length."""

    def __init__(self, config: PoolHeadConfig, states: int, strands: int, classes: int) -> None:
        super().__init__()
        self.mlp = _mlp(3 * states * strands, config.width, classes, config.dropout)

    def forward(self, x: Encoding) -> Tensor:
        """Logits, shape `(batch, classes)`."""
        features = [*pools(x.states, x.tokens)]
        if x.other is not None:
            features += pools(x.other, x.tokens)
        return self.mlp(torch.cat(features, 1))


class AlignedHead(nn.Module):
    """Keeps each position's state in place, beside the pools and a linear path from the bases."""

    def __init__(self, config: AlignedHeadConfig, encoder: EncoderConfig, strands: int, classes: int) -> None:
        super().__init__()
        states, tokens = encoder.output_size, encoder.tokenizer.count(config.length)
        self.projection = nn.Linear(states, config.projection)
        inputs = strands * (tokens * config.projection + 3 * states)
        self.mlp = _mlp(inputs, config.width, classes, config.dropout)
        self.linear = nn.Linear(4 * config.length, classes)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Encoding) -> Tensor:
        """Logits, shape `(batch, classes)`."""
        features = []
        for states in (x.states, x.other):
            if states is not None:
                features += [self.projection(states).flatten(1), *pools(states, x.tokens)]
        return self.mlp(torch.cat(features, 1)) + self.linear(x.bases.flatten(1))


class WideHead(nn.Module):
    """A linear model on fixed features, fitted by `dnalm.training.wide`, kept as layers for attribution.

    Features, in order: principal components of the states in place (one length only), mean and max state, k-mer
    counts, bases in place (one length only).
    """

    def __init__(self, config: WideHeadConfig, encoder: EncoderConfig, strands: int, classes: int) -> None:
        super().__init__()
        self.config = config
        width = encoder.output_size
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("components", torch.zeros(width, config.components))
        sizes = self.block_sizes(config, encoder, strands)
        self.linear = nn.Linear(sum(sizes.values()), classes)

    @staticmethod
    def block_sizes(config: WideHeadConfig, encoder: EncoderConfig, strands: int) -> dict[str, int]:
        """Number of features in each block, in their order."""
        sizes = {}
        if config.length is not None:
            sizes["states"] = strands * encoder.tokenizer.count(config.length) * config.components
        if config.pools:
            sizes["pools"] = strands * 2 * encoder.output_size
        if config.kmer:
            sizes["kmers"] = sum(4**k for k in range(1, config.kmer + 1))
        if config.length is not None:
            sizes["bases"] = 4 * config.length
        return sizes

    def features(self, x: Encoding) -> Tensor:
        """All features, shape `(batch, features)`."""
        strands = [states for states in (x.states, x.other) if states is not None]
        blocks = []
        if self.config.length is not None:
            blocks += [((states - self.centre) @ self.components).flatten(1) for states in strands]
        if self.config.pools:
            blocks += [part for states in strands for part in pools(states, x.tokens)[1:]]
        for k in range(1, self.config.kmer + 1):
            counted = kmer_probabilities(x.bases, k, 1).sum(1)
            blocks.append(counted / counted.sum(1, keepdim=True).clamp_min(1))
        if self.config.length is not None:
            blocks.append(x.bases.flatten(1))
        return torch.cat(blocks, 1)

    def forward(self, x: Encoding) -> Tensor:
        """Logits, shape `(batch, classes)`."""
        return self.linear(self.features(x))


def make_head(config: HeadConfig, encoder: EncoderConfig, *, both_strands: bool, classes: int) -> nn.Module:
    """The head that a configuration describes."""
    strands = 2 if both_strands else 1
    if isinstance(config, PoolHeadConfig):
        return PoolHead(config, encoder.output_size, strands, classes)
    if isinstance(config, AlignedHeadConfig):
        return AlignedHead(config, encoder, strands, classes)
    return WideHead(config, encoder, strands, classes)
