"""Fits of several classes: plain ones, and dnalm's `wide` head. Each gives the probability of every class.

A fit is called with training sequences, the class and the group of each, and a generator; what it gives is called with
sequences and returns `(n, classes)`. Nothing is tuned on tested sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax as probabilities
from sklearn.naive_bayes import GaussianNB

from dnalm.evaluation.features import Floats, Sequences, gc_contents, kmer_frequencies, words_of_both_strands
from dnalm.evaluation.networks import RANDOM, NetworkFit, told_of_head
from dnalm.training.blocks import Block
from dnalm.training.examples import Examples, inner_folds
from dnalm.training.loop import make_fabric
from dnalm.training.members import Start, head_configs
from dnalm.training.softmax import fit_softmax
from dnalm.training.unfreezing import member_logits
from dnalm.training.wide import fit_wide

METHOD = 1
"""Raised when a plain fit of the same name gives other figures."""
WIDE_METHOD = 2
"""The same of the `wide` head of several classes."""
WORD = 8
KMER_PENALTY = 0.01
Ints = NDArray[np.int64]
Predictor = Callable[[Sequences], Floats]
Fit = Callable[[Sequences, Ints, Ints, np.random.Generator], Predictor]


def gc_alone(sequences: Sequences, targets: Ints, groups: Ints, generator: np.random.Generator) -> Predictor:
    """A normal distribution of GC content for each class."""
    del groups, generator
    model = GaussianNB().fit(gc_contents(sequences), targets)
    return lambda wanted: model.predict_proba(gc_contents(wanted))


def kmer_logistic(sequences: Sequences, targets: Ints, groups: Ints, generator: np.random.Generator) -> Predictor:
    """Ridge softmax regression on k-mer shares, k 1 to 5."""
    del groups, generator

    def features(wanted: Sequences) -> sp.csr_array:
        return kmer_frequencies(wanted, (1, 2, 3, 4, 5)).astype(np.float32)

    block = Block.sparse(features(sequences), 1.0)
    weights = np.ones(len(targets), dtype=np.float32)
    model = fit_softmax({"kmers": block}, targets, weights, int(targets.max()) + 1, KMER_PENALTY)

    def predict(wanted: Sequences) -> Floats:
        there = replace(block, features=features(wanted))
        return probabilities(model.logits({"kmers": there}).astype(np.float64), axis=1)

    return predict


def naive_bayes(sequences: Sequences, targets: Ints, groups: Ints, generator: np.random.Generator) -> Predictor:
    """The RDP classifier's method: naive Bayes on which words of eight bases a sequence holds (Wang et al. 2007).

    Reads may be of either strand, in training too, so a word counts on both.

    A word's chance in a class is `(m + p) / (M + 1)`: m of the class's M sequences hold it, and of all N sequences n
    do, which is the prior `p = (n + 0.5) / (N + 1)`. Words that a sequence does not hold say nothing, and all classes
    are alike beforehand.
    """
    del groups, generator
    words = words_of_both_strands(sequences, WORD)
    classes = int(targets.max()) + 1
    members = sp.csr_array((np.ones(len(targets)), (targets, np.arange(len(targets)))), shape=(classes, len(targets)))
    held = (members @ words).toarray()
    prior = (np.asarray(words.sum(axis=0)) + 0.5) / (len(targets) + 1)
    chance = np.log((held + prior) / (members.sum(axis=1)[:, None] + 1)).T
    return lambda wanted: probabilities(words_of_both_strands(wanted, WORD) @ chance, axis=1)


PLAIN: Mapping[str, Fit] = {"gc_alone": gc_alone, "kmer_logistic": kmer_logistic, "naive_bayes_8": naive_bayes}


@dataclass(frozen=True)
class WideSeveral:
    """dnalm's `wide` head on a language model, or on a random encoder."""

    model: str | None

    @property
    def _as_two(self) -> NetworkFit:
        return NetworkFit(self.model, "wide")

    def describe(self) -> dict[str, Any]:
        """What decides the result besides the data, ready for JSON."""
        told = self._as_two.describe(None)
        heads = [told_of_head(head) for head in head_configs("wide", None, 3)]
        return {**{key: told[key] for key in ("method", "weights", "train")}, "several": WIDE_METHOD, "heads": heads}

    def __call__(self, sequences: Sequences, targets: Ints, groups: Ints, generator: np.random.Generator) -> Predictor:
        """Fit; the penalty and what the encoder counts are chosen on an inner fold; inner folds keep groups whole."""
        seed = int(generator.integers(2**31 - 1))
        config = self._as_two.config(seed)
        start = Start.load(self.model, config)
        examples = Examples(list(sequences), targets, groups)
        examples.check(start.encoder.k)
        classes = int(targets.max()) + 1
        (head,) = head_configs("wide", examples.one_length, classes)
        member = start.member(head, config.both_strands, classes, seed).to(make_fabric(config.compute).device).eval()
        fit_wide(member, examples.sequences, targets, inner_folds(examples, generator), generator)
        return lambda wanted: probabilities(member_logits(member, list(wanted)).astype(np.float64), axis=1)


def fit_of(model: str, models: Mapping[str, Path]) -> Fit:
    """The fit that a name stands for: a baseline's, or START+wide."""
    start, plus, _ = model.partition("+")
    if not plus:
        return PLAIN[model]
    return WideSeveral(None if start == RANDOM else str(models[start]))


def describe(fit: Fit) -> dict[str, Any]:
    """What decides the result besides the data."""
    return fit.describe() if isinstance(fit, WideSeveral) else {"method": METHOD, "weights": None}
