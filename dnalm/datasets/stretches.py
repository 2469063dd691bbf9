"""Which sequences share a stretch of bases on either strand: what makes two of them near-copies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dnalm.alphabet import UNKNOWN, Codes, reverse_complement
from dnalm.errors import InputError

STRETCH = 20
MAX_STRETCH = 31  # 2 bits a base in 64, one pair of bits left over

Ints = NDArray[np.int64]


def canonical_stretches(sequences: Sequence[Codes], length: int = STRETCH) -> tuple[NDArray[np.uint64], Ints]:
    """List every stretch of `length` known bases, the same number for both strands.

    Args:
        sequences: n arrays of codes, of any length.
        length: bases in a stretch, 1 to 31.

    Returns:
        Two arrays of one length: the stretch as a number (the smaller of its two strands' base-4 readings),
        and the index of the sequence that holds it. Stretches with an unknown base (N) are left out.

    Raises:
        InputError: `length` is outside 1 to 31.
    """
    if not 1 <= length <= MAX_STRETCH:
        raise InputError(f"a shared stretch has 1 to {MAX_STRETCH} bases, not {length}")
    lengths = np.array([len(codes) for codes in sequences], dtype=np.int64)
    # One unknown base after each sequence keeps any stretch from running into the next.
    text = np.full(int(lengths.sum()) + len(lengths), UNKNOWN, dtype=np.uint8)
    owner = np.repeat(np.arange(len(lengths)), lengths + 1)
    if len(lengths):
        inside = np.ones(len(text), dtype=bool)
        inside[np.cumsum(lengths + 1) - 1] = False
        text[inside] = np.concatenate(sequences) if lengths.any() else []
    stretches, starts = text_stretches(text, length)
    return stretches, owner[starts]


def text_stretches(text: Codes, length: int = STRETCH) -> tuple[NDArray[np.uint64], Ints]:
    """Every stretch of known bases of one text, the same number for both strands, and its 0-based start."""
    count = len(text) - length + 1
    if count <= 0:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    unknown = np.concatenate([[0], np.cumsum(text >= UNKNOWN)])
    starts = np.flatnonzero(unknown[length:] == unknown[:-length])
    forward = np.zeros(len(starts), dtype=np.uint64)
    reverse = np.zeros(len(starts), dtype=np.uint64)
    for offset in range(length):
        base = text[starts + offset].astype(np.uint64)
        forward = (forward << np.uint64(2)) | base
        reverse |= (np.uint64(3) - base) << np.uint64(2 * offset)
    return np.minimum(forward, reverse), starts


def among(values: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which values are among the known ones: shape of `values`.

    np.isin would go through a hash table that does badly on such numbers; sorting is several times as fast.
    """
    if not len(known):
        return np.zeros(len(values), dtype=bool)
    known = np.sort(known)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return known[place] == values


def shared_spans(text: Codes, references: Sequence[Codes], length: int = STRETCH) -> list[tuple[int, int]]:
    """Where a long text shares a stretch with any reference, on either strand.

    Args:
        text: a genome's record, shape `(bases,)`.
        references: short sequences.
        length: bases in a stretch, 1 to 31.

    Returns:
        Spans of the text, 0-based half-open, in order and not touching.
    """
    known = canonical_stretches(references, length)[0]
    covered = np.zeros(len(text) + 1, dtype=np.int64)
    block = 1 << 22
    for first in range(0, max(1, len(text)), block):
        stretches, starts = text_stretches(text[first : first + block + length - 1], length)
        hits = starts[among(stretches, known)] + first
        covered[hits] += 1
        covered[hits + length] -= 1
    inside = np.concatenate([[0], (np.cumsum(covered) > 0).astype(np.int8)])
    edges = np.flatnonzero(np.diff(inside))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _duplicates(sequences: Sequence[Codes]) -> NDArray[np.int64]:
    """For each sequence the index of the first one that equals it on either strand: shape `(n,)`."""
    first: dict[bytes, int] = {}
    found = [
        first.setdefault(min(codes.tobytes(), reverse_complement(codes).tobytes()), index)
        for index, codes in enumerate(sequences)
    ]
    return np.array(found, dtype=np.int64)


def stretch_groups(sequences: Sequence[Codes], length: int = STRETCH) -> Ints:
    """Put sequences that share a stretch, on either strand, into one group.

    Sharing is passed on: where A shares with B and B with C, all three are one group. Sequences that are
    equal on either strand share a group even when they are shorter than the stretch or full of N.

    Args:
        sequences: n arrays of codes.
        length: bases that two sequences must share, 1 to 31.

    Returns:
        Group number of each sequence, shape `(n,)`, numbered from 0 in the order of first appearance.
    """
    n = len(sequences)
    if n == 0:
        return np.empty(0, np.int64)
    stretches, owner = canonical_stretches(sequences, length)
    order = np.argsort(stretches, kind="stable")
    stretches, owner = stretches[order], owner[order]
    same = np.flatnonzero(stretches[1:] == stretches[:-1])
    left = np.concatenate([owner[same], np.arange(n)])
    right = np.concatenate([owner[same + 1], _duplicates(sequences)])
    links = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    _, component = connected_components(links, directed=False)
    _, first, group = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[group]


def shared_with(queries: Sequence[Codes], references: Sequence[Codes], length: int = STRETCH) -> NDArray[np.bool_]:
    """Say which queries share a stretch with any reference, on either strand: shape `(n queries,)`."""
    wanted, owner = canonical_stretches(queries, length)
    known, _ = canonical_stretches(references, length)
    hit = np.zeros(len(queries), dtype=bool)
    hit[owner[among(wanted, known)]] = True
    return hit
