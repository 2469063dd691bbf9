"""Phase 3, and where asked the two before it: a classifier on the language model's encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from dnalm.datasets import Dataset
from dnalm.datasets.recipes import load_or_make
from dnalm.datasets.splits import stretch_groups
from dnalm.errors import InputError
from dnalm.metrics import choose_threshold, evaluate_probabilities
from dnalm.model.bundle import Bundle, find_bundle, weights_hash, write_bundle
from dnalm.model.classifier import Member, SequenceClassifier
from dnalm.model.config import (
    PRESETS,
    AlignedHeadConfig,
    BundleConfig,
    EncoderConfig,
    HeadConfig,
    MemberConfig,
    PoolHeadConfig,
    WideHeadConfig,
)
from dnalm.model.predict import softmax
from dnalm.training.card import classifier_card
from dnalm.training.config import FinetuneConfig, PretrainConfig, TrainConfig
from dnalm.training.curve import draw_curve
from dnalm.training.examples import Examples, inner_folds, limit, split_validation
from dnalm.training.finetune import finetune, load_language_model
from dnalm.training.loop import Loop, Progress, make_fabric
from dnalm.training.pretrain import pretrain
from dnalm.training.run import RunFolder
from dnalm.training.seeding import seeded
from dnalm.training.unfreezing import log_loss, member_logits, unfreezing_stages
from dnalm.training.wide import fit_wide

DEFAULT_GENOMES = ["ecoli-k12"]
"""What is pre-trained on where neither a model nor genomes are given, and the dataset names no genome."""


@dataclass(frozen=True)
class Fitted:
    """A trained member and what it says of the validation sequences."""

    member: Member
    valid_logits: NDArray[np.float32]


def train(config: TrainConfig, path: Path, progress: Progress | None = None) -> Bundle:
    """Run the phase in a run folder, from its last checkpoint where there is one.

    Phases 1 and 2, where asked for, run in run folders of their own below it.

    Args:
        config: what to do.
        path: the run folder; made where it is not there.
        progress: called about once a second.

    Returns:
        The bundle in the run folder: a classifier.

    Raises:
        InputError: the model or dataset is not there, or does not fit.
        RunError: the run cannot go on.
    """
    run = RunFolder.open_or_create(path, config.model_dump(mode="json"))
    with run.failing_plainly():
        dataset = load_or_make(config.dataset)
        model = _language_model(config, dataset, run, progress)
        return _train(config, run, dataset, model, progress)


def _language_model(config: TrainConfig, dataset: Dataset, run: RunFolder, progress: Progress | None) -> str | None:
    """Name or folder of the language model to start from, after phases 1 and 2; none for a random encoder."""
    if config.from_scratch:
        return None
    shared = {"seed": config.seed, "compute": config.compute}

    def forward(report: dict[str, Any]) -> None:
        run.progress(**report)
        if progress:
            progress(report)

    model = config.model
    if model is None:
        told = config.pretrain or PretrainConfig(genomes=_genomes(dataset), **shared)
        model = str(_child(run, "pretrain", lambda path: pretrain(told, path, forward)))
    if config.finetune_epochs:
        told = FinetuneConfig(model=model, dataset=config.dataset, epochs=config.finetune_epochs, **shared)
        model = str(_child(run, "finetune", lambda path: finetune(told, path, forward)))
    return model


def _child(run: RunFolder, phase: str, work: Callable[[Path], Bundle]) -> Path:
    """Folder of the bundle that an earlier phase made, making it where it is not there yet."""
    folder = run.path / phase
    if not RunFolder(folder).result():
        work(folder)
    return folder / "bundle"


def _genomes(dataset: Dataset) -> list[str]:
    named = [source["name"] for source in dataset.info.get("sources", []) if source.get("role") == "genome"]
    return named or DEFAULT_GENOMES


def _train(
    config: TrainConfig, run: RunFolder, dataset: Dataset, model: str | None, progress: Progress | None
) -> Bundle:
    fabric = make_fabric(config.compute)
    fabric.launch()
    run.quiet = fabric.global_rank > 0
    train_part, valid_part = training_examples(config, dataset)
    run.record("data", _data_facts(config, dataset, train_part, valid_part))
    started = Start.load(model, config)
    train_part.check(started.encoder.k)
    fitted = fit_members(config, started, train_part, valid_part, run, fabric, progress)
    chosen = _best_subset(fitted, valid_part.targets)
    return _finish(config, run, dataset, started, [fitted[i] for i in chosen], valid_part)


def training_examples(config: TrainConfig, dataset: Dataset) -> tuple[Examples, Examples]:
    """Training and validation sequences; where the dataset has none of the latter, one part in eight of the former."""
    generator = np.random.default_rng([config.seed, 10])
    rows = dataset.training("train")
    train_part = Examples(dataset.codes(rows), dataset.targets(rows))
    if not len(train_part):
        raise InputError(f"{config.dataset}: no training sequence")
    rows = dataset.training("valid")
    if config.train_limit is not None:
        # A curve over few labels that chose by hundreds of validation labels would not be one over few labels.
        train_part = limit(train_part, config.train_limit, generator)
        return split_validation(train_part, generator, parts=4)
    if len(rows):
        return train_part, Examples(dataset.codes(rows), dataset.targets(rows))
    return split_validation(train_part, generator)


def _data_facts(config: TrainConfig, dataset: Dataset, train_part: Examples, valid_part: Examples) -> dict[str, Any]:
    region = dataset.info.get("demo_region", {})
    notes = []
    if region.get("rows"):
        notes.append(f"{region['rows']} sequences that touch {region['region']} were kept out of training")
    return {
        "dataset": dataset.name,
        "sha256": dataset.sha256(),
        "split": dataset.info.get("recipe", {}).get("split", "given"),
        "train": len(train_part),
        "valid": len(valid_part),
        "notes": notes,
    }


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


def head_configs(choice: str, length: int | None) -> list[HeadConfig]:
    """The heads that a choice stands for; `aligned` wants sequences of one length.

    Raises:
        InputError: `aligned` is asked for, and the lengths differ.
    """
    if choice == "pool":
        return [PoolHeadConfig()]
    if choice == "wide":
        return [WideHeadConfig(length=length)]
    if length is None:
        if choice == "aligned":
            raise InputError("head aligned: the training sequences differ in length; take pool, wide or ensemble")
        return [PoolHeadConfig(), WideHeadConfig()]
    aligned = AlignedHeadConfig(length=length)
    return [aligned] if choice == "aligned" else [aligned, WideHeadConfig(length=length)]


def fit_members(
    config: TrainConfig,
    start: Start,
    train_part: Examples,
    valid_part: Examples,
    run: RunFolder,
    fabric: Fabric,
    progress: Progress | None = None,
) -> list[Fitted]:
    """Train each head of the configuration's choice."""
    classes = int(max(train_part.targets.max(), valid_part.targets.max())) + 1
    same = train_part.one_length if train_part.one_length == valid_part.one_length else None
    fitted = []
    for head in head_configs(config.head, same):
        member = start.member(head, config.both_strands, classes, config.seed)
        if isinstance(head, WideHeadConfig):
            member.to(fabric.device).eval()
            generator = np.random.default_rng([config.seed, 11])
            folds = inner_folds(train_part, generator)
            sequences, targets = train_part.sequences, train_part.targets
            fit = fit_wide(member, sequences, targets, folds, generator, class_weights=config.class_weights)
            run.log(f"wide head: ridge penalty {fit.penalty}, {len(fit.rows)} sequences read")
        else:
            stages = unfreezing_stages(config, member, train_part, valid_part, fabric)
            loop = Loop(run, fabric, seed=config.seed, checkpoint_seconds=config.checkpoint_seconds, progress=progress)
            loop.fit(stages)
        member.eval()
        fitted.append(Fitted(member, member_logits(member, valid_part.sequences)))
    return fitted


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(np.maximum(softmax(logits), 1e-12))


def mean_logits(several: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """What `SequenceClassifier` says from what its members say."""
    return several[0] if len(several) == 1 else np.mean([_log_softmax(one) for one in several], axis=0)


def _best_subset(fitted: list[Fitted], targets: NDArray[np.int64]) -> list[int]:
    """Members whose mean has the lowest validation loss: any one of them, or all."""
    choices = [[i] for i in range(len(fitted))] + ([list(range(len(fitted)))] if len(fitted) > 1 else [])
    losses = [log_loss(mean_logits([fitted[i].valid_logits for i in choice]), targets) for choice in choices]
    return choices[int(np.argmin(losses))]


def _finish(
    config: TrainConfig,
    run: RunFolder,
    dataset: Dataset,
    start: Start,
    fitted: list[Fitted],
    valid_part: Examples,
) -> Bundle:
    """Choose the threshold on validation, measure on test, write the bundle."""
    labels, positive = dataset.labels, dataset.positive
    valid_probability = softmax(mean_logits([one.valid_logits for one in fitted]))
    threshold = None
    if positive is not None:
        threshold = 0.5
        if config.threshold_by != "none":
            column = labels.index(positive)
            threshold = choose_threshold(
                valid_part.targets == column, valid_probability[:, column], by=config.threshold_by
            )
    module = SequenceClassifier([one.member.config for one in fitted], len(labels))
    for place, one in zip(module.members, fitted, strict=True):
        place.load_state_dict(one.member.state_dict())
    module.eval()
    rows = dataset.part("test")
    metrics: dict[str, Any] = {
        "threshold_from": f"on {len(valid_part)} validation sequences for the best {config.threshold_by}"
        if config.threshold_by != "none"
        else "beforehand",
        "test": {"n": 0, "figures": {}},
    }
    if len(rows):
        codes = dataset.codes(rows)
        logits = mean_logits([member_logits(member, codes) for member in module.members])
        metrics["test"] = evaluate_probabilities(
            list(rows["label"]),
            softmax(logits),
            labels,
            positive,
            threshold,
            generator=np.random.default_rng([config.seed, 12]),
            groups=stretch_groups(codes),
        )
    document = run.document()
    bundle_config = BundleConfig(
        kind="classifier",
        name=config.name or run.path.name,
        description=f"Classifier of {dataset.info.get('title') or dataset.name}",
        members=[member.config for member in module.members],
        labels=labels,
        positive=positive,
        window=dataset.window,
        anchor=dataset.anchor,
        threshold=threshold,
        parents=start.parents,
        trained={key: document[key] for key in ("config", "versions", "data")},
    )
    if run.quiet:
        return Bundle(run.path / "bundle", bundle_config, metrics, "")
    card = classifier_card(bundle_config, metrics, document)
    bundle = write_bundle(run.path / "bundle", bundle_config, module, metrics, card)
    draw_curve(run)
    run.finish({"bundle": "bundle", **metrics})
    run.progress(**{**run.read_progress(), "state": "succeeded", "eta_s": 0})
    return bundle
