"""Reading many variants of one sequence, each only where its states are not the sequence's own.

A variant shares its states with the sequence up to the first changed k-mer. All variants walk along the sequence
together, joining where they differ, so that a step is one matrix product. They leave when nothing more will come of the
difference than what is known already: because their states are the sequence's again, or because the outlook, which
takes the difference's effect to be in proportion to it, has stayed the same for some looks, and the difference is so
small that its square, by which that is wrong, does not count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dnalm.interpret.outlook import LOOK, OfStates, Outlook
from dnalm.interpret.strand import Strand
from dnalm.model.doors import kmer_ids

_WORTH = 2.0
_STAY = 48  # tokens that a variant walks before it leaves, about
_AGREED = 2  # looks that say the same as the one before them


class Follower:
    """Follows variants of one strand of a sequence.

    Args:
        strand: the sequence's strand.
        weights: the part of a head's first layer that reads its states.
        tolerance: a variant leaves where none of its states differs by more; or where the outputs that are foreseen
            change by no more from look to look, and the square of the states' difference adds no more to them. Below
            0: never.
    """

    def __init__(self, strand: Strand, weights: OfStates, tolerance: float) -> None:
        self.strand, self.weights, self.tolerance = strand, weights, tolerance
        self.steps = 0
        """Variants times tokens that were computed."""
        self._outlook: Outlook | None = None

    def expect(self, first: Tensor) -> None:
        """Prepare for variants whose first changed bases are these: an outlook pays where they are many and it is long.

        Args:
            first: shape `(variants,)`, of this strand.
        """
        if self.tolerance < 0 or not len(first):
            return
        joins = self._joins(first)
        earliest, tokens, width = int(joins.min()), len(self.strand), self.strand.top.shape[1]
        plain = float((tokens - joins).clamp_min(0).sum())
        price = (self.weights.outputs + width) * (tokens - earliest) + len(first) * _STAY
        known = self._outlook is not None and self._outlook.earliest <= earliest
        if not known and plain > _WORTH * price:
            self._outlook = Outlook(self.strand, self.weights, earliest)

    def _joins(self, first: Tensor) -> Tensor:
        """The first token that holds a base."""
        tokenizer = self.strand.tokenizer
        return torch.div(first - tokenizer.k, tokenizer.stride, rounding_mode="floor").add(1).clamp_min(0)

    def difference(self, codes: Tensor, first: Tensor, last: Tensor) -> Tensor:
        """By how much the outputs of n variants differ from the sequence's, shape `(n, outputs)`.

        Args:
            codes: integers, shape `(n, length)`, of this strand.
            first: first changed base of each, `(n,)`.
            last: last changed base of each, `(n,)`; before `first` where nothing is changed.
        """
        tokenizer, tokens = self.strand.tokenizer, len(self.strand)
        ids = kmer_ids(codes, tokenizer)
        joins = self._joins(first)
        ends = torch.div(last, tokenizer.stride, rounding_mode="floor").clamp_max(tokens - 1)
        joins = torch.where(joins <= ends, joins, tokens)
        order = torch.argsort(joins, stable=True)
        due = torch.bincount(joins, minlength=tokens + 1).cumsum(0).tolist()
        out = self.strand.top.new_zeros(len(codes), self.weights.outputs)
        walk = _Walk(self.strand, self.weights, order[: due[tokens - 1]], ids, ends)
        outlook = self._outlook
        if outlook is not None and bool((joins < outlook.earliest).any()):
            outlook = None  # of other variants: it does not reach back to these
        every = outlook.every if outlook else LOOK
        for token in range(tokens - 1):
            walk.join(token, due[token])
            if not walk.rows:
                continue
            walk.step(token)
            self.steps += walk.rows
            if (token + 1) % every == 0 and self.tolerance >= 0:
                walk.leave(token, outlook, self.tolerance, out)
        walk.join(tokens - 1, due[tokens - 1])
        if walk.rows:
            walk.step(tokens - 1)
            self.steps += walk.rows
            out[walk.who] = walk.known(walk.highest) + walk.at_end()
        return out


class _Walk:
    """The variants under way, in rows `0` to `rows` of every buffer."""

    def __init__(self, strand: Strand, weights: OfStates, order: Tensor, ids: Tensor, ends: Tensor) -> None:
        self.strand, self.weights, self.order, self.ids, self.ends = strand, weights, order, ids, ends
        self.joined = self.rows = 0
        below = sum(layer.width for layer in strand.layers[:-1])
        self._top = slice(below, below + strand.layers[-1].width)  # among all layers' states
        count, top = len(order), strand.top
        self._hidden, self._cell = ([top.new_empty(count, one.width) for one in strand.layers] for _ in range(2))
        self._total, self._highest = top.new_zeros(count, top.shape[1]), top.new_empty(count, top.shape[1])
        self._placed = top.new_zeros(count, weights.outputs)
        self._said = top.new_full((count, weights.outputs), torch.inf)
        self._agreed = torch.zeros_like(order)
        self._who = order.clone()
        self._buffers = [*self._hidden, *self._cell, self._total, self._highest, self._placed]
        self._buffers += [self._said, self._agreed, self._who]

    @property
    def who(self) -> Tensor:
        """Which variants they are."""
        return self._who[: self.rows]

    @property
    def highest(self) -> Tensor:
        """Highest state so far."""
        return self._highest[: self.rows]

    def join(self, token: int, due: int) -> None:
        """Take in the variants that differ from this token on; up to `due` of the order have joined then."""
        more = due - self.joined
        if not more:
            return
        new = slice(self.rows, self.rows + more)
        self._who[new] = self.order[self.joined : due]
        for number, reading in enumerate(self.strand.readings):
            self._hidden[number][new] = reading.hidden[token - 1] if token else 0
            self._cell[number][new] = reading.cell[token - 1] if token else 0
        self._highest[new] = self.strand.highest_until[token - 1] if token else -torch.inf
        self._total[new], self._placed[new], self._said[new], self._agreed[new] = 0, 0, torch.inf, 0
        self.rows, self.joined = self.rows + more, due

    def step(self, token: int) -> None:
        """Read a token."""
        here = slice(0, self.rows)
        hidden, cell = [part[here] for part in self._hidden], [part[here] for part in self._cell]
        self.strand.step(self.ids[self.who, token], hidden, cell)
        top, highest, place = hidden[-1], self.highest, self.weights.place
        difference = top - self.strand.top[token]
        self._total[here] += difference
        torch.maximum(highest, top, out=highest)
        if place is not None:
            self._placed[here].addmm_(difference @ place.narrow, place.maps[token])

    def known(self, highest: Tensor) -> Tensor:
        """Difference of the outputs by what was read so far, and a highest state."""
        outputs = torch.addmm(self._placed[: self.rows], self._total[: self.rows], self.weights.mean / len(self.strand))
        return outputs.addmm_(highest - self.strand.highest_until[-1], self.weights.highest)

    def at_end(self) -> Tensor:
        """What the last state adds."""
        if self.weights.last is None:
            return self._placed.new_zeros(())
        return (self._hidden[-1][: self.rows] - self.strand.top[-1]) @ self.weights.last

    def leave(self, token: int, outlook: Outlook | None, tolerance: float, out: Tensor) -> None:
        """Let those go of which all is known, after a token."""
        past = self.ends[self.who] <= token
        difference = torch.cat([part[: self.rows] - own[token] for part, own in self._states()], 1)
        later = self.strand.highest_from[token + 1]
        if outlook is None:
            done = past & (difference.abs().amax(1) <= tolerance)
            if not bool(done.any()):
                return
            said = self.known(torch.maximum(self.highest, later))
        else:
            coming, units = outlook.of(token, difference)
            said = self.known(torch.maximum(self.highest, later + units)) + coming
            done = self._settled(said, past, difference[:, self._top], tolerance)
        out[self.who[done]] = said[done]
        stay = torch.nonzero(~done).squeeze(1)
        if len(stay) < self.rows:
            for buffer in self._buffers:
                buffer[: len(stay)] = buffer.index_select(0, stay)
            self.rows = len(stay)

    def _settled(self, said: Tensor, past: Tensor, difference: Tensor, tolerance: float) -> Tensor:
        """Whether the outputs have been foreseen alike often enough, by differences that are small enough."""
        before, agreed = self._said[: self.rows], self._agreed[: self.rows]
        alike = past & ((said - before).abs().amax(1) <= tolerance)
        agreed.add_(1).mul_(alike)
        before.copy_(torch.where(past.unsqueeze(1), said, torch.inf))
        # Which of two tokens a unit is highest at may change with the difference itself: a second-order matter.
        return (agreed >= _AGREED) & ((difference.square() @ self.weights.highest.abs()).amax(1) <= tolerance)

    def _states(self) -> list[tuple[Tensor, Tensor]]:
        readings = self.strand.readings
        hidden = list(zip(self._hidden, (one.hidden for one in readings), strict=True))
        return hidden + list(zip(self._cell, (one.cell for one in readings), strict=True))
