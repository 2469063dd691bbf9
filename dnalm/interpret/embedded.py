"""A classifier that begins at its k-mers' vectors: the door for attribution to the embedding layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dnalm.model.classifier import Member, SequenceClassifier
from dnalm.model.doors import reverse_complement_bases
from dnalm.model.heads import Encoding


class Embedded:
    """Call it with the vectors of all members, forward strand and where it is read the other one, in order.

    What heads read of the bases themselves stays as it is in the sequence.

    Args:
        module: the classifier.
        bases: of one sequence, one-hot, shape `(1, length, 4)`.
        score: turns logits `(n, classes)` into what is explained, `(n,)`.
    """

    def __init__(self, module: SequenceClassifier, bases: Tensor, score: Callable[[Tensor], Tensor]) -> None:
        self.module, self.bases, self.score = module, bases, score

    def __call__(self, *vectors: Tensor) -> Tensor:
        """What is explained, shape `(n,)`, of vectors each `(n, tokens, embedding)`."""
        rest = iter(vectors)
        logits = [self._logits(member, rest) for member in self.module.members]
        return self.score(self.module.mean(logits))

    def vectors(self, bases: Tensor) -> tuple[Tensor, ...]:
        """The vectors of base probabilities, shape `(n, length, 4)`."""
        found = []
        for member, strand in self._read():
            text = bases if strand == "+" else reverse_complement_bases(bases, self._lengths(len(bases)))
            found.append(member.encoder.embed_bases(text))
        return tuple(found)

    def on_bases(self, tokens: Sequence[Tensor]) -> Tensor:
        """Spread each token's number evenly over its k bases: shape `(length,)` from one `(tokens,)` a vector."""
        length = self.bases.shape[1]
        total = self.bases.new_zeros(length)
        for (member, strand), numbers in zip(self._read(), tokens, strict=True):
            k, stride = member.config.encoder.k, member.config.encoder.stride
            here = self.bases.new_zeros(length)
            for offset in range(k):
                here[offset : offset + (len(numbers) - 1) * stride + 1 : stride] += numbers / k
            total += here if strand == "+" else here.flip(0)
        return total

    def _read(self) -> list[tuple[Member, str]]:
        return [(one, strand) for one in self.module.members for strand in ("+-" if one.config.both_strands else "+")]

    def _lengths(self, count: int) -> Tensor:
        return torch.full((count,), self.bases.shape[1], device=self.bases.device)

    def _logits(self, member: Member, rest: object) -> Tensor:
        ahead = next(rest)  # type: ignore[call-overload]
        states, _ = member.encoder(ahead)
        other = None
        if member.config.both_strands:
            other, _ = member.encoder(next(rest))  # type: ignore[call-overload]
        count = len(ahead)
        bases = self.bases.expand(count, -1, -1)
        return member.head(Encoding(states, other, member.tokens(self._lengths(count)), bases))
