"""Saturation mutagenesis of shipped models, beside the plain way, tangermeme and Captum, on the shipped genome.

Every side gives the log-odds of all 3 L variants of the same sequence with the same model. tangermeme and Captum reach
it through the one-hot door, which is the one that they know.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count

import numpy as np
import torch
from captum.attr import FeatureAblation
from numpy.typing import NDArray
from torch import Tensor, nn

import dnalm
from benchmarks import tangermeme_peer
from benchmarks.table import Row
from benchmarks.timing import Timings, take_turns
from dnalm.alphabet import Codes
from dnalm.interpret.attribution import log_odds
from dnalm.interpret.mutation import Mutations, probability_of
from dnalm.model.doors import one_hot
from dnalm.model.predict import Classifier
from dnalm.sequences import read_records
from dnalm.settings import PACKAGE_ROOT

GENOME = PACKAGE_ROOT / "data" / "genomes" / "ecoli_k12_mg1655.fna.gz"
SUBJECTS = (("ecoli-promoters-150", 150, 2.5, 9), ("human-enhancers-500", 1000, 6.0, 4))
"""Model, bases, how many times as fast as the plain way is aimed at, and rounds, each with a sequence of its own."""
LARGEST_DIFFERENCE = 1e-5
_BATCH_BASES = 1 << 13  # in a batch of the other sides: near the best for both of them, at either length
_WARMS_ITSELF = 500  # bases from which half a minute of work outweighs what first calls cost

Floats = NDArray[np.float64]


class OneHotDoor(nn.Module):
    """Log-odds of one-hot DNA `(n, 4, length)`, as tangermeme has it."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.module = classifier.module
        self.target = classifier.config.labels.index(str(classifier.config.positive))
        self.eval()  # tangermeme puts back the mode that it found here, in all modules below

    def forward(self, bases: Tensor) -> Tensor:
        """Shape `(n, 1)`."""
        lengths = torch.full((len(bases),), bases.shape[2], device=bases.device)
        return log_odds(self.module.from_bases(bases.transpose(1, 2), lengths), self.target)[:, None]


def measure() -> list[Row]:
    """All rows; each way's log-odds are held against the plain way's before anything is timed."""
    if tangermeme_peer.saturation_mutagenesis() is None:
        print(tangermeme_peer.HOW_TO_GET_IT, file=sys.stderr)
    genome = next(iter(read_records(GENOME))).codes
    rows = []
    for name, length, aim, rounds in SUBJECTS:
        classifier = dnalm.load(name)
        assert isinstance(classifier, Classifier)
        generator = np.random.default_rng(0)
        starts = generator.integers(0, len(genome) - length, rounds + 1)
        windows = [np.asarray(genome[start : start + length]) for start in starts]
        kept: dict[str, list[Floats]] = {}
        warm = int(length < _WARMS_ITSELF)
        timings = take_turns(_works(classifier, windows, kept), rounds=rounds, warm=warm)
        rows += rows_of(f"all single mutations, {name}, {length:,} bp", timings, kept, aim, length)
    return rows


def _works(
    classifier: Classifier, windows: list[Codes], kept: dict[str, list[Floats]]
) -> dict[str, Callable[[], None]]:
    """Each way, which at its first call takes the first window, at its second the second, and keeps what it finds."""
    ways: dict[str, Callable[[Classifier, Codes], Floats]] = {"dnalm": by_dnalm, "plain": plainly}
    ways["captum"] = by_captum
    if tangermeme_peer.saturation_mutagenesis() is not None:
        ways["tangermeme"] = by_tangermeme

    def work(name: str) -> Callable[[], None]:
        numbers, found = count(), kept.setdefault(name, [])
        return lambda: found.append(ways[name](classifier, windows[next(numbers)]))

    return {name: work(name) for name in ways}


def by_dnalm(classifier: Classifier, codes: Codes) -> Floats:
    """Log-odds with each base at each position, shape `(length, 4)`, as all ways give them."""
    return Mutations(classifier, codes).saturation().log_odds


def plainly(classifier: Classifier, codes: Codes) -> Floats:
    """Every variant predicted from its beginning to its end, in the classifier's own batches."""
    positions, bases = _others(codes)
    variants = np.repeat(codes[None], len(positions), 0)
    variants[np.arange(len(positions)), positions] = bases
    logits = torch.from_numpy(classifier.logits(np.concatenate([codes[None], variants]))).double()
    return _filled(codes, log_odds(logits, classifier.config.labels.index(str(classifier.config.positive))).numpy())


def by_tangermeme(classifier: Classifier, codes: Codes) -> Floats:
    """Without its `fast`, which is for convolutions: an LSTM reads on past a change."""
    mutagenesis = tangermeme_peer.saturation_mutagenesis()
    assert mutagenesis is not None
    told = {"batch_size": _rows(codes), "raw_outputs": True, "device": "cpu", "fast": False}
    found = mutagenesis(OneHotDoor(classifier), one_hot(torch.from_numpy(codes))[None].transpose(1, 2), **told)
    return found.y_hat[0, :, :, 0].T.double().numpy()


def by_captum(classifier: Classifier, codes: Codes) -> Floats:
    """A position is a feature; it is ablated to each of the three other bases in turn."""
    door = OneHotDoor(classifier)
    inputs = one_hot(torch.from_numpy(codes))[None]
    features = torch.arange(len(codes))[None, :, None].expand(1, -1, 4)
    ablation = FeatureAblation(lambda bases: door(bases.transpose(1, 2))[:, 0])
    found = np.empty((len(codes), 4))
    with torch.inference_mode():
        reference = float(door(inputs.transpose(1, 2)))
        for step in range(4):
            into = (codes + step) % 4
            if step:
                baseline = one_hot(torch.from_numpy(into))[None]
                told = {"baselines": baseline, "feature_mask": features, "perturbations_per_eval": _rows(codes)}
                lost = ablation.attribute(inputs, **told)[0, :, 0].double().numpy()
                found[np.arange(len(codes)), into] = reference - lost
            else:
                found[np.arange(len(codes)), into] = reference
    return found


def _rows(codes: Codes) -> int:
    return max(1, _BATCH_BASES // len(codes))


def _others(codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    positions, bases = (found.ravel() for found in np.indices((len(codes), 4)))
    others = codes[positions] != bases
    return positions[others], bases[others]


def _filled(codes: Codes, values: Floats) -> Floats:
    """The sequence's own value, which comes first, and those of its variants, as `(length, 4)`."""
    found = np.full((len(codes), 4), values[0])
    found[_others(codes)] = values[1:]
    return found


def rows_of(subject: str, timings: Timings, kept: dict[str, list[Floats]], aim: float, length: int) -> list[Row]:
    """Ratios of seconds, and the largest difference in probability of any variant of any sequence."""
    rows = []
    for name, words in (("plain", "the plain way"), ("tangermeme", "tangermeme"), ("captum", "Captum")):
        if name in timings.seconds:
            ratio = timings.ratio(name, "dnalm")
            wanted = aim if name == "plain" else None
            rows.append(Row(subject, f"beside {words}", ratio.value, "x", ratio.low, ratio.high, wanted))
    for name, found in kept.items():
        if name != "plain":
            wanted = LARGEST_DIFFERENCE if name == "dnalm" else None
            compared = f"{name}: largest difference in probability, in millionths"
            value = largest_difference(found, kept["plain"]) * 1e6
            rows.append(Row(subject, compared, value, "", aim=None if wanted is None else wanted * 1e6, at_most=True))
    rows.append(Row(subject, "dnalm", 3 * length / timings.median("dnalm"), "mutations/s"))
    rows.append(Row(subject, "dnalm, one sequence", timings.median("dnalm"), "s"))
    return rows


def largest_difference(found: list[Floats], wanted: list[Floats]) -> float:
    """Of the probabilities, over all sequences and mutations."""
    pairs = zip(found, wanted, strict=True)
    return max(float(np.abs(probability_of(one) - probability_of(two)).max()) for one, two in pairs)
