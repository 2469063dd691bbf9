"""Train a model that scans: every base of segments of real genome, along both strands, is an example.

Three questions are asked of each base of each strand: how near is it to a known start (a bell around each), is it the
first base of a gene, and which codon position is it. The last two are what the annotation of the training regions knows
in plenty; they teach the network what stands around a promoter, where the known starts alone are too few to. They come
first, alone and anywhere in the genome: beside the loss on starts, which is large and noisy, they are learned slowly,
and by the time that they are, the few starts have been learned by heart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from dnalm.alphabet import reverse_complement
from dnalm.model.box_learning import LEAST_SITES, LearnedBoxes, learn_boxes
from dnalm.model.box_path import REACH
from dnalm.model.bundle import find_bundle, weights_hash
from dnalm.model.config import PRESETS, TrackMemberConfig
from dnalm.model.track_model import BURN_IN, Answers, TrackMember, Tracks
from dnalm.training.finetune import load_language_model
from dnalm.training.loop import Carried, Loop, Progress, Stage, curve_spacing
from dnalm.training.run import RunFolder
from dnalm.training.seeding import seeded
from dnalm.training.track_config import TrackTrainConfig
from dnalm.training.track_text import EDGE, Segments, TrackText

PER_KILOBASE = 100.0
"""Factor on the losses of the two rare questions, which as means over all bases would be small numbers."""
_VALIDATION_BATCHES = 4
_MOST_VALIDATIONS = 20


@dataclass(frozen=True)
class Beginning:
    """What a network starts from."""

    config: TrackMemberConfig
    weights: dict[str, Any] | None
    parents: list[str]

    @classmethod
    def load(cls, config: TrackTrainConfig) -> Beginning:
        """The language model's encoder, one of random weights, or none."""
        if config.from_scratch:
            encoder = PRESETS["small"].with_dropout(config.dropout)
            return cls(config.network.model_copy(update={"encoder": encoder}), None, ["none: a random encoder"])
        if config.model is None:
            return cls(config.network, None, ["none: no encoder"])
        # An encoder that does not learn is read as it is: dropouts would blur what it says.
        bundle, model = load_language_model(config.model, config.dropout if config.encoder_rate else 0.0)
        parent = f"{bundle.name} {weights_hash(find_bundle(config.model))}"
        network = config.network.model_copy(update={"encoder": model.config})
        return cls(network, model.encoder.state_dict(), [parent, *bundle.config.parents])

    def member(self, seed: int) -> TrackMember:
        """A new network."""
        with seeded(seed):
            member = TrackMember(self.config)
        if self.weights is not None and member.encoder is not None:
            member.encoder.load_state_dict(self.weights)
        return member


def fit_tracks(
    config: TrackTrainConfig,
    text: TrackText,
    beginning: Beginning,
    run: RunFolder,
    fabric: Fabric,
    progress: Progress | None = None,
) -> Tracks:
    """Train the networks, from the last checkpoint where there is one.

    Args:
        config: how.
        text: what from.
        beginning: the encoder.
        run: where checkpoints and the curve go.
        fabric: launched.
        progress: called about once a second.

    Returns:
        The networks, in evaluation mode.
    """
    with seeded(config.seed):
        tracks = Tracks([beginning.config] * config.members)
    # A stage trains one network; every checkpoint holds them all, so that those already trained survive a kill.
    boxes = _boxes(text) if beginning.config.boxes else None
    for number, place in enumerate(tracks.members):
        place.load_state_dict(beginning.member(config.seed * 1000 + number).state_dict())
        if boxes is not None:
            place.boxes.take(boxes)
    loop = Loop(run, fabric, seed=config.seed, checkpoint_seconds=config.checkpoint_seconds, progress=progress)
    loop.fit([_stage(config, text, tracks, *stage, fabric) for stage in config.stages])
    return tracks.eval()


def _boxes(text: TrackText) -> LearnedBoxes | None:
    """The boxes before the known starts of the training regions; none where there are too few to learn them from."""
    sites = text.sites_in("train")
    if len(sites) < LEAST_SITES:
        return None
    windows = []
    for site in sites:
        at = text.offsets[site.record] + site.position
        ahead = text.codes[at - REACH : at]
        windows.append(ahead if site.strand == "+" else reverse_complement(text.codes[at + 1 : at + 1 + REACH]))
    return learn_boxes(np.stack(windows), np.concatenate([text.codes[low:high] for low, high in text.spans("train")]))


class _Whole(nn.Module):
    """All networks, of which one is asked: what the loop keeps in its checkpoints."""

    def __init__(self, tracks: Tracks, number: int, frozen: bool) -> None:
        super().__init__()
        self.tracks, self.number, self.frozen = tracks, number, frozen

    def forward(self, codes: Tensor, context: int) -> tuple[Answers, Answers]:
        return self.tracks.members[self.number](codes, context, frozen=self.frozen)


def _stage(
    config: TrackTrainConfig, text: TrackText, tracks: Tracks, name: str, number: int, steps: int, fabric: Fabric
) -> Callable[[], Stage]:
    """The training of one network: on the annotation alone, or on everything."""
    member = tracks.members[number]
    around_starts, seed = config.around_starts, config.seed * 1000 + number
    if name.startswith("annotation"):
        config = config.model_copy(update={"weight_starts": 0.0})
        around_starts, seed = 0.0, seed + 500  # other segments
    learns = member.encoder is not None and (config.from_scratch or config.encoder_rate > 0)
    context = EDGE + (BURN_IN if member.encoder is not None else 0)

    def segments(part: str, batch_size: int) -> Segments:
        return Segments(text, part, config.segment, batch_size, around_starts, context, seed)

    training = segments("train", config.batch_size)

    def loss(module: nn.Module, batch: tuple[Tensor, ...], carried: Carried) -> tuple[Tensor, float, Carried]:
        return sum(losses(config, module(batch[0], context - EDGE), batch[1:]).values()), len(batch[0]), None

    def make() -> Stage:
        encoder = [] if member.encoder is None else list(member.encoder.parameters())
        own = {id(weight) for weight in encoder}
        groups = [{"params": [weight for weight in member.parameters() if id(weight) not in own], "factor": 1.0}]
        if learns:
            groups.append({"params": encoder, "factor": 1.0 if config.from_scratch else config.encoder_rate})
        whole = _Whole(tracks, number, not learns)
        held_out = segments("valid", config.batch_size) if text.data["sites"]["valid"] else None
        return Stage(
            name=name,
            module=whole,
            groups=groups,
            steps=steps,
            optimizer=config.optimizer,
            batch=lambda step: training(step, fabric.global_rank, fabric.world_size),
            loss=loss,
            validate=None if held_out is None else lambda: _validate(config, whole, held_out, context, fabric.device),
            validate_every=max(1, steps // _MOST_VALIDATIONS),
            curve_every=curve_spacing(steps),
            unit="bases",
            per_step=config.batch_size * config.segment,
        )

    return make


def losses(config: TrackTrainConfig, answers: tuple[Answers, Answers], wanted: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The weighted loss of each question, the mean over bases and strands.

    Args:
        config: weights.
        answers: of a batch along both strands, with `EDGE` bases on either side that are not asked about.
        wanted: starts, frames and genes, each `(batch, 2, segment)`.
    """
    starts, frames, genes = wanted
    found: dict[str, Tensor] = {}
    for strand, said in enumerate(answers):
        inner = slice(EDGE, said.start.shape[1] - EDGE)
        of_strand: dict[str, Tensor] = {}
        if config.weight_starts:
            near = functional.binary_cross_entropy_with_logits(said.start[:, inner], starts[:, strand])
            of_strand["starts"] = config.weight_starts * PER_KILOBASE * near
        if config.weight_frames:
            codons = functional.cross_entropy(said.frame[:, inner].flatten(0, 1), frames[:, strand].flatten())
            of_strand["frames"] = config.weight_frames * codons
        if config.weight_genes:
            first = functional.binary_cross_entropy_with_logits(said.gene[:, inner], genes[:, strand])
            of_strand["genes"] = config.weight_genes * PER_KILOBASE * first
        found = {name: found.get(name, 0) + value / 2 for name, value in of_strand.items()}
    return found


@torch.no_grad()
def _validate(
    config: TrackTrainConfig, whole: _Whole, segments: Segments, context: int, device: torch.device
) -> dict[str, float]:
    """Losses on the same few segments of the validation regions each time, unweighted by nothing but the weights."""
    sums: dict[str, float] = {}
    for step in range(_VALIDATION_BATCHES):
        codes, *wanted = (one.to(device) for one in segments(step))
        for name, value in losses(config, whole(codes, context - EDGE), tuple(wanted)).items():
            sums[name] = sums.get(name, 0) + float(value) / _VALIDATION_BATCHES
    return {"valid_loss": sum(sums.values()), **{f"valid_{name}": value for name, value in sums.items()}}
