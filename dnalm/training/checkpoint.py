"""What a checkpoint of a stage holds, so that going on from it gives the same bits as never having stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

Carried = list[tuple[Tensor, Tensor]] | None
Saved = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name, and the small values beside them."""


@dataclass
class Position:
    """Where a stage stands.

    Attributes:
        step: optimizer steps done.
        learning_rate: highest rate of the cycle.
        carried: state that the text read so far left.
        best: lowest value of the watched figure, and `best_weights` what gave it.
        worse: validations since.
        loss_sum: sum of the losses since the last row of metrics, of `loss_count` steps.
    """

    step: int = 0
    learning_rate: float = 0.0
    carried: Carried = None
    best: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    worse: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0

    def mean_loss(self) -> float:
        """Mean loss since the last time this was asked."""
        mean = self.loss_sum / max(1, self.loss_count)
        self.loss_sum, self.loss_count = 0.0, 0
        return mean


def pack(
    at: Position, module: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, fabric: Fabric
) -> Saved:
    """Everything of a stage that later steps depend on; with several processes, of all of them."""
    tensors = {f"model.{key}": value.clone() for key, value in module.state_dict().items()}
    for number, slots in optimizer.state_dict()["state"].items():
        for key, value in slots.items():
            tensors[f"optimizer.{number}.{key}"] = torch.as_tensor(value)
    tensors |= {f"best.{key}": value.clone() for key, value in at.best_weights.items()}
    for key, value in _own(at, generator):
        pieces = [value] if fabric.world_size == 1 else fabric.all_gather(value.to(fabric.device))
        tensors |= {f"rank{rank}.{key}": piece.clone() for rank, piece in enumerate(pieces)}
    state = {
        "step": at.step,
        "learning_rate": at.learning_rate,
        "best": at.best if math.isfinite(at.best) else None,
        "worse": at.worse,
        "loss_sum": at.loss_sum,
        "loss_count": at.loss_count,
        "world": fabric.world_size,
    }
    return tensors, state


def _own(at: Position, generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    """What each process has for itself."""
    yield "random", generator.get_state()
    for layer, pair in enumerate(at.carried or []):
        for side, value in enumerate(pair):
            yield f"carried.{layer}.{side}", value


def unpack(saved: Saved, optimizer: torch.optim.Optimizer, generator: torch.Generator, fabric: Fabric) -> Position:
    """Put the optimizer and the generator back where they stood; the weights are `below(tensors, "model.")`."""
    tensors, state = saved
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in below(tensors, "optimizer.").items():
        number, _, name = key.partition(".")
        slots.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    mine = below(tensors, f"rank{fabric.global_rank}.")
    generator.set_state(mine["random"])
    device = fabric.device
    layers = sum(key.startswith("carried.") for key in mine) // 2
    carried = [tuple(mine[f"carried.{n}.{side}"].to(device) for side in (0, 1)) for n in range(layers)]
    return Position(
        step=state["step"],
        learning_rate=state["learning_rate"],
        carried=carried or None,
        best=math.inf if state["best"] is None else state["best"],
        best_weights={key: value.to(device) for key, value in below(tensors, "best.").items()},
        worse=state["worse"],
        loss_sum=state["loss_sum"],
        loss_count=state["loss_count"],
    )


def below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
