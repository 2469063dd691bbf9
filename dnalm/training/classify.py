"""Phase 3, and where asked the two before it: a classifier on the language model's encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dnalm.alphabet import Codes
from dnalm.datasets import Dataset
from dnalm.datasets.dataset import BY_SOURCE
from dnalm.datasets.recipes import load_or_make
from dnalm.errors import InputError
from dnalm.metrics import choose_threshold, evaluate_probabilities
from dnalm.model.bundle import Bundle, write_bundle
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import BundleConfig
from dnalm.model.predict import softmax
from dnalm.training.card import classifier_card
from dnalm.training.config import FinetuneConfig, PretrainConfig, TrainConfig
from dnalm.training.curve import draw_curve
from dnalm.training.examples import Examples, limit, split_validation
from dnalm.training.finetune import finetune
from dnalm.training.loop import Progress, make_fabric
from dnalm.training.members import Fitted, MemberTraining, Start, best_subset, mean_logits
from dnalm.training.pretrain import pretrain
from dnalm.training.run import RunFolder
from dnalm.training.seen import MOST_BASES, seen_in_pretraining
from dnalm.training.unfreezing import member_logits

DEFAULT_GENOMES = ["ecoli-k12"]
"""What is pre-trained on where neither a model nor genomes are given, and the dataset names no genome."""


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
        told = config.pretrain or PretrainConfig(genomes=genomes_of(dataset), **shared)
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


def genomes_of(dataset: Dataset) -> list[str]:
    """Genomes to pre-train on for a dataset: those it was made from, else E. coli."""
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
    training = MemberTraining(config, started, run, fabric, len(dataset.labels), progress, dataset.whole)
    fitted = training.fit_all(train_part, valid_part)
    chosen = best_subset(fitted, valid_part.targets)
    return _finish(config, run, dataset, started, model, [fitted[i] for i in chosen], valid_part)


def training_examples(config: TrainConfig, dataset: Dataset) -> tuple[Examples, Examples]:
    """Training and validation sequences; where the dataset has none of the latter, one part in eight of the former."""
    generator = np.random.default_rng([config.seed, 10])
    rows = dataset.training("train")
    train_part = _examples(dataset, rows)
    if not len(train_part):
        raise InputError(f"{config.dataset}: no training sequence")
    rows = dataset.training("valid")
    if config.train_limit is not None:
        # A curve over few labels that chose by hundreds of validation labels would not be one over few labels.
        train_part = limit(train_part, config.train_limit, generator)
        return split_validation(train_part, generator, parts=4)
    if len(rows):
        return train_part, _examples(dataset, rows)
    return split_validation(train_part, generator)


def _examples(dataset: Dataset, rows: pd.DataFrame) -> Examples:
    groups = dataset.groups(rows) if dataset.grouped_by == BY_SOURCE else None
    return Examples(dataset.codes(rows), dataset.targets(rows), groups)


def _data_facts(config: TrainConfig, dataset: Dataset, train_part: Examples, valid_part: Examples) -> dict[str, Any]:
    region = dataset.info.get("demo_region", {})
    notes = []
    if region.get("rows"):
        notes.append(f"{region['rows']} sequences that touch {region['region']} were kept out of training")
    return {
        "dataset": dataset.name,
        "sha256": dataset.sha256(),
        "split": dataset.info.get("recipe", {}).get("split", "given"),
        "grouped_by": dataset.grouped_by,
        "train": len(train_part),
        "valid": len(valid_part),
        "notes": notes,
    }


def _what_its_text_held(model: str | None, start: Start, test: list[Codes]) -> str:
    """Whether the language model had read the test sequences, in a sentence."""
    if model is None:
        return "The encoder was not pre-trained: it had read nothing"
    name, *_ = start.parents[0].split()
    return seen_in_pretraining(model, test, most=MOST_BASES).sentence(name, "test sequences")


def _finish(
    config: TrainConfig,
    run: RunFolder,
    dataset: Dataset,
    start: Start,
    model: str | None,
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
    half = config.weights == "float16"
    if half:
        module.half().float()  # so that what is measured is what is kept
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
            groups=dataset.groups(rows),
        )
        if not run.quiet:
            metrics["text"] = _what_its_text_held(model, start, codes)
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
    bundle = write_bundle(run.path / "bundle", bundle_config, module, metrics, card, half=half)
    draw_curve(run)
    run.finish({"bundle": "bundle", **metrics})
    return bundle
