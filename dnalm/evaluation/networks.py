"""dnalm's own classifier as a `Fit`, so that it runs over the same folds as the plain baselines.

The training sequences are dealt to inner folds. In turn, each inner fold is the validation part of a classifier
trained on the others (`dnalm.training.members.fit_members`: the code that `dnalm train` runs); the classifiers'
log-odds are averaged. What the validation parts were given says which heads are averaged, calibrates the
probabilities and sets the threshold. Test sequences are never seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dnalm.evaluation.features import Floats, Sequences
from dnalm.evaluation.fitting import Fitted, Labels, inner_folds, platt
from dnalm.metrics import choose_threshold
from dnalm.model.bundle import find_bundle, weights_hash
from dnalm.model.classifier import Member
from dnalm.training.config import ComputeConfig, HeadChoice, TrainConfig
from dnalm.training.examples import Examples
from dnalm.training.loop import make_fabric
from dnalm.training.members import Start, fit_members, head_configs, mean_logits
from dnalm.training.run import RunFolder
from dnalm.training.unfreezing import log_loss, member_logits

METHOD = 1
"""Raised when the same configuration gives other figures, so that old results are measured again."""
INNER_FOLDS = 4
RANDOM = "random"
"""Name of the start without pre-training."""
# No checkpoint while a fit runs: a fit that was stopped is begun again.
_NEVER_SECONDS = 1e9


@dataclass(frozen=True)
class NetworkFit:
    """Trains classifiers on an encoder; call it as `fit(sequences, labels, generator)`.

    Attributes:
        model: name or folder of a language model; None starts from a random encoder.
        head: see docs/heads.md; `ensemble` leaves to the inner folds which heads are averaged.
        rotations: how many of the inner folds take their turn as validation part: 1 trains one classifier, all of
            them (`INNER_FOLDS`) as many, and every training sequence is validated on once.
        grouped: whether inner folds keep sequences that share a stretch together (see `inner_folds`).
        options: other fields of `TrainConfig`.
        compute: where to compute.
    """

    model: str | None
    head: HeadChoice = "wide"
    rotations: int = INNER_FOLDS
    grouped: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    compute: ComputeConfig = field(default_factory=ComputeConfig)

    def config(self, seed: int) -> TrainConfig:
        """The training configuration of one classifier."""
        return TrainConfig(
            dataset="fold",
            model=self.model,
            from_scratch=self.model is None,
            head=self.head,
            seed=seed,
            checkpoint_seconds=_NEVER_SECONDS,
            compute=self.compute,
            **self.options,
        )

    def describe(self, length: int | None = None) -> dict[str, Any]:
        """What decides the result besides the data, ready for JSON; `length` is that of all sequences, if one."""
        told = self.config(0).model_dump(
            mode="json", exclude={"model", "seed", "compute", "checkpoint_seconds", "name"}
        )
        return {
            "method": METHOD,
            "weights": None if self.model is None else weights_hash(find_bundle(self.model)),
            "rotations": self.rotations,
            "inner_folds": INNER_FOLDS,
            "grouped": self.grouped,
            "train": told,
            "heads": [head.model_dump(mode="json") for head in head_configs(self.head, length)],
        }

    def __call__(self, sequences: Sequences, labels: Labels, generator: np.random.Generator) -> Fitted:
        """Fit.

        Args:
            sequences: training sequences, n of them.
            labels: whether each is positive, shape `(n,)`.
            generator: source of the inner folds and of each classifier's seed.

        Returns:
            The fit; `out_of_fold` is nan where a training sequence was in no validation part.

        Raises:
            InputError: fewer than three sequences of a class (inner folds leave one for validation, and the wide head
                wants two), or one too short for the encoder.
        """
        labels = np.asarray(labels).astype(bool)
        examples = Examples(list(sequences), labels.astype(np.int64))
        fold = inner_folds(sequences, labels, generator, INNER_FOLDS, grouped=self.grouped)
        turns = range(min(self.rotations, int(fold.max()) + 1))
        members: list[list[Member]] = []
        said: list[NDArray[np.float32]] = []  # of each head, (n, 2): what its validation parts were given
        for turn in turns:
            inside = fold != turn
            fitted = self._train(examples.take(inside), examples.take(~inside), int(generator.integers(2**31 - 1)))
            if not said:
                said = [np.full((len(labels), 2), np.nan, dtype=np.float32) for _ in fitted]
            for logits, one in zip(said, fitted, strict=True):
                logits[~inside] = one.valid_logits
            members.append([one.member for one in fitted])
        validated = np.isin(fold, list(turns))
        heads = _best_heads([logits[validated] for logits in said], examples.targets[validated])
        members = [[several[head] for head in heads] for several in members]
        inside_score = _log_odds(mean_logits([said[head] for head in heads]))
        slope, offset = _calibration(inside_score[validated], labels[validated])

        def probability_of(wanted: Sequences) -> Floats:
            codes = list(wanted)
            scores = [
                _log_odds(mean_logits([member_logits(member, codes) for member in several])) for several in members
            ]
            return expit(slope * np.mean(scores, axis=0) + offset)

        inside_chance = expit(slope * inside_score + offset)
        return Fitted(probability_of, choose_threshold(labels[validated], inside_chance[validated]), inside_chance)

    def _train(self, train: Examples, valid: Examples, seed: int) -> Sequence[Any]:
        """One classifier of each head, with what it says of the validation part."""
        config = self.config(seed)
        start = Start.load(self.model, config)
        train.check(start.encoder.k)
        fabric = make_fabric(self.compute)
        fabric.launch()
        with tempfile.TemporaryDirectory(prefix="dnalm-fit-") as folder:
            run = RunFolder.create(Path(folder) / "run", config.model_dump(mode="json"))
            return fit_members(config, start, train, valid, run, fabric, 2)


def _log_odds(logits: NDArray[np.float32]) -> Floats:
    return (logits[:, 1] - logits[:, 0]).astype(np.float64)


def _best_heads(said: list[NDArray[np.float32]], targets: NDArray[np.int64]) -> list[int]:
    """The heads whose mean has the lowest loss on the validation parts: any one of them, or all."""
    choices = [[head] for head in range(len(said))] + ([list(range(len(said)))] if len(said) > 1 else [])
    losses = [log_loss(mean_logits([said[head] for head in choice]), targets) for choice in choices]
    return choices[int(np.argmin(losses))]


def _calibration(score: Floats, labels: Labels) -> tuple[float, float]:
    """Slope and offset from log-odds to calibrated ones; none where so few sequences would turn them round."""
    if len(np.unique(labels)) < 2:
        return 1.0, 0.0
    slope, offset = platt(score, labels)
    return (slope, offset) if slope > 0 else (1.0, 0.0)
