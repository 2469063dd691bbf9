"""The heads of a classifier, each trained on the language model's encoder, and the choice among them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.model.bundle import find_bundle, weights_hash
from dnalm.model.classifier import Member
from dnalm.model.config import (
    PRESETS,
    AlignedHeadConfig,
    EncoderConfig,
    HeadConfig,
    MemberConfig,
    PoolHeadConfig,
    WideHeadConfig,
)
from dnalm.model.predict import softmax
from dnalm.training.config import TrainConfig
from dnalm.training.examples import Examples, inner_folds
from dnalm.training.finetune import load_language_model
from dnalm.training.loop import Loop, Progress
from dnalm.training.run import RunFolder
from dnalm.training.seeding import seeded
from dnalm.training.unfreezing import log_loss, member_logits, unfreezing_stages
from dnalm.training.wide import fit_wide

WIDE = WideHeadConfig(half_word=4, window=5, window_step=2, place_kmers=(2, 3))
"""The `wide` head's features, chosen by the inner folds' loss on the two 81 bp sets."""
LONG = 500
"""Bases beyond which windows are looked at less closely."""
WIDE_OF_LONG = WIDE.model_copy(update={"window": 17, "window_step": 8})
"""In long sequences: on the starts of eukaryotes as good as `WIDE`, with a head of half the size."""
WIDE_OF_SEVERAL = WideHeadConfig(half_word=3, words_of_both_strands=True)
"""With several classes: what tells relatives, wherever it stands. Chosen on one grouped fold of the 16S shotgun reads,
on which words of eight bases did no better; they make the head twelve times as large."""


@dataclass(frozen=True)
class Fitted:
    """A trained member and what it says of the validation sequences."""

    member: Member
    valid_logits: NDArray[np.float32]


@dataclass(frozen=True)
class Start:
    """The encoder that a classifier starts from."""

    encoder: EncoderConfig
    weights: dict[str, Any] | None
    parents: list[str]

    @classmethod
    def load(cls, model: str | None, config: TrainConfig) -> Start:
        """Read a language model, or for none describe a random encoder of the small preset."""
        if model is None:
            return cls(PRESETS["small"].with_dropout(config.dropout), None, ["none: a random encoder"])
        bundle, language_model = load_language_model(model, config.dropout)
        parent = f"{bundle.name} {weights_hash(find_bundle(model))}"
        return cls(language_model.config, language_model.encoder.state_dict(), [parent, *bundle.config.parents])

    def member(self, head: HeadConfig, both_strands: bool, classes: int, seed: int) -> Member:
        """A new classifier with this encoder."""
        with seeded(seed):
            member = Member(MemberConfig(encoder=self.encoder, head=head, both_strands=both_strands), classes)
        if self.weights is not None:
            member.encoder.load_state_dict(self.weights)
        return member


WIDE_OF_WHOLES = WideHeadConfig(gapped_kmers=((3, 8), (2, 16)))
"""Where the label speaks of the whole sequence: nothing in place. Chosen on one random fold of the human enhancers."""


def head_configs(choice: str, length: int | None, classes: int = 2, *, whole: bool = False) -> list[HeadConfig]:
    """The heads that a choice stands for; `aligned` wants sequences of one length.

    `whole` says that the label speaks of the whole sequence, and of no place in it (`Dataset.whole`).

    Raises:
        InputError: `aligned` is asked for, and the lengths differ.
    """
    # Sequences of several lengths may be transcripts; a window around a site says nothing by the length of its frames.
    wide = WIDE_OF_LONG if length is not None and length > LONG else WIDE
    wide = wide.model_copy(update={"length": length, "frames": length is None})
    if classes > 2:
        wide = WIDE_OF_SEVERAL
    elif whole:
        wide, length = WIDE_OF_WHOLES, None
    if choice == "pool":
        return [PoolHeadConfig()]
    if choice == "wide":
        return [wide]
    if length is None:
        if choice == "aligned":
            raise InputError("head aligned: the training sequences differ in length; take pool, wide or ensemble")
        return [PoolHeadConfig(), wide]
    aligned = AlignedHeadConfig(length=length)
    return [aligned] if choice == "aligned" else [aligned, wide]


@dataclass(frozen=True)
class MemberTraining:
    """Trains heads on one start.

    Attributes:
        config: of the training.
        start: the encoder.
        run: where the log and the progress go.
        fabric: where to compute.
        classes: how many.
        progress: told of, beside the run folder.
        whole: whether the label speaks of whole sequences.
    """

    config: TrainConfig
    start: Start
    run: RunFolder
    fabric: Fabric
    classes: int
    progress: Progress | None = None
    whole: bool = False

    def fit_all(self, train_part: Examples, valid_part: Examples) -> list[Fitted]:
        """Train each head of the configuration's choice."""
        same = train_part.one_length if train_part.one_length == valid_part.one_length else None
        return [
            self.fit(head, train_part, valid_part)
            for head in head_configs(self.config.head, same, self.classes, whole=self.whole)
        ]

    def fit(self, head: HeadConfig, train_part: Examples, valid_part: Examples) -> Fitted:
        """Train one head."""
        config = self.config
        member = self.start.member(head, config.both_strands, self.classes, config.seed)
        if isinstance(head, WideHeadConfig):
            self._fit_wide(member.to(self.fabric.device).eval(), train_part)
        else:
            stages = unfreezing_stages(config, member, train_part, valid_part, self.fabric)
            seconds = config.checkpoint_seconds
            loop = Loop(self.run, self.fabric, seed=config.seed, checkpoint_seconds=seconds, progress=self.progress)
            loop.fit(stages)
        member.eval()
        return Fitted(member, member_logits(member, valid_part.sequences))

    def _fit_wide(self, member: Member, train_part: Examples) -> None:
        generator = np.random.default_rng([self.config.seed, 11])
        folds = inner_folds(train_part, generator)
        fit = fit_wide(
            member,
            train_part.sequences,
            train_part.targets,
            folds,
            generator,
            class_weights=self.config.class_weights,
            progress=_telling(self.run, self.progress),
        )
        shares = ", ".join(f"{name} counted {share} times" for name, share in fit.shares.items())
        self.run.log(f"wide head: ridge penalty {fit.penalty}, {shares}, {len(fit.rows)} sequences read")


def _telling(run: RunFolder, progress: Progress | None) -> Callable[[str, int, int], None]:
    """What tells of the wide head's fit, as the loop tells of steps: the sequences read, then the fits."""
    began = last = time.monotonic()
    counted = "sequences"

    def tell(what: str, done: int, total: int) -> None:
        nonlocal began, last, counted
        if what != counted:
            began, counted = last, what
        last = time.monotonic()
        rate = done / max(last - began, 1e-9)
        report = {"state": "running", "phase": "wide", "step": done, "total": total}
        report |= {"rate": rate, "unit": f"{what}/s", "eta_s": (total - done) / rate}
        run.progress(**report)
        if progress and not run.quiet:
            progress(report)

    return tell


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(np.maximum(softmax(logits), 1e-12))


def mean_logits(several: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """What `SequenceClassifier` says from what its members say."""
    return several[0] if len(several) == 1 else np.mean([_log_softmax(one) for one in several], axis=0)


def best_subset(fitted: list[Fitted], targets: NDArray[np.int64]) -> list[int]:
    """Members whose mean has the lowest validation loss: any one of them, or all."""
    choices = [[i] for i in range(len(fitted))] + ([list(range(len(fitted)))] if len(fitted) > 1 else [])
    losses = [log_loss(mean_logits([fitted[i].valid_logits for i in choice]), targets) for choice in choices]
    return choices[int(np.argmin(losses))]
