"""Phase 2: the language model goes on with the task's own training text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dnalm.alphabet import Codes, reverse_complement
from dnalm.datasets.recipes import load_or_make
from dnalm.errors import InputError
from dnalm.metrics import Figure, bootstrap_figures
from dnalm.model.bundle import Bundle, find_bundle, load_module, read_bundle, weights_hash, write_bundle
from dnalm.model.language_model import AWDLanguageModel
from dnalm.model.predict import pad
from dnalm.training.card import finetuned_card
from dnalm.training.config import FinetuneConfig
from dnalm.training.curve import draw_curve
from dnalm.training.examples import Batches, Examples
from dnalm.training.loop import Carried, Loop, Progress, Stage, curve_spacing, make_fabric
from dnalm.training.run import RunFolder
from dnalm.training.schedule import parameter_groups

DISCRIMINATION = 2.6
"""Each layer learns this much slower than the one above it (Howard & Ruder 2018)."""


def finetune(config: FinetuneConfig, path: Path, progress: Progress | None = None) -> Bundle:
    """Run the phase in a run folder, from its last checkpoint where there is one.

    Args:
        config: what to do.
        path: the run folder; made where it is not there.
        progress: called about once a second.

    Returns:
        The bundle in the run folder: a language model.

    Raises:
        InputError: the model or dataset is not there, or does not fit.
        RunError: the run cannot go on.
    """
    run = RunFolder.open_or_create(path, config.model_dump(mode="json"))
    with run.failing_plainly():
        return _finetune(config, run, progress)


def load_language_model(name: str, dropout: float) -> tuple[Bundle, AWDLanguageModel]:
    """A language model to go on training, with the published dropout rates times `dropout`.

    Raises:
        InputError: there is no such model, or it is a classifier.
    """
    bundle = read_bundle(find_bundle(name))
    encoder, head = bundle.config.encoder, bundle.config.lm_head
    if encoder is None or head is None:
        raise InputError(f"{name}: a classifier; a language model is wanted here")
    return bundle, load_module(bundle, lambda: AWDLanguageModel(encoder.with_dropout(dropout), head))


def _finetune(config: FinetuneConfig, run: RunFolder, progress: Progress | None) -> Bundle:
    fabric = make_fabric(config.compute)
    fabric.launch()
    run.quiet = fabric.global_rank > 0
    parent, model = load_language_model(config.model, config.dropout)
    dataset = load_or_make(config.dataset)
    least = model.tokenizer.bases(2)
    texts = [codes for codes in dataset.codes(dataset.training("train")) if len(codes) >= least]
    held_out = [codes for codes in dataset.codes(dataset.training("valid")) if len(codes) >= least]
    if not texts:
        raise InputError(f"{config.dataset}: no training sequence of {least} bases or more")
    before = _text_bits(model, held_out, config.seed)
    run.record("data", {"dataset": dataset.name, "sha256": dataset.sha256(), "model": parent.name})
    tune(model, texts, held_out, config, run, fabric, progress)
    bundle = _finish(config, run, parent, model, before, _text_bits(model, held_out, config.seed))
    fabric.barrier()  # the next phase finds the bundle whole, in every process
    return bundle


def tune(
    model: AWDLanguageModel,
    texts: list[Codes],
    held_out: list[Codes],
    config: FinetuneConfig,
    run: RunFolder,
    fabric: Fabric,
    progress: Progress | None = None,
) -> None:
    """Go on training a language model, in place; what held-out text likes best is kept.

    Args:
        model: the language model.
        texts: sequences to learn from.
        held_out: sequences to choose the epoch by; none: the last is taken.
        config: epochs, batches, strands, seed, optimizer.
        run: where checkpoints and the log go.
        fabric: where to compute.
        progress: called about once a second.
    """
    both = texts + [reverse_complement(codes) for codes in texts] if config.both_strands else texts
    examples = Examples(both, np.zeros(len(both), np.int64))
    batches = Batches(examples, config.batch_size, config.seed)

    def loss(
        module: nn.Module, batch: tuple[Tensor, Tensor, Tensor], carried: Carried
    ) -> tuple[Tensor, Tensor, Carried]:
        scored = module(batch[0])
        return scored.mean(), scored.scored.sum(), None

    steps = config.epochs * batches.per_epoch
    stage = Stage(
        name="finetune",
        module=model,
        groups=parameter_groups(model.layer_groups(), DISCRIMINATION),
        steps=steps,
        optimizer=config.optimizer,
        batch=lambda step: batches(step, fabric.global_rank, fabric.world_size),
        loss=loss,
        validate=(lambda: {"bits_per_base": mean_bits(model, held_out)}) if held_out else None,
        validate_every=batches.per_epoch,
        watch="bits_per_base" if held_out else None,
        curve_every=curve_spacing(steps),
        bits_per_nat=model.bits_per_base(1.0),
        unit="sequences",
        per_step=config.batch_size,
    )
    loop = Loop(run, fabric, seed=config.seed, checkpoint_seconds=config.checkpoint_seconds, progress=progress)
    loop.fit([lambda: stage])
    model.eval()


@torch.no_grad()
def sequence_bits(model: AWDLanguageModel, texts: list[Codes]) -> tuple[np.ndarray, np.ndarray]:
    """Bits and scored bases of each short sequence, each read from a fresh state; two arrays `(n,)`."""
    was, device = model.training, next(model.parameters()).device
    model.eval()
    bits, bases = [], []
    for first in range(0, len(texts), 256):
        scored = model(pad(texts[first : first + 256]).to(device))
        bits.append(scored.nats.sum(1).double().cpu().numpy() / np.log(2))
        bases.append(scored.scored.sum(1).cpu().numpy() * model.tokenizer.new_bases)
    model.train(was)
    return np.concatenate(bits), np.concatenate(bases)


def mean_bits(model: AWDLanguageModel, texts: list[Codes]) -> float:
    """Bits a base over all the sequences."""
    bits, bases = sequence_bits(model, texts)
    return float(bits.sum() / max(1, bases.sum()))


def _text_bits(model: AWDLanguageModel, texts: list[Codes], seed: int) -> Figure | None:
    """Bits a base with a bootstrap over sequences; none without sequences."""
    if not texts:
        return None
    bits, bases = sequence_bits(model, texts)
    figures = bootstrap_figures(
        lambda weights: {"bits": (weights @ bits) / (weights @ bases)},
        len(bits),
        generator=np.random.default_rng(seed),
    )
    return figures["bits"]


def _finish(
    config: FinetuneConfig,
    run: RunFolder,
    parent: Bundle,
    model: AWDLanguageModel,
    before: Figure | None,
    after: Figure | None,
) -> Bundle:
    document = run.document()
    figures: dict[str, Any] = {}
    if before is not None and after is not None:
        figures = {"bits_per_base": after.as_dict(), "bits_per_base_before": before.as_dict()}
    metrics = {"figures": figures, "split": "the dataset's validation sequences, each from a fresh state"}
    bundle_config = parent.config.model_copy(
        update={
            "name": config.name or run.path.name,
            "description": f"{parent.name}, fine-tuned on the training text of {document['data']['dataset']}",
            "encoder": model.config,
            "parents": [f"{parent.name} {weights_hash(parent.folder)}"],
            "trained": {key: document[key] for key in ("config", "versions", "data")},
        }
    )
    if run.quiet:
        return Bundle(run.path / "bundle", bundle_config, metrics, "")
    card = finetuned_card(bundle_config, metrics, document)
    bundle = write_bundle(run.path / "bundle", bundle_config, model, metrics, card)
    draw_curve(run)
    run.finish({"bundle": "bundle", **metrics})
    return bundle
