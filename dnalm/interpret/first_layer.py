"""Each head as one linear layer on the states and the bases, and what follows it: so that changes can be added up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dnalm.interpret.counted import Counted, counted_features, in_place
from dnalm.interpret.outlook import InPlace, OfStates
from dnalm.model.frames import frames
from dnalm.model.heads import AlignedHead, Encoding, PoolHead, WideHead, pools


@dataclass(frozen=True)
class FirstLayer:
    """The linear part of a head, without its constant.

    Attributes:
        strands: what it makes of each strand's states.
        counted: features that count bases.
        coding: weights of the features of reading frames, which depend on the whole sequence, `(size, outputs)`.
        start: what the layer gives for an encoding, `(n, outputs)`.
        rest: what follows, from `(n, outputs)` to logits.
    """

    strands: list[OfStates]
    start: Callable[[Encoding], Tensor]
    rest: Callable[[Tensor], Tensor]
    counted: list[Counted] = field(default_factory=list)
    coding: Tensor | None = None

    def of_coding(self, bases: Tensor) -> Tensor | None:
        """What the reading frames of one-hot bases `(n, length, 4)` add, `(n, outputs)`."""
        return None if self.coding is None else torch.cat(frames(bases), 1) @ self.coding


def first_layer(head: nn.Module, strands: int) -> FirstLayer:
    """The first layer of any head."""
    if isinstance(head, WideHead):
        return _of_wide(head, strands)
    if isinstance(head, AlignedHead):
        return _of_aligned(head, strands)
    assert isinstance(head, PoolHead)
    return _of_pool(head, strands)


def _of_wide(head: WideHead, strands: int) -> FirstLayer:
    blocks = dict(zip(head.sizes, head.linear.weight.t().split(list(head.sizes.values())), strict=True))
    classes, (width, kept) = head.linear.out_features, head.components.shape
    place: list[InPlace | None] = [None] * strands
    if "states" in blocks:
        place = [
            InPlace(head.components, part.reshape(-1, kept, classes)) for part in blocks["states"].chunk(strands, 0)
        ]
    # In the order of `blocks`: the highest and the mean state of each strand.
    pooled = blocks["pools"].split(width)
    of_states = [OfStates(place[one], None, pooled[2 * one], pooled[2 * one + 1]) for one in range(strands)]
    coding = torch.cat([blocks["frames"], blocks["codons"]]) if "frames" in blocks else None
    return FirstLayer(of_states, head.forward, lambda logits: logits, list(counted_features(head, blocks)), coding)


def _of_aligned(head: AlignedHead, strands: int) -> FirstLayer:
    """The layer's outputs are those before the hidden layer's rectifier, then the linear path's logits."""
    width, kept = head.projection.in_features, head.projection.out_features
    classes = head.linear.out_features
    weights = _first_weights(head.mlp)
    hidden = weights.shape[1]
    of_states = []
    for part in weights.chunk(strands, 0):
        tokens = (len(part) - 3 * width) // kept
        states, rest = part[: tokens * kept], part[tokens * kept :]
        maps = nn.functional.pad(states.reshape(tokens, kept, hidden), (0, classes))
        place = InPlace(head.projection.weight.t(), maps)
        of_states.append(OfStates(place, *nn.functional.pad(rest, (0, classes)).split(width)))
    linear = nn.functional.pad(head.linear.weight.t(), (hidden, 0))

    def start(x: Encoding) -> Tensor:
        features = []
        for states in (x.states, x.other):
            if states is not None:
                features += [head.projection(states).flatten(1), *pools(states, x.tokens)]
        return torch.cat([_before_rectifier(head.mlp, torch.cat(features, 1)), head.linear(x.bases.flatten(1))], 1)

    def rest(outputs: Tensor) -> Tensor:
        return _after(head.mlp, outputs[:, :hidden]) + outputs[:, hidden:]

    return FirstLayer(of_states, start, rest, [in_place(linear)])


def _of_pool(head: PoolHead, strands: int) -> FirstLayer:
    weights = _first_weights(head.mlp)
    width = len(weights) // (3 * strands)

    def start(x: Encoding) -> Tensor:
        features = [part for states in (x.states, x.other) if states is not None for part in pools(states, x.tokens)]
        return _before_rectifier(head.mlp, torch.cat(features, 1))

    of_states = [OfStates(None, *part.split(width)) for part in weights.chunk(strands, 0)]
    return FirstLayer(of_states, start, lambda outputs: _after(head.mlp, outputs))


def _first_weights(mlp: nn.Sequential) -> Tensor:
    """Weights from features to the hidden layer through the normalisation, which is linear when not training."""
    norm, linear = mlp[0], mlp[2]
    return (linear.weight * (norm.weight / torch.sqrt(norm.running_var + norm.eps))).t()


def _before_rectifier(mlp: nn.Sequential, features: Tensor) -> Tensor:
    return mlp[2](mlp[0](features))


def _after(mlp: nn.Sequential, hidden: Tensor) -> Tensor:
    for layer in list(mlp)[3:]:
        hidden = layer(hidden)
    return hidden
