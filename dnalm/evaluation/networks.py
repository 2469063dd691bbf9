"""dnalm's own classifier as a `Fit`, so that it runs over the same folds as the plain baselines.

The training sequences are dealt to inner folds. A head that is trained step by step takes turns: an inner fold is the
validation part of a classifier trained on the others (`dnalm.training.members`: the code that `dnalm train`
runs), and the classifiers' log-odds are averaged. The `wide` head needs no validation part: it is fitted once, on all,
and its own inner fits speak of sequences they had not seen. What was said of unseen sequences chooses which heads are
averaged, calibrates the probabilities and sets the threshold. Test sequences are never seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dnalm.errors import InputError
from dnalm.evaluation.features import Floats, Sequences
from dnalm.evaluation.fitting import Fitted, Labels, inner_folds, platt
from dnalm.metrics import choose_threshold
from dnalm.model.bundle import find_bundle, weights_hash
from dnalm.model.classifier import Member
from dnalm.model.config import HeadConfig, WideHeadConfig
from dnalm.training.config import ComputeConfig, FinetuneConfig, HeadChoice, TrainConfig
from dnalm.training.examples import Examples
from dnalm.training.finetune import load_language_model, tune
from dnalm.training.loop import make_fabric
from dnalm.training.members import MemberTraining, Start, head_configs
from dnalm.training.run import RunFolder
from dnalm.training.unfreezing import member_logits
from dnalm.training.wide import fit_wide

METHOD = 5
"""Raised when the same configuration gives other figures, so that old results are measured again."""
INNER_FOLDS = 4
RANDOM = "random"
"""Name of the start without pre-training."""
# No checkpoint while a fit runs: a fit that was stopped is begun again.
_NEVER_SECONDS = 1e9
_TUNED = frozenset({"epochs", "dropout", "batch_size", "both_strands", "optimizer"})
_LATER = (
    "frames",
    "words_of_both_strands",
    "gapped_kmers",
)  # parts of a head that came later, and are told of where they are there


@dataclass(frozen=True)
class NetworkFit:
    """Trains classifiers on an encoder; call it as `fit(sequences, labels, generator)`.

    Attributes:
        model: name or folder of a language model; None starts from a random encoder.
        head: see docs/heads.md; `ensemble` leaves to the inner folds which heads are averaged.
        rotations: how many of the inner folds take their turn as validation part of a head that is trained step by
            step: 1 trains one classifier, all of them (`INNER_FOLDS`) as many. The `wide` head is fitted once.
        grouped: whether inner folds keep sequences that share a stretch together (see `inner_folds`).
        tune_epochs: passes of the language model over the training sequences, without their labels, before (phase 2);
            0 leaves it out.
        whole: whether the label speaks of whole sequences (`Dataset.whole`).
        options: other fields of `TrainConfig`.
        compute: where to compute.
    """

    model: str | None
    head: HeadChoice = "wide"
    rotations: int = INNER_FOLDS
    grouped: bool = True
    tune_epochs: int = 0
    whole: bool = False
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
            mode="json", exclude={"model", "seed", "compute", "checkpoint_seconds", "name", "weights"}
        )
        found = {} if not self.tune_epochs else {"finetune": self._tuning(0).model_dump(mode="json", include=_TUNED)}
        return found | {
            "method": METHOD,
            "weights": None if self.model is None else weights_hash(find_bundle(self.model)),
            "rotations": self.rotations,
            "inner_folds": INNER_FOLDS,
            "grouped": self.grouped,
            "train": told,
            "heads": [told_of_head(head) for head in head_configs(self.head, length, whole=self.whole)],
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
        tuned = self._tuned(examples, fold, int(generator.integers(2**31 - 1))) if self.tune_epochs else None
        heads = [
            self._wide(head, examples, fold, int(generator.integers(2**31 - 1)), tuned)
            if isinstance(head, WideHeadConfig)
            else self._in_turns(head, examples, fold, generator, tuned)
            for head in head_configs(self.head, examples.one_length, whole=self.whole)
        ]
        heads = _best_heads(heads, labels)
        inside_score = np.mean([head.said for head in heads], axis=0)
        heard = ~np.isnan(inside_score)
        slope, offset = _calibration(inside_score[heard], labels[heard])

        def probability_of(wanted: Sequences) -> Floats:
            codes = list(wanted)
            scores = [np.mean([_log_odds(member_logits(one, codes)) for one in head.members], axis=0) for head in heads]
            return expit(slope * np.mean(scores, axis=0) + offset)

        inside_chance = expit(slope * inside_score + offset)
        return Fitted(probability_of, choose_threshold(labels[heard], inside_chance[heard]), inside_chance)

    def _start(self, examples: Examples, seed: int, tuned: Start | None) -> tuple[TrainConfig, Start]:
        config = self.config(seed)
        start = Start.load(self.model, config) if tuned is None else tuned
        examples.check(start.encoder.k)
        return config, start

    def _tuning(self, seed: int) -> FinetuneConfig:
        return FinetuneConfig(
            model=self.model or RANDOM,
            dataset="fold",
            epochs=self.tune_epochs,
            seed=seed,
            checkpoint_seconds=_NEVER_SECONDS,
            compute=self.compute,
        )

    def _tuned(self, examples: Examples, fold: NDArray[np.int64], seed: int) -> Start:
        """The encoder after phase 2 on the training sequences; one inner fold says which epoch was the best."""
        if self.model is None:
            raise InputError("a random encoder has no language model that could be fine-tuned")
        config = self._tuning(seed)
        bundle, model = load_language_model(self.model, config.dropout)
        least = model.tokenizer.bases(2)
        parts = [[examples.sequences[row] for row in np.flatnonzero(some)] for some in (fold != 0, fold == 0)]
        texts, held_out = ([codes for codes in part if len(codes) >= least] for part in parts)
        fabric = make_fabric(self.compute)
        fabric.launch()
        with tempfile.TemporaryDirectory(prefix="dnalm-fit-") as folder:
            run = RunFolder.create(Path(folder) / "run", config.model_dump(mode="json"))
            tune(model, texts, held_out, config, run, fabric)
        weights = {name: value.cpu() for name, value in model.encoder.state_dict().items()}
        return Start(model.config, weights, [f"{bundle.name}, fine-tuned"])

    def _wide(
        self, head: WideHeadConfig, examples: Examples, fold: NDArray[np.int64], seed: int, tuned: Start | None
    ) -> _Head:
        """One fit on all sequences; what it said of each comes from a fit without that fold."""
        config, start = self._start(examples, seed, tuned)
        member = start.member(head, config.both_strands, 2, seed).to(make_fabric(self.compute).device).eval()
        generator = np.random.default_rng([seed, 11])
        fit = fit_wide(
            member, examples.sequences, examples.targets, fold, generator, class_weights=config.class_weights
        )
        said = np.full(len(examples), np.nan)
        said[fit.rows] = _log_odds(fit.logits)
        return _Head([member], said)

    def _in_turns(
        self,
        head: HeadConfig,
        examples: Examples,
        fold: NDArray[np.int64],
        generator: np.random.Generator,
        tuned: Start | None,
    ) -> _Head:
        """One training for each inner fold that takes its turn as validation part."""
        members, said = [], np.full(len(examples), np.nan)
        for turn in range(min(self.rotations, int(fold.max()) + 1)):
            inside = fold != turn
            config, start = self._start(examples, int(generator.integers(2**31 - 1)), tuned)
            fabric = make_fabric(self.compute)
            fabric.launch()
            with tempfile.TemporaryDirectory(prefix="dnalm-fit-") as folder:
                run = RunFolder.create(Path(folder) / "run", config.model_dump(mode="json"))
                training = MemberTraining(config, start, run, fabric, classes=2)
                one = training.fit(head, examples.take(inside), examples.take(~inside))
            said[~inside] = _log_odds(one.valid_logits)
            members.append(one.member)
        return _Head(members, said)


@dataclass(frozen=True)
class _Head:
    """One kind of head, trained once or several times.

    Attributes:
        members: what was trained; their log-odds are averaged.
        said: log-odds of each training sequence from a member that had not seen it, nan where there is none; `(n,)`.
    """

    members: list[Member]
    said: Floats


def _log_odds(logits: NDArray[np.float32]) -> Floats:
    return (logits[:, 1] - logits[:, 0]).astype(np.float64)


def _best_heads(heads: list[_Head], labels: Labels) -> list[_Head]:
    """The heads whose mean has the lowest loss on unseen sequences: any one of them, or all."""
    choices = [[head] for head in heads] + ([heads] if len(heads) > 1 else [])
    heard = ~np.isnan(np.sum([head.said for head in heads], axis=0))
    signs = np.where(labels[heard], 1, -1)
    losses = [np.logaddexp(0, -signs * np.mean([head.said[heard] for head in some], axis=0)).mean() for some in choices]
    return choices[int(np.argmin(losses))]


def _calibration(score: Floats, labels: Labels) -> tuple[float, float]:
    """Slope and offset from log-odds to calibrated ones; none where so few sequences would turn them round."""
    if len(np.unique(labels)) < 2:
        return 1.0, 0.0
    slope, offset = platt(score, labels)
    return (slope, offset) if slope > 0 else (1.0, 0.0)


def told_of_head(head: HeadConfig) -> dict[str, Any]:
    """A head's configuration without what it leaves out since a later version: figures of before stay comparable."""
    told = head.model_dump(mode="json")
    return {name: value for name, value in told.items() if name not in _LATER or value}
