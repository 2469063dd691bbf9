"""What a configuration will do, stage by stage: how many steps, at which learning rate, which layers learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnalm.training.config import FinetuneConfig, OptimizerConfig, PretrainConfig, TrainConfig
from dnalm.training.finetune import DISCRIMINATION
from dnalm.training.schedule import discriminative_factors, one_cycle

Phase = Literal["pretrain", "finetune", "train", "track"]
PHASES: dict[str, str] = {
    "pretrain": "Pre-train the language model",
    "finetune": "Fine-tune the language model",
    "train": "Train the classifier",
    "track": "Train the track model",
}


@dataclass(frozen=True)
class PlannedStage:
    """One stretch of training, as `dnalm.training.loop.Stage` will run it.

    Attributes:
        phase: which of the three phases it is part of.
        name: the stage in `metrics.jsonl`.
        steps: optimizer steps; the most, where `at_most`.
        epochs: passes over the text or the sequences.
        peak: highest learning rate; none where a range test finds it.
        warmup: share of the steps on which the rate rises.
        factors: of each layer on the learning rate, from the input up; 0 is frozen.
        at_most: it may end before its last step, when validation gets no better.
    """

    phase: Phase
    name: str
    steps: int
    epochs: float
    peak: float | None
    warmup: float
    factors: tuple[float, ...]
    at_most: bool = False

    def rate(self, step: int) -> float:
        """Highest layer's learning rate at a step; a share of the peak where that is yet to be found."""
        return (1.0 if self.peak is None else self.peak) * one_cycle(step, self.steps, self.warmup)


def layer_names(layers: int) -> list[str]:
    """Names of the layer groups from the input up."""
    numbered = [f"LSTM layer {number}" for number in range(1, layers + 1)] if layers > 1 else ["LSTM layer"]
    return ["k-mer embedding", *numbered, "head"]


def _of(optimizer: OptimizerConfig) -> tuple[float | None, float]:
    rate = optimizer.learning_rate
    return (None if rate == "find" else float(rate)), optimizer.warmup


def pretraining(config: PretrainConfig, steps: int, steps_per_epoch: int) -> list[PlannedStage]:
    """Phase 1: all layers at one rate."""
    groups = config.resolved_encoder().layers + 2
    factors = (1.0,) * groups
    return [
        PlannedStage("pretrain", "pretrain", steps, steps / max(1, steps_per_epoch), *_of(config.optimizer), factors)
    ]


def finetuning(config: FinetuneConfig, batches: int, layers: int) -> list[PlannedStage]:
    """Phase 2: each layer slower than the one above it.

    Args:
        config: epochs and rates.
        batches: in an epoch.
        layers: LSTM layers of the language model.
    """
    factors = tuple(discriminative_factors(layers + 2, DISCRIMINATION))
    steps = config.epochs * batches
    return [PlannedStage("finetune", "finetune", steps, config.epochs, *_of(config.optimizer), factors)]


def unfreezing(config: TrainConfig, batches: int, layers: int) -> list[PlannedStage]:
    """Phase 3: the head alone, then one layer more at a time, then everything; nothing for a head that is fitted."""
    groups = layers + 2
    factors = discriminative_factors(groups, config.discrimination)
    stages = []
    for free in range(1, groups + 1):
        whole = free == groups
        epochs = config.epochs if whole else config.epochs_frozen
        if epochs:
            name = "all" if whole else "head" if free == 1 else f"top-{free - 1}"
            frozen = (0.0,) * (groups - free)
            moving = (*frozen, *factors[groups - free :])
            stages.append(
                PlannedStage("train", name, epochs * batches, epochs, *_of(config.optimizer), moving, at_most=whole)
            )
    return stages
