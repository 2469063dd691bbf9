"""A track model whose answers a person can work out: it finds one motif and reports its first base, on both strands."""

from __future__ import annotations

from pathlib import Path

import torch

from dnalm.alphabet import encode
from dnalm.model.bundle import Bundle, write_bundle
from dnalm.model.config import BundleConfig, EncoderConfig, TrackMemberConfig
from dnalm.model.track_model import Tracks

MOTIF = "TATAAT"
SMALL_ENCODER = EncoderConfig(embedding=4, hidden=6).with_dropout(0)


def motif_tracks(motif: str = MOTIF) -> Tracks:
    """Logit 8 at the base where the motif begins, read along the strand, else -8; unknown bases match nothing."""
    sizes = {"motifs": 1, "motif_width": 2 * len(motif) - 1, "channels": 1}
    config = TrackMemberConfig(**sizes, dilations=(), dropout=0, boxes=False)
    module = Tracks([config])
    member = module.members[0]
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
        middle = config.motif_width // 2
        for offset, base in enumerate(encode(motif)):
            member.motifs.weight[0, int(base), middle + offset] = 1
        member.motifs.bias[0] = 1 - len(motif)  # 1 for the whole motif, 0 or less for less
        member.enter.weight[0, 0, 0] = 1
        member.leave.weight[0, 0, 0] = 16
        member.leave.bias[0] = -8
    return module.eval()


def random_tracks(seed: int = 0, members: int = 1) -> Tracks:
    """With an encoder, small, its weights drawn at random: what a chunk forgets of its beginning can be seen."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = TrackMemberConfig(encoder=SMALL_ENCODER, projection=3, motifs=5, channels=6, dilations=(1, 2, 4))
        return Tracks([config] * members).eval()


def track_bundle(folder: Path, module: Tracks | None = None, *, window: int = 61, **fields: object) -> Bundle:
    """The model as a bundle in `folder`, named for it."""
    module = motif_tracks() if module is None else module
    config = BundleConfig(
        kind="track",
        name=folder.name,
        tracks=[member.config for member in module.members],
        labels=["none", "start"],
        positive="start",
        window=window,
        anchor=window // 2,
        threshold=0.5,
        modes=["stream", "window"],
        **fields,
    )
    return write_bundle(folder, config, module, {}, "# toy\n")
