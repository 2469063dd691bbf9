"""Order-k Markov models of DNA: the plain language models that a network has to beat, in bits per base.

Two kinds. `fit_markov` is the textbook model of one order: p(base | the k bases before) from counts, with a
pseudocount. `fit_mixture` blends all orders up to k: each order's counts are added to the prediction of the
order below, weighed as `strength` observations (the hierarchical Dirichlet model of MacKay and Peto 1995), so
a rare context leans on its shorter ones. Pseudocount and strengths are chosen on the last tenth of the
training text, then the counts are taken again from all of it. Both strands are counted. A base other than A,
C, G, T is not scored, and no context reaches over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes, reverse_complement
from dnalm.errors import InputError
from dnalm.metrics import Figure, block_bootstrap_mean

MAX_ORDER = 12
PSEUDOCOUNTS = tuple(2.0**power for power in range(-6, 9))
STRENGTHS = tuple(2.0**power for power in range(-1, 17))
TUNING_SHARE = 0.1
# Bases drawn together for an interval: about a gene, beyond which one base says little of another's cost.
BLOCK_BASES = 1000

Counts = NDArray[np.uint32]
Floats = NDArray[np.float64]


def words(codes: Codes, length: int) -> NDArray[np.int32]:
    """The word of `length` bases that ends at each base, as a number in base 4.

    Args:
        codes: shape `(n,)`.
        length: 1 to 13 bases.

    Returns:
        int32, shape `(n,)`; -1 where the word would reach before the start or over an unknown base.
    """
    n = len(codes)
    found = np.full(n, -1, dtype=np.int32)
    if n < length:
        return found
    number = np.zeros(n - length + 1, dtype=np.int32)
    for offset in range(length):
        number *= 4
        number += codes[offset : offset + len(number)]
    bad = np.concatenate([[0], np.cumsum(codes >= UNKNOWN)])
    number[bad[length:] != bad[:-length]] = -1
    found[length - 1 :] = number
    return found


def count_words(texts: Sequence[Codes], order: int, both_strands: bool = True) -> Counts:
    """How often each base follows each context.

    Args:
        texts: sequences to read.
        order: bases of context, 0 to 12.
        both_strands: count each text's reverse complement too.

    Returns:
        uint32, shape `(4**order, 4)`.
    """
    if not 0 <= order <= MAX_ORDER:
        raise InputError(f"Markov order {order} is not between 0 and {MAX_ORDER}")
    cells = 4 ** (order + 1)
    counts = np.zeros(cells, dtype=np.uint32)
    # bincount gives 8 bytes a cell: a quarter of the words at a time keeps order 12 under half a gigabyte.
    quarter = cells // 4
    for text in texts:
        for strand in (text, reverse_complement(text)) if both_strands else (text,):
            number = words(strand, order + 1)
            for first in range(0, cells, quarter):
                inside = number[(number >= first) & (number < first + quarter)] - first
                counts[first : first + quarter] += np.bincount(inside, minlength=quarter).astype(np.uint32)
    return counts.reshape(-1, 4)


def _seen(counts: Counts, order: int, codes: Codes) -> tuple[Floats, Floats]:
    """At each base: how often this base, and any base, followed its context; nan without a context."""
    number = words(codes, order + 1)
    known = number >= 0
    this, whole = np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    this[known] = counts.ravel()[number[known]]
    whole[known] = counts.sum(axis=1)[number[known] >> 2]
    return this, whole


def _cost(probability: Floats) -> float:
    return float(-np.nanmean(np.log2(probability)))


def _tuning_split(texts: Sequence[Codes]) -> tuple[list[Codes], Codes]:
    """The training text without its last tenth, and that last tenth."""
    total = sum(len(text) for text in texts)
    keep = total - int(total * TUNING_SHARE)
    rest: list[Codes] = []
    tail: list[Codes] = []
    for text in texts:
        cut = min(len(text), max(keep, 0))
        rest.append(text[:cut])
        tail += [text[cut:], np.array([UNKNOWN], dtype=np.uint8)]
        keep -= len(text)
    return rest, np.concatenate(tail)


def _check_texts(texts: Sequence[Codes]) -> None:
    if sum(int((text < UNKNOWN).sum()) for text in texts) == 0:
        raise InputError("a Markov model wants training text with at least one known base, found none")


@dataclass(frozen=True)
class MarkovModel:
    """One order, counts with a pseudocount: p = (n(context, base) + a) / (n(context) + 4 a).

    Attributes:
        order: bases of context.
        counts: shape `(4**order, 4)`.
        pseudocount: a, added to each count.
    """

    order: int
    counts: Counts
    pseudocount: float

    def probabilities(self, codes: Codes) -> Floats:
        """Probability given to each base, shape `(n,)`; nan at unknown bases, 1/4 without a full context."""
        this, whole = _seen(self.counts, self.order, codes)
        found = (this + self.pseudocount) / (whole + 4 * self.pseudocount)
        found[np.isnan(found)] = 0.25
        found[codes >= UNKNOWN] = np.nan
        return found

    def bits(self, codes: Codes) -> Floats:
        """Cost of each base in bits, shape `(n,)`; nan at unknown bases."""
        return -np.log2(self.probabilities(codes))


@dataclass(frozen=True)
class MarkovMixture:
    """All orders from 0 up: p_k = (n(context, base) + s_k p_(k-1)) / (n(context) + s_k), with p_(-1) = 1/4.

    Attributes:
        counts: of order 0, 1, ..., each `(4**order, 4)`.
        strengths: s of each order.
    """

    counts: tuple[Counts, ...]
    strengths: tuple[float, ...]

    @property
    def order(self) -> int:
        """The longest context."""
        return len(self.counts) - 1

    def probabilities(self, codes: Codes) -> Floats:
        """Probability given to each base, shape `(n,)`, from the longest context there is; nan if unknown."""
        below = np.full(len(codes), 0.25)
        for order, (counts, strength) in enumerate(zip(self.counts, self.strengths, strict=True)):
            below = _blend(below, *_seen(counts, order, codes), strength)
        below[codes >= UNKNOWN] = np.nan
        return below

    def bits(self, codes: Codes) -> Floats:
        """Cost of each base in bits, shape `(n,)`; nan at unknown bases."""
        return -np.log2(self.probabilities(codes))


def _blend(below: Floats, this: Floats, whole: Floats, strength: float) -> Floats:
    blended = (this + strength * below) / (whole + strength)
    return np.where(np.isnan(blended), below, blended)


def fit_markov(
    texts: Sequence[Codes], order: int, *, pseudocount: float | None = None, both_strands: bool = True
) -> MarkovModel:
    """Count a Markov model of one order.

    Args:
        texts: training sequences.
        order: 0 to 12 bases of context.
        pseudocount: added to each count; None chooses among `PSEUDOCOUNTS` on the last tenth of the text.
        both_strands: count the reverse complements too.

    Raises:
        InputError: for an order outside 0 to 12, or text without a known base.
    """
    _check_texts(texts)
    if pseudocount is None:
        rest, tail = _tuning_split(texts)
        this, whole = _seen(count_words(rest, order, both_strands), order, tail)
        pseudocount = PSEUDOCOUNTS[0]
        if np.isfinite(this).any():
            pseudocount = min(PSEUDOCOUNTS, key=lambda a: _cost((this + a) / (whole + 4 * a)))
    return MarkovModel(order, count_words(texts, order, both_strands), pseudocount)


def fit_mixture(
    texts: Sequence[Codes],
    order: int,
    *,
    strengths: Sequence[float] | None = None,
    both_strands: bool = True,
) -> MarkovMixture:
    """Count a blend of all orders up to `order`.

    Args:
        texts: training sequences.
        order: the longest context, 0 to 12.
        strengths: of each order, `order + 1` of them; None chooses each among `STRENGTHS`, the shortest
            context first, on the last tenth of the text.
        both_strands: count the reverse complements too.

    Raises:
        InputError: for an order outside 0 to 12, text without a known base, or a wrong number of strengths.
    """
    _check_texts(texts)
    if strengths is None:
        rest, tail = _tuning_split(texts)
        below = np.full(len(tail), 0.25)
        below[tail >= UNKNOWN] = np.nan
        chosen: list[float] = []
        for k in range(order + 1):
            seen = _seen(count_words(rest, k, both_strands), k, tail)
            blends = {strength: _blend(below, *seen, strength) for strength in STRENGTHS}
            costs = {strength: _cost(blend) for strength, blend in blends.items()}
            chosen.append(min(costs, key=costs.__getitem__))
            below = blends[chosen[-1]]
        strengths = chosen
    if len(strengths) != order + 1:
        raise InputError(f"{len(strengths)} strengths for orders 0 to {order}: {order + 1} are wanted")
    counts = tuple(count_words(texts, k, both_strands) for k in range(order + 1))
    return MarkovMixture(counts, tuple(float(strength) for strength in strengths))


def bits_per_base(
    model: MarkovModel | MarkovMixture,
    texts: Sequence[Codes],
    generator: np.random.Generator,
    *,
    block: int = BLOCK_BASES,
    resamples: int = 1000,
) -> Figure:
    """Mean cost of the known bases of held-out texts, in bits, with a block-bootstrap interval.

    Args:
        model: any that has `bits`.
        texts: held-out sequences.
        generator: source of the resamples.
        block: bases drawn together.
        resamples: how many.

    Raises:
        InputError: when the texts hold no known base.
    """
    costs = np.concatenate([model.bits(text) for text in texts]) if texts else np.array([])
    return block_bootstrap_mean(costs[np.isfinite(costs)], block, generator, resamples)
