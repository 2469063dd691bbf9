"""The names of what is measured, and the fit that each stands for.

A plain baseline goes by its name in `dnalm.evaluation.baselines`. A classifier of dnalm's is START+HEAD: a language
model's name, or `random` for an encoder without pre-training, and a head; START+finetuned+HEAD goes on training the
language model on the fold's training sequences first. `start_codon_rule` calls positive what has
ATG, GTG or TTG at the anchor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.alphabet import encode
from dnalm.errors import InputError
from dnalm.evaluation.baselines import baselines
from dnalm.evaluation.features import Floats, Sequences, windows
from dnalm.evaluation.fitting import Fit, Fitted, Labels
from dnalm.evaluation.networks import METHOD, RANDOM, NetworkFit
from dnalm.evaluation.several import WIDE_METHOD
from dnalm.model.bundle import CONFIG, find_bundle, read_bundle
from dnalm.settings import settings

BASELINE_METHOD = 1
"""Raised when a baseline of the same name gives other figures."""
FINETUNED = "finetuned"
TUNE_EPOCHS = 5
RULE = "start_codon_rule"
START_CODONS = ("ATG", "GTG", "TTG")
# Heads that train the encoder take minutes a fit, so two of the inner folds take their turn as validation part; of more
# training sequences than this, one.
ROTATIONS = 2
ROTATED_UP_TO = 4000

PLAIN_TITLES = {
    "gc_alone": "GC alone",
    "length_alone": "length alone",
    "longest_orf": "longest reading frame",
    "pwm": "weight matrix (PWM)",
    "wam": "weight array (WAM)",
    "markov": "Markov models",
    "kmer_logistic": "k-mers, logistic",
    "positional_logistic": "k-mers in place, logistic",
    "windowed_logistic": "k-mers in windows, logistic",
    "stacked_wam": "weight arrays, stacked",
    "gradient_boosting": "k-mers, gradient boosting",
    "one_layer_cnn": "one-layer CNN",
    "plain_average": "average of plain models",
    "naive_bayes_8": "naive Bayes on 8-mers",
    RULE: "start codon at its place",
}
"""What plain baselines are called in tables, by name."""

Models = Mapping[str, Path]


def find_models(named: Sequence[str] = (), snapshots: Path | None = None) -> dict[str, Path]:
    """Language models by name: those that ship, those asked for by name, then a folder's bundles.

    Other models of the installation are somebody's own, and stand in nobody's tables unasked.

    Raises:
        InputError: a name is no language model's, the folder holds none, or two go by one name.
    """
    shipped = sorted(settings().shipped_models.glob(f"[!.]*-lm/{CONFIG}")) if settings().shipped_models else []
    found = {path.parent.name: path.parent for path in shipped if _is_lm(path.parent)}
    added = []
    for name in named:
        folder = find_bundle(name)
        if not _is_lm(folder):
            raise InputError(f"{name}: a classifier; a language model is wanted here")
        if found.get(folder.name) != folder:
            added.append(folder)
    if snapshots is not None:
        points = [path.parent for path in sorted(snapshots.glob(f"*/{CONFIG}")) if _is_lm(path.parent)]
        if not points:
            raise InputError(f"{snapshots}: no folder in it is a language model's bundle")
        added += points
    for folder in added:
        if folder.name in found or folder.name == RANDOM:
            raise InputError(f"{folder}: there is a model named {folder.name} already; rename it")
        found[folder.name] = folder
    return found


def _is_lm(folder: Path) -> bool:
    return read_bundle(folder).config.kind == "language-model"


def is_network(model: str) -> bool:
    """Whether the name is START+HEAD."""
    return "+" in model


def measured_before(model: str, fingerprint: Mapping[str, Any]) -> bool:
    """Whether a row's figures are of a head of dnalm's as it was before it last changed."""
    told = fingerprint.get("method", METHOD), fingerprint.get("several", WIDE_METHOD)
    return is_network(model) and told != (METHOD, WIDE_METHOD)


def title_of(model: str) -> str:
    """What a model is called in tables: START+HEAD stays as it is, which is what one types."""
    return PLAIN_TITLES.get(model, model)


def start_of(model: str) -> str | None:
    """The language model that a name wants; None for a baseline and for a random encoder."""
    start = model.partition("+")[0] if is_network(model) else RANDOM
    return None if start == RANDOM else start


@cache
def _baselines(grouped: bool) -> dict[str, Fit]:
    return baselines(grouped=grouped)


def fit_of(model: str, models: Models, *, grouped: bool, training: int, anchor: int | None, whole: bool = False) -> Fit:
    """The fit that a name stands for.

    Args:
        model: the name.
        models: folders of the language models by name.
        grouped: whether inner folds keep sequences that share a stretch together.
        training: how many sequences it will be fitted on.
        anchor: 0-based offset of the site in each sequence, for the rule.
        whole: whether the label speaks of whole sequences.

    Raises:
        InputError: nothing goes by that name.
    """
    if model == RULE:
        return start_codon_rule(anchor or 0)
    if is_network(model):
        start, *tuned, head = model.split("+")
        if tuned not in ([], [FINETUNED]):
            raise InputError(f"{model}: START+HEAD or START+{FINETUNED}+HEAD is wanted")
        if start != RANDOM and start not in models:
            raise InputError(f"no language model {start!r}; there are {', '.join(models) or 'none'}")
        return NetworkFit(
            None if start == RANDOM else str(models[start]),
            head,  # type: ignore[arg-type]  # pydantic refuses an unknown head
            rotations=1 if training > ROTATED_UP_TO else ROTATIONS,
            grouped=grouped,
            tune_epochs=TUNE_EPOCHS if tuned else 0,
            whole=whole,
        )
    if model not in _baselines(grouped):
        raise InputError(f"no baseline {model!r}; there are {', '.join(_baselines(grouped))}")
    return _baselines(grouped)[model]


def describe(model: str, fit: Fit, *, grouped: bool, length: int | None) -> dict[str, Any]:
    """What decides the result besides the data, ready for JSON."""
    if isinstance(fit, NetworkFit):
        return fit.describe(length)
    return {"method": BASELINE_METHOD, "grouped": grouped, "weights": None}


def start_codon_rule(anchor: int) -> Fit:
    """A fit that learns nothing: positive where a start codon stands at the anchor."""
    wanted = np.stack([encode(codon) for codon in START_CODONS])

    def probability_of(sequences: Sequences) -> Floats:
        codon = windows(sequences, "the start codon rule")[:, anchor : anchor + 3]
        return (codon[:, None] == wanted).all(-1).any(-1).astype(np.float64)

    def fit(sequences: Sequences, labels: Labels, generator: np.random.Generator) -> Fitted:
        del labels, generator
        return Fitted(probability_of, 0.5, probability_of(sequences))

    return fit
