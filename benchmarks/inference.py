"""Classifier inference on 150 bp windows beside fastai's SentenceEncoder and PoolingLinearClassifier."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks import fastai_peer
from benchmarks.table import Row
from benchmarks.timing import Timings, take_turns
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import PRESETS, MemberConfig, PoolHeadConfig
from dnalm.model.doors import kmer_ids

WINDOW, WINDOWS = 150, 64
"""Bases, and windows in a batch: fastai's default."""
_ROUNDS, _BATCHES = 25, 8


def measure() -> list[Row]:
    """All rows, at the `small` preset, one strand read, the same pooling and layers on both sides."""
    config = PRESETS["small"]
    codes = torch.randint(0, 4, (WINDOWS, WINDOW), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    lengths = torch.full((WINDOWS,), WINDOW)
    works: dict[str, Callable[[], object]] = {}
    for name, both in (("dnalm", False), ("dnalm, both strands", True)):
        member = MemberConfig(encoder=config, head=PoolHeadConfig(), both_strands=both)
        model = SequenceClassifier([member], 2).eval()
        works[name] = _batches(lambda model=model: model(codes, lengths))
    if fastai_peer.fastai() is None:
        works.pop("dnalm, both strands")
    else:
        peer = fastai_peer.classifier(config, 2).eval()
        fastai_peer.batch(peer, WINDOWS)
        ids = kmer_ids(codes, config.tokenizer)
        works["fastai"] = _batches(lambda: peer(ids))
    return rows_of(take_turns(works, rounds=_ROUNDS))


def rows_of(timings: Timings) -> list[Row]:
    """Rows from the seconds of `_BATCHES` batches."""
    subject = f"inference, small, {WINDOW} bp"
    rows = []
    if "fastai" in timings.seconds:
        ratio = timings.ratio("fastai", "dnalm")
        rows.append(Row(subject, "windows/s beside fastai", ratio.value, "x", ratio.low, ratio.high, 1.1))
        ratio = timings.ratio("fastai", "dnalm, both strands")
        rows.append(Row(subject, "both strands, beside fastai's one", ratio.value, "x", ratio.low, ratio.high))
    rows.append(Row(subject, "dnalm", WINDOWS * _BATCHES / timings.median("dnalm"), "windows/s"))
    return rows


def _batches(work: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with torch.inference_mode():
            for _ in range(_BATCHES):
                work()

    return run
