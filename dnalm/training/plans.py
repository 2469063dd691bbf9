"""From a configuration to what its phases have to do: sizes, steps and reading, before anything is timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch

from dnalm.datasets import Dataset
from dnalm.datasets.recipes import load_or_make
from dnalm.errors import InputError
from dnalm.model.bundle import find_bundle, read_bundle
from dnalm.model.classifier import Member
from dnalm.model.config import PRESETS, EncoderConfig, MemberConfig, WideHeadConfig
from dnalm.model.heads import WideHead
from dnalm.model.language_model import AWDLanguageModel, HeadName
from dnalm.training import dual, memory, softmax
from dnalm.training.classify import genomes_of
from dnalm.training.config import ComputeConfig, FinetuneConfig, PretrainConfig, TrainConfig
from dnalm.training.members import head_configs
from dnalm.training.outline import Phase, PlannedStage, finetuning, pretraining, unfreezing
from dnalm.training.pretrain import DEFAULT_MINUTES, EVALUATION_BASES, VALIDATION_BASES
from dnalm.training.sizes import GenomeLength, Sizes, dataset_sizes, genome_length
from dnalm.training.timing import Workload
from dnalm.training.wide import MOST_OF_SEVERAL, MOST_SEQUENCES, SPARSE

_READING = 3
"""Bytes a base of the longest record while its genome is read, and of sequences with their codes."""


@dataclass(frozen=True)
class Plan:
    """One phase's work.

    Attributes:
        phase: which.
        parameters: weights, in number.
        activations: bytes that a step keeps.
        text: bytes of text or sequences held.
        disk: bytes written.
        work: a training step, to be timed.
        steps: in all; None where `minutes` decide.
        minutes: the budget, where it decides.
        stages: the schedule for so many steps.
        passes: over the text for so many steps.
        reading: readings of a batch beside the steps: validation, evaluation, fitting.
        arithmetic: floating-point operations beside the network's.
        refusals: why it cannot run.
        notes: what to know.
    """

    phase: Phase
    parameters: int
    activations: int
    text: int
    disk: int
    work: Workload
    steps: int | None
    minutes: float | None
    stages: Callable[[int], list[PlannedStage]]
    passes: Callable[[int | None], float | None]
    reading: float = 0.0
    arithmetic: float = 0.0
    refusals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@cache
def language_model_parameters(encoder: EncoderConfig, head: HeadName) -> int:
    """Weights of a language model, in number; a tied head's are counted once."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in AWDLanguageModel(encoder, head).parameters())


def member_parameters(member: MemberConfig, classes: int) -> tuple[int, int]:
    """Weights of a classifier's member, and the dense features that a `wide` head is fitted on, both in number."""
    with torch.device("meta"):
        built = Member(member, classes)
    sizes = built.head.sizes if isinstance(built.head, WideHead) else {}
    features = sum(size for name, size in sizes.items() if name not in SPARSE)
    return sum(weight.numel() for weight in built.parameters()), features


def pretrain_plan(config: PretrainConfig, lengths: Sequence[GenomeLength] | None = None) -> Plan:
    """Phase 1.

    Raises:
        InputError: a genome is not there.
    """
    found = [genome_length(name) for name in config.genomes] if lengths is None else list(lengths)
    encoder, head = config.resolved_encoder(), config.resolved_head()
    tokenizer = encoder.tokenizer
    parameters = language_model_parameters(encoder, head)
    classes = tokenizer.continuations if head == "continuation" else tokenizer.vocabulary_size
    bases = sum(one.bases for one in found)
    held_out = 0 if config.held_out_records else round(bases * config.held_out)
    text = (bases - held_out) * (2 if config.both_strands else 1)
    window = config.tokens * tokenizer.stride
    per_epoch = (text // config.lanes - tokenizer.k) // window
    world = config.compute.devices
    reading = min(held_out, EVALUATION_BASES) / (config.lanes * window)
    steps = config.steps
    if config.epochs is not None:
        steps = max(1, round(config.epochs * max(1, per_epoch)))
    if steps is not None:
        reading += steps // config.validate_every * min(held_out, VALIDATION_BASES) / (config.lanes * window)
    longest = max((one.longest for one in found), default=0)
    return Plan(
        phase="pretrain",
        parameters=parameters,
        activations=memory.activations(encoder, config.lanes // world * config.tokens, classes),
        text=_READING * longest + 10 * min(held_out, EVALUATION_BASES),
        disk=bases + memory.disk(parameters),
        work=Workload(
            encoder=encoder,
            head=head,
            rows=max(1, config.lanes // world),
            length=window + tokenizer.k,
            compute=_where(config.compute),
        ),
        steps=steps,
        minutes=None if steps is not None else config.minutes or DEFAULT_MINUTES,
        stages=lambda count: pretraining(config, count, per_epoch),
        passes=lambda count: None if count is None or per_epoch < 1 else count / per_epoch,
        reading=reading,
        refusals=_pretrain_refusals(config, text, window + tokenizer.k, per_epoch) if found else [],
        notes=_length_notes(config.genomes, found),
    )


def _pretrain_refusals(config: PretrainConfig, text: int, stretch: int, per_epoch: int) -> list[str]:
    reasons = []
    if per_epoch < 1:
        reasons.append(
            f"the training text of {text:,} bases is too short for {config.lanes} lanes of {stretch:,} bases: "
            "take fewer lanes, fewer tokens, or more genomes"
        )
    if config.lanes % config.compute.devices:
        reasons.append(f"{config.lanes} lanes cannot be shared out among {config.compute.devices} processes evenly")
    return reasons


def _length_notes(names: Sequence[str], found: Sequence[GenomeLength]) -> list[str]:
    notes = []
    for name, one in zip(names, found, strict=False):
        if not one.here:
            notes.append(f"{name} is not on this machine yet: it is downloaded when the run starts.")
        elif not one.exact:
            notes.append(f"{name} is large: its length is guessed from the file's size.")
    return notes


def _where(compute: ComputeConfig) -> ComputeConfig:
    """What of the device a step's time depends on."""
    return compute.model_copy(update={"devices": 1})


def _batch_count(rows: int, size: int) -> int:
    return max(1, round(rows / size))


def finetune_plan(config: FinetuneConfig, encoder: EncoderConfig | None = None, head: HeadName | None = None) -> Plan:
    """Phase 2; with the sizes of a language model that is yet to be made, of that.

    Raises:
        InputError: the model or the dataset is not there.
    """
    if encoder is None or head is None:
        encoder, head = language_model_of(config.model)
    encoder = encoder.with_dropout(config.dropout)
    sizes = dataset_sizes(load_or_make(config.dataset))
    tokenizer = encoder.tokenizer
    parameters = language_model_parameters(encoder, head)
    classes = tokenizer.continuations if head == "continuation" else tokenizer.vocabulary_size
    rows = sizes.train * (2 if config.both_strands else 1)
    batches = _batch_count(rows, config.batch_size)
    in_batch = max(1, min(config.batch_size, rows) // config.compute.devices)
    least = tokenizer.bases(2)
    short = [f"{config.dataset}: no training sequence of {least} bases or more"] if sizes.longest < least else []
    layers = encoder.layers
    return Plan(
        phase="finetune",
        parameters=parameters,
        activations=memory.activations(encoder, in_batch * tokenizer.count(sizes.longest), classes),
        text=_READING * round(rows * sizes.mean),
        disk=memory.disk(parameters, watched=True),
        work=Workload(
            encoder=encoder,
            head=head,
            rows=in_batch,
            length=max(least, round(sizes.mean)),
            compute=_where(config.compute),
        ),
        steps=config.epochs * batches,
        minutes=None,
        stages=lambda count: finetuning(config, batches, layers),
        passes=lambda count: float(config.epochs),
        reading=(config.epochs + 2) * sizes.valid / config.batch_size,
        refusals=short,
    )


def language_model_of(name: str) -> tuple[EncoderConfig, HeadName]:
    """Sizes of a language model.

    Raises:
        InputError: there is no such model, or it is a classifier.
    """
    bundle = read_bundle(find_bundle(name))
    if bundle.config.encoder is None or bundle.config.lm_head is None:
        raise InputError(f"{name}: a classifier; a language model is wanted here")
    return bundle.config.encoder, bundle.config.lm_head


def train_plan(config: TrainConfig) -> list[Plan]:
    """Phase 3, and those of the phases before it that are asked for.

    Raises:
        InputError: a genome, the model or the dataset is not there, or does not fit.
    """
    dataset = load_or_make(config.dataset)
    shared = {"seed": config.seed, "compute": config.compute}
    plans: list[Plan] = []
    encoder, head = PRESETS["small"], None
    if config.model is not None:
        encoder, head = language_model_of(config.model)
    elif not config.from_scratch:
        told = config.pretrain or PretrainConfig(genomes=genomes_of(dataset), **shared)
        plans.append(pretrain_plan(told))
        encoder, head = told.resolved_encoder(), told.resolved_head()
    if config.finetune_epochs and not config.from_scratch:
        model = config.model or "the pre-trained one"
        told = FinetuneConfig(model=model, dataset=config.dataset, epochs=config.finetune_epochs, **shared)
        plans.append(finetune_plan(told, encoder, head))
    return [*plans, _classifier_plan(config, dataset, encoder.with_dropout(config.dropout))]


def _classifier_plan(config: TrainConfig, dataset: Dataset, encoder: EncoderConfig) -> Plan:
    sizes = dataset_sizes(dataset, train_limit=config.train_limit)
    if sizes.classes < 2:
        raise InputError(f"{config.dataset}: the sequences are all of one class; two or more are wanted")
    heads = head_configs(config.head, sizes.length, sizes.classes, whole=dataset.whole)
    members = [MemberConfig(encoder=encoder, head=head, both_strands=config.both_strands) for head in heads]
    counted = [member_parameters(member, sizes.classes) for member in members]
    counts, features = [count for count, _ in counted], max(found for _, found in counted)
    networks = [member for member in members if not isinstance(member.head, WideHeadConfig)]
    in_batch = max(1, min(config.batch_size, sizes.train) // config.compute.devices)
    strands = 2 if config.both_strands else 1
    batches = _batch_count(sizes.train, config.batch_size)
    stages = unfreezing(config, batches, encoder.layers) if networks else []
    work = (networks or members)[0]
    most = MOST_SEQUENCES if sizes.classes == 2 else MOST_OF_SEVERAL
    wide = min(sizes.train, most) if len(networks) < len(members) else 0
    held, arithmetic = (_two if sizes.classes == 2 else _several)(wide, features, sizes.classes)
    readings = (sizes.valid * (2 + sum(round(stage.epochs) for stage in stages)) + sizes.test + 3 * wide) * len(members)
    text = _READING * round((sizes.train + sizes.valid + sizes.test) * sizes.mean)
    return Plan(
        phase="train",
        parameters=sum(counts),
        activations=memory.activations(encoder, strands * in_batch * encoder.tokenizer.count(sizes.longest)),
        text=text + round(wide * features * 4 * 1.3) + held,
        disk=memory.disk(sum(counts), watched=True),
        work=Workload(
            member=work,
            classes=sizes.classes,
            rows=in_batch,
            length=sizes.length or max(encoder.k, round(sizes.mean)),
            compute=_where(config.compute),
        ),
        steps=sum(stage.steps for stage in stages),
        minutes=None,
        stages=lambda count: stages,
        passes=lambda count: sum(stage.epochs for stage in stages),
        reading=readings / config.batch_size,
        arithmetic=arithmetic,
        refusals=_short(config, encoder, sizes),
    )


def _two(wide: int, features: int, classes: int) -> tuple[int, float]:
    """What the wide head's fit of two classes holds beside its features, in bytes, and its floating-point operations.

    The inner products, six times over while it solves; and Newton steps, each a Cholesky factor of three quarters of
    the sequences: some 300 while it searches, and 40 on all.
    """
    del classes
    newton = (300 * (3 * min(wide, dual.MOST_SEARCHED) / 4) ** 3 + 40 * (3 * wide / 4) ** 3) / 3
    return 6 * wide**2 * 4, 2 * wide**2 * features + newton


def _several(wide: int, features: int, classes: int) -> tuple[int, float]:
    """The same of several classes: gradients that are remembered, and products with the features in each step.

    Some ten places are searched. Most features are words that few sequences hold: counted as if all were there,
    which is more than it takes.
    """
    held = (2 * softmax.MEMORY + 6) * features * classes * 8
    steps = 10 * softmax.SEARCHING_STEPS * min(wide, softmax.MOST_SEARCHED) + softmax.STEPS * wide
    if wide > softmax.MOST_SEARCHED:  # the penalty once more, on all
        steps += 3 * softmax.SEARCHING_STEPS * wide
    return held, 4.0 * steps * features * classes


def _short(config: TrainConfig, encoder: EncoderConfig, sizes: Sizes) -> list[str]:
    if sizes.longest >= encoder.k:
        return []
    return [f"{config.dataset}: its sequences have {sizes.longest} bases at most; {encoder.k} or more are wanted"]
