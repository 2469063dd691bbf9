"""What training a track model has to do, before anything is timed."""

from __future__ import annotations

import torch

from dnalm.datasets import catalog
from dnalm.errors import InputError
from dnalm.model.config import PRESETS, TrackMemberConfig
from dnalm.model.track_model import BURN_IN, TrackMember
from dnalm.training import memory
from dnalm.training.outline import PlannedStage
from dnalm.training.plans import Plan, language_model_of
from dnalm.training.sizes import genome_length
from dnalm.training.timing import Workload
from dnalm.training.track_config import TrackTrainConfig
from dnalm.training.track_text import EDGE

_PER_BASE = 45
"""Bytes a base while a genome is read, held and scanned: codes, nearness of starts, codon positions and genes of both
strands, and what making and measuring takes. On E. coli's genome the whole process was measured at 890 MB."""
_MEASURED_SHARE = 0.3
"""Share of a genome that is scanned at the end, for threshold and figures, where no regions are named."""


def track_plan(config: TrackTrainConfig) -> Plan:
    """The training of a track model.

    Raises:
        InputError: the genome or the language model is not there.
    """
    length = genome_length(config.genome)
    network = _network(config)
    learns = network.encoder is not None and (config.from_scratch or config.encoder_rate > 0)
    with torch.device("meta"):
        member = TrackMember(network)
    parameters = sum(weight.numel() for weight in member.parameters())
    context = BURN_IN if network.encoder is not None else 0
    stretch = config.segment + 2 * (EDGE + context)
    rows = max(1, config.batch_size // config.compute.devices)
    return Plan(
        phase="track",
        parameters=parameters * config.members,
        activations=_activations(network, rows, stretch, stretch - 2 * context, learns),
        text=_PER_BASE * length.bases,
        disk=memory.disk(parameters * config.members),
        work=Workload(
            track=network,
            learns=learns,
            rows=rows,
            length=stretch,
            context=context,
            compute=config.compute.model_copy(update={"devices": 1}),
        ),
        steps=sum(steps for _, _, steps in config.stages),
        minutes=None,
        stages=lambda count: _stages(config),
        passes=lambda count: None,
        reading=_scanned(config, length.bases) * config.members / (rows * stretch),
        notes=[]
        if length.here
        else [f"{config.genome} is not on this machine yet: it is downloaded as the run starts."],
        refusals=_missing(config),
    )


def _network(config: TrackTrainConfig) -> TrackMemberConfig:
    if config.from_scratch:
        encoder = PRESETS["small"].with_dropout(config.dropout)
    elif config.model is not None:
        encoder = language_model_of(config.model)[0]
        encoder = encoder.with_dropout(config.dropout if config.encoder_rate else 0.0)
    else:
        return config.network
    return config.network.model_copy(update={"encoder": encoder})


def _activations(network: TrackMemberConfig, rows: int, length: int, inner: int, learns: bool) -> int:
    """Bytes that a step keeps: of both strands, every convolution's input and output, and the encoder's states."""
    layers = len(network.dilations)
    width = 2 * network.motifs + network.channels * (2 + 5 * layers)
    kept = 4 * 2 * rows * inner * (width + 4 * network.projection * (network.encoder is not None))
    if network.encoder is None:
        return kept
    tokens = 2 * rows * network.encoder.tokenizer.count(length)
    states = memory.activations(network.encoder, tokens)
    return kept + (states if learns else states // 4)  # frozen: nothing is kept, each layer's work is done at once


def _scanned(config: TrackTrainConfig, bases: int) -> float:
    """Bases read at the end, validation and test regions."""
    named = [*config.valid, *config.test]
    return _MEASURED_SHARE * bases if not named else sum(_length(text) for text in named)


def _length(text: str) -> int:
    from dnalm.sequences import Region

    try:
        return len(Region.parse(text))
    except InputError:  # said where it is read
        return 0


def _stages(config: TrackTrainConfig) -> list[PlannedStage]:
    rate = config.optimizer.learning_rate
    peak = None if rate == "find" else float(rate)
    # One group: the step is timed with the encoder as still as it is in training.
    return [
        PlannedStage("track", name, steps, 0.0, peak, config.optimizer.warmup, (1.0,))
        for name, _, steps in config.stages
    ]


def _missing(config: TrackTrainConfig) -> list[str]:
    """Why it cannot run that can be told without reading a genome."""
    try:
        known = catalog.load()
    except InputError:
        known = {}
    kinds = {"starts": ("sites",), "annotation": ("annotation",)}
    return [
        f"{name} is a file of the kind {known[name].kind}; {field} wants one of {wanted[0]}"
        for field, wanted in kinds.items()
        if (name := getattr(config, field)) in known and known[name].kind not in wanted
    ]
