"""Phase 1: pre-train a language model on genomes, both strands, with carried state."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dnalm.alphabet import Codes
from dnalm.errors import InputError
from dnalm.metrics import Figure, block_bootstrap_mean
from dnalm.model.bundle import Bundle, write_bundle
from dnalm.model.config import BundleConfig
from dnalm.model.dropout import set_generator
from dnalm.model.encoder import detach
from dnalm.model.language_model import AWDLanguageModel
from dnalm.model.scoring import bits_per_base, token_nats
from dnalm.tokenizer import KmerTokenizer
from dnalm.training.card import language_model_card
from dnalm.training.config import PretrainConfig
from dnalm.training.corpus import Corpus, Lanes
from dnalm.training.curve import draw_curve
from dnalm.training.genomes import prepare_corpus
from dnalm.training.loop import Carried, Loop, Progress, Stage, curve_spacing, make_fabric
from dnalm.training.run import RunFolder
from dnalm.training.schedule import find_learning_rate, parameter_groups
from dnalm.training.seeding import seeded

VALIDATION_BASES = 200_000
"""Held-out bases looked at during training."""
EVALUATION_BASES = 20_000_000
"""Held-out bases that the result is measured on, at most: a tenth of a large genome would take half an hour."""
INTERVAL_BLOCK = 2000
"""Bases a block of the interval's bootstrap: longer than the model's memory of one gene."""
DEFAULT_MINUTES = 20.0
_CALIBRATION_SECONDS = 8.0


def pretrain(config: PretrainConfig, path: Path, progress: Progress | None = None) -> Bundle:
    """Run the phase in a run folder, from its last checkpoint where there is one.

    Args:
        config: what to do.
        path: the run folder; made where it is not there.
        progress: called about once a second.

    Returns:
        The bundle in the run folder.

    Raises:
        InputError: a genome, record or region is not there, or too short.
        RunError: the run cannot go on.
    """
    run = RunFolder.open_or_create(path, config.model_dump(mode="json"))
    with run.failing_plainly():
        return _pretrain(config, run, progress)


def _pretrain(config: PretrainConfig, run: RunFolder, progress: Progress | None) -> Bundle:
    fabric = make_fabric(config.compute)
    fabric.launch()
    run.quiet = fabric.global_rank > 0
    with fabric.rank_zero_first():
        corpus, sources = prepare_corpus(config)
    encoder = config.resolved_encoder()
    with seeded(config.seed):
        model = AWDLanguageModel(encoder, config.resolved_head())
    tokenizer = model.tokenizer
    lanes = Lanes(
        corpus.train(),
        lanes=config.lanes,
        window=config.tokens * tokenizer.stride,
        overlap=tokenizer.k,
        seed=config.seed,
        both_strands=config.both_strands,
    )
    if config.lanes % fabric.world_size:
        raise InputError(f"{config.lanes} lanes cannot be shared out among {fabric.world_size} processes evenly")
    share = slice(fabric.global_rank, None, fabric.world_size)
    # What is measured or found differs from process to process: the first one's plan is everybody's.
    plan = _plan(config, run, model, lanes, share, fabric.device) if fabric.global_rank == 0 else {}
    plan = fabric.broadcast(plan)
    optimizer = config.optimizer.model_copy(update={"learning_rate": plan["learning_rate"]})
    held_out = corpus.held_out()

    def validate() -> dict[str, float]:
        bits = _bits(model, np.asarray(held_out[:VALIDATION_BASES]))
        return {"bits_per_base": float(bits.mean())} if len(bits) else {}

    def batch(step: int) -> tuple[Tensor, bool]:
        codes, fresh = lanes.step(step, share)
        return torch.from_numpy(codes), fresh

    stage = Stage(
        name="pretrain",
        module=model,
        groups=parameter_groups([list(model.parameters())], 1.0),
        steps=plan["steps"],
        optimizer=optimizer,
        batch=batch,
        loss=_loss(config),
        validate=validate,
        validate_every=config.validate_every,
        curve_every=curve_spacing(plan["steps"]),
        # With penalties the loss is no longer that of the text alone.
        bits_per_nat=None if config.activation_penalty or config.temporal_penalty else model.bits_per_base(1.0),
        per_step=config.lanes * lanes.window,
        after_step=lambda step: lanes.release() if step % 200 == 0 else None,
    )
    run.record("data", {"sources": sources, "corpus": corpus.told})
    started = time.time()
    Loop(run, fabric, seed=config.seed, checkpoint_seconds=config.checkpoint_seconds, progress=progress).fit(
        [lambda: stage]
    )
    bundle = _finish(config, run, model, corpus, plan, time.time() - started)
    fabric.barrier()  # the next phase finds the bundle whole, in every process
    return bundle


def _bits(model: AWDLanguageModel, text: Codes) -> NDArray[np.float64]:
    """Bits a base of each scored token; none where the text is too short to say anything, or unknown throughout."""
    if len(text) < max(10 * model.tokenizer.k, model.tokenizer.bases(2)):
        return np.empty(0)
    return bits_per_base(model, token_nats(model, text))


def _loss(config: PretrainConfig) -> Any:
    """Mean nats a token, with AWD-LSTM's activation penalties where asked for."""

    def loss(module: nn.Module, batch: tuple[Tensor, bool], carried: Carried) -> tuple[Tensor, Tensor, Carried]:
        codes, fresh = batch
        scored = module(codes, None if fresh else carried)
        total = scored.mean()
        if config.activation_penalty:
            total = total + config.activation_penalty * scored.outputs.float().pow(2).mean()
        if config.temporal_penalty:
            change = scored.raw_outputs[:, 1:] - scored.raw_outputs[:, :-1]
            total = total + config.temporal_penalty * change.float().pow(2).mean()
        return total, scored.scored.sum(), detach(scored.state)

    return loss


def _plan(
    config: PretrainConfig,
    run: RunFolder,
    model: AWDLanguageModel,
    lanes: Lanes,
    share: slice,
    device: torch.device,
) -> dict[str, Any]:
    """Steps and learning rate, settled once: a resumed run keeps them."""
    plan = run.document().get("plan")
    if plan:
        return plan
    rate = config.optimizer.learning_rate
    if rate == "find":
        rate = find_learning_rate(*_trial(config, model, lanes, share, device))
    if config.steps is not None:
        steps = config.steps
    elif config.epochs is not None:
        steps = max(1, round(config.epochs * lanes.steps_per_epoch))
    else:
        minutes = config.minutes or DEFAULT_MINUTES
        steps = max(1, round(minutes * 60 / _seconds_per_step(config, model, lanes, share, device)))
    plan = {"steps": steps, "learning_rate": float(rate), "steps_per_epoch": lanes.steps_per_epoch}
    run.record("plan", plan)
    return plan


def _trial(config: PretrainConfig, model: AWDLanguageModel, lanes: Lanes, share: slice, device: torch.device) -> Any:
    """A copy of the model with an optimizer, to measure on without touching the run."""
    trial = copy.deepcopy(model).to(device).train()
    set_generator(trial, torch.Generator(device=device).manual_seed(config.seed))
    optimizer = torch.optim.AdamW(trial.parameters(), lr=1e-5)
    loss_of = _loss(config)

    def loss_at(step: int) -> Tensor:
        codes, _ = lanes.step(step, share)
        return loss_of(trial, (torch.from_numpy(codes).to(device), True), None)[0]

    return loss_at, optimizer


def _seconds_per_step(
    config: PretrainConfig, model: AWDLanguageModel, lanes: Lanes, share: slice, device: torch.device
) -> float:
    loss_at, optimizer = _trial(config, model, lanes, share, device)
    steps, started = -3, 0.0
    while True:
        if steps == 0:
            started = time.monotonic()
        loss = loss_at(steps + 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        steps += 1
        elapsed = time.monotonic() - started
        if steps >= 5 and (elapsed > _CALIBRATION_SECONDS or steps >= 200):
            return elapsed / steps


def perplexity(bits: Figure, tokenizer: KmerTokenizer) -> Figure:
    """Perplexity a token from bits a base: the number of equally likely continuations."""
    power = tokenizer.new_bases
    return Figure(2 ** (bits.value * power), 2 ** (bits.low * power), 2 ** (bits.high * power), bits.n)


def _finish(
    config: PretrainConfig,
    run: RunFolder,
    model: AWDLanguageModel,
    corpus: Corpus,
    plan: dict[str, Any],
    seconds: float,
) -> Bundle:
    """Measure on the held-out text and write the bundle."""
    model.eval()
    figures: dict[str, Any] = {}
    held_out = np.asarray(corpus.held_out()[:EVALUATION_BASES])
    bits = _bits(model, held_out)
    if len(bits):
        generator = np.random.default_rng(config.seed)
        figure = block_bootstrap_mean(bits, max(1, INTERVAL_BLOCK // model.tokenizer.stride), generator)
        figure = Figure(figure.value, figure.low, figure.high, figure.n * model.tokenizer.new_bases)
        figures["bits_per_base"] = figure.as_dict()
        figures["perplexity"] = perplexity(figure, model.tokenizer).as_dict()
    metrics = {
        "figures": figures,
        "split": "held-out text of the genomes" if figures else "none",
        "held_out_bases": len(held_out),
        "train_bases": corpus.info["train_bases"],
        "corpus_sha256": corpus.hash,
        "steps": plan["steps"],
        "epochs": plan["steps"] / plan["steps_per_epoch"],
        "seconds_since_start_or_resume": round(seconds, 1),
        "threads": torch.get_num_threads(),
    }
    document = run.document()
    bundle_config = BundleConfig(
        kind="language-model",
        name=config.name or run.path.name,
        description=f"AWD-LSTM language model of {', '.join(Path(name).name for name in config.genomes)}",
        encoder=config.resolved_encoder(),
        lm_head=config.resolved_head(),
        trained={key: document[key] for key in ("config", "versions", "plan", "data") if key in document},
    )
    if run.quiet:
        return Bundle(run.path / "bundle", bundle_config, metrics, "")
    bundle = write_bundle(
        run.path / "bundle", bundle_config, model, metrics, language_model_card(bundle_config, metrics, document)
    )
    draw_curve(run)
    run.finish({"bundle": "bundle", **metrics})
    return bundle
