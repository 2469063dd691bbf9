"""What a change of some bases does to the features that the `wide` head counts: only the k-mers that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dnalm.alphabet import UNKNOWN
from dnalm.model.heads import WideHead

NONE = -1
Keys = Callable[[Tensor, Tensor], Tensor]
"""From k-mers' bases `(n, starts, extent)` and their starts `(n, starts)` to features `(n, starts, copies)`."""


@dataclass(frozen=True)
class Counted:
    """Features that count patterns of neighbouring bases.

    Attributes:
        extent: bases of a pattern.
        keys: which features a pattern is counted in; `NONE` for one that is not.
        weights: of each feature, shape `(size, outputs)`.
        value: of a count; None: the count itself.
        shares: whether counts are divided by the number of known patterns.
    """

    extent: int
    keys: Keys
    weights: Tensor
    value: Callable[[Tensor], Tensor] | None = None
    shares: bool = False

    def at(self, codes: Tensor, starts: Tensor) -> Tensor:
        """Features of the patterns that begin at some places, shape `(n, starts, copies)`.

        Args:
            codes: shape `(n, length)`.
            starts: shape `(n, starts)`; where a pattern would not lie within the sequence, there is none.
        """
        length = codes.shape[1]
        inside = (starts >= 0) & (starts <= length - self.extent)
        place = starts.clamp(0, max(0, length - self.extent))
        offsets = torch.arange(self.extent, device=codes.device)
        index = (place.unsqueeze(-1) + offsets).clamp_max(length - 1)
        bases = torch.gather(codes.long(), 1, index.flatten(1)).view(index.shape)
        return self.keys(bases, place).masked_fill(~inside.unsqueeze(-1), NONE)


class Counts:
    """The counted features of one sequence, and how variants change what they add up to.

    Args:
        counted: the features.
        codes: integers, shape `(1, length)`.
    """

    def __init__(self, counted: Counted, codes: Tensor) -> None:
        self.counted = counted
        starts = torch.arange(codes.shape[1], device=codes.device)[None]
        keys = counted.at(codes, starts)
        keys = keys[keys != NONE]
        self.counts = torch.bincount(keys, minlength=len(counted.weights)).to(counted.weights.dtype)
        self.known = self.counts.sum()
        self.sum = self.counts @ counted.weights if counted.shares else None

    def change(self, before: Tensor, after: Tensor, first: Tensor, span: int) -> Tensor:
        """Difference in what the features add up to, shape `(n, outputs)`.

        Args:
            before: the sequence, `(1, length)`.
            after: its variants, `(n, length)`.
            first: first changed base of each, `(n,)`.
            span: bases from there in which all changes lie.
        """
        counted = self.counted
        around = torch.arange(1 - counted.extent, span, device=after.device)
        starts = first.unsqueeze(1) + around
        old = counted.at(before.expand(len(after), -1), starts)
        new = counted.at(after, starts)
        moved = old != new
        row = torch.arange(len(after), device=after.device).view(-1, 1, 1).expand_as(old)
        out = counted.weights.new_zeros(len(after), counted.weights.shape[1])
        gone, come = moved & (old != NONE), moved & (new != NONE)
        if counted.value is not None:
            self._add_values(out, row, (old, gone), (new, come))
            return out
        out.index_add_(0, row[come], counted.weights[new[come]])
        out.index_add_(0, row[gone], -counted.weights[old[gone]])
        if self.sum is None:
            return out
        known = self.known + come.flatten(1).sum(1) - gone.flatten(1).sum(1)
        return (self.sum + out) / known.clamp_min(1).unsqueeze(1) - self.sum / self.known.clamp_min(1)

    def _add_values(self, out: Tensor, row: Tensor, gone: tuple[Tensor, Tensor], come: tuple[Tensor, Tensor]) -> None:
        value = self.counted.value
        assert value is not None
        size = len(self.counted.weights)
        places = torch.cat([(row * size + keys)[chosen] for keys, chosen in (come, gone)])
        signs = self.counts.new_ones(len(places))
        signs[int(come[1].sum()) :] = -1
        places, index = places.unique(return_inverse=True)
        moved = signs.new_zeros(len(places)).index_add_(0, index, signs)
        rows, keys = torch.div(places, size, rounding_mode="floor"), places % size
        was = self.counts[keys]
        difference = value(was + moved) - value(was)
        out.index_add_(0, rows, difference.unsqueeze(1) * self.counted.weights[keys])


def counted_features(head: WideHead, weights: dict[str, Tensor]) -> Iterator[Counted]:
    """All counted features of a head.

    Args:
        head: whose features.
        weights: of each block's features, shape `(size, outputs)`.
    """
    config = head.config
    if "kmers" in weights:
        sizes = [4**k for k in range(1, config.kmer + 1)]
        for k, part in enumerate(weights["kmers"].split(sizes), 1):
            yield Counted(k, _whole, part, shares=True)
    if "gapped" in weights:
        pairs = [(k, gap) for k, gaps in config.gapped_kmers for gap in range(gaps)]
        for (k, gap), part in zip(pairs, weights["gapped"].split([16**k for k, _ in pairs]), strict=True):
            yield Counted(2 * k + gap, _pair(k), part, torch.log1p)
    if "words" in weights:
        keys = _both_strands if config.words_of_both_strands else _whole
        yield Counted(2 * config.half_word, keys, weights["words"], _present)
    if "windows" in weights:
        centres = {k: len(head._centres(k)) for k in config.window_kmers}
        parts = weights["windows"].split([count * 4**k for k, count in centres.items()])
        for (k, count), part in zip(centres.items(), parts, strict=True):
            yield Counted(k, _windowed(k, count, config.window // 2, config.window_step), part, _present)
    if "bases" in weights:
        yield Counted(1, _placed(1), weights["bases"])
    if "places" in weights:
        length = config.length or 0
        sizes = [max(0, length - k + 1) * 4**k for k in config.place_kmers]
        for k, part in zip(config.place_kmers, weights["places"].split(sizes), strict=True):
            if len(part):
                yield Counted(k, _placed(k), part)


def in_place(weights: Tensor) -> Counted:
    """The bases in place, four features a position: `weights` has the shape `(4 * length, outputs)`."""
    return Counted(1, _placed(1), weights)


def _present(count: Tensor) -> Tensor:
    return count.clamp_max(1)


def _number(bases: Tensor) -> Tensor:
    """Number of each k-mer, `NONE` where a base is unknown, shape `(n, starts)` from `(n, starts, k)`."""
    number = torch.zeros_like(bases[..., 0])
    for base in bases.unbind(-1):
        number = number * 4 + base
    return number.masked_fill((bases >= UNKNOWN).any(-1), NONE)


def _whole(bases: Tensor, starts: Tensor) -> Tensor:
    return _number(bases).unsqueeze(-1)


def _other_strand(bases: Tensor) -> Tensor:
    return torch.where(bases < UNKNOWN, 3 - bases, bases).flip(-1)


def _both_strands(bases: Tensor, starts: Tensor) -> Tensor:
    return torch.stack([_number(bases), _number(_other_strand(bases))], -1)


def _pair(k: int) -> Keys:
    def keys(bases: Tensor, starts: Tensor) -> Tensor:
        found = []
        for strand in (bases, _other_strand(bases)):
            left, right = _number(strand[..., :k]), _number(strand[..., -k:])
            number = left * 4**k + right
            found.append(number.masked_fill((left == NONE) | (right == NONE), NONE))
        return torch.stack(found, -1)

    return keys


def _placed(k: int) -> Keys:
    def keys(bases: Tensor, starts: Tensor) -> Tensor:
        number = _number(bases)
        return torch.where(number == NONE, NONE, starts * 4**k + number).unsqueeze(-1)

    return keys


def _windowed(k: int, centres: int, half: int, step: int) -> Keys:
    """A k-mer is counted in each window, around one of `centres` places `step` apart, that it begins in."""

    def keys(bases: Tensor, starts: Tensor) -> Tensor:
        number = _number(bases)
        lowest = torch.div(starts - half + step - 1, step, rounding_mode="floor")
        found = []
        for more in range(2 * half // step + 1):
            window = lowest + more
            out = (window < 0) | (window >= centres) | (window * step > starts + half) | (number == NONE)
            found.append((window * 4**k + number).masked_fill(out, NONE))
        return torch.stack(found, -1)

    return keys
