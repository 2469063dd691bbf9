"""The track model: a score at every base of both strands, made for scanning.

It reads a stretch of genome once along each strand. What it says of a base along one strand rests on four things: the
bases around it (the motif path), boxes at the distances that promoters have them at (`box_path`), the encoder's state
there, which knows what lies upstream, and the state of the pass over the other strand, which knows what lies downstream
and costs nothing more, since the other strand is scored too. A stack of dilated convolutions (Yu & Koltun 2016,
arXiv:1511.07122) brings them together. There is no pool and no
last state, so a score depends on what is near and a stretch may be read in chunks.

Beside the start of a promoter the stack says what the annotation of the training region taught it: which codon
position of which strand a base is, and whether a gene begins there. Those answers serve training; nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnalm.model.box_path import REACH, BoxPath
from dnalm.model.config import EncoderConfig, TrackMemberConfig
from dnalm.model.doors import one_hot, reverse_complement_bases, reverse_complement_codes
from dnalm.model.dropout import Dropout
from dnalm.model.encoder import AWDLSTM

FRAMES = 7
"""Classes of a base: outside genes; codon positions 1, 2, 3 of a gene on the strand read; 1, 2, 3 on the other."""
BURN_IN = 300
"""Bases that the encoder reads before its states are used: by then a fresh start is forgotten."""


class Answers(NamedTuple):
    """What is said of each base along one strand, at forward-strand positions."""

    start: Tensor
    """Logit that a promoter starts here, shape `(batch, length)`."""
    frame: Tensor
    """Logits of the `FRAMES` classes, shape `(batch, length, FRAMES)`."""
    gene: Tensor
    """Logit that a gene's first base is here, shape `(batch, length)`."""


class Upsample(nn.Module):
    """From a state a token to a few numbers a base: those bases that the token is the first to show."""

    def __init__(self, encoder: EncoderConfig, width: int) -> None:
        super().__init__()
        self.lead, self.stride = max(encoder.k - encoder.stride, 0), encoder.stride
        self.project = nn.Linear(encoder.output_size, encoder.stride * width)
        self.width = width

    def forward(self, states: Tensor, length: int) -> Tensor:
        """States `(batch, tokens, size)` as `(batch, width, length)`; zeros where no token has shown a base yet."""
        bases = self.project(states).unflatten(-1, (self.stride, self.width)).flatten(1, 2)
        return functional.pad(bases.transpose(1, 2), (self.lead, length - self.lead - bases.shape[1]))


class Residual(nn.Module):
    """A dilated convolution beside a straight path."""

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.spread = nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel // 2))
        self.mix = nn.Conv1d(channels, channels, 1)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(batch, channels, length)` in and out."""
        return x + self.mix(self.drop(functional.relu(self.spread(functional.relu(x)))))


class TrackMember(nn.Module):
    """One track model; a bundle may hold several, whose logits are averaged."""

    def __init__(self, config: TrackMemberConfig) -> None:
        super().__init__()
        self.config = config
        inputs = config.motifs
        self.encoder: AWDLSTM | None = None
        if config.encoder is not None:
            self.encoder = AWDLSTM(config.encoder)
            self.upstream = Upsample(config.encoder, config.projection)
            inputs += config.projection
            self.downstream: Upsample | None = None
            if config.downstream:
                self.downstream = Upsample(config.encoder, config.projection)
                inputs += config.projection
        self.boxes: BoxPath | None = None
        if config.boxes:
            self.boxes = BoxPath()
            self.trust = nn.Parameter(torch.zeros(1))  # what a good fit of the boxes adds to the logit by itself
            inputs += 1
        self.motifs = nn.Conv1d(4, config.motifs, config.motif_width, padding=config.motif_width // 2)
        self.drop = Dropout(config.dropout)
        self.enter = nn.Conv1d(inputs, config.channels, 1)
        self.stack = nn.Sequential(
            *(Residual(config.channels, config.kernel, dilation, config.dropout) for dilation in config.dilations)
        )
        self.leave = nn.Conv1d(config.channels, 2 + FRAMES, 1)
        with torch.no_grad():  # a promoter's start is rare: begin by saying so
            self.leave.bias[:2] = -5.0

    def forward(self, codes: Tensor, context: int = 0, *, frozen: bool = False) -> tuple[Answers, Answers]:
        """Read codes along both strands.

        Args:
            codes: shape `(batch, length)`.
            context: bases at either end that the encoder alone reads, to know its surroundings.
            frozen: no gradient goes into the encoder.

        Returns:
            Answers along the forward strand and along the reverse strand, of `length - 2 * context` bases.
        """
        lengths = torch.full((len(codes),), codes.shape[1], device=codes.device)
        turned = reverse_complement_codes(codes, lengths)
        states = None
        if self.encoder is not None:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
                states, _ = self.encoder(self.encoder.embed(torch.cat([codes, turned])))
        return self._answers(one_hot(torch.cat([codes, turned])), states, context)

    def from_bases(self, bases: Tensor) -> tuple[Answers, Answers]:
        """The same from base probabilities, shape `(batch, length, 4)`: the door for attribution."""
        lengths = torch.full((len(bases),), bases.shape[1], device=bases.device)
        both = torch.cat([bases, reverse_complement_bases(bases, lengths)])
        states = None
        if self.encoder is not None:
            states, _ = self.encoder(self.encoder.embed_bases(both))
        return self._answers(both, states)

    def _answers(self, bases: Tensor, states: Tensor | None, context: int = 0) -> tuple[Answers, Answers]:
        """From both strands, one under the other along the batch, each in its own reading order."""
        length = bases.shape[1]
        inner = slice(context, length - context)
        parts = [functional.relu(self.motifs(bases[:, inner].transpose(1, 2)))]
        if states is not None:
            parts.append(self.upstream(states, length)[:, :, inner])
        if states is not None and self.downstream is not None:
            # Reading the other strand from its beginning is reading this one from its end.
            parts.append(self.downstream(states.roll(len(states) // 2, 0), length).flip(2)[:, :, inner])
        inputs = self.drop(torch.cat(parts, 1))
        fits = None
        if self.boxes is not None:
            fits = self.boxes(bases.transpose(1, 2))[:, :, inner]
            inputs = torch.cat([inputs, fits], 1)
        out = self.leave(functional.relu(self.stack(self.enter(inputs))))
        if fits is not None:
            out = torch.cat([out[:, :1] + self.trust * fits, out[:, 1:]], 1)
        ahead, back = out.chunk(2)
        return _split(ahead), _split(back.flip(2))

    @property
    def step(self) -> int:
        """Chunks of a stretch show the same k-mers when they begin and end at multiples of so many bases."""
        return 1 if self.config.encoder is None else self.config.encoder.stride

    @property
    def reach(self) -> int:
        """Bases on either side of a base that the convolutions look at."""
        config = self.config
        near = max(config.motif_width // 2, REACH if config.boxes else 0)
        return near + (config.kernel // 2) * sum(config.dilations)


def _split(out: Tensor) -> Answers:
    return Answers(out[:, 0], out[:, 2:].transpose(1, 2), out[:, 1])


class Tracks(nn.Module):
    """The mean of several members' logits.

    Args:
        members: their configurations.
    """

    def __init__(self, members: Sequence[TrackMemberConfig]) -> None:
        super().__init__()
        self.members = nn.ModuleList(TrackMember(config) for config in members)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits that a promoter starts at each base, forward and reverse strand, each `(batch, length)`."""
        return self._mean([member(codes) for member in self.members])

    def from_bases(self, bases: Tensor) -> tuple[Tensor, Tensor]:
        """The same from base probabilities, shape `(batch, length, 4)`."""
        return self._mean([member.from_bases(bases) for member in self.members])

    @staticmethod
    def _mean(answers: list[tuple[Answers, Answers]]) -> tuple[Tensor, Tensor]:
        ahead = torch.stack([one.start for one, _ in answers]).mean(0)
        return ahead, torch.stack([other.start for _, other in answers]).mean(0)

    @property
    def step(self) -> int:
        """See `TrackMember.step`."""
        return lcm(*(member.step for member in self.members))

    @property
    def burn_in(self) -> int:
        """Bases of context that a chunk needs on either side for the scores of a whole pass, within rounding."""
        recurrent = any(member.encoder is not None for member in self.members)
        needed = max(member.reach for member in self.members) + (BURN_IN if recurrent else 0)
        return -(-needed // self.step) * self.step
