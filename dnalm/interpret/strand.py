"""One strand of a sequence as an encoder reads it, kept at every token, and the step from one token to the next."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dnalm.model.doors import kmer_ids
from dnalm.model.encoder import AWDLSTM

_LARGEST_TABLE = 1 << 24
"""Numbers in the table of all k-mers' parts in the gates; of more k-mers they are computed where they occur."""


class Layer(NamedTuple):
    """An LSTM layer's weights, gates in PyTorch's order: input, forget, cell, output.

    The cell gate's are doubled: tanh(x) is 2 sigmoid(2 x) - 1, and one pass of sigmoid over all gates is several times
    as fast as one with a tanh in it.
    """

    entering: Tensor
    """Shape `(inputs, 4 * width)`."""
    recurrent: Tensor
    """Shape `(width, 4 * width)`."""
    bias: Tensor
    """Shape `(4 * width,)`."""

    @property
    def width(self) -> int:
        """Of the state."""
        return len(self.recurrent)


class Reading(NamedTuple):
    """A layer's states along the strand."""

    hidden: Tensor
    """Shape `(tokens, width)`."""
    cell: Tensor
    """Shape `(tokens, width)`."""
    gates: Tensor
    """After their sigmoid, shape `(tokens, 4 * width)`."""


class Strand:
    """One strand of a sequence.

    Args:
        encoder: in evaluation mode.
        codes: integers, shape `(1, length)`, long enough for a token.
    """

    def __init__(self, encoder: AWDLSTM, codes: Tensor) -> None:
        self.tokenizer = encoder.tokenizer
        self.embedding = encoder.embedding
        self.layers = [_layer(one.lstm) for one in encoder.layers]
        first, vectors = self.layers[0], encoder.embedding.weight
        small = len(vectors) * len(first.bias) <= _LARGEST_TABLE
        self.table = torch.addmm(first.bias, vectors, first.entering) if small else None
        self.ids = kmer_ids(codes, self.tokenizer)[0]
        self.readings = self._read()
        self.highest_until = self.top.cummax(0).values
        self.highest_from = self.top.flip(0).cummax(0).values.flip(0)

    @property
    def top(self) -> Tensor:
        """The last layer's states, shape `(tokens, width)`."""
        return self.readings[-1].hidden

    def __len__(self) -> int:
        return len(self.ids)

    def entering(self, ids: Tensor) -> Tensor:
        """What k-mers add to the first layer's gates, bias included, a new tensor `(n, 4 * width)`."""
        if self.table is not None:
            return self.table.index_select(0, ids)
        return torch.addmm(
            self.layers[0].bias, functional.embedding(ids, self.embedding.weight), self.layers[0].entering
        )

    def step(self, ids: Tensor, hidden: list[Tensor], cell: list[Tensor]) -> list[Tensor]:
        """Read one k-mer more, changing each layer's states in place.

        Args:
            ids: k-mers, shape `(n,)`.
            hidden: of each layer, `(n, width)`.
            cell: the same.

        Returns:
            The gates of each layer after their sigmoid, `(n, 4 * width)`.
        """
        every = []
        for number, layer in enumerate(self.layers):
            gates = torch.addmm(layer.bias, hidden[number - 1], layer.entering) if number else self.entering(ids)
            gates.addmm_(hidden[number], layer.recurrent).sigmoid_()
            come, stay, new, out = gates.split(layer.width, 1)
            mine = cell[number]
            mine.mul_(stay).addcmul_(come, new * 2 - 1)
            torch.mul(out, (mine * 2).sigmoid_().mul_(2).sub_(1), out=hidden[number])
            every.append(gates)
        return every

    def _read(self) -> list[Reading]:
        hidden, cell = ([layer.bias.new_zeros(1, layer.width) for layer in self.layers] for _ in range(2))
        kept: list[list[tuple[Tensor, Tensor, Tensor]]] = [[] for _ in self.layers]
        for one in self.ids:
            for number, gates in enumerate(self.step(one[None], hidden, cell)):
                kept[number].append((hidden[number].clone(), cell[number].clone(), gates))
        return [Reading(*(torch.cat(parts) for parts in zip(*layer, strict=True))) for layer in kept]


def _layer(lstm: torch.nn.LSTM) -> Layer:
    width = lstm.hidden_size
    double = lstm.bias_ih_l0.new_ones(4 * width)
    double[2 * width : 3 * width] = 2
    return Layer(
        (lstm.weight_ih_l0.t() * double).contiguous(),
        (lstm.weight_hh_l0.t() * double).contiguous(),
        (lstm.bias_ih_l0 + lstm.bias_hh_l0) * double,
    )
