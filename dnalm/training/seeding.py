"""A model's first weights, drawn from a seed without touching anybody else's random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block PyTorch draws from `seed`; afterwards its state is as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
