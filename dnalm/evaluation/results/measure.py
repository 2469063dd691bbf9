"""Measures one unit: what it was given, what was predicted, how long it took and on what."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import Codes, reverse_complement
from dnalm.datasets import Dataset, catalog
from dnalm.datasets.dataset import BY_SOURCE
from dnalm.datasets.recipes import load_or_make
from dnalm.datasets.splits import grouped_folds, random_folds, shared_with
from dnalm.errors import InputError
from dnalm.evaluation import several
from dnalm.evaluation.features import Sequences, take
from dnalm.evaluation.folds import Calls
from dnalm.evaluation.markov import bits_per_base, fit_markov, fit_mixture
from dnalm.evaluation.results.intervals import mean_figures
from dnalm.evaluation.results.models import Models, describe, fit_of
from dnalm.evaluation.results.tasks import FOLDS
from dnalm.evaluation.results.units import Unit, machine_kind
from dnalm.metrics import binary_metrics
from dnalm.model.bundle import read_bundle, weights_hash
from dnalm.model.predict import LanguageModel
from dnalm.sequences import read_records
from dnalm.training.examples import Examples, limit
from dnalm.training.run import versions
from dnalm.training.seen import seen_in_pretraining

Truth = NDArray[np.bool_] | NDArray[np.int64]
HELD_OUT_SHARE = 0.1
_STREAM_DRAW = 20  # the stream of random numbers that draws few labels, apart from the fits' own


@dataclass(frozen=True)
class Sample:
    """What a classifier is fitted and measured on.

    Attributes:
        train: training sequences.
        train_truth: whether each is positive; of several classes, which.
        test: sequences that are predicted.
        test_truth: the same of those.
        rows: row in the dataset of each predicted sequence.
        training_rows: rows in the dataset of the training sequences.
    """

    train: Sequences
    train_truth: Truth
    test: Sequences
    test_truth: Truth
    rows: NDArray[np.int64]
    training_rows: NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """A dataset as classifiers are measured on it.

    Attributes:
        dataset: the set.
        sequences: of all its rows.
        truth: whether each is positive; the number of its class where no class is the positive one.
        sha256: checksum of the table.
    """

    dataset: Dataset
    sequences: Sequences
    truth: Truth
    sha256: str

    @property
    def several(self) -> bool:
        """Whether there are several classes, none of them the positive one."""
        return self.dataset.positive is None

    @property
    def length(self) -> int | None:
        """Bases of every sequence, where all have as many."""
        return self.dataset.window


@cache
def labelled(name: str) -> Labelled:
    """A dataset by name, made by its recipe where it is not there yet."""
    dataset = load_or_make(name)
    codes, targets = dataset.codes(), dataset.targets()
    return Labelled(
        dataset,
        np.stack(codes) if dataset.window else codes,
        targets if dataset.positive is None else targets == dataset.labels.index(dataset.positive),
        dataset.sha256(),
    )


@cache
def groups_of(name: str) -> NDArray[np.int64]:
    """Group of each sequence of a dataset: near copies of each other."""
    return labelled(name).dataset.groups()


@cache
def folds_of(name: str, split: str, seed: int) -> NDArray[np.int64]:
    """Fold of each sequence of a dataset, `grouped` or `random`."""
    data, generator = labelled(name), np.random.default_rng(seed)
    if split == "random":
        return random_folds(data.truth, FOLDS, generator)
    return grouped_folds(data.dataset.codes(), data.truth, FOLDS, generator, groups=groups_of(name))


@cache
def leak_of(name: str, split: str) -> dict[str, Any]:
    """How many tested sequences of a split have a near copy among those that were trained on.

    Of folds as the first seed deals them. A near copy shares a stretch on either strand; where the set goes by source
    records (`Dataset.grouped_by`), it comes from the same record, or is the same letter for letter on either strand.

    Returns:
        `shared`, `of`: how many are tested, and `by`: what makes a near copy.
    """
    data = labelled(name)
    if split in ("grouped", "random"):
        fold, kinds = folds_of(name, split, 0), range(FOLDS)
    else:
        fold, kinds = (data.dataset.table["split"] == "test").to_numpy().astype(int), range(1, 2)
    shared = tested = 0
    for one in kinds:
        inside, outside = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
        if data.dataset.grouped_by == BY_SOURCE:
            hit = np.isin(groups_of(name)[inside], groups_of(name)[outside])
            known = {_either_strand(one) for one in take(data.sequences, outside)}
            hit |= np.array([_either_strand(one) in known for one in take(data.sequences, inside)], dtype=bool)
        else:
            hit = shared_with(list(take(data.sequences, inside)), list(take(data.sequences, outside)))
        shared, tested = shared + int(hit.sum()), tested + len(inside)
    return {"shared": shared, "of": tested, "by": data.dataset.grouped_by}


def _either_strand(codes: Codes) -> bytes:
    return min(codes.tobytes(), reverse_complement(codes).tobytes())


def sample_of(unit: Unit) -> Sample:
    """The training and test sequences of a unit."""
    data = labelled(unit.data)
    if unit.kind == "fold":
        inside = folds_of(unit.data, unit.split, unit.seed) != unit.fold
        rows = np.flatnonzero(~inside)
        training = np.flatnonzero(inside)
    else:
        # Inner folds are drawn anew from training and validation rows; the demo region's stay out.
        table = data.dataset.table
        training = np.flatnonzero((table["split"] != "test") & ~table["in_demo_region"])
        rows = np.flatnonzero(table["split"] == "test")
        if unit.labels is not None:
            generator = np.random.default_rng([unit.seed, unit.labels, _STREAM_DRAW])
            numbered = Examples([np.array([row]) for row in training], data.truth[training].astype(np.int64))
            training = np.array([int(row[0]) for row in limit(numbered, unit.labels, generator).sequences])
    return Sample(
        take(data.sequences, training),
        data.truth[training],
        take(data.sequences, rows),
        data.truth[rows],
        rows,
        training,
    )


def fingerprint(unit: Unit, models: Models) -> dict[str, Any]:
    """What decides a unit's result: the data, the weights and the settings. Measured again where it changes."""
    if unit.kind == "bits":
        weights = weights_hash(models[unit.model]) if unit.model in models else None
        found: dict[str, Any] = {"method": 1, "data": catalog.entry(unit.data).sha256, "weights": weights}
    elif unit.kind == "text":
        found = {"method": 1, "data": labelled(unit.data).sha256, "weights": weights_hash(models[unit.model])}
    elif labelled(unit.data).several:
        found = {"data": labelled(unit.data).sha256, **several.describe(several.fit_of(unit.model, models))}
    else:
        data, grouped = labelled(unit.data), unit.split != "random"
        training = training_count(unit)
        fit = fit_of(unit.model, models, grouped=grouped, training=training, **_told_of(data.dataset))
        found = {"data": data.sha256, **describe(unit.model, fit, grouped=grouped, length=data.length)}
    return json.loads(json.dumps(found))


def training_count(unit: Unit) -> int:
    """How many sequences a unit trains on, without drawing them."""
    if unit.labels is not None:
        return unit.labels
    data = labelled(unit.data)
    if unit.kind == "fold":
        return int((folds_of(unit.data, unit.split, unit.seed) != unit.fold).sum())
    table = data.dataset.table
    return int(((table["split"] != "test") & ~table["in_demo_region"]).sum())


def measure(unit: Unit, models: Models) -> dict[str, Any]:
    """Measure a unit.

    Args:
        unit: what.
        models: folders of the language models by name.

    Returns:
        What its file holds: `fingerprint`, the result, `seconds`, `machine`, `versions`, `finished`.
    """
    if unit.kind == "bits":
        result = _bits(unit, models)
    elif unit.kind == "text":
        result = _text(unit, models)
    elif labelled(unit.data).several:
        result = _several(unit, models)
    else:
        result = _classifier(unit, models)
    return {
        "fingerprint": fingerprint(unit, models),
        **result,
        "machine": machine_kind(),
        "versions": versions(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _classifier(unit: Unit, models: Models) -> dict[str, Any]:
    data, grouped = labelled(unit.data), unit.split != "random"
    sample = sample_of(unit)
    fit = fit_of(unit.model, models, grouped=grouped, training=len(sample.train_truth), **_told_of(data.dataset))
    started = time.perf_counter()
    # The same generator as `run_folds` gives the fold.
    predict: Any = fit(sample.train, sample.train_truth, np.random.default_rng([unit.seed, unit.fold or 0]))
    probability = np.clip(predict(sample.test), 0, 1)
    seconds = time.perf_counter() - started
    figures = binary_metrics(
        sample.test_truth, probability, threshold=predict.threshold, generator=np.random.default_rng(0), resamples=0
    )
    return {
        "trained_on": len(sample.train_truth),
        "figures": {name: figure.as_dict()["value"] for name, figure in figures.items()},
        "seconds": round(seconds, 2),
        "threshold": float(predict.threshold),
        "rows": sample.rows.tolist(),
        "truth": sample.test_truth.astype(int).tolist(),
        "probability": [round(float(one), 7) for one in probability],
    }


def _several(unit: Unit, models: Models) -> dict[str, Any]:
    sample = sample_of(unit)
    # On random folds nothing is kept together within them either.
    groups = (
        np.arange(len(sample.train_truth)) if unit.split == "random" else groups_of(unit.data)[sample.training_rows]
    )
    started = time.perf_counter()
    generator = np.random.default_rng([unit.seed, unit.fold or 0])
    predict = several.fit_of(unit.model, models)(sample.train, sample.train_truth, groups, generator)
    chance = predict(sample.test)
    seconds = time.perf_counter() - started
    called = chance.argmax(axis=1)
    calls = Calls(unit.model, unit.seed, sample.test_truth, called, chance.max(axis=1), chance.shape[1])
    figures = mean_figures([calls], generator=np.random.default_rng(0), resamples=0)
    return {
        "trained_on": len(sample.train_truth),
        "figures": {name: figure.value for name, figure in figures.items()},
        "seconds": round(seconds, 2),
        "rows": sample.rows.tolist(),
        "truth": sample.test_truth.tolist(),
        "called": called.tolist(),
        "classes": calls.classes,
        "probability": [round(float(one), 4) for one in calls.probability],
    }


def _told_of(dataset: Dataset) -> dict[str, Any]:
    """What a set says of where its label's site lies."""
    return {"anchor": dataset.anchor, "whole": dataset.whole}


@cache
def _genome(name: str) -> Codes:
    return max((record.codes for record in read_records(catalog.fetch(name))), key=len)


def _bits(unit: Unit, models: Models) -> dict[str, Any]:
    """Bits per base of the last tenth of a genome's longest record, for a Markov model or a language model."""
    codes = _genome(unit.data)
    cut = len(codes) - round(len(codes) * HELD_OUT_SHARE)
    training, held_out = codes[:cut], codes[cut:]
    generator, started = np.random.default_rng(unit.seed), time.perf_counter()
    if unit.model in models:
        figure = LanguageModel(read_bundle(models[unit.model])).bits_per_base([held_out], generator)
        facts = model_facts(models[unit.model])
    else:
        kind, _, order = unit.model.partition("-")
        if kind not in ("markov", "mixture") or not order.isdigit():
            raise InputError(f"no language model {unit.model!r}; there are {', '.join(models) or 'none'}")
        fit = fit_markov if kind == "markov" else fit_mixture
        figure = bits_per_base(fit([training], int(order)), [held_out], generator)
        facts = {}
    seconds = round(time.perf_counter() - started, 2)
    return {"figures": {"bits_per_base": figure.as_dict()}, "seconds": seconds, "facts": facts}


def model_facts(folder: Path) -> dict[str, Any]:
    """What a language model was trained on, and how long, as its bundle says."""
    bundle = read_bundle(folder)
    told = bundle.config.trained.get("config", {})
    encoder = bundle.config.encoder
    return {
        "genomes": [Path(name).name for name in told.get("genomes", [])],
        "held_out": told.get("held_out"),
        "exclude_matches": Path(told["exclude_matches"]).name if told.get("exclude_matches") else None,
        "minutes": told.get("minutes"),
        "seconds": bundle.metrics.get("seconds_since_start_or_resume"),
        "threads": bundle.metrics.get("threads"),
        "steps": bundle.metrics.get("steps"),
        "epochs": bundle.metrics.get("epochs"),
        "hidden": encoder.hidden if encoder else None,
        "k": encoder.k if encoder else None,
        "stride": encoder.stride if encoder else None,
    }


def _text(unit: Unit, models: Models) -> dict[str, Any]:
    """How many of a dataset's sequences share a stretch with the text that a language model was trained on."""
    started, facts = time.perf_counter(), model_facts(models[unit.model])
    seen = seen_in_pretraining(models[unit.model], labelled(unit.data).dataset.codes())
    seconds = round(time.perf_counter() - started, 2)
    return {"shared": seen.shared, "of": seen.of, "why": seen.why, "facts": facts, "seconds": seconds}
