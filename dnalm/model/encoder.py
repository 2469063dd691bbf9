"""The AWD-LSTM encoder: k-mers in, a state at each k-mer out (Merity et al. 2017, arXiv:1708.02182)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from dnalm.model.config import EncoderConfig
from dnalm.model.doors import kmer_ids, kmer_probabilities
from dnalm.model.dropout import EmbeddingDropout, VariationalDropout, WeightDrop

State = list[tuple[Tensor, Tensor]]
"""Hidden and cell state of each layer, each `(1, batch, width)`."""

_RECURRENT = "weight_hh_l0"


class WeightDropLSTM(nn.Module):
    """One LSTM layer with DropConnect on its hidden-to-hidden weights.

    The dropped weights are put in for one call with `functional_call`: the layer's own parameters are never replaced,
    so gradients reach them and the fast fused kernels still run.
    """

    def __init__(self, inputs: int, width: int, rate: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, width, batch_first=True)
        self.drop = WeightDrop(rate)
        self._initialise(width)

    def _initialise(self, width: int) -> None:
        """Orthogonal recurrent weights and a forget-gate bias of one (Jozefowicz et al. 2015)."""
        for gate in range(4):
            nn.init.orthogonal_(self.lstm.weight_hh_l0.data[gate * width : (gate + 1) * width])
        nn.init.zeros_(self.lstm.bias_hh_l0)
        with torch.no_grad():
            self.lstm.bias_ih_l0.zero_()
            self.lstm.bias_ih_l0[width : 2 * width] = 1.0

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over `x`, shape `(batch, tokens, inputs)`; returns states `(batch, tokens, width)` and the last state."""
        if not self.drop.active:
            return self.lstm(x, state)
        dropped = {_RECURRENT: self.drop(self.lstm.weight_hh_l0)}
        return functional_call(self.lstm, dropped, (x, state))


class AWDLSTM(nn.Module):
    """Embedding and LSTM layers with their dropouts.

    Args:
        config: sizes, k-mers and dropout rates.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = config.tokenizer
        self.embedding = nn.Embedding(
            self.tokenizer.vocabulary_size, config.embedding, padding_idx=self.tokenizer.pad_id
        )
        self.embedding_dropout = EmbeddingDropout(config.embedding_dropout)
        self.input_dropout = VariationalDropout(config.input_dropout)
        self.layers = nn.ModuleList(
            WeightDropLSTM(inputs, width, config.weight_dropout) for inputs, width in config.layer_sizes()
        )
        self.hidden_dropout = VariationalDropout(config.hidden_dropout)
        self._initialise()

    def _initialise(self) -> None:
        # A tied softmax wants small vectors (Merity's 0.1); without one, larger vectors learn faster.
        with torch.no_grad():
            if self.config.tied:
                self.embedding.weight.uniform_(-0.1, 0.1)
            else:
                self.embedding.weight.normal_(std=0.5)
            self.embedding.weight[self.tokenizer.pad_id] = 0

    def embed(self, codes: Tensor) -> Tensor:
        """Embed base codes, shape `(batch, length)`, as `(batch, tokens, embedding)`."""
        weight = self.embedding_dropout(self.embedding.weight)
        return functional.embedding(kmer_ids(codes, self.tokenizer), weight, self.tokenizer.pad_id)

    def embed_bases(self, bases: Tensor) -> Tensor:
        """Embed base probabilities, shape `(batch, length, 4)`; what a k-mer lacks of one goes to the unknown token."""
        weight = self.embedding_dropout(self.embedding.weight)
        kmers = kmer_probabilities(bases, self.tokenizer.k, self.tokenizer.stride)
        unknown = 1 - kmers.sum(-1, keepdim=True)
        return kmers @ weight[: self.tokenizer.kmers] + unknown * weight[self.tokenizer.unk_id]

    def forward(self, embedded: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run the recurrent layers.

        Args:
            embedded: shape `(batch, tokens, embedding)`.
            state: where the text before this one ended; none for a fresh start.

        Returns:
            The last layer's states, shape `(batch, tokens, output_size)`, and the state to carry on from.
        """
        x = self.input_dropout(embedded)
        last: State = []
        for index, layer in enumerate(self.layers):
            x, ended = layer(x, None if state is None else state[index])
            last.append(ended)
            if index + 1 < len(self.layers):
                x = self.hidden_dropout(x)
        return x, last

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the input up: the embedding, then each layer. Unfreezing goes from the last to the first."""
        return [list(self.embedding.parameters()), *(list(layer.parameters()) for layer in self.layers)]


def detach(state: State) -> State:
    """Cut the gradient between one stretch of text and the next (truncated backpropagation through time)."""
    return [(hidden.detach(), cell.detach()) for hidden, cell in state]
