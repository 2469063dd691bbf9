"""The language model: the encoder with a head that predicts the next k-mer."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnalm.model.config import EncoderConfig
from dnalm.model.doors import kmer_ids
from dnalm.model.dropout import VariationalDropout
from dnalm.model.encoder import AWDLSTM, State
from dnalm.tokenizer import KmerTokenizer

HeadName = Literal["continuation", "vocabulary"]
IGNORED = -1
"""Target of a position that is not scored: its new bases are unknown."""


class Scored(NamedTuple):
    """What a stretch of text cost, and where its reading ended."""

    nats: Tensor
    """Nats at each predicted token, shape `(batch, tokens - 1)`; zero where not scored."""
    scored: Tensor
    """Whether each was scored, the same shape."""
    state: State
    outputs: Tensor
    """States at each predicting token, after dropout, shape `(batch, tokens - 1, width)`."""
    raw_outputs: Tensor
    """The same before dropout."""

    def mean(self) -> Tensor:
        """Mean nats over the scored tokens; zero when there are none."""
        return self.nats.sum() / self.scored.sum().clamp_min(1)


class AWDLanguageModel(nn.Module):
    """Predicts, at each k-mer, the bases that the next one adds.

    Given one k-mer and stride s, only 4^s next k-mers can follow. The `continuation` head scores just those, so its
    loss is exact in bits a base. The `vocabulary` head is the published tied softmax over all k-mers; it also spends
    probability on k-mers that cannot follow.
    """

    def __init__(self, config: EncoderConfig, head: HeadName = "continuation") -> None:
        super().__init__()
        self.config = config
        self.head_name: HeadName = head
        self.encoder = AWDLSTM(config)
        self.output_dropout = VariationalDropout(config.output_dropout)
        tokenizer = config.tokenizer
        classes = tokenizer.continuations if head == "continuation" else tokenizer.vocabulary_size
        self.decoder = nn.Linear(config.output_size, classes)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        if head == "vocabulary" and config.tied:
            self.decoder.weight = self.encoder.embedding.weight

    @property
    def tokenizer(self) -> KmerTokenizer:
        """The k-mers that the model reads."""
        return self.encoder.tokenizer

    def forward(self, codes: Tensor, state: State | None = None) -> Scored:
        """Score a stretch of text.

        Args:
            codes: base codes, shape `(batch, length)`: tokens 0 to n; all but the last predict the next.
            state: where the text before this one ended.

        Returns:
            Nats a token. The carried state stands after token n - 1, so the next stretch begins with token n.
        """
        outputs, raw, ended = self.read(codes[:, : -self.tokenizer.stride or None], state)
        nats, scored = self.score(outputs, codes)
        return Scored(nats, scored, ended, outputs, raw)

    def read(self, codes: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """Run the encoder; returns the states after dropout, before it, and the state to carry on from."""
        raw, ended = self.encoder(self.encoder.embed(codes), state)
        return self.output_dropout(raw), raw, ended

    def score(self, outputs: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Nats of the token that follows each state, and whether it is scored."""
        target = self.targets(codes)
        logits = self.decoder(outputs)
        nats = functional.cross_entropy(
            logits.flatten(0, 1).float(), target.flatten(), ignore_index=IGNORED, reduction="none"
        )
        return nats.view(target.shape), target != IGNORED

    def targets(self, codes: Tensor) -> Tensor:
        """What each token but the last has to predict, shape `(batch, tokens - 1)`; IGNORED where it is unknown."""
        tokenizer = self.tokenizer
        if self.head_name == "vocabulary":
            ids = kmer_ids(codes, tokenizer)[:, 1:]
            return ids.masked_fill(ids == tokenizer.unk_id, IGNORED)
        new = KmerTokenizer(tokenizer.new_bases, tokenizer.stride)
        tokens = tokenizer.count(codes.shape[1])
        ids = kmer_ids(codes[:, tokenizer.k - tokenizer.new_bases + tokenizer.stride :], new)[:, : tokens - 1]
        return ids.masked_fill(ids == new.unk_id, IGNORED)

    def bits_per_base(self, nats: float) -> float:
        """Turn mean nats a token into bits a base."""
        return nats / torch.log(torch.tensor(2.0)).item() / self.tokenizer.new_bases

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the input up; the last group is the head (less what it shares with the embedding)."""
        groups = self.encoder.layer_groups()
        shared = {id(p) for group in groups for p in group}
        return [*groups, [p for p in self.decoder.parameters() if id(p) not in shared]]
