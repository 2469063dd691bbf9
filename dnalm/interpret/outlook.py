"""What a small difference in state will have changed by the end of the sequence: first order, for all at once.

Some tokens after the last changed base a variant's state differs little from the sequence's, but the LSTM may carry
that little for hundreds of bases. From then on it grows and fades in proportion: the derivatives of the outputs with
respect to the state, found once by going through the sequence backwards, say what will come of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dnalm.interpret.strand import Strand

LOOK = 8
"""Tokens from one look ahead to the next."""
_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class InPlace:
    """What a head makes of the states in place: linear, one map for each token.

    Attributes:
        narrow: shape `(width, p)`.
        maps: shape `(tokens, p, outputs)`.
    """

    narrow: Tensor
    maps: Tensor


@dataclass(frozen=True)
class OfStates:
    """The part of a head's first layer that reads one strand's states.

    Attributes:
        place: of the states in place, where it reads them.
        last: weights of the last state, shape `(width, outputs)`, where it reads it.
        highest: of the highest state.
        mean: of the mean state.
    """

    place: InPlace | None
    last: Tensor | None
    highest: Tensor
    mean: Tensor

    @property
    def outputs(self) -> int:
        """How many."""
        return self.mean.shape[1]


class Outlook:
    """Derivatives with respect to the states after every few tokens.

    Args:
        strand: the sequence's strand.
        weights: of the head's first layer.
        earliest: the first token that is asked about.
    """

    def __init__(self, strand: Strand, weights: OfStates, earliest: int = 0) -> None:
        states = sum(2 * layer.width for layer in strand.layers)
        width = strand.layers[-1].width
        bytes_each = 4 * states * (weights.outputs + width)
        self.every = max(LOOK, -(-(len(strand) - earliest) * bytes_each // _MOST_BYTES))
        self.weights, self.strand, self.earliest = weights, strand, earliest
        self._kept = self._backwards()

    def of(self, token: int, difference: Tensor) -> tuple[Tensor, Tensor]:
        """What differences in state after a token will come to.

        Args:
            token: one after which there is a look.
            difference: of all layers' hidden states, then all cells, `(n, states)`.

        Returns:
            - of the outputs, without those of the highest state, `(n, outputs)`;
            - of each unit where it will be highest in the rest of the sequence, `(n, width)`.
        """
        every = difference @ self._kept[token]
        return every[:, : self.weights.outputs], every[:, self.weights.outputs :]

    def _backwards(self) -> dict[int, Tensor]:
        strand, weights = self.strand, self.weights
        outputs, width, tokens = weights.outputs, strand.layers[-1].width, len(strand)
        rows = outputs + width
        hidden, cell = ([layer.bias.new_zeros(rows, layer.width) for layer in strand.layers] for _ in range(2))
        if weights.last is not None:
            hidden[-1][:outputs] += weights.last.t()
        kept = {}
        for token in range(tokens - 1, self.earliest, -1):
            hidden[-1][:outputs] += weights.mean.t() / tokens
            if weights.place is not None:
                hidden[-1][:outputs] += (weights.place.narrow @ weights.place.maps[token]).t()
            self._be_highest(token, hidden, cell)
            self._step_back(token, hidden, cell)
            if token % self.every == 0:
                kept[token - 1] = torch.cat([*hidden, *cell], 1).t().contiguous()
        return kept

    def _be_highest(self, token: int, hidden: list[Tensor], cell: list[Tensor]) -> None:
        """Where a unit is highest of all from here on, its derivative begins anew."""
        top, outputs = self.strand.top, self.weights.outputs
        units = torch.arange(top.shape[1], device=top.device)
        if token + 1 < len(top):
            units = units[top[token] >= self.strand.highest_from[token + 1]]
        for part in (*hidden, *cell):
            part[outputs + units] = 0
        hidden[-1][outputs + units, units] = 1

    def _step_back(self, token: int, hidden: list[Tensor], cell: list[Tensor]) -> None:
        """From derivatives by the states after a token to those by the states before it, in place."""
        for number in range(len(self.strand.layers) - 1, -1, -1):
            layer, reading = self.strand.layers[number], self.strand.readings[number]
            come, stay, new, out = reading.gates[token].split(layer.width)
            new = 2 * new - 1
            rounded = reading.cell[token].tanh()
            of_cell = torch.addcmul(cell[number], hidden[number], out * (1 - rounded.square()))
            # The doubled weights of the cell gate have the chain rule's factor of two in them: half is taken off here.
            gates = torch.cat(
                [
                    of_cell * (new * come * (1 - come)),
                    of_cell * (reading.cell[token - 1] * stay * (1 - stay)),
                    of_cell * (come * (1 - new.square()) / 2),
                    hidden[number] * (rounded * out * (1 - out)),
                ],
                1,
            )
            torch.mul(of_cell, stay, out=cell[number])
            torch.mm(gates, layer.recurrent.t(), out=hidden[number])
            if number:
                hidden[number - 1].addmm_(gates, layer.entering.t())
