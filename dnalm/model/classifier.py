"""The classifier: an encoder, read along one strand or both, under a head; and the mean of several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dnalm.model.config import AlignedHeadConfig, HeadConfig, MemberConfig, PoolHeadConfig, WideHeadConfig
from dnalm.model.doors import one_hot, reverse_complement_bases, reverse_complement_codes
from dnalm.model.encoder import AWDLSTM
from dnalm.model.heads import Encoding, make_head


class Member(nn.Module):
    """One encoder with one head.

    Two doors lead in: `forward` reads base codes, `from_bases` base probabilities; on one-hot input they agree to
    float precision.
    """

    def __init__(self, config: MemberConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = AWDLSTM(config.encoder)
        self.head = make_head(config.head, config.encoder, both_strands=config.both_strands, classes=classes)

    def forward(self, codes: Tensor, lengths: Tensor) -> Tensor:
        """Logits of base codes.

        Args:
            codes: integers, shape `(batch, length)`; behind a shorter sequence's end, unknown bases.
            lengths: bases of each sequence, shape `(batch,)`.

        Returns:
            Shape `(batch, classes)`.
        """
        return self.head(self.encode(codes, lengths))

    def encode(self, codes: Tensor, lengths: Tensor) -> Encoding:
        """Read base codes along one strand or both."""
        states, _ = self.encoder(self.encoder.embed(codes))
        other = None
        if self.config.both_strands:
            other, _ = self.encoder(self.encoder.embed(reverse_complement_codes(codes, lengths)))
        return Encoding(states, other, self.tokens(lengths), one_hot(codes, states.dtype))

    def from_bases(self, bases: Tensor, lengths: Tensor) -> Tensor:
        """Logits of base probabilities, shape `(batch, length, 4)`: the door for attribution."""
        states, _ = self.encoder(self.encoder.embed_bases(bases))
        other = None
        if self.config.both_strands:
            other, _ = self.encoder(self.encoder.embed_bases(reverse_complement_bases(bases, lengths)))
        return self.head(Encoding(states, other, self.tokens(lengths), bases))

    def both_orientations(self, codes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of each sequence and of its reverse complement, for the price of reading each strand once."""
        turned = reverse_complement_codes(codes, lengths)
        states, _ = self.encoder(self.encoder.embed(codes))
        other, _ = self.encoder(self.encoder.embed(turned))
        tokens, both = self.tokens(lengths), self.config.both_strands
        ahead = Encoding(states, other if both else None, tokens, one_hot(codes, states.dtype))
        back = Encoding(other, states if both else None, tokens, one_hot(turned, states.dtype))
        return self.head(ahead), self.head(back)

    def tokens(self, lengths: Tensor) -> Tensor:
        """Tokens of sequences of so many bases, shape `(batch,)`."""
        stride, k = self.config.encoder.stride, self.config.encoder.k
        return torch.div(lengths - k, stride, rounding_mode="floor").add(1).clamp_min(0)

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the input up, the head last."""
        return [*self.encoder.layer_groups(), list(self.head.parameters())]


class SequenceClassifier(nn.Module):
    """The mean of its members' log-probabilities; with one member, that member's logits.

    Args:
        members: their configurations.
        classes: number of labels.
    """

    def __init__(self, members: Sequence[MemberConfig], classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.members = nn.ModuleList(Member(config, classes) for config in members)

    def forward(self, codes: Tensor, lengths: Tensor) -> Tensor:
        """Logits, shape `(batch, classes)`; see `Member.forward`."""
        return self.mean([member(codes, lengths) for member in self.members])

    def from_bases(self, bases: Tensor, lengths: Tensor) -> Tensor:
        """Logits of base probabilities; see `Member.from_bases`."""
        return self.mean([member.from_bases(bases, lengths) for member in self.members])

    def both_orientations(self, codes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of each sequence and of its reverse complement; see `Member.both_orientations`."""
        pairs = [member.both_orientations(codes, lengths) for member in self.members]
        return self.mean([ahead for ahead, _ in pairs]), self.mean([back for _, back in pairs])

    @staticmethod
    def mean(logits: list[Tensor]) -> Tensor:
        """The members' logits as one: the mean of their log-probabilities; of a single member, its own."""
        if len(logits) == 1:
            return logits[0]
        return torch.stack([member.log_softmax(-1) for member in logits]).mean(0)

    @property
    def least_length(self) -> int:
        """Fewest bases that every member can read."""
        return max(max(member.config.encoder.k, _least(member.config.head)) for member in self.members)

    @property
    def fixed_length(self) -> int | None:
        """The one length that a head which keeps positions can read; none where any will do."""
        for member in self.members:
            head = member.config.head
            if isinstance(head, AlignedHeadConfig):
                return head.length
            if not isinstance(head, PoolHeadConfig) and head.length is not None:
                return head.length
        return None


def _least(head: HeadConfig) -> int:
    """Fewest bases in which each of a head's k-mers can begin."""
    if not isinstance(head, WideHeadConfig):
        return 1
    return max(head.kmer, head.half_word, 1, *(k for k, _ in head.gapped_kmers))
