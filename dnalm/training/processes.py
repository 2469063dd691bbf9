"""What several processes that train together share: means, batch norms, decisions, and the way to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn SIGTERM and Ctrl-C into an event that the loop looks at between two steps."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def add_up(fabric: Fabric, values: Sequence[float]) -> list[float]:
    """Sums over all processes; with one process, the values as they are."""
    if fabric.world_size == 1:
        return list(values)
    return fabric.all_reduce(torch.tensor(values, device=fabric.device), reduce_op="sum").tolist()


def first_alone_knows(fabric: Fabric, value: float) -> float:
    """The first process's value, on all of them."""
    return value if fabric.world_size == 1 else float(fabric.broadcast(value, src=0))


class SharedBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation over the batch of all processes, so that sharing a batch out does not change the result.

    `torch.nn.SyncBatchNorm` does this on GPUs alone.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x`, shape `(batch, features)`, where the batch is this process's share."""
        if not self.training or not distributed.is_initialized():
            return super().forward(x)
        wide = x.float()
        count = all_reduce(wide.new_tensor(float(len(wide))))
        mean = all_reduce(wide.sum(0)) / count
        variance = all_reduce((wide - mean).pow(2).sum(0)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1).clamp_min(1), self.momentum)
        return ((wide - mean) * (variance + self.eps).rsqrt() * self.weight + self.bias).to(x.dtype)


def share_batch_norms(module: nn.Module) -> None:
    """Put a `SharedBatchNorm1d` with the same weights in the place of each batch norm below `module`."""
    for parent in list(module.modules()):
        for name, norm in parent.named_children():
            if type(norm) is nn.BatchNorm1d:
                shared = SharedBatchNorm1d(norm.num_features, norm.eps, norm.momentum)
                shared.weight, shared.bias = norm.weight, norm.bias
                shared.running_mean, shared.running_var = norm.running_mean, norm.running_var
                shared.num_batches_tracked = norm.num_batches_tracked
                setattr(parent, name, shared.train(norm.training))
