"""What a change would do: every base to every other, pairs, deletions and insertions, and the sliding scramble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.errors import InputError
from dnalm.interpret.attribution import class_of, log_odds
from dnalm.interpret.variants import TOLERANCE, VariantScorer
from dnalm.model.predict import Classifier

LONGEST_SCRAMBLE = 15
WIDEST_WINDOW = 40
"""Bases of the window in which pairs are tried: with them grows the number of pairs as its square."""

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Saturation:
    """Every base changed to every other, one at a time (in-silico saturation mutagenesis).

    Attributes:
        codes: the sequence, shape `(length,)`.
        log_odds: of the class, with each base at each position, shape `(length, 4)`; the sequence's own where it is.
        reference: the sequence's own log-odds.
        model: the classifier's name.
        label: the class.
        span: the stretch whose bases were changed, 0-based and half-open.
    """

    codes: Codes
    log_odds: Floats
    reference: float
    model: str
    label: str
    span: tuple[int, int]

    @property
    def probability(self) -> Floats:
        """Of the class, shape `(length, 4)`."""
        return probability_of(self.log_odds)

    @property
    def change(self) -> Floats:
        """Change in log-odds, shape `(length, 4)`."""
        return self.log_odds - self.reference

    @property
    def change_in_probability(self) -> Floats:
        """Shape `(length, 4)`."""
        return self.probability - probability_of(np.float64(self.reference))

    @property
    def bases(self) -> Floats:
        """What each base is worth: its log-odds less the mean of the other three's, `(length,)`; 0 where unknown."""
        return np.where(self.codes < UNKNOWN, -self.change.sum(1) / 3, 0.0)

    def strongest(self, count: int = 20, *, gains: bool = False) -> list[tuple[int, int]]:
        """The changes that take most away, or with `gains` add most: position and base, the strongest first."""
        order = np.argsort(-self.change if gains else self.change, axis=None, kind="stable")
        places = [divmod(int(place), 4) for place in order]
        signs = 1 if gains else -1
        return [(at, base) for at, base in places if signs * self.change[at, base] > 0][:count]


@dataclass(frozen=True, eq=False)
class Epistasis:
    """Pairs of changes in a window: how far the two together differ from their sum.

    Attributes:
        start: first position of the window.
        pairs: log-odds changed by both less those by each, shape `(window, 4, window, 4)`; nan for one position
            twice, and for a base that is there already.
        single: change in log-odds by each change alone, shape `(window, 4)`.
    """

    start: int
    pairs: Floats
    single: Floats

    @property
    def strongest(self) -> Floats:
        """The pair of bases with the largest interaction at each pair of positions, signed, `(window, window)`."""
        window = len(self.single)
        flat = self.pairs.transpose(0, 2, 1, 3).reshape(window, window, 16)
        best = np.argmax(np.nan_to_num(np.abs(flat)), axis=2)
        return np.take_along_axis(flat, best[..., None], axis=2)[..., 0]


@dataclass(frozen=True, eq=False)
class Scramble:
    """A stretch of k bases replaced at every place.

    Attributes:
        k: bases replaced.
        starts: first base of each stretch, shape `(places,)`.
        log_odds: of each draw at each place, shape `(draws, places)`.
        inserted: what was put in, where it was the same everywhere: one text a draw; empty where it was drawn anew.
    """

    k: int
    starts: NDArray[np.int64]
    log_odds: Floats
    inserted: tuple[str, ...] = ()

    @property
    def centres(self) -> Floats:
        """Middle of each stretch, in positions from 0, shape `(places,)`."""
        return self.starts + (self.k - 1) / 2

    @property
    def probability(self) -> Floats:
        """Shape `(draws, places)`."""
        return probability_of(self.log_odds)

    @property
    def mean(self) -> Floats:
        """Mean probability over the draws, shape `(places,)`."""
        return self.probability.mean(0)

    @property
    def spread(self) -> Floats:
        """Standard deviation of the probability over the draws, shape `(places,)`; nan with one draw."""
        draws = self.probability
        return draws.std(0, ddof=1) if len(draws) > 1 else np.full(draws.shape[1], np.nan)


def probability_of(log_odds: Floats | np.float64) -> Floats:
    """Probability from log-odds in nats."""
    return 1 / (1 + np.exp(-np.asarray(log_odds, dtype=np.float64)))


class Mutations:
    """One sequence before a classifier, with everything that can be changed in it.

    Args:
        classifier: the model.
        codes: the sequence, base codes, shape `(length,)`.
        label: the class; else the positive one, else the one called.
        tolerance: see `VariantScorer`.

    Raises:
        InputError: the model does not read sequences of this length, or has no such class.
    """

    def __init__(
        self, classifier: Classifier, codes: Codes, *, label: str | None = None, tolerance: float = TOLERANCE
    ) -> None:
        self.scorer = VariantScorer(classifier, codes, tolerance=tolerance)
        self.classifier, self.codes = classifier, self.scorer.codes
        self.target = class_of(classifier, label, self.scorer.reference)
        self.label = classifier.config.labels[self.target]
        self.reference = float(self._log_odds(self.scorer.reference[None])[0])

    def _log_odds(self, logits: NDArray[np.float32]) -> Floats:
        return log_odds(torch.from_numpy(logits).double(), self.target).numpy()

    def of(self, variants: NDArray[np.uint8], progress: Progress | None = None) -> Floats:
        """Log-odds of variants of the sequence's length, shape `(n,)` from `(n, length)`."""
        return self._log_odds(self.scorer.logits(variants, progress))

    def of_any(self, variants: Sequence[Codes]) -> Floats:
        """Log-odds of variants of any length, shape `(n,)`: each is read from its beginning to its end."""
        return self._log_odds(self.classifier.logits(list(variants)))

    def saturation(self, progress: Progress | None = None, *, span: tuple[int, int] | None = None) -> Saturation:
        """Change every base to every other. An unknown base becomes each of the four.

        Args:
            progress: called with variants done and all.
            span: change the bases of a stretch alone, 0-based and half-open; else all.
        """
        start, end = span or (0, len(self.codes))
        positions, bases = (found.ravel() for found in np.indices((end - start, 4)))
        positions += start
        others = np.flatnonzero(self.codes[positions] != bases)
        variants = np.repeat(self.codes[None], len(others), 0)
        variants[np.arange(len(others)), positions[others]] = bases[others]
        found = np.full((len(self.codes), 4), self.reference)
        found[positions[others], bases[others]] = self.of(variants, progress)
        return Saturation(self.codes, found, self.reference, self.classifier.name, self.label, (start, end))

    def epistasis(self, start: int, end: int, progress: Progress | None = None) -> Epistasis:
        """Try all pairs of changes in a window, 0-based and half-open.

        Raises:
            InputError: the window leaves the sequence, or is wider than `WIDEST_WINDOW`.
        """
        if not 0 <= start < end <= len(self.codes) or end - start > WIDEST_WINDOW:
            raise InputError(
                f"a window from base {start + 1} to {end} of {len(self.codes)}; wanted is one within the sequence of"
                f" {WIDEST_WINDOW} bases at most"
            )
        window = end - start
        places = [(at, base) for at in range(start, end) for base in range(4) if self.codes[at] != base]
        pairs = [(one, two) for one in places for two in places if one[0] < two[0]]
        variants = np.repeat(self.codes[None], len(places) + len(pairs), 0)
        for row, (at, base) in zip(variants, places, strict=False):
            row[at] = base
        for row, changes in zip(variants[len(places) :], pairs, strict=True):
            for at, base in changes:
                row[at] = base
        change = self.of(variants, progress) - self.reference
        single = np.zeros((window, 4))
        for (at, base), value in zip(places, change, strict=False):
            single[at - start, base] = value
        both = np.full((window, 4, window, 4), np.nan)
        for ((at, base), (there, other)), value in zip(pairs, change[len(places) :], strict=True):
            apart = value - single[at - start, base] - single[there - start, other]
            both[at - start, base, there - start, other] = both[there - start, other, at - start, base] = apart
        return Epistasis(start, both, single)

    def scramble(
        self,
        k: int,
        *,
        draws: int,
        generator: np.random.Generator,
        fixed: bool = False,
        progress: Progress | None = None,
    ) -> Scramble:
        """Replace k bases by random ones at every place, so many times (the ancestor's sensitivity picture).

        Args:
            k: bases, 1 to `LONGEST_SCRAMBLE`.
            draws: random k-mers a place.
            generator: draws them.
            fixed: put the same k-mer in at every place of a draw; else a fresh one.
            progress: called with variants done and all.

        Raises:
            InputError: k or the number of draws is out of range.
        """
        if not 1 <= k <= min(LONGEST_SCRAMBLE, len(self.codes)):
            raise InputError(f"k is {k}; wanted: 1 to {min(LONGEST_SCRAMBLE, len(self.codes))} bases")
        if draws < 1:
            raise InputError(f"{draws} draws; wanted: 1 or more")
        places = len(self.codes) - k + 1
        if fixed:
            kmers = generator.integers(0, 4, (draws, 1, k), dtype=np.uint8).repeat(places, 1)
            said = tuple("".join("ACGT"[base] for base in row[0]) for row in kmers)
        else:
            kmers, said = generator.integers(0, 4, (draws, places, k), dtype=np.uint8), ()
        return self._replaced(kmers, said, progress)

    def insert(self, kmers: Sequence[Codes], progress: Progress | None = None) -> list[Scramble]:
        """Put given k-mers, such as TATAAT, in the place of as many bases, everywhere.

        Raises:
            InputError: one holds an unknown base, or is longer than the sequence.
        """
        found = []
        for kmer in kmers:
            if not 1 <= len(kmer) <= len(self.codes) or (np.asarray(kmer) >= UNKNOWN).any():
                raise InputError(f"a k-mer of {len(kmer)} bases; wanted: 1 to {len(self.codes)}, all known")
            places = len(self.codes) - len(kmer) + 1
            text = "".join("ACGT"[base] for base in kmer)
            found.append(self._replaced(np.asarray(kmer)[None, None].repeat(places, 1), (text,), progress))
        return found

    def _replaced(self, kmers: NDArray[np.uint8], said: tuple[str, ...], progress: Progress | None) -> Scramble:
        draws, places, k = kmers.shape
        variants = np.tile(self.codes, (draws, places, 1))
        into = np.arange(places)[:, None] + np.arange(k)
        variants[:, np.arange(places)[:, None], into] = kmers
        found = self.of(variants.reshape(draws * places, -1), progress)
        return Scramble(k, np.arange(places), found.reshape(draws, places), said)
