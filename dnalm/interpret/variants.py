"""Scores of many variants of one sequence: the classifier's own, at a fraction of the work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnalm.alphabet import Codes
from dnalm.errors import InputError
from dnalm.interpret.counted import Counts
from dnalm.interpret.first_layer import first_layer
from dnalm.interpret.following import Follower
from dnalm.interpret.strand import Strand
from dnalm.model.classifier import Member
from dnalm.model.doors import one_hot, reverse_complement_codes
from dnalm.model.heads import Encoding
from dnalm.model.predict import Classifier, softmax

TOLERANCE = 1e-6
_ROWS = 1024  # variants that walk together
_CODED_BASES = 1 << 17  # bases of one-hot sequence that reading frames are looked for in at a time

Progress = Callable[[int, int], None]
Floats = NDArray[np.float32]


class VariantScorer:
    """Scores variants of one sequence that have its length.

    What a variant shares with the sequence is not computed again: the states before the first changed k-mer; with
    `tolerance`, those after its state has come back to the sequence's; the counts of k-mers that hold no change.

    Args:
        classifier: the model.
        codes: the sequence, base codes, shape `(length,)`.
        tolerance: largest difference of any state at which the rest of a variant is taken to be the sequence's;
            below 0, each is read to its end.

    Raises:
        InputError: the model does not read sequences of this length.
    """

    def __init__(self, classifier: Classifier, codes: Codes, *, tolerance: float = TOLERANCE) -> None:
        self.classifier, self.codes = classifier, np.asarray(codes)
        self.reference: Floats = classifier.logits([self.codes])[0]  # refuses a length that the model does not read
        """The sequence's own logits, shape `(classes,)`, by the same arithmetic as its variants'."""
        with torch.inference_mode():
            text = torch.from_numpy(self.codes.copy())[None].to(classifier.device)
            self._members = [_MemberScorer(member, text, tolerance) for member in classifier.module.members]
        self.reference = self.logits(self.codes[None])[0]

    @property
    def steps(self) -> int:
        """Variants times tokens read so far: what plain reading would take is variants times all tokens."""
        return sum(follower.steps for member in self._members for follower in member.followers)

    def logits(self, variants: NDArray[np.uint8], progress: Progress | None = None) -> Floats:
        """Logits of variants.

        Args:
            variants: base codes, shape `(n, length)`.
            progress: called with variants done and all.

        Returns:
            float32, shape `(n, classes)`.

        Raises:
            InputError: they have another length than the sequence.
        """
        if variants.ndim != 2 or variants.shape[1] != len(self.codes):
            raise InputError(
                f"variants of shape {variants.shape}; wanted (n, {len(self.codes)}), the sequence's own length"
            )
        out = np.empty((len(variants), len(self.reference)), dtype=np.float32)
        changed = variants != self.codes
        first = np.where(changed.any(1), changed.argmax(1), 0)
        last = np.where(changed.any(1), len(self.codes) - 1 - changed[:, ::-1].argmax(1), -1)
        order = np.lexsort((first, last - first))  # those that span alike together
        with torch.inference_mode():
            for member in self._members:
                member.expect(torch.from_numpy(first), torch.from_numpy(last))
            for begin in range(0, len(order), _ROWS):
                rows = order[begin : begin + _ROWS]
                told = [
                    torch.from_numpy(np.ascontiguousarray(part[rows])).to(self.classifier.device)
                    for part in (variants, first, last)
                ]
                found = [member.logits(*told) for member in self._members]
                out[rows] = self.classifier.module.mean(found).float().cpu().numpy()
                if progress:
                    progress(begin + len(rows), len(order))
        return out

    def probabilities(self, variants: NDArray[np.uint8], progress: Progress | None = None) -> Floats:
        """Probability of each class, float32, shape `(n, classes)`; see `logits`."""
        return softmax(self.logits(variants, progress))


class _MemberScorer:
    """One member's share of the work."""

    def __init__(self, member: Member, codes: Tensor, tolerance: float) -> None:
        self.codes = codes
        both = member.config.both_strands
        length = torch.tensor([codes.shape[1]], device=codes.device)
        self.layer = first_layer(member.head, 2 if both else 1)
        texts = [codes, reverse_complement_codes(codes, length)] if both else [codes]
        strands = [Strand(member.encoder, text) for text in texts]
        self.followers = [
            Follower(strand, weights, tolerance) for strand, weights in zip(strands, self.layer.strands, strict=True)
        ]
        bases = one_hot(codes, strands[0].top.dtype)
        states = [strand.top[None] for strand in strands]
        self.start = self.layer.start(Encoding(states[0], states[1] if both else None, member.tokens(length), bases))
        self.counts = [Counts(counted, codes) for counted in self.layer.counted]
        self.coding = self.layer.of_coding(bases)

    def expect(self, first: Tensor, last: Tensor) -> None:
        """Prepare for variants that differ from `first` to `last`."""
        changed = last >= first
        for follower, begin in zip(self.followers, (first, self.codes.shape[1] - 1 - last), strict=False):
            follower.expect(begin[changed])

    def logits(self, codes: Tensor, first: Tensor, last: Tensor) -> Tensor:
        """Logits of variants `(n, length)` that differ from `first` to `last`, `(n, classes)`."""
        length = codes.shape[1]
        outputs = self.start + self.followers[0].difference(codes, first, last)
        if len(self.followers) > 1:
            lengths = torch.full((len(codes),), length, device=codes.device)
            turned = reverse_complement_codes(codes, lengths)
            outputs += self.followers[1].difference(turned, length - 1 - last, length - 1 - first)
        span = int((last - first).max()) + 1
        for counts in self.counts:
            outputs += counts.change(self.codes, codes, first, span)
        if self.coding is not None:
            rows = max(1, _CODED_BASES // length)
            outputs += torch.cat([self.layer.of_coding(one_hot(part)) - self.coding for part in codes.split(rows)])
        return self.layer.rest(outputs)
