"""The stages of gradual unfreezing: the head alone, then one layer more at a time, then everything (ULMFiT)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dnalm.metrics import confusion, correlation
from dnalm.model.classifier import Member
from dnalm.model.predict import pad, rows_by_length
from dnalm.training.config import TrainConfig
from dnalm.training.examples import Batches, Examples
from dnalm.training.loop import Carried, Stage, curve_spacing
from dnalm.training.schedule import discriminative_factors

_BATCH = 256
_BATCH_BASES = 256_000


def unfreezing_stages(
    config: TrainConfig, member: Member, train: Examples, valid: Examples, fabric: Fabric
) -> list[Callable[[], Stage]]:
    """Stages for `Loop.fit`: `head`, then from the last layer down, `all` last and longest.

    Args:
        config: epochs, rates, smoothing.
        member: what is trained.
        train: what it learns from.
        valid: what early stopping looks at.
        fabric: launched.
    """
    groups = member.layer_groups()
    batches = Batches(train, config.batch_size, config.seed, config.reverse_complement_augmentation)
    weights = _class_weights(train.targets, member) if config.class_weights else None

    def stage(free: int) -> Callable[[], Stage]:
        whole = free == len(groups)
        epochs = config.epochs if whole else config.epochs_frozen
        name = "all" if whole else "head" if free == 1 else f"top-{free - 1}"

        def make() -> Stage:
            for index, group in enumerate(groups):
                for parameter in group:
                    parameter.requires_grad_(index >= len(groups) - free)
            factors = discriminative_factors(len(groups), config.discrimination)
            steps = epochs * batches.per_epoch
            return Stage(
                name=name,
                module=member,
                groups=[
                    {"params": group, "factor": factor}
                    for group, factor in list(zip(groups, factors, strict=True))[-free:]
                ],
                steps=steps,
                optimizer=config.optimizer,
                batch=lambda step: batches(step, fabric.global_rank, fabric.world_size),
                loss=_loss(config, weights),
                validate=lambda: validation_figures(member, valid),
                validate_every=batches.per_epoch,
                watch="loss" if whole else None,
                patience=config.patience,
                curve_every=curve_spacing(steps),
                unit="sequences",
                per_step=config.batch_size,
            )

        return make

    counts = [free for free in range(1, len(groups)) if config.epochs_frozen] + ([len(groups)] if config.epochs else [])
    return [stage(free) for free in counts]


def _loss(config: TrainConfig, weights: Tensor | None) -> Any:
    def loss(
        module: nn.Module, batch: tuple[Tensor, Tensor, Tensor], carried: Carried
    ) -> tuple[Tensor, Tensor | float, Carried]:
        codes, lengths, targets = batch
        logits = module(codes, lengths).float()
        moved = None if weights is None else weights.to(logits.device)
        mean = functional.cross_entropy(logits, targets, weight=moved, label_smoothing=config.label_smoothing)
        return mean, len(targets) if moved is None else moved[targets].sum(), None

    return loss


def _class_weights(targets: NDArray[np.int64], member: Member) -> Tensor:
    """Inverse share of each class, so that all count alike."""
    counts = np.bincount(targets)
    return torch.tensor(len(targets) / (len(counts) * np.maximum(counts, 1)), dtype=torch.float32)


@torch.no_grad()
def member_logits(member: Member, sequences: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Logits of sequences, `(n, classes)`, with the member in evaluation mode; its mode is put back."""
    was, device = member.training, next(member.parameters()).device
    member.eval()
    try:
        counts = np.array([len(codes) for codes in sequences], dtype=np.int64)
        batches = list(rows_by_length(counts, _BATCH_BASES, _BATCH))
        found = []
        for rows in batches:
            codes = pad([sequences[row] for row in rows]).to(device)
            found.append(member(codes, torch.from_numpy(counts[rows]).to(device)).float().cpu().numpy())
        return np.concatenate(found)[np.argsort(np.concatenate(batches))]
    finally:
        member.train(was)


def log_loss(logits: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Mean nats of the true classes."""
    shifted = logits - logits.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(targets)), targets]))


def validation_figures(member: Member, valid: Examples) -> dict[str, float]:
    """Loss, accuracy and MCC on the validation part; no MCC where that holds one class alone."""
    logits = member_logits(member, valid.sequences)
    called = logits.argmax(1)
    mcc = float(correlation(confusion(valid.targets, called, logits.shape[1])))
    figures = {"loss": log_loss(logits, valid.targets), "accuracy": float((called == valid.targets).mean())}
    return figures if math.isnan(mcc) else {**figures, "mcc": mcc}
