"""What a language model's pre-training text held of some sequences: read without labels, and yet read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnalm.alphabet import Codes
from dnalm.datasets import catalog
from dnalm.datasets.splits import shared_with
from dnalm.errors import InputError
from dnalm.model.bundle import find_bundle, read_bundle
from dnalm.training.config import PretrainConfig
from dnalm.training.genomes import prepare_corpus

_BLOCK = 4_000_000
_OVERLAP = 100
MOST_BASES = 400_000_000
"""Longer texts are not looked through beside a training: that would take longer than many a training."""


@dataclass(frozen=True)
class Seen:
    """How many sequences share a stretch of 20 bases, on either strand, with a text.

    Attributes:
        shared: how many; None where it could not be counted.
        of: how many were looked for.
        why: why it could not be counted.
    """

    shared: int | None
    of: int
    why: str = ""

    def sentence(self, model: str, what: str) -> str:
        """In words, for a card: `model` is the language model's name, `what` the sequences'."""
        if self.shared is None:
            return f"Whether the pre-training text of {model} held {what} was not counted: {self.why}"
        return (
            f"The pre-training text of {model} held, without labels, a stretch of 20 bases or more of "
            f"{self.shared:,} of the {self.of:,} {what}"
        )


def seen_in_pretraining(model: str | Path, sequences: Sequence[Codes], *, most: int | None = None) -> Seen:
    """Count the sequences of which a language model's pre-training text held a stretch.

    Args:
        model: name or folder of a language model; of a fine-tuned one the text of its parent is looked through.
        sequences: what to look for.
        most: bases of the longest text looked through; None: any.
    """
    try:
        told = read_bundle(find_bundle(model)).config.trained.get("config", {})
        while told.get("phase") == "finetune":
            told = read_bundle(find_bundle(told["model"])).config.trained.get("config", {})
        if told.get("phase") != "pretrain":
            return Seen(None, len(sequences), "its bundle does not say what it read")
        config = PretrainConfig.model_validate(told)
        for name in config.genomes:
            if not Path(name).exists() and catalog.holding(name) is None:
                return Seen(None, len(sequences), f"{name} is not on this machine")
        corpus, _ = prepare_corpus(config)
    except InputError as error:
        return Seen(None, len(sequences), str(error))
    text = corpus.train()
    if most is not None and len(text) > most:
        return Seen(None, len(sequences), f"the text has {len(text):,} bases")
    hit = np.zeros(len(sequences), dtype=bool)
    for first in range(0, len(text), _BLOCK):
        hit |= shared_with(sequences, [np.asarray(text[first : first + _BLOCK + _OVERLAP])])
    return Seen(int(hit.sum()), len(hit))
