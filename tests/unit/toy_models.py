"""Small models and data whose answers a person can work out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dnalm.alphabet import UNKNOWN, decode, encode, reverse_complement
from dnalm.datasets.dataset import Dataset, table_of
from dnalm.model.bundle import write_bundle
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import AlignedHeadConfig, BundleConfig, EncoderConfig, MemberConfig, PoolHeadConfig
from dnalm.model.language_model import AWDLanguageModel
from dnalm.training.seeding import seeded

# Tiny matrices: a second thread costs more than it brings, most of all on a busy machine.
torch.set_num_threads(1)

NO_DROPOUT = {
    f"{place}_dropout": 0.0 for place in ("embedding", "input", "hidden", "weight", "output")
}  # so that two readings of one text are equal in training too


def tiny_encoder(**changes) -> EncoderConfig:
    """3-mers at stride 2, embedding 8, hidden 12, one layer, without dropout."""
    fields = {"k": 3, "stride": 2, "embedding": 8, "hidden": 12, "layers": 1, **NO_DROPOUT, **changes}
    return EncoderConfig(**fields)


def language_model(head="continuation", seed=0, **changes) -> AWDLanguageModel:
    with seeded(seed):
        return AWDLanguageModel(tiny_encoder(**changes), head)


def uniform_language_model(head="continuation", **changes) -> AWDLanguageModel:
    """Its decoder says the same of every continuation: it knows nothing."""
    model = language_model(head, **changes).eval()
    with torch.no_grad():
        model.decoder.weight.zero_()
        model.decoder.bias.zero_()
    return model


def aligned(length: int) -> AlignedHeadConfig:
    return AlignedHeadConfig(length=length, projection=3, width=5)


def classifier(*heads, both_strands=True, classes=2, seed=0, **changes) -> SequenceClassifier:
    """One member for each head, random weights, statistics of its batch norms moved off their start."""
    members = [
        MemberConfig(encoder=tiny_encoder(**changes), head=head, both_strands=both_strands)
        for head in heads or [PoolHeadConfig(width=7)]
    ]
    with seeded(seed):
        module = SequenceClassifier(members, classes)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
            if name.endswith(("centre", "components")):
                buffer.normal_()
        for name, parameter in module.named_parameters():
            if name.endswith("head.linear.weight"):  # an aligned head's begins at zero
                parameter.data.normal_(std=0.1)
    return module.eval()


def classifier_bundle(folder: Path, module: SequenceClassifier | None = None, **fields):
    module = module or classifier()
    config = BundleConfig(
        kind="classifier",
        **{
            "name": folder.name,
            "members": [member.config for member in module.members],
            "labels": ["background", "promoter"],
            "positive": "promoter",
            "threshold": 0.5,
            **fields,
        },
    )
    return write_bundle(folder, config, module, {"test": {"n": 3}}, "# A toy\n")


def language_model_bundle(folder: Path, model: AWDLanguageModel | None = None):
    model = model or language_model()
    config = BundleConfig(
        kind="language-model", name=folder.name, encoder=model.config, lm_head=model.head_name, description="a toy"
    )
    return write_bundle(folder, config, model, {}, "# A toy\n")


def random_codes(length: int, seed: int = 0, unknown: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, length).astype(np.uint8)
    codes[rng.random(length) < unknown] = UNKNOWN
    return codes


def write_genome(path: Path, length: int = 6000, seed: int = 0, name: str = "toy") -> Path:
    path.write_text(f">{name}\n{decode(random_codes(length, seed))}\n")
    return path


def toy_dataset(folder: Path, n: int = 96, length: int = 20, seed: int = 0, **info) -> Dataset:
    """Half of the sequences have TATAAT at base 7 and are called promoter: a model can learn it."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        codes = rng.integers(0, 4, length).astype(np.uint8)
        promoter = number % 2 == 1
        if promoter:
            codes[7:13] = encode("TATAAT")
        rows.append(
            {
                "id": f"s{number}",
                "sequence": decode(codes),
                "label": "promoter" if promoter else "background",
                "split": ("train", "train", "train", "train", "valid", "test")[number // 2 % 6],
                "source": "made up",
                "in_demo_region": False,
            }
        )
    known = {"name": folder.name, "labels": ["background", "promoter"], "positive": "promoter", "anchor": 12}
    dataset = Dataset(table_of(rows), {**known, **info})
    dataset.save(folder)
    return dataset


def both_strands_text(codes: np.ndarray) -> np.ndarray:
    return np.concatenate([codes, reverse_complement(codes)])
