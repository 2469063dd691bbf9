"""The one training loop: every phase is a list of stages, and this runs them, checkpoints and resumes.

Bit for bit the same after a kill: the order of the data is a function of the seed and the step, and a checkpoint
holds the weights, the optimizer, the carried state, the random generators and the best weights so far.
"""

from __future__ import annotations

import copy
import math
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dnalm.errors import RunError
from dnalm.model.dropout import set_generator
from dnalm.settings import settings
from dnalm.training.checkpoint import Carried, Position, Saved, below, pack, unpack
from dnalm.training.config import ComputeConfig, OptimizerConfig
from dnalm.training.processes import add_up, first_alone_knows, share_batch_norms, stop_signals
from dnalm.training.run import RunFolder
from dnalm.training.schedule import find_learning_rate, one_cycle

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
        loss: from the (wrapped) module, the batch on the device and the carried state: the mean loss, how much it is
            the mean of (by which the shares of several processes are weighed), and the new state.
        validate: figures by name, on this process.
        validate_every: steps between validations.
        watch: the figure whose lowest value is kept; none keeps the last weights.
        patience: validations without a better one before the stage ends.
        curve_every: steps between two points of the training curve in `metrics.jsonl`; 0: one a validation.
        bits_per_nat: turns the training loss into bits a base, where it is a language model's.
        unit: what the rate counts, with `per_step` of it a step.
        after_step: called with the step; lets go of memory.
    """

    name: str
    module: nn.Module
    groups: list[dict[str, Any]]
    steps: int
    optimizer: OptimizerConfig
    batch: Callable[[int], tuple[Any, ...]]
    loss: Callable[[nn.Module, tuple[Any, ...], Carried], tuple[Tensor, Tensor | float, Carried]]
    validate: Callable[[], dict[str, float]] | None = None
    validate_every: int = 1000
    watch: str | None = None
    patience: int = 1 << 30
    curve_every: int = 0
    bits_per_nat: float | None = None
    unit: str = "bases"
    per_step: float = 1.0
    after_step: Callable[[int], None] | None = None


def curve_spacing(steps: int) -> int:
    """Steps between two points of the training curve: a function of the steps alone, so that a resume repeats them.

    Short stages get 200 points, so that half a minute shows a curve that moves; long ones a point every 50 steps, and
    5,000 at most.
    """
    return max(1, min(steps // 200, 50), steps // 5000)


def make_fabric(compute: ComputeConfig) -> Fabric:
    """Choose device and precision; `fabric.launch()` is the caller's."""
    if compute.threads:
        torch.set_num_threads(compute.threads)
    precision = compute.precision
    if precision == "auto":
        on_cuda = compute.accelerator in ("auto", "cuda") and torch.cuda.is_available()
        precision = "bf16-mixed" if on_cuda and torch.cuda.is_bf16_supported() else "32-true"
    strategy = "ddp" if compute.devices > 1 else "auto"
    nodes = settings().nodes
    if compute.devices % nodes:
        raise RunError(f"{compute.devices} devices cannot be shared out among {nodes} machines (DNALM_NODES) evenly")
    with warnings.catch_warnings():
        # Where Slurm is installed, Fabric advises srun; a run on one machine starts its own processes.
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        return Fabric(
            accelerator=compute.accelerator,
            devices=compute.devices // nodes,
            num_nodes=nodes,
            strategy=strategy,
            precision=precision,
        )


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
        if saved and saved[1]["world"] != self.fabric.world_size:
            raise RunError(
                f"the checkpoint was written by {saved[1]['world']} processes, this run has {self.fabric.world_size}:"
                " resume with as many devices"
            )
        # What a killed process wrote after its last checkpoint is written again.
        self.run.trim_metrics(saved[1]["metrics_rows"] if saved else 0)
        with stop_signals() as stop:
            for index, make in enumerate(stages):
                if saved and index < saved[1]["stage"]:
                    continue
                stage = make()
                here = saved if saved and index == saved[1]["stage"] else None
                self._fit_stage(index, stage, here, stop)

    def _fit_stage(self, index: int, stage: Stage, saved: Saved | None, stop: threading.Event) -> None:
        device = self.fabric.device
        generator = self._generator(index)
        stage.module.to(device)
        if saved:
            stage.module.load_state_dict(below(saved[0], "model."))
            position = Position()
        else:
            position = Position(learning_rate=self._highest_rate(index, stage))
        if self.fabric.world_size > 1:
            share_batch_norms(stage.module)
        for group in stage.groups:
            group.setdefault("lr", 0.0)
        optimizer = torch.optim.AdamW(
            stage.groups, weight_decay=stage.optimizer.weight_decay, betas=(0.9, stage.optimizer.beta2)
        )
        module, wrapped = self.fabric.setup(stage.module, optimizer)
        if saved:
            position = unpack(saved, optimizer, generator, self.fabric)

        def save() -> None:
            tensors, state = pack(position, stage.module, optimizer, generator, self.fabric)
            rows = len(self.run.metrics())
            self.run.save_checkpoint(tensors, {"phase": stage.name, "stage": index, "metrics_rows": rows, **state})

        set_generator(stage.module, generator)
        try:
            self._steps(stage, module, wrapped, position, stop, save)
        finally:
            set_generator(stage.module, None)
        if position.best_weights:
            stage.module.load_state_dict(position.best_weights)

    def _generator(self, index: int) -> torch.Generator:
        seed = self.seed * 1_000_003 + index * 1009 + self.fabric.global_rank
        return torch.Generator(device=self.fabric.device).manual_seed(seed)

    def _highest_rate(self, index: int, stage: Stage) -> float:
        """The configured rate, or the one that a range test on a copy of the module finds."""
        if stage.optimizer.learning_rate != "find":
            return float(stage.optimizer.learning_rate)
        trial = copy.deepcopy(stage.module).train()
        set_generator(trial, self._generator(index))
        twin = dict(zip(map(id, stage.module.parameters()), trial.parameters(), strict=True))
        groups = [{**group, "params": [twin[id(p)] for p in group["params"]]} for group in stage.groups]
        optimizer = torch.optim.AdamW(groups, lr=1e-5, betas=(0.9, stage.optimizer.beta2))

        def loss_at(step: int) -> Tensor:
            return stage.loss(trial, self.fabric.to_device(stage.batch(step)), None)[0]

        rate = first_alone_knows(self.fabric, find_learning_rate(loss_at, optimizer))
        self.run.log(f"{stage.name}: learning rate {rate:.2g} by a range test")
        return rate

    def _steps(
        self,
        stage: Stage,
        module: nn.Module,
        optimizer: Any,
        position: Position,
        stop: threading.Event,
        save: Callable[[], None],
    ) -> None:
        saved_at = started_at = time.monotonic()
        reported_at = -math.inf  # the first step is reported at once: the run is seen to run
        first = position.step
        while position.step < stage.steps and position.worse < stage.patience:
            module.train()
            rate = position.learning_rate * one_cycle(position.step, stage.steps, stage.optimizer.warmup)
            for group in optimizer.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            value = self._backward(stage, module, position)
            norm = self.fabric.clip_gradients(
                module, optimizer, max_norm=stage.optimizer.clip, error_if_nonfinite=False
            )
            # All processes take the same decisions at the same step, whatever their clocks and signals say.
            wanted = [value, stop.is_set(), time.monotonic() - saved_at >= self.checkpoint_seconds]
            value, stopping, due = add_up(self.fabric, [float(one) for one in wanted])
            self._check(stage, position, value, norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            position.loss_sum += value
            position.loss_count += 1
            position.step += 1
            if stage.after_step:
                stage.after_step(position.step)
            if position.step % stage.validate_every == 0 or position.step == stage.steps:
                self._validate(stage, position, rate)
            elif stage.curve_every and position.step % stage.curve_every == 0:
                self._point(stage, position, rate)
            now = time.monotonic()
            if now - reported_at >= _REPORT_SECONDS or position.step == stage.steps:
                self._report(stage, position, (position.step - first) / max(now - started_at, 1e-9), value)
                reported_at = now
            if stopping:
                save()
                raise KeyboardInterrupt
            if due:
                save()
                saved_at = time.monotonic()
        save()

    def _backward(self, stage: Stage, module: nn.Module, position: Position) -> float:
        """Gradients of a step's loss; returns this process's part of the mean over all processes."""
        batch = self.fabric.to_device(stage.batch(position.step))
        loss, count, position.carried = stage.loss(module, batch, position.carried)
        world = self.fabric.world_size
        if world > 1:
            # Gradients are averaged over the processes: weigh each by its share, so that the mean is the batch's.
            share = float(count) / max(add_up(self.fabric, [float(count)])[0], 1e-9)
            self.fabric.backward(loss * share * world)
            return loss.item() * share
        self.fabric.backward(loss)
        return loss.item()

    def _check(self, stage: Stage, position: Position, value: float, norm: Tensor) -> None:
        # With 16 bits the gradients overflow now and then: the scaler skips such a step and takes a smaller scale.
        scaled = getattr(self.fabric.strategy.precision, "scaler", None) is not None
        if not math.isfinite(value) or not (scaled or bool(torch.isfinite(norm))):
            raise RunError(
                f"the loss became {value} at step {position.step} of {stage.name}: take a lower learning rate"
                f" (now {position.learning_rate:g}) or a smaller clip (now {stage.optimizer.clip:g})"
            )

    def _validate(self, stage: Stage, position: Position, rate: float) -> None:
        figures: dict[str, float] = {}
        if stage.validate:
            stage.module.eval()
            with torch.no_grad():
                figures = stage.validate()
        self._point(stage, position, rate, **figures)
        if stage.watch is None:
            return
        value = first_alone_knows(self.fabric, figures[stage.watch])
        if value < position.best:
            position.best, position.worse = value, 0
            position.best_weights = {key: tensor.detach().clone() for key, tensor in stage.module.state_dict().items()}
        else:
            position.worse += 1

    def _point(self, stage: Stage, position: Position, rate: float, **figures: float) -> None:
        """A row of `metrics.jsonl`: the mean training loss since the row before, and what was measured."""
        loss = position.mean_loss()
        bits = {} if stage.bits_per_nat is None else {"train_bits_per_base": loss * stage.bits_per_nat}
        row = {"train_loss": loss, "learning_rate": rate, **bits, **figures}
        self.run.metric(phase=stage.name, step=position.step, **row)

    def _report(self, stage: Stage, position: Position, steps_per_second: float, loss: float) -> None:
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
