"""The one training loop: every phase is a list of stages, and this runs them, checkpoints and resumes.

Bit for bit the same after a kill: the order of the data is a function of the seed and the step, and a checkpoint
holds the weights, the optimizer, the carried state, the random generators and the best weights so far.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dnalm.errors import RunError
from dnalm.model.dropout import set_generator
from dnalm.training.config import ComputeConfig, OptimizerConfig
from dnalm.training.run import RunFolder
from dnalm.training.schedule import one_cycle

Carried = list[tuple[Tensor, Tensor]] | None
Progress = Callable[[dict[str, Any]], None]
_REPORT_SECONDS = 1.0


@dataclass
class Stage:
    """One stretch of training with its own optimizer and one-cycle schedule.

    Attributes:
        name: the stage in `progress.json` and `metrics.jsonl`; unique within a run.
        module: what is trained; all its weights are in the checkpoint, also those that no group trains.
        groups: optimizer groups, each with `params` and its `factor` on the learning rate.
        steps: optimizer steps.
        optimizer: rates and clipping.
        batch: the batch of a step, as CPU tensors: a function of the step alone.
        loss: from the (wrapped) module, the batch on the device and the carried state, the loss and the new state.
        validate: figures by name, on this process.
        validate_every: steps between validations.
        watch: the figure whose lowest value is kept; none keeps the last weights.
        patience: validations without a better one before the stage ends.
        unit: what the rate counts, with `per_step` of it a step.
        after_step: called with the step; lets go of memory.
    """

    name: str
    module: nn.Module
    groups: list[dict[str, Any]]
    steps: int
    optimizer: OptimizerConfig
    batch: Callable[[int], tuple[Any, ...]]
    loss: Callable[[nn.Module, tuple[Any, ...], Carried], tuple[Tensor, Carried]]
    validate: Callable[[], dict[str, float]] | None = None
    validate_every: int = 1000
    watch: str | None = None
    patience: int = 1 << 30
    unit: str = "bases"
    per_step: float = 1.0
    after_step: Callable[[int], None] | None = None


@dataclass
class _Position:
    """Where a stage stands."""

    step: int = 0
    carried: Carried = None
    best: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    worse: int = 0


def make_fabric(compute: ComputeConfig) -> Fabric:
    """Choose device and precision; `fabric.launch()` is the caller's."""
    if compute.threads:
        torch.set_num_threads(compute.threads)
    precision = compute.precision
    if precision == "auto":
        on_cuda = compute.accelerator in ("auto", "cuda") and torch.cuda.is_available()
        precision = "bf16-mixed" if on_cuda and torch.cuda.is_bf16_supported() else "32-true"
    strategy = "ddp" if compute.devices > 1 else "auto"
    return Fabric(accelerator=compute.accelerator, devices=compute.devices, strategy=strategy, precision=precision)


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


class Loop:
    """Runs stages one after another in a run folder.

    Args:
        run: where it writes.
        fabric: launched.
        seed: of the dropouts; each stage and process draws from a generator of its own.
        checkpoint_seconds: least time between checkpoints.
        progress: called about once a second with what `progress.json` says.
    """

    def __init__(
        self,
        run: RunFolder,
        fabric: Fabric,
        *,
        seed: int,
        checkpoint_seconds: float = 60,
        progress: Progress | None = None,
    ) -> None:
        self.run, self.fabric, self.seed = run, fabric, seed
        self.checkpoint_seconds, self.progress = checkpoint_seconds, progress

    def fit(self, stages: Sequence[Callable[[], Stage]]) -> None:
        """Run all stages, from the last checkpoint where there is one.

        Args:
            stages: made when their turn comes, so that each sees the weights that the one before left.

        Raises:
            RunError: the loss is not a number, or the checkpoint does not fit.
            KeyboardInterrupt: stopped by a signal, after a checkpoint.
        """
        saved = self.run.load_checkpoint()
        with stop_signals() as stop:
            for index, make in enumerate(stages):
                if saved and index < saved[1]["stage"]:
                    continue
                stage = make()
                here = saved if saved and index == saved[1]["stage"] else None
                self._fit_stage(index, stage, here, stop)

    def _fit_stage(
        self, index: int, stage: Stage, saved: tuple[dict[str, Tensor], dict[str, Any]] | None, stop: threading.Event
    ) -> None:
        device = self.fabric.device
        generator = torch.Generator(device=device).manual_seed(
            self.seed * 1_000_003 + index * 1009 + self.fabric.global_rank
        )
        stage.module.to(device)
        position = _Position()
        if saved:
            tensors, state = saved
            if state["world"] != self.fabric.world_size:
                raise RunError(
                    f"the checkpoint was written by {state['world']} processes, this run has {self.fabric.world_size}:"
                    " resume with as many devices"
                )
            stage.module.load_state_dict(_below(tensors, "model."))
        for group in stage.groups:
            group.setdefault("lr", 0.0)
        optimizer = torch.optim.AdamW(
            stage.groups, weight_decay=stage.optimizer.weight_decay, betas=(0.9, stage.optimizer.beta2)
        )
        module, wrapped = self.fabric.setup(stage.module, optimizer)
        if saved:
            position = self._restore(tensors, state, optimizer, generator)
            self.run.trim_metrics(state["metrics_rows"])
        set_generator(stage.module, generator)
        try:
            self._steps(index, stage, module, wrapped, optimizer, generator, position, stop)
        finally:
            set_generator(stage.module, None)
        if position.best_weights:
            stage.module.load_state_dict(position.best_weights)

    def _steps(
        self,
        index: int,
        stage: Stage,
        module: nn.Module,
        wrapped: Any,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        position: _Position,
        stop: threading.Event,
    ) -> None:
        rates = stage.optimizer
        saved_at = reported_at = started_at = time.monotonic()
        first, losses = position.step, []

        def save() -> None:
            self._save(index, stage, optimizer, generator, position)

        while position.step < stage.steps and position.worse < stage.patience:
            module.train()
            rate = float(rates.learning_rate) * one_cycle(position.step, stage.steps, rates.warmup)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            batch = self.fabric.to_device(stage.batch(position.step))
            loss, position.carried = stage.loss(module, batch, position.carried)
            self.fabric.backward(loss)
            norm = self.fabric.clip_gradients(module, wrapped, max_norm=rates.clip, error_if_nonfinite=False)
            value = loss.item()
            if not (math.isfinite(value) and bool(torch.isfinite(norm))):
                raise RunError(
                    f"the loss became {value} at step {position.step} of {stage.name}: take a lower learning rate"
                    f" (now {rates.learning_rate}) or a smaller clip (now {rates.clip})"
                )
            wrapped.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(value)
            position.step += 1
            if stage.after_step:
                stage.after_step(position.step)
            if position.step % stage.validate_every == 0 or position.step == stage.steps:
                self._validate(stage, position, sum(losses) / len(losses), rate)
                losses = []
            now = time.monotonic()
            if now - reported_at >= _REPORT_SECONDS or position.step == stage.steps:
                self._report(stage, position, (position.step - first) / max(now - started_at, 1e-9), value)
                reported_at = now
            if self._agree(stop.is_set()):
                save()
                raise KeyboardInterrupt
            if now - saved_at >= self.checkpoint_seconds:
                save()
                saved_at = time.monotonic()
        save()

    def _agree(self, stopping: bool) -> bool:
        """Whether any process was told to stop; all stop at the same step."""
        if self.fabric.world_size == 1:
            return stopping
        flag = torch.tensor(float(stopping), device=self.fabric.device)
        return bool(self.fabric.all_reduce(flag, reduce_op="sum") > 0)

    def _validate(self, stage: Stage, position: _Position, train_loss: float, rate: float) -> None:
        figures: dict[str, float] = {}
        if stage.validate:
            stage.module.eval()
            with torch.no_grad():
                figures = stage.validate()
        self.run.metric(phase=stage.name, step=position.step, train_loss=train_loss, learning_rate=rate, **figures)
        if stage.watch is None:
            return
        value = figures[stage.watch]
        if self.fabric.world_size > 1:
            value = float(self.fabric.broadcast(value, src=0))
        if value < position.best:
            position.best, position.worse = value, 0
            position.best_weights = {key: tensor.detach().clone() for key, tensor in stage.module.state_dict().items()}
        else:
            position.worse += 1

    def _report(self, stage: Stage, position: _Position, steps_per_second: float, loss: float) -> None:
        left = stage.steps - position.step
        report = {
            "state": "running",
            "phase": stage.name,
            "step": position.step,
            "total": stage.steps,
            "rate": steps_per_second * stage.per_step,
            "unit": f"{stage.unit}/s",
            "eta_s": left / max(steps_per_second, 1e-9),
            "loss": loss,
        }
        self.run.progress(**report)
        if self.progress and not self.run.quiet:
            self.progress(report)

    def _save(
        self, index: int, stage: Stage, optimizer: torch.optim.Optimizer, generator: torch.Generator, at: _Position
    ) -> None:
        tensors = {f"model.{key}": value.clone() for key, value in stage.module.state_dict().items()}
        for number, slots in optimizer.state_dict()["state"].items():
            for key, value in slots.items():
                tensors[f"optimizer.{number}.{key}"] = torch.as_tensor(value)
        tensors |= {f"best.{key}": value.clone() for key, value in at.best_weights.items()}
        mine = {"random": generator.get_state()}
        for layer, pair in enumerate(at.carried or []):
            mine |= {f"carried.{layer}.{side}": value for side, value in enumerate(pair)}
        for key, value in mine.items():
            for rank, piece in enumerate(self._gathered(value)):
                tensors[f"rank{rank}.{key}"] = piece
        state = {
            "phase": stage.name,
            "stage": index,
            "step": at.step,
            "best": at.best if math.isfinite(at.best) else None,
            "worse": at.worse,
            "world": self.fabric.world_size,
            "metrics_rows": len(self.run.metrics()),
        }
        self.run.save_checkpoint(tensors, state)

    def _gathered(self, value: Tensor) -> list[Tensor]:
        if self.fabric.world_size == 1:
            return [value]
        return list(self.fabric.all_gather(value.to(self.fabric.device)))

    def _restore(
        self,
        tensors: dict[str, Tensor],
        state: dict[str, Any],
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> _Position:
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(tensors, "optimizer.").items():
            number, _, name = key.partition(".")
            slots.setdefault(int(number), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
        mine = _below(tensors, f"rank{self.fabric.global_rank}.")
        generator.set_state(mine["random"])
        device = self.fabric.device
        layers = sum(key.endswith(".0") for key in mine if key.startswith("carried."))
        carried = [
            (mine[f"carried.{n}.0"].to(device), mine[f"carried.{n}.1"].to(device)) for n in range(layers)
        ] or None
        best = {key: value.to(device) for key, value in _below(tensors, "best.").items()}
        return _Position(
            state["step"], carried, math.inf if state["best"] is None else state["best"], best, state["worse"]
        )


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
