"""Small real bundles with a family tree: a language model, what was fine-tuned from it, a classifier on that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml

from dnalm.model.bundle import Bundle, weights_hash, write_bundle
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import BundleConfig, EncoderConfig, MemberConfig, PoolHeadConfig
from dnalm.model.language_model import AWDLanguageModel

ENCODER = EncoderConfig(k=2, stride=1, embedding=4, hidden=4, layers=1)
GENOME = "ecoli-k12"


def figure(value: float, n: int = 100) -> dict[str, Any]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "n": n}


def language_model(
    folder: Path,
    name: str,
    seed: int = 0,
    *,
    parents: tuple[Bundle, ...] = (),
    bits: float = 1.9,
    corpus: str = "c" * 64,
    genome: str = GENOME,
) -> Bundle:
    """A language model of a genome; fine-tuned where it has parents."""
    told = {"phase": "finetune"} if parents else {"phase": "pretrain", "genomes": [genome]}
    config = BundleConfig(
        kind="language-model",
        name=name,
        description=f"Reads DNA, seed {seed}",
        encoder=ENCODER,
        lm_head="continuation",
        parents=chain(parents),
        trained={"config": told},
    )
    torch.manual_seed(seed)
    metrics = {"figures": {"bits_per_base": figure(bits)}, "split": "held-out text", "corpus_sha256": corpus}
    module = AWDLanguageModel(ENCODER, "continuation")
    return write_bundle(folder, config, module, metrics, f"# {name}\n\nA toy.\n")


def classifier(
    folder: Path,
    name: str,
    seed: int = 0,
    *,
    parents: tuple[Bundle, ...] = (),
    mcc: float = 0.8,
    data: str = "d" * 64,
    split: str = "grouped",
) -> Bundle:
    """A classifier of two labels."""
    config = BundleConfig(
        kind="classifier",
        name=name,
        description=f"Tells promoters, seed {seed}",
        members=[MemberConfig(encoder=ENCODER, head=PoolHeadConfig(width=3))],
        labels=["background", "promoter"],
        positive="promoter",
        window=81,
        anchor=60,
        threshold=0.5,
        parents=chain(parents),
        trained={"config": {"phase": "train"}, "data": {"dataset": "toy-set", "sha256": data, "split": split}},
    )
    torch.manual_seed(seed)
    metrics = {"test": {"n": 100, "figures": {"mcc": figure(mcc), "auroc": figure(0.9)}}}
    return write_bundle(folder, config, SequenceClassifier(config.members, 2), metrics, f"# {name}\n\nA toy.\n")


def chain(parents: tuple[Bundle, ...]) -> list[str]:
    """What a child says of its parents, the nearest first."""
    return [f"{parent.config.name} {weights_hash(parent.folder)}" for parent in parents]


def finished_run(home: Path, run: str, *, name: str = "toy", seed: int = 0, **fields: Any) -> Path:
    """A run folder that is done, with a language model in it."""
    folder = home / "runs" / run
    folder.mkdir(parents=True)
    language_model(folder / "bundle", name, seed, **fields)
    told = {"phase": "pretrain", "genomes": [GENOME], "name": name}
    document = {"config": told, "created": "2026-01-02T03:04:05+00:00"}
    (folder / "config.yaml").write_text(yaml.safe_dump(document))
    (folder / "result.json").write_text(json.dumps({"bundle": "bundle", "figures": {"bits_per_base": figure(1.9)}}))
    return folder


def family(models: Path) -> dict[str, Bundle]:
    """Four models in a folder: `lm`, `tuned` from it, `caller` from that, and `other-caller` from `lm` itself."""
    lm = language_model(models / "lm", "lm", 1)
    tuned = language_model(models / "tuned", "tuned", 2, parents=(lm,), bits=1.8, corpus="e" * 64)
    caller = classifier(models / "caller", "caller", 3, parents=(tuned, lm))
    other = classifier(models / "other-caller", "other-caller", 4, parents=(lm,), mcc=0.7)
    return {"lm": lm, "tuned": tuned, "caller": caller, "other-caller": other}
