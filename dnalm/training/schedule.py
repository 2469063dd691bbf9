"""Learning rates: the one-cycle schedule, slower layers below, and the range test that finds the highest rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

START_DIVISOR = 25
"""A cycle starts at its highest rate over this, fastai's default."""
END_DIVISOR = 1e4
"""And ends at its highest rate over this."""


def one_cycle(step: int, total: int, warmup: float) -> float:
    """Factor on the highest rate at a step (Smith 2018, with fastai's cosine halves).

    Args:
        step: 0 to total - 1.
        total: steps in the cycle.
        warmup: share of them on which the rate rises.
    """
    rise = max(1.0, total * warmup)
    if step < rise:
        return _cosine(1 / START_DIVISOR, 1, step / rise)
    return _cosine(1, 1 / END_DIVISOR, (step - rise) / max(1.0, total - 1 - rise))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def discriminative_factors(groups: int, factor: float) -> list[float]:
    """Factor of each layer group, input first: each learns `factor` times slower than the one above (ULMFiT: 2.6)."""
    return [factor ** -(groups - 1 - index) for index in range(groups)]


def parameter_groups(groups: Sequence[list[nn.Parameter]], factor: float) -> list[dict]:
    """Optimizer groups with their factor; groups without parameters are left out."""
    factors = discriminative_factors(len(groups), factor)
    return [{"params": group, "factor": f} for group, f in zip(groups, factors, strict=True) if group]


def find_learning_rate(
    loss_at: Callable[[int], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    low: float = 1e-5,
    high: float = 1.0,
    steps: int = 100,
) -> float:
    """Range test (Smith 2015, arXiv:1506.01186): raise the rate until the loss diverges, take a tenth of the best.

    The caller hands in a copy of its model: the weights are spoilt.

    Args:
        loss_at: loss of a training step, by its number.
        optimizer: over the copy's parameters.
        low: first rate.
        high: last rate.
        steps: rates tried, evenly on a log scale.

    Returns:
        The rate of the lowest smoothed loss, divided by ten.
    """
    smooth, best, best_rate, losses = 0.0, math.inf, low, []
    for step in range(steps):
        rate = low * (high / low) ** (step / (steps - 1))
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        smooth = 0.9 * smooth + 0.1 * losses[-1]
        current = smooth / (1 - 0.9 ** (step + 1))
        if not np.isfinite(current) or (step > 10 and current > 4 * best):
            break
        if current < best:
            best, best_rate = current, rate
    return best_rate / 10
