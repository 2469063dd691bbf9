"""Classifier heads: what turns an encoder's states into a call.

Each head reads the states of the sequence as it is, and where the classifier reads both strands also those of its
reverse complement, each in its own reading order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dnalm.model.config import AlignedHeadConfig, EncoderConfig, HeadConfig, PoolHeadConfig, WideHeadConfig
from dnalm.model.doors import kmer_probabilities
from dnalm.model.dropout import Dropout
from dnalm.model.frames import CODONS, EXTENTS, frames

_ROWS = 32
_BASES = 64_000
"""Of a piece of a batch: longer sequences are read fewer at a time."""


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

    def pieces(self) -> Iterator[Encoding]:
        """The batch a few sequences at a time on a CPU, where wide features of more overflow its caches; else whole."""
        count = len(self.states)
        rows = count
        if self.states.device.type == "cpu":
            rows = min(_ROWS, max(1, _BASES // max(1, self.bases.shape[1])))
        for first in range(0, max(count, 1), max(rows, 1)):
            yield Encoding(*(part if part is None else part[first : first + rows] for part in self))


def pools(states: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Last, highest and mean state over each sequence's own tokens, each `(batch, width)`."""
    if states.shape[1] and bool((tokens == states.shape[1]).all()):  # windows of one length: nothing to mask
        return states[:, -1], states.amax(1), states.sum(1) / states.shape[1]
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

    The features come in blocks, in this order:

    - `states`: principal components of the states in place (one length only);
    - `pools`: mean and highest state;
    - `kmers`: k-mer shares of the whole sequence;
    - `frames`: how long the longest open reading frame is, and `codons`, which codons it uses (`dnalm.model.frames`);
    - `gapped`: how often two k-mers stand so many bases apart, on either strand, as logarithm (after the gapped k-mers
      of Ghandi et al. 2014);
    - `words`: whether a word, longer than those, stands anywhere: what related sequences share and others do not;
    - `windows`: whether a k-mer starts within each of overlapping windows, so that a motif may shift by a few bases
      (one length only);
    - `bases`: the bases in place (one length only);
    - `places`: k-mers in place (one length only).
    """

    def __init__(self, config: WideHeadConfig, encoder: EncoderConfig, strands: int, classes: int) -> None:
        super().__init__()
        self.config = config
        width = encoder.output_size
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("components", torch.zeros(width, min(config.components, width)))
        self.sizes = self._block_sizes(encoder, strands)
        self.linear = nn.Linear(sum(self.sizes.values()), classes)

    def _block_sizes(self, encoder: EncoderConfig, strands: int) -> dict[str, int]:
        """Number of features in each block."""
        config, length, sizes = self.config, self.config.length, {}
        if length is not None:
            sizes["states"] = strands * encoder.tokenizer.count(length) * self.components.shape[1]
        sizes["pools"] = strands * 2 * encoder.output_size
        sizes["kmers"] = sum(4**k for k in range(1, config.kmer + 1))
        sizes["frames"], sizes["codons"] = (EXTENTS, CODONS + CODONS**2) if config.frames else (0, 0)
        sizes["gapped"] = sum(gaps * 4 ** (2 * k) for k, gaps in config.gapped_kmers)
        sizes["words"] = 4 ** (2 * config.half_word) if config.half_word else 0
        if length is not None:
            sizes["windows"] = sum(len(self._centres(k)) * 4**k for k in config.window_kmers)
            sizes["bases"] = 4 * length
            sizes["places"] = sum(max(0, length - k + 1) * 4**k for k in config.place_kmers)
        return {name: size for name, size in sizes.items() if size}

    def _centres(self, k: int) -> range:
        """Centre of each window among the places where a k-mer can start."""
        return range(0, max(0, (self.config.length or 0) - k + 1), self.config.window_step)

    def blocks(self, x: Encoding) -> dict[str, Tensor]:
        """The features by block, each `(batch, size)`."""
        strands = [states for states in (x.states, x.other) if states is not None]
        found = {}
        if "states" in self.sizes:
            kept = [((states - self.centre) @ self.components).flatten(1) for states in strands]
            found["states"] = torch.cat(kept, 1)
        found["pools"] = torch.cat([part for states in strands for part in pools(states, x.tokens)[1:]], 1)
        if "kmers" in self.sizes:
            found["kmers"] = torch.cat([self._shares(x.bases, k) for k in range(1, self.config.kmer + 1)], 1)
        if "frames" in self.sizes:
            found["frames"], found["codons"] = frames(x.bases)
        if "gapped" in self.sizes:
            pairs = [self._pairs(x.bases, k, gap) for k, gaps in self.config.gapped_kmers for gap in range(gaps)]
            found["gapped"] = torch.cat(pairs, 1)
        if "words" in self.sizes:
            found["words"] = self._words(x.bases)
        if "windows" in self.sizes:
            found["windows"] = torch.cat([self._windowed(x.bases, k) for k in self.config.window_kmers], 1)
        if "bases" in self.sizes:
            found["bases"] = x.bases.flatten(1)
        if "places" in self.sizes:
            kmers = [kmer_probabilities(x.bases, k, 1).flatten(1) for k in self.config.place_kmers]
            found["places"] = torch.cat(kmers, 1)
        return found

    @staticmethod
    def _shares(bases: Tensor, k: int) -> Tensor:
        """Share of each k-mer among the known ones of the sequence, shape `(batch, 4^k)`."""
        counted = kmer_probabilities(bases, k, 1).sum(1)
        return counted / counted.sum(1, keepdim=True).clamp_min(1)

    @staticmethod
    def _pairs(bases: Tensor, k: int, gap: int) -> Tensor:
        """How often each pair of k-mers has `gap` bases between, on both strands, log(1 + n): `(batch, 16^k)`."""
        found = []
        for strand in (bases, bases.flip(1, 2)):
            kmers = kmer_probabilities(strand, k, 1)
            apart = k + gap
            found.append(kmers[:, :-apart].transpose(1, 2) @ kmers[:, apart:])
        return (found[0] + found[1]).flatten(1).log1p()

    def _words(self, bases: Tensor) -> Tensor:
        """Whether each word stands somewhere (of probabilities: how often, at most once), shape `(batch, 4^length)`."""
        if self.config.words_of_both_strands:
            return torch.maximum(self._words_of(bases), self._words_of(bases.flip(1, 2)))
        return self._words_of(bases)

    def _words_of(self, bases: Tensor) -> Tensor:
        half = self.config.half_word
        kmers = kmer_probabilities(bases, half, 1)
        # A word is two k-mers side by side: the sum over places of their products is one matrix product.
        return (kmers[:, :-half].transpose(1, 2) @ kmers[:, half:]).flatten(1).clamp_max_(1)

    def _windowed(self, bases: Tensor, k: int) -> Tensor:
        """Whether each k-mer starts in each window (of probabilities: how often, at most once)."""
        kmers = kmer_probabilities(bases, k, 1)
        half = self.config.window // 2
        found = [kmers[:, max(0, at - half) : at + half + 1].sum(1).clamp_max_(1) for at in self._centres(k)]
        return torch.cat(found, 1)

    def features(self, x: Encoding) -> Tensor:
        """All features, shape `(batch, features)`."""
        return torch.cat(list(self.blocks(x).values()), 1)

    def forward(self, x: Encoding) -> Tensor:
        """Logits, shape `(batch, classes)`."""
        return torch.cat([self.linear(self.features(some)) for some in x.pieces()])


def make_head(config: HeadConfig, encoder: EncoderConfig, *, both_strands: bool, classes: int) -> nn.Module:
    """The head that a configuration describes."""
    strands = 2 if both_strands else 1
    if isinstance(config, PoolHeadConfig):
        return PoolHead(config, encoder.output_size, strands, classes)
    if isinstance(config, AlignedHeadConfig):
        return AlignedHead(config, encoder, strands, classes)
    return WideHead(config, encoder, strands, classes)
