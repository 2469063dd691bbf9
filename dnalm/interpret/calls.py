"""What a classifier says of sequences that are embedded, and whether it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnalm.interpret.embedding import Embedding, Progress
from dnalm.model.predict import rows_by_length

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier

RIGHT, MISSED, FALSE, WRONG = "right", "missed", "false call", "wrong class"
UNKNOWN, UNREAD = "class not known to the model", "not read by the classifier"
OUTCOMES = (RIGHT, MISSED, FALSE, WRONG, UNKNOWN, UNREAD)
# Bases between two words of progress: the model's own batches are as large.
_BATCH_BASES = 1 << 14


@dataclass(frozen=True, eq=False)
class Calls:
    """A classifier's calls.

    Attributes:
        speaks_of: the positive class, which the probability is of; None: it is of the class that was called.
        called: the class; None where the classifier cannot read a sequence of that length.
        probabilities: 0 to 1, shape `(n,)`; nan where it cannot.
        outcomes: of each, one of `OUTCOMES`.
    """

    speaks_of: str | None
    called: tuple[str | None, ...]
    probabilities: NDArray[np.float64]
    outcomes: tuple[str, ...]

    def take(self, rows: NDArray[np.integer]) -> Calls:
        """Those of some of the sequences, in the order of `rows`."""
        called, outcomes = (tuple(all_[row] for row in rows) for all_ in (self.called, self.outcomes))
        return Calls(self.speaks_of, called, self.probabilities[rows], outcomes)


def calls_of(model: Classifier, embedding: Embedding, *, progress: Progress | None = None) -> Calls:
    """Call the sequences of an embedding, and compare with the labels that they came with.

    A sequence that the classifier cannot read, being of another length, is not called; one whose label is none of the
    model's is called, and neither right nor wrong.

    Args:
        model: a classifier.
        embedding: of sequences.
        progress: called with (sequences done, sequences in all).
    """
    positive = model.config.positive
    fixed, least = model.module.fixed_length, model.module.least_length
    lengths = np.array([len(codes) for codes in embedding.codes])
    rows = np.flatnonzero(lengths == fixed if fixed is not None else lengths >= least)
    called: list[str | None] = [None] * len(embedding)
    probabilities = np.full(len(embedding), np.nan)
    done = 0
    # Those of nearly one length together: a batch is as long as its longest.
    for batch in rows_by_length(lengths[rows], _BATCH_BASES):
        some = rows[batch]
        for row, one in zip(some, model.predict([embedding.codes[row] for row in some]), strict=True):
            called[row], probabilities[row] = one.label, one.probability
        done += len(some)
        if progress is not None:
            progress(done, len(rows))
    known = set(model.config.labels)
    outcomes = tuple(
        _outcome(call, label, known, positive) for call, label in zip(called, embedding.labels, strict=True)
    )
    return Calls(positive, tuple(called), probabilities, outcomes)


def _outcome(called: str | None, label: str | None, known: set[str], positive: str | None) -> str:
    if called is None:
        return UNREAD
    if label not in known:
        return UNKNOWN
    if called == label:
        return RIGHT
    if positive is None:
        return WRONG
    return MISSED if label == positive else FALSE
