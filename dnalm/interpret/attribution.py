"""Which bases a classifier reads: Captum's methods on the one-hot door.

What is explained is the log-odds of one class, log p / (1 - p). DeepLIFT and layer-wise relevance are not offered: they
have no rule for an LSTM's products of gates, and what Captum would give for one without a word is wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from captum.attr import GradientShap, IntegratedGradients, Occlusion, Saliency
from numpy.typing import NDArray
from torch import Tensor

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.errors import InputError
from dnalm.interpret.embedded import Embedded
from dnalm.model.doors import one_hot
from dnalm.model.predict import Classifier
from dnalm.sequences.shuffle import dinucleotide_shuffles

Method = Literal[
    "integrated-gradients", "saliency", "input-x-gradient", "gradient-shap", "occlusion", "embedding-gradients"
]
Baseline = Literal["shuffled", "background", "uniform"]
METHODS: tuple[Method, ...] = get_args(Method)
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
SUMMING: frozenset[str] = frozenset({"integrated-gradients", "gradient-shap", "embedding-gradients"})
"""Methods whose scores sum to the difference in log-odds from the baseline: completeness."""
NEEDS_BASELINE: frozenset[str] = SUMMING | {"occlusion"}
SHUFFLES = 8
STEPS = 24
SAMPLES = 192  # of gradient SHAP
OCCLUDED = 3  # bases at a time
SMALL_DELTA = 0.05
"""Share of the difference in log-odds by which a sum may miss it before that is said."""
_BATCH_BASES = 1 << 13
_captum_draws, _cudnn_off = threading.Lock(), threading.Lock()

Progress = Callable[[int, int], None]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attribution:
    """What each base of one sequence adds to the log-odds of a class.

    Attributes:
        codes: the sequence, base codes, shape `(length,)`.
        scores: what each base at each position adds, shape `(length, 4)`; where a baseline gives all four bases a
            probability, the part of those that are not there too.
        model: the classifier's name.
        label: the class.
        method: one of `METHODS`.
        baseline: one of `BASELINES`; empty where the method has none.
        log_odds: of the sequence, in nats.
        baseline_log_odds: of the baseline, the mean of several; nan where the method has none.
    """

    codes: Codes
    scores: Floats
    model: str
    label: str
    method: str
    baseline: str
    log_odds: float
    baseline_log_odds: float

    @property
    def bases(self) -> Floats:
        """What each position adds, shape `(length,)`."""
        return self.scores.sum(1)

    @property
    def probability(self) -> float:
        """Of the class."""
        return float(1 / (1 + np.exp(-self.log_odds)))

    @property
    def delta(self) -> float:
        """By how much the scores' sum misses the difference in log-odds from the baseline (convergence delta).

        Of a method without a baseline: from log-odds of zero.
        """
        begin = 0.0 if np.isnan(self.baseline_log_odds) else self.baseline_log_odds
        return float(self.scores.sum(dtype=np.float64) - (self.log_odds - begin))

    @property
    def warning(self) -> str:
        """What to mind when reading the picture; empty where there is nothing."""
        if self.method not in SUMMING:
            return ""
        difference = self.log_odds - self.baseline_log_odds
        if abs(self.delta) <= SMALL_DELTA * max(1.0, abs(difference)):
            return ""
        return (
            f"The scores sum to {difference + self.delta:.2f}, the log-odds differ by {difference:.2f}: "
            f"{abs(self.delta):.2f} is not accounted for. More steps bring the two together."
        )


def attribute(
    classifier: Classifier,
    sequences: Sequence[Codes],
    *,
    method: Method = "integrated-gradients",
    baseline: Baseline = "shuffled",
    label: str | None = None,
    generator: np.random.Generator,
    steps: int = STEPS,
    shuffles: int = SHUFFLES,
    occluded: int = OCCLUDED,
    composition: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> list[Attribution]:
    """Say what each base adds to the log-odds of a class.

    - `integrated-gradients` (Sundararajan et al. 2017): the gradient summed on the way from the baseline.
    - `gradient-shap` (Lundberg & Lee 2017; Erion et al. 2021): the same at random points, to random baselines.
    - `embedding-gradients`: integrated gradients of the k-mers' vectors, a k-mer's sum spread over its bases; what the
      head reads of the bases themselves, past the encoder, is not in it.
    - `saliency` (Simonyan et al. 2014): how steeply the log-odds change with the base, without a sign.
    - `input-x-gradient`: the same with its sign.
    - `occlusion` (Zeiler & Fergus 2014): what is lost where some bases become the baseline's.

    The last three take from the gradient its mean over the four bases, which no sequence can follow (Majdandzic et
    al. 2023), or need no gradient.

    Args:
        classifier: the model.
        sequences: base codes, n arrays of shape `(length,)`. Unknown bases stay unknown in the baseline and score 0.
        method: one of `METHODS`.
        baseline: `uniform`, four equally likely bases; `background`, at every position the bases' shares in
            `composition`; `shuffled`, the mean over several of its dinucleotide shuffles. Some methods have none.
        label: the class; else the positive one, else the one called.
        generator: draws shuffles and samples.
        steps: points of the integral for each baseline (Gauss-Legendre).
        shuffles: how many shuffles.
        occluded: bases that are hidden at a time.
        composition: shares of A, C, G and T in the background, such as the genome's; else each sequence's own.
        progress: called with sequences done and all.

    Returns:
        One for each sequence, in order.

    Raises:
        InputError: an unknown method, baseline or class, or a sequence that the model does not read.
    """
    if method not in METHODS:
        raise InputError(f"{method!r} is no method of attribution; wanted: {', '.join(METHODS)}")
    if composition is not None and (len(composition) != 4 or min(composition) < 0 or not sum(composition) > 0):
        raise InputError(f"a composition of {list(composition)}; wanted: shares of A, C, G and T, none below 0")
    if baseline not in BASELINES:
        raise InputError(f"{baseline!r} is no baseline; wanted: {', '.join(BASELINES)}")
    logits = classifier.logits(sequences)  # checks the lengths too
    classes = [class_of(classifier, label, row) for row in logits]
    found: list[Attribution] = []
    for number, (codes, target, row) in enumerate(zip(sequences, classes, logits, strict=True)):
        work = _Work(classifier, np.array(codes), target, steps, occluded, generator)  # its own: PyTorch writes
        against = work.baselines(baseline, shuffles, composition) if method in NEEDS_BASELINE else None
        with _gradients_on(classifier):
            scores, begin = work.run(method, against)
        found.append(
            Attribution(
                work.codes,
                scores,
                classifier.name,
                classifier.config.labels[target],
                method,
                baseline if against is not None else "",
                float(log_odds(torch.from_numpy(row)[None].double(), target)),
                begin,
            )
        )
        if progress:
            progress(number + 1, len(sequences))
    return found


def log_odds(logits: Tensor, target: int) -> Tensor:
    """Log-odds of one class, shape `(n,)`, from logits `(n, classes)`."""
    others = [column for column in range(logits.shape[1]) if column != target]
    return logits[:, target] - logits[:, others].logsumexp(1)


def class_of(classifier: Classifier, label: str | None, logits: Floats) -> int:
    """Index of a class by name; without one the positive class, else that with the highest logit.

    Raises:
        InputError: the model has no such class.
    """
    labels = classifier.config.labels
    label = label if label is not None else classifier.config.positive
    if label is None:
        return int(np.argmax(logits))
    if label not in labels:
        raise InputError(f"{classifier.name} has no class {label!r}; it has {', '.join(labels)}")
    return labels.index(label)


class _Work:
    """One sequence and one class, with every method."""

    def __init__(
        self,
        classifier: Classifier,
        codes: Codes,
        target: int,
        steps: int,
        occluded: int,
        generator: np.random.Generator,
    ) -> None:
        self.module, self.device = classifier.module, classifier.device
        self.codes, self.target, self.steps, self.occluded = codes, target, steps, occluded
        self.generator = generator
        self.bases = self._one_hot(codes[None])
        self.rows = max(1, _BATCH_BASES // len(codes))

    def _one_hot(self, codes: NDArray[np.uint8]) -> Tensor:
        return one_hot(torch.from_numpy(np.ascontiguousarray(codes)).to(self.device))

    def forward(self, bases: Tensor) -> Tensor:
        """Log-odds of base probabilities `(n, length, 4)`, shape `(n,)`."""
        lengths = torch.full((len(bases),), bases.shape[1], device=bases.device)
        return log_odds(self.module.from_bases(bases, lengths), self.target)

    @torch.no_grad()
    def log_odds(self, bases: Tensor) -> NDArray[np.float64]:
        """The same without gradients, a few at a time."""
        return torch.cat([self.forward(part) for part in bases.split(self.rows)]).double().cpu().numpy()

    def baselines(self, name: Baseline, shuffles: int, composition: Sequence[float] | None) -> Tensor:
        """What the sequence is held against, shape `(baselines, length, 4)`."""
        if name == "shuffled":
            return self._one_hot(dinucleotide_shuffles(self.codes, shuffles, self.generator))
        known = (self.codes < UNKNOWN).astype(np.float32)
        counts = np.bincount(self.codes[self.codes < UNKNOWN], minlength=4).astype(np.float32)
        own = np.array(composition, np.float32) if composition is not None else counts
        shares = np.full(4, 0.25, np.float32) if name == "uniform" else own / max(own.sum(), 1e-9)
        return torch.from_numpy(known[:, None] * shares)[None].to(self.device)

    def run(self, method: Method, against: Tensor | None) -> tuple[Floats, float]:
        """Scores, shape `(length, 4)`, and the log-odds that they start from, nan where there is no baseline."""
        if against is None:
            slope = Saliency(self.forward).attribute(self.bases.clone().requires_grad_(), abs=False)
            slope = (slope - slope.mean(2, keepdim=True)) * self.bases
            return self._array(slope.abs() if method == "saliency" else slope), float("nan")
        if method == "embedding-gradients":
            return self._of_embedding(against)
        begin = float(self.log_odds(against).mean())
        if method == "integrated-gradients":
            found = self._integrated(self.forward, self.bases.expand_as(against), against)
        elif method == "gradient-shap":
            with _captum_drawing_from(self.generator):
                shap, some = GradientShap(self.forward), min(SAMPLES, self.rows)  # a few at a time, for the memory
                parts = [
                    shap.attribute(self.bases, against, n_samples=some, stdevs=0.0) for _ in range(-(-SAMPLES // some))
                ]
                found = torch.stack(parts).mean(0)
        else:
            found = self._occluded(against) * self.bases
        return self._array(found), begin

    def _occluded(self, against: Tensor) -> Tensor:
        window = (min(self.occluded, len(self.codes)), 4)
        occlusion = Occlusion(self.forward)
        told = {"strides": (1, 4), "perturbations_per_eval": self.rows}
        return torch.cat([occlusion.attribute(self.bases, window, baselines=one[None], **told) for one in against])

    def _integrated(self, forward: Callable[..., Tensor], inputs: Any, against: Any) -> Any:
        """Integrated gradients of a tensor or of several, shapes as theirs."""
        most = max(len(against) if isinstance(against, Tensor) else len(against[0]), self.rows)
        told = {"n_steps": self.steps, "method": "gausslegendre", "internal_batch_size": most}
        return IntegratedGradients(forward).attribute(inputs, against, **told)

    def _of_embedding(self, against: Tensor) -> tuple[Floats, float]:
        """Integrated gradients of the vectors of all members' k-mers, on both strands."""
        door = Embedded(self.module, self.bases, lambda logits: log_odds(logits, self.target))
        here, there = door.vectors(self.bases.expand_as(against)), door.vectors(against)
        found = self._integrated(door, here, there)
        on_bases = door.on_bases([part.detach().sum(2).mean(0) for part in found])
        return self._array((on_bases[:, None] * self.bases[0])[None]), float(door(*there).detach().mean())

    @staticmethod
    def _array(scores: Tensor) -> Floats:
        return cast(Floats, scores.detach().mean(0).float().cpu().numpy())


@contextmanager
def _gradients_on(classifier: Classifier) -> Iterator[None]:
    """Let gradients reach the input: cuDNN's LSTM has none in evaluation mode, the native one has."""
    if classifier.device.type != "cuda":
        with torch.enable_grad():
            yield
        return
    # The switch is the whole process's: one at a time.
    with _cudnn_off, torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        yield


@contextmanager
def _captum_drawing_from(generator: np.random.Generator) -> Iterator[None]:
    """Seed the process's own random numbers, from which Captum draws, for a moment; then put them back."""
    with _captum_draws, torch.random.fork_rng():
        before = np.random.get_state()
        seed = int(generator.integers(2**31))
        try:
            np.random.seed(seed)
            torch.manual_seed(seed)
            yield
        finally:
            np.random.set_state(before)
