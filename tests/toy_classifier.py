"""A classifier whose answers a person can work out: it compares each window with one motif at one offset."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from dnalm.alphabet import encode, reverse_complement


class MotifClassifier:
    """Probability of the positive class = share of the motif's bases that the window has at `offset`."""

    def __init__(self, motif="TATAAT", *, window=20, anchor=12, offset=0, name="toy", labels=("no", "yes")):
        self.name = name
        self.motif = encode(motif)
        self.offset = offset
        self.config = SimpleNamespace(
            kind="classifier",
            window=window,
            anchor=anchor,
            labels=list(labels),
            positive=labels[-1],
            threshold=0.9,
            modes=["window"],
            description="compares with one motif",
        )
        self.metrics = {}
        self.card = ""
        self.calls = 0

    def probabilities(self, sequences):
        codes = np.asarray(sequences)
        assert codes.dtype == np.uint8
        assert codes.ndim == 2
        self.calls += 1
        seen = codes[:, self.offset : self.offset + len(self.motif)]
        share = (seen == self.motif).mean(axis=1)
        return np.stack([1 - share, share], axis=1)


class BothStrandsClassifier(MotifClassifier):
    """The same, and as dnalm's own it scores a window and its reverse complement in one call."""

    def logits_both_strands(self, sequences):
        both = (sequences, np.array([reverse_complement(codes) for codes in sequences]))
        # Log-probabilities are logits too; a probability of 0 becomes 1e-9.
        return tuple(np.log(np.maximum(self.probabilities(codes), 1e-9)).astype(np.float32) for codes in both)
