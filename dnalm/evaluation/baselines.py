"""The plain models that every network here stands beside, fitted on the same folds.

Each is a fit: `BASELINES[name](sequences, labels, generator)` gives a `Fitted`, which predicts. Promoters are
read on the strand they are given on; nothing is reverse-complemented.

gc_alone, length_alone, longest_orf, kmer_logistic, markov and gradient_boosting read sequences of any length; the
others windows of one length around a known point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from dnalm.evaluation.cnn import fit_cnn
from dnalm.evaluation.features import (
    Floats,
    Sequences,
    gc_contents,
    kmer_frequencies,
    positional_kmers,
    take,
    windowed_kmers,
    windows,
)
from dnalm.evaluation.fitting import Fit, Labels, Scorer, Trainer, average, cross_fit, inner_folds
from dnalm.evaluation.log_odds import (
    MARKOV_PSEUDOCOUNT,
    markov_log_odds,
    score_markov,
    train_markov,
    train_pwm,
    train_wam,
    wam_log_odds,
    wam_table,
)
from dnalm.model.doors import one_hot
from dnalm.model.frames import frames

Features = Callable[[Sequences], Floats | sp.csr_array]

STACK_FOLDS = 5
STACK_ORDERS = (3, 5, 9)
WAM_PSEUDOCOUNT = 16.0
# Standard deviations of a stacked score: wider than a one-hot column, so that it is penalised less.
STACK_SPREAD = 3.0


def _logistic(features: Floats | sp.csr_array, labels: Labels, c: float) -> LogisticRegression:
    # A looser tolerance than scikit-learn's own: the last digits of the optimum change no call.
    return LogisticRegression(C=c, max_iter=500, tol=1e-3).fit(features, labels)


def logistic(features: Features, strengths: Sequence[float]) -> Trainer:
    """Ridge logistic regression on features of a sequence, at several inverse penalties C."""

    def train(sequences: Sequences, labels: Labels, generator: np.random.Generator) -> list[Scorer]:
        del generator
        read = features(sequences)
        fitted = [_logistic(read, labels, c) for c in strengths]
        return [lambda wanted, model=model: model.decision_function(features(wanted)) for model in fitted]

    return train


def _lengths(sequences: Sequences) -> Floats:
    return np.log1p([[len(codes)] for codes in sequences])


def _longest_frame(sequences: Sequences) -> Floats:
    """Codons of the longest open reading frame, as logarithm, and the share of the sequence that it covers."""
    found = []
    for codes in sequences:
        extents, _ = frames(one_hot(torch.from_numpy(np.asarray(codes)).long()[None]))
        found.append(extents[0, [0, 2]].numpy())
    return np.array(found, dtype=np.float64)


def _kmers(sequences: Sequences) -> sp.csr_array:
    return kmer_frequencies(sequences, (1, 2, 3, 4, 5))


def _positional(sequences: Sequences) -> sp.csr_array:
    return positional_kmers(windows(sequences, "positional logistic regression"), (1, 2, 3))


def _windowed(sequences: Sequences) -> sp.csr_array:
    codes = windows(sequences, "windowed logistic regression")
    return sp.hstack([positional_kmers(codes, (1, 2, 3)), windowed_kmers(codes, (3, 4, 5))], format="csr")


def _boosting(sequences: Sequences, labels: Labels, generator: np.random.Generator) -> list[Scorer]:
    """Boosted trees on k-mer frequencies, k 1 to 4."""

    def features(wanted: Sequences) -> Floats:
        return kmer_frequencies(wanted, (1, 2, 3, 4)).toarray()

    model = HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.08,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        max_features=0.2,
        random_state=int(generator.integers(2**31)),
    ).fit(features(sequences), labels)
    return [lambda wanted: model.decision_function(features(wanted))]


def _stack_scores(sequences: Sequences, labels: Labels, wanted: Sequences) -> Floats:
    """Log-odds of a weight array model and of Markov models fitted on labelled sequences: `(n wanted, 4)`."""
    codes, read = (windows(some, "a stacked model") for some in (sequences, wanted))
    weights = wam_log_odds(wam_table(codes, labels, WAM_PSEUDOCOUNT), read).sum(axis=1)
    chains = [
        score_markov(markov_log_odds(codes, labels, order, MARKOV_PSEUDOCOUNT), order, read) for order in STACK_ORDERS
    ]
    return np.stack([weights, *chains], axis=1)


def _stacked(sequences: Sequences, labels: Labels, generator: np.random.Generator, *, grouped: bool) -> list[Scorer]:
    """Logistic regression on log-odds scores beside positional and windowed k-mers.

    The scores of the training sequences come from folds that had not seen them; otherwise the regression
    would trust them too much.
    """
    fold = inner_folds(sequences, labels, generator, STACK_FOLDS, grouped=grouped)
    inside = np.zeros((len(labels), 1 + len(STACK_ORDERS)))
    for one in range(fold.max() + 1):
        seen = fold != one
        inside[~seen] = _stack_scores(take(sequences, seen), labels[seen], take(sequences, ~seen))
    scale = STACK_SPREAD / np.maximum(inside.std(axis=0), 1e-9)

    def features(scores: Floats, wanted: Sequences) -> sp.csr_array:
        return sp.hstack([sp.csr_array(scores * scale), _windowed(wanted)], format="csr")

    read = features(inside, sequences)
    fitted = [_logistic(read, labels, c) for c in (0.003, 0.01, 0.03)]

    def score(wanted: Sequences, model: LogisticRegression) -> Floats:
        return model.decision_function(features(_stack_scores(sequences, labels, wanted), wanted))

    return [lambda wanted, model=model: score(wanted, model) for model in fitted]


# The plain models that the average may take: unlike each other, and each good alone.
AVERAGED = ("markov", "kmer_logistic", "stacked_wam", "gradient_boosting", "one_layer_cnn")
# Those that read sequences of any length.
ANY_LENGTH = ("gc_alone", "length_alone", "longest_orf", "markov", "kmer_logistic", "gradient_boosting")


def baselines(*, grouped: bool = True) -> dict[str, Fit]:
    """Every plain model by name.

    `plain_average` averages those of `AVERAGED` that the training sequences' inner folds choose.

    Args:
        grouped: whether the inner folds, on which strengths and thresholds are chosen, keep sequences that
            share a stretch together. Give False where the outer folds are random.
    """
    trainers: dict[str, Trainer] = {
        "gc_alone": logistic(gc_contents, (100.0,)),
        "length_alone": logistic(_lengths, (100.0,)),
        "longest_orf": logistic(_longest_frame, (100.0,)),
        "pwm": train_pwm,
        "wam": train_wam,
        "markov": train_markov,
        "kmer_logistic": logistic(_kmers, (0.1, 0.3, 1.0, 3.0, 10.0)),
        "positional_logistic": logistic(_positional, (0.003, 0.01, 0.03, 0.1, 0.3)),
        "windowed_logistic": logistic(_windowed, (0.003, 0.01, 0.03, 0.1)),
        "stacked_wam": partial(_stacked, grouped=grouped),
        "gradient_boosting": _boosting,
    }
    fits = {name: cross_fit(trainer, grouped=grouped) for name, trainer in trainers.items()}
    fits["one_layer_cnn"] = partial(fit_cnn, grouped=grouped)
    fits["plain_average"] = average([fits[name] for name in AVERAGED], select=True)
    return fits


BASELINES: Mapping[str, Fit] = baselines()
