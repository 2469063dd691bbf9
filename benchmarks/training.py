"""Language-model training beside fastai's modules, and the part of the machine's peak that it reaches.

Both sides take the same steps: forward, loss, backward, gradient clipping, AdamW, with carried state and all dropouts
at the published rates. fastai gets its token ids ready made; ours reads bases and numbers the k-mers itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import fastai_peer
from benchmarks.table import Row
from benchmarks.timing import Timings, take_turns
from dnalm.model.config import PRESETS, EncoderConfig
from dnalm.model.doors import kmer_ids
from dnalm.model.encoder import State, detach
from dnalm.model.language_model import AWDLanguageModel

LANES, TOKENS = 32, 64
"""dnalm's own batch and stretch of backpropagation."""
PEAK_SIDE = 2048
PEAK_SHARE = {"small": 58.0, "seed": 75.0}
"""Aims, % of the matrix-multiply peak, for each preset with its own head."""
OWN_HEAD: dict[str, Literal["continuation", "vocabulary"]] = {"small": "continuation", "seed": "vocabulary"}
_ROUNDS = {"small": (15, 8), "seed": (5, 1)}
"""Rounds, and steps in each."""

Step = Callable[[], object]


def flops_a_token(config: EncoderConfig, classes: int) -> int:
    """Floating-point operations of training on one token: LSTM layers and decoder, three times the forward pass.

    A forward pass multiplies and adds once for each weight; the backward pass does so twice. What is not a matrix
    product (gates, dropout, embedding, softmax, optimizer) is not counted, so the share of the peak is understated.
    """
    lstm = sum(4 * width * (inputs + width) for inputs, width in config.layer_sizes())
    return 3 * 2 * (lstm + config.output_size * classes)


def measure(preset: str) -> list[Row]:
    """All rows of one preset."""
    config = PRESETS[preset]
    rounds, steps = _ROUNDS[preset]
    heads: tuple[Literal["vocabulary", "continuation"], ...] = ("vocabulary", "continuation")
    models = {head: AWDLanguageModel(config, head) for head in heads}
    works: dict[str, Step] = {head: _repeat(our_step(model), steps) for head, model in models.items()}
    if fastai_peer.fastai() is not None:
        works["fastai"] = _repeat(fastai_step(config), steps)
    square = torch.randn(PEAK_SIDE, PEAK_SIDE)
    out = torch.empty_like(square)
    works["peak"] = lambda: torch.mm(square, square, out=out)
    return rows_of(preset, take_turns(works, rounds=rounds), steps * LANES * TOKENS)


def rows_of(preset: str, timings: Timings, tokens: int) -> list[Row]:
    """Rows from the seconds that `tokens` tokens and one large product took."""
    config, own = PRESETS[preset], OWN_HEAD[preset]
    subject = f"training, {preset}"
    rows = []
    if "fastai" in timings.seconds:
        heads = {"vocabulary": "the same softmax over all k-mers", "continuation": "our continuation head"}
        for head, what in heads.items():
            ratio = timings.ratio("fastai", head)
            aim = 0.95 if head == "vocabulary" else None
            rows.append(Row(subject, f"tokens/s beside fastai, {what}", ratio.value, "x", ratio.low, ratio.high, aim))
        rows.append(Row(subject, "fastai's modules", tokens / timings.median("fastai"), "tokens/s"))
    for head in ("vocabulary", "continuation"):
        rows.append(Row(subject, f"dnalm, {head} head", tokens / timings.median(head), "tokens/s"))
    for head in ("vocabulary", "continuation"):
        classes = config.tokenizer.vocabulary_size if head == "vocabulary" else config.tokenizer.continuations
        work = flops_a_token(config, classes) * tokens / (2 * PEAK_SIDE**3)
        ratio = timings.ratio("peak", head)
        low, value, high = (100 * work * part for part in (ratio.low, ratio.value, ratio.high))
        aim = PEAK_SHARE[preset] if head == own else None
        rows.append(Row(subject, f"share of matrix-multiply peak, {head} head", value, "%", low, high, aim))
    peak = 2 * PEAK_SIDE**3 / timings.median("peak") / 1e9
    rows.append(Row(subject, f"torch.mm of {PEAK_SIDE} x {PEAK_SIDE}, float32", peak, "GFLOP/s"))
    return rows


def our_step(model: AWDLanguageModel) -> Step:
    """One training step of ours, on made text."""
    model.train()
    tokenizer = model.tokenizer
    codes = _codes(tokenizer.bases(TOKENS + 1))

    def steps() -> Iterator[Tensor]:
        state: State | None = None
        while True:
            scored = model(codes, state)
            state = detach(scored.state)
            yield scored.mean()

    return _optimize(model, steps())


def fastai_step(config: EncoderConfig) -> Step:
    """The same step with fastai's modules."""
    model = fastai_peer.language_model(config).train()
    fastai_peer.batch(model, LANES)
    ids = kmer_ids(_codes(config.tokenizer.bases(TOKENS + 1)), config.tokenizer)

    def steps() -> Iterator[Tensor]:
        while True:
            logits, _, _ = model(ids[:, :-1])
            yield functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    return _optimize(model, steps())


def _optimize(model: nn.Module, losses: Iterator[Tensor]) -> Step:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.99))

    def step() -> float:
        loss = next(losses)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def _repeat(step: Step, times: int) -> Step:
    def work() -> None:
        for _ in range(times):
            step()

    return work


def _codes(bases: int) -> Tensor:
    return torch.randint(0, 4, (LANES, bases), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
