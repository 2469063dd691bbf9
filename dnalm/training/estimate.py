"""What a run will take before it is started: parameters, memory, disk and time; and why it cannot be started."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from dnalm.errors import InputError
from dnalm.settings import settings
from dnalm.training import memory
from dnalm.training.card import read_text
from dnalm.training.config import FinetuneConfig, PretrainConfig, RunConfig, TrackTrainConfig, TrainConfig
from dnalm.training.machine import GIB, Machine, this_machine
from dnalm.training.memory import Memory
from dnalm.training.outline import PHASES, PlannedStage
from dnalm.training.plans import Plan, finetune_plan, pretrain_plan, train_plan
from dnalm.training.timing import timing
from dnalm.training.track_plan import track_plan


@dataclass(frozen=True)
class Part:
    """One phase of a run.

    Attributes:
        phase: pretrain, finetune, train or track.
        parameters: weights that are trained, in number.
        memory: what it takes, at its peak.
        disk: bytes written to its run folder, and for a new text to the cache.
        stages: its schedule; empty where the number of steps is not known before steps are timed.
        step_seconds: of one training step, measured here; None where not measured.
        seconds: of the phase with its measuring, at most; None where not measured.
        passes: over the text, or over the sequences.
    """

    phase: str
    parameters: int
    memory: Memory
    disk: int
    stages: tuple[PlannedStage, ...]
    step_seconds: float | None
    seconds: float | None
    passes: float | None

    @property
    def steps(self) -> int | None:
        """Optimizer steps, at most; None where not known."""
        return sum(stage.steps for stage in self.stages) if self.stages else None


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        parts: its phases, in order.
        machine: what it was held against.
        on_gpu: whether the model lives on a GPU.
        refusals: why it cannot be started, a sentence each; empty where it can.
        notes: what to know before starting it, a sentence each.
    """

    parts: tuple[Part, ...]
    machine: Machine
    on_gpu: bool
    refusals: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float | None:
        """Of all phases; None where one is not known."""
        known = [part.seconds for part in self.parts if part.seconds is not None]
        return sum(known) if self.parts and len(known) == len(self.parts) else None

    @property
    def memory(self) -> int:
        """Bytes at the peak of the phase that takes the most, where the model lives."""
        return max((part.memory.total for part in self.parts), default=0)

    @property
    def disk(self) -> int:
        """Bytes written in all."""
        return sum(part.disk for part in self.parts)

    @property
    def parameters(self) -> int:
        """Weights of what comes out, in number."""
        return self.parts[-1].parameters if self.parts else 0

    @property
    def stages(self) -> list[PlannedStage]:
        """The schedule of all phases."""
        return [stage for part in self.parts for stage in part.stages]

    def facts(self) -> list[tuple[str, str]]:
        """What a person is told, as name and value: the same on a page and at the shell."""
        rows = [("parameters", f"{self.parameters:,}")]
        where = "GPU memory" if self.on_gpu else "memory"
        rows.append((where, f"about {size_text(self.memory)}"))
        rows.append(("disk", f"about {size_text(self.disk)}"))
        for part in self.parts:
            name = PHASES[part.phase] if len(self.parts) > 1 else "training"
            rows.append((name, _pace(part)))
        if len(self.parts) > 1:
            rows.append(("time", duration_text(self.seconds)))
        return [*rows, ("machine", self.machine.text())]


def estimate(config: RunConfig, *, measure: bool = True) -> Estimate:
    """Say what a run will take on this machine.

    Args:
        config: of any phase.
        measure: time a few steps where such a step has not been timed before; it takes 5 to 20 seconds. Without, the
            time stays unknown unless it has been measured.

    Raises:
        InputError: a genome, model or dataset is not there, or does not fit.
        RunError: timing the steps failed.
    """
    machine = this_machine(settings().home)
    on_gpu = _on_gpu(config, machine)
    plans = _plans(config)
    refusals = _refused_devices(config, machine)
    notes = [note for plan in plans for note in plan.notes]
    parts = [_part(plan, on_gpu) for plan in plans]
    refusals += [reason for plan in plans for reason in plan.refusals]
    # Elsewhere there is another machine: what this one has decides nothing.
    if _elsewhere():
        notes.append("Jobs run on other machines here; memory and time are those of this one.")
    else:
        refusals += _refused_sizes(parts, machine, on_gpu)
    if not refusals:
        parts = [_timed(plan, part, measure) for plan, part in zip(plans, parts, strict=True)]
        notes += _slow(parts)
    return Estimate(tuple(parts), machine, on_gpu, tuple(dict.fromkeys(refusals)), tuple(dict.fromkeys(notes)))


def refuse_what_cannot_run(config: RunConfig) -> None:
    """Raise the first reason why a run cannot be started here, without timing anything.

    Raises:
        InputError: that reason.
    """
    found = estimate(config, measure=False)
    if found.refusals:
        raise InputError(found.refusals[0])


def _plans(config: RunConfig) -> list[Plan]:
    if isinstance(config, PretrainConfig):
        return [pretrain_plan(config)]
    if isinstance(config, FinetuneConfig):
        return [finetune_plan(config)]
    if isinstance(config, TrackTrainConfig):
        return [track_plan(config)]
    return train_plan(config) if isinstance(config, TrainConfig) else []  # what a benchmark or a scan does is not


def _part(plan: Plan, on_gpu: bool) -> Part:
    needed = memory.to_train(plan.parameters, plan.activations, plan.text, on_gpu=on_gpu)
    stages = tuple(plan.stages(plan.steps)) if plan.steps is not None else ()
    return Part(plan.phase, plan.parameters, needed, plan.disk, stages, None, None, plan.passes(plan.steps))


def _timed(plan: Plan, part: Part, measure: bool) -> Part:
    found = timing(plan.work, measure=measure)
    if found is None:
        return part
    steps = plan.steps
    if steps is None:
        assert plan.minutes is not None
        steps = max(1, round(plan.minutes * 60 / found.step))
    stages = tuple(plan.stages(steps))
    seconds = sum(stage.steps * _step_seconds(stage, found.step, found.forward) for stage in stages)
    seconds += plan.reading * found.forward + plan.arithmetic / (found.gigaflops * 1e9)
    return replace(part, stages=stages, step_seconds=found.step, seconds=seconds, passes=plan.passes(steps))


def _step_seconds(stage: PlannedStage, step: float, forward: float) -> float:
    """A step with frozen layers costs the reading, and the gradients of the layers that learn."""
    learning = sum(factor > 0 for factor in stage.factors) / len(stage.factors)
    return forward + (step - forward) * learning


def _on_gpu(config: RunConfig, machine: Machine) -> bool:
    return config.compute.accelerator in ("auto", "cuda") and bool(machine.gpus)


def _elsewhere() -> bool:
    return getattr(settings(), "backend", "local") != "local"


def _refused_devices(config: RunConfig, machine: Machine) -> list[str]:
    compute = config.compute
    if _elsewhere():
        return []
    if compute.accelerator == "cuda" and not machine.gpus:
        return ["field compute.accelerator: this machine has no GPU that PyTorch can use; take auto or cpu"]
    if _on_gpu(config, machine) and compute.devices > len(machine.gpus):
        return [f"field compute.devices: {compute.devices} GPUs are asked for; this machine has {len(machine.gpus)}"]
    return []


def _refused_sizes(parts: list[Part], machine: Machine, on_gpu: bool) -> list[str]:
    reasons = []
    smaller = "take fewer lanes or tokens, a smaller batch, or a smaller model"
    for part in parts:
        needed = part.memory.total
        if on_gpu and needed > machine.gpus[0][1]:
            name, size = machine.gpus[0]
            reasons.append(f"it needs about {size_text(needed)} of GPU memory; {name} has {size_text(size)}: {smaller}")
        host = part.memory.host if on_gpu else needed
        if machine.memory and host > machine.memory:
            reasons.append(
                f"it needs about {size_text(host)} of memory; this machine has {size_text(machine.memory)}: {smaller}"
            )
    needed = sum(part.disk for part in parts)
    if needed > machine.disk_free:
        reasons.append(
            f"it writes about {size_text(needed)}; {settings().home} has {size_text(machine.disk_free)} left: "
            "free some space, or name another DNALM_HOME"
        )
    return reasons


def _slow(parts: list[Part]) -> list[str]:
    notes = []
    for part in parts:
        if part.phase == "pretrain" and part.passes is not None:
            if part.passes < 1:
                notes.append(
                    f"In this budget {part.passes:.0%} of the text is read: a larger budget or a smaller model "
                    "will learn more."
                )
            elif part.passes > 60:
                notes.append(f"The text is read {part.passes:,.0f} times: more genomes would help more than more time.")
    return notes


def _pace(part: Part) -> str:
    if part.seconds is None or part.step_seconds is None:
        return "time not measured yet"
    if part.steps is None:
        return f"fitted in one go: {duration_text(part.seconds)}"
    most = "at most " if any(stage.at_most for stage in part.stages) else ""
    passes = f", {read_text(part.passes)}" if part.phase == "pretrain" and part.passes else ""
    return (
        f"{most}{part.steps:,} steps of {seconds_text(part.step_seconds)}{passes}: {most}{duration_text(part.seconds)}"
    )


def size_text(count: float) -> str:
    """Bytes for people: MiB below a GiB."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{max(1, count / (1 << 20)):.0f} MiB"


def seconds_text(seconds: float) -> str:
    """A step's time: milliseconds below a second."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def duration_text(seconds: float | None) -> str:
    """A run's time, as coarse as an estimate is."""
    if seconds is None:
        return "time not measured yet"
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"about {seconds / 3600:.1f} h"
    return f"about {seconds / 86400:.1f} days"


def preset_lines() -> dict[str, str]:
    """For each preset, what pre-training with it takes here, without a genome and without timing."""
    from dnalm.model.config import PRESETS

    machine = this_machine(settings().home)
    found = {}
    for name in PRESETS:
        config = PretrainConfig(genomes=[str(Path("genome"))], preset=name)
        on_gpu = _on_gpu(config, machine)
        plan = pretrain_plan(config, lengths=[])
        needed = _part(plan, on_gpu).memory
        fits = "fits" if not _refused_sizes([_part(plan, on_gpu)], machine, on_gpu) else "does not fit"
        where = "GPU memory" if on_gpu else "memory"
        found[name] = f"{plan.parameters:,} parameters, about {size_text(needed.total)} of {where} to train; {fits}"
    return found
