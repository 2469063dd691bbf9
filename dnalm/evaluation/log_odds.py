"""Log-odds of positives against negatives from counts: the models that promoter finders began with.

`pwm` scores log p(base | position) of the positives against the negatives' overall composition. `wam`, the
weight array model (Zhang and Marr 1993), scores log p(base | the base before, position) of the positives
against the same of the negatives. `markov` scores log p(base | the k before), wherever it stands, so it reads
sequences of any length; a high order recognises sequences that overlap ones it was fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.evaluation.features import Floats, joined, take, windows
from dnalm.evaluation.fitting import Labels, Scorer, Sequences
from dnalm.evaluation.markov import words

PSEUDOCOUNTS = (1.0, 4.0, 16.0, 64.0)
ORDERS = (3, 5, 7, 9)
MARKOV_PSEUDOCOUNT = 64.0


def base_counts(codes: Codes) -> Floats:
    """How often each base stands at each position, shape `(length, 4)`."""
    return np.stack([(codes == base).sum(axis=0) for base in range(4)], axis=1).astype(float)


def _look_up(table: Floats, codes: Codes) -> Floats:
    """The table's value for each base of each sequence, 0 at unknown ones: shape `(n, length)`."""
    padded = np.concatenate([table, np.zeros((len(table), 1))], axis=1)
    return padded[np.arange(codes.shape[1]), codes]


def train_pwm(sequences: Sequences, labels: Labels, generator: np.random.Generator) -> list[Scorer]:
    """PWM scorers, one a pseudocount."""
    del generator
    codes = windows(sequences, "a position weight matrix")
    background = base_counts(codes[~labels]).sum(axis=0) + 1
    background /= background.sum()
    counts = base_counts(codes[labels])
    scorers = []
    for pseudocount in PSEUDOCOUNTS:
        table = counts + pseudocount * background
        table = np.log(table / table.sum(axis=1, keepdims=True) / background)
        scorers.append(lambda wanted, table=table: _look_up(table, windows(wanted, "a PWM")).sum(axis=1))
    return scorers


def _conditional(codes: Codes, pseudocount: float) -> Floats:
    """Log p(base | base before, position), shape `(length, 5, 5)`; row 4 is "base before unknown"."""
    length = codes.shape[1]
    alone = base_counts(codes) + pseudocount / 4
    alone /= alone.sum(axis=1, keepdims=True)
    pair = np.zeros((length, 25))
    index = codes[:, :-1].astype(np.int64) * 5 + codes[:, 1:]
    for place in range(1, length):
        pair[place] = np.bincount(index[:, place - 1], minlength=25)
    pair = pair.reshape(length, 5, 5)[:, :, :4]
    pair[:, UNKNOWN] = 0
    smooth = pair + pseudocount * alone[:, None, :]
    table = np.zeros((length, 5, 5))
    table[:, :, :4] = np.log(smooth / smooth.sum(axis=2, keepdims=True))
    return table


def wam_log_odds(table: Floats, codes: Codes) -> Floats:
    """The table's value at each position, shape `(n, length)`; 0 at unknown bases."""
    before = np.concatenate([np.full((len(codes), 1), UNKNOWN, dtype=np.uint8), codes[:, :-1]], axis=1)
    return table[np.arange(codes.shape[1]), before, codes]


def wam_table(codes: Codes, labels: Labels, pseudocount: float) -> Floats:
    """Log-odds of each base given the one before, at each position: shape `(length, 5, 5)`."""
    return _conditional(codes[labels], pseudocount) - _conditional(codes[~labels], pseudocount)


def train_wam(sequences: Sequences, labels: Labels, generator: np.random.Generator) -> list[Scorer]:
    """WAM scorers, one a pseudocount."""
    del generator
    codes = windows(sequences, "a weight array model")
    tables = [wam_table(codes, labels, pseudocount) for pseudocount in PSEUDOCOUNTS]
    return [lambda wanted, table=table: wam_log_odds(table, windows(wanted, "a WAM")).sum(axis=1) for table in tables]


def _interpolated(sequences: Sequence[Codes], order: int, pseudocount: float) -> Floats:
    """Log p(base | the `order` before), each order leaning on the one below: shape `(4**(order + 1),)`."""
    text, _ = joined(sequences)
    table = np.full((1, 4), 0.25)
    for k in range(order + 1):
        number = words(text, k + 1)
        counts = np.bincount(number[number >= 0], minlength=4 ** (k + 1)).reshape(-1, 4).astype(float)
        below = table if k == 0 else np.tile(table, (4, 1))  # a context's last bases are its low digits
        table = (counts + pseudocount * below) / (counts.sum(axis=1, keepdims=True) + pseudocount)
    return np.log(table).ravel()


def markov_log_odds(sequences: Sequences, labels: Labels, order: int, pseudocount: float) -> Floats:
    """Log-odds of each word of `order + 1` bases, shape `(4**(order + 1),)`."""
    return _interpolated(take(sequences, labels), order, pseudocount) - _interpolated(
        take(sequences, ~labels), order, pseudocount
    )


def score_markov(table: Floats, order: int, sequences: Sequences) -> Floats:
    """Sum of the log-odds of a sequence's words, shape `(n,)`; words with an unknown base add 0."""
    text, owner = joined(sequences)
    number = words(text, order + 1)
    known = number >= 0
    return np.bincount(owner[known], weights=table[number[known]], minlength=len(sequences))


def train_markov(sequences: Sequences, labels: Labels, generator: np.random.Generator) -> list[Scorer]:
    """Markov scorers, one an order."""
    del generator
    tables = [(markov_log_odds(sequences, labels, order, MARKOV_PSEUDOCOUNT), order) for order in ORDERS]
    return [lambda wanted, table=table, order=order: score_markov(table, order, wanted) for table, order in tables]
