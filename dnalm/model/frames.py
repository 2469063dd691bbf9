"""What the reading frames of a sequence say: its longest open one, and the codons that it uses.

As in CPAT (Wang 2013, doi:10.1093/nar/gkt006): a transcript that codes for a protein has a long open reading frame that
covers much of it, and uses codons, and neighbouring codons, as genes of its kind do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dnalm.model.doors import kmer_probabilities

CODONS = 64
EXTENTS = 5
"""Features of `extents`."""
_ATG = 0 * 16 + 3 * 4 + 2
_STOPS = (3 * 16 + 0 * 4 + 0, 3 * 16 + 0 * 4 + 2, 3 * 16 + 2 * 4 + 0)  # TAA, TAG, TGA


def frames(bases: Tensor) -> tuple[Tensor, Tensor]:
    """Read the three frames of the strand that is given.

    Args:
        bases: base probabilities, shape `(batch, length, 4)`; an unknown base, and what lies behind a sequence's end,
            is all zeros and ends an open frame.

    Returns:
        - extents, `(batch, 5)`: logarithm (of one more) of the codons of the longest stretch from an ATG to before a
          stop, or the end, in any frame; the same of the longest stretch without a stop; the shares of the sequence
          that the two cover; and the logarithm of its length.
        - codons, `(batch, 64 + 4096)`: square roots of the shares of codons, and of pairs of neighbouring codons, in
          that longest stretch from an ATG; zeros where there is none.
    """
    batch = len(bases)
    known = bases.sum(2).sum(1).clamp_min(1)
    if bases.shape[1] < 3:
        extents = bases.new_zeros(batch, EXTENTS)
        extents[:, 4] = known.log()
        return extents, bases.new_zeros(batch, CODONS + CODONS**2)
    codons = kmer_probabilities(bases, 3, 1)
    short = -codons.shape[1] % 3
    codons = torch.nn.functional.pad(codons, (0, 0, 0, short)).unflatten(1, (-1, 3)).transpose(1, 2)  # frame, codon
    go_on = codons.sum(-1) - codons[..., list(_STOPS)].sum(-1)
    coding, free = _open_runs(go_on, codons[..., _ATG])
    longest, place = coding.flatten(1).max(1)
    freest = free.flatten(1).amax(1)
    extents = torch.stack(
        [longest.log1p(), freest.log1p(), 3 * longest / known, 3 * freest / known, known.log()], dim=1
    )
    return extents, _usage(codons, longest, place)


def _open_runs(go_on: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
    """Codons since the first ATG, and since the last stop, at each codon of each frame: `(batch, 3, codons)` each."""
    if bool(((go_on == 0) | (go_on == 1)).all() & ((begins == 0) | (begins == 1)).all()):
        return _known_runs(go_on, begins)
    inside, coding, free = (torch.zeros_like(go_on[..., 0]) for _ in range(3))
    of_coding, of_free = [], []
    for one_on, one_begins in zip(go_on.unbind(-1), begins.unbind(-1), strict=True):
        inside = one_on * torch.maximum(inside, one_begins)
        coding = one_on * coding + inside
        free = one_on * (free + 1)
        of_coding.append(coding)
        of_free.append(free)
    return torch.stack(of_coding, -1), torch.stack(of_free, -1)


def _known_runs(go_on: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
    """The same where every base is known or none: from the places of stops and ATGs, a hundred times as fast."""
    at = torch.arange(go_on.shape[-1], device=go_on.device).expand_as(go_on)
    stop = at.masked_fill(go_on > 0, -1).cummax(-1).values
    begun = at.masked_fill(begins == 0, -1)
    earlier = torch.nn.functional.pad(begun.cummax(-1).values[..., :-1], (1, 0), value=-1)
    # An ATG that no other precedes since the last stop is where a frame begins to code.
    first = begun.masked_fill(earlier > stop, -1).cummax(-1).values
    coding = torch.where(first > stop, at - first + 1, 0)
    return coding.to(go_on.dtype), (at - stop).to(go_on.dtype)


def _usage(codons: Tensor, longest: Tensor, place: Tensor) -> Tensor:
    """Square roots of the shares of codons and of neighbouring codons in each sequence's longest stretch."""
    count = codons.shape[2]
    frame, last = place // count, place % count
    of_frame = codons[torch.arange(len(codons), device=codons.device), frame]
    first = (last - longest.detach().round().long() + 1).clamp_min(0)
    at = torch.arange(count, device=codons.device)
    inside = (at >= first[:, None]) & (at <= last[:, None]) & (longest[:, None] > 0)
    used = of_frame * inside.unsqueeze(-1).to(of_frame.dtype)
    single = used.sum(1)
    pairs = (used[:, :-1].transpose(1, 2) @ used[:, 1:]).flatten(1)
    shares = [part / part.sum(1, keepdim=True).clamp_min(1) for part in (single, pairs)]
    # The root's slope is endless at zero: what is not there gets none.
    return torch.cat([torch.where(part > 0, part, 1).sqrt() * (part > 0) for part in shares], 1)
