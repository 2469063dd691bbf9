"""What plain models read of a sequence: its GC content, its k-mers, and its k-mers at each position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes, gc_content, reverse_complement
from dnalm.errors import InputError
from dnalm.evaluation.markov import words

# uint8 codes (n, length), or a list of 1-D code arrays of any lengths.
Sequences = Codes | Sequence[Codes]
Floats = NDArray[np.float64]


def take(sequences: Sequences, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Sequences:
    """The sequences at these rows (numbers or a mask), kept in their kind: array or list."""
    if isinstance(sequences, np.ndarray):
        return sequences[rows]
    numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
    return [sequences[int(row)] for row in numbers]


def windows(sequences: Sequences, who: str) -> Codes:
    """Sequences of one length as an array `(n, length)`.

    Raises:
        InputError: when their lengths differ; `who` needs positions that correspond.
    """
    if isinstance(sequences, np.ndarray) and sequences.ndim == 2:
        return sequences
    lengths = {len(codes) for codes in sequences}
    if len(lengths) != 1:
        found = f"{min(lengths)} to {max(lengths)} bases" if lengths else "none"
        raise InputError(f"{who} wants sequences of one length, found {found}")
    return np.stack(list(sequences))


def joined(sequences: Sequences) -> tuple[Codes, NDArray[np.int64]]:
    """All sequences as one text, an unknown base after each, and the sequence that each base belongs to."""
    gap = np.array([UNKNOWN], dtype=np.uint8)
    text = np.concatenate([part for codes in sequences for part in (codes, gap)])
    return text, np.repeat(np.arange(len(sequences)), [len(codes) + 1 for codes in sequences])


def gc_contents(sequences: Sequences) -> Floats:
    """Share of G and C in each sequence, shape `(n, 1)`; 0.5 where no base is known."""
    return np.nan_to_num(np.array([[gc_content(codes)] for codes in sequences]), nan=0.5)


def kmer_frequencies(sequences: Sequences, lengths: Sequence[int]) -> sp.csr_array:
    """How often each k-mer occurs, as the square root of its share of the sequence's k-mers.

    The square root keeps the counts of common and rare k-mers equally noisy. k-mers with an unknown base are
    left out.

    Args:
        sequences: n of any lengths.
        lengths: the k's.

    Returns:
        float64 CSR, shape `(n, sum of 4**k)`.
    """
    text, owner = joined(sequences)
    parts = []
    for k in lengths:
        number = words(text, k)
        known = number >= 0
        counts = sp.coo_array(
            (np.ones(known.sum()), (owner[known], number[known])), shape=(len(sequences), 4**k)
        ).tocsr()
        total = np.bincount(owner[known], minlength=len(sequences))
        counts.data = np.sqrt(counts.data / np.repeat(total, np.diff(counts.indptr)))
        parts.append(counts)
    return sp.hstack(parts, format="csr")


def words_of_both_strands(sequences: Sequences, k: int) -> sp.csr_array:
    """Which k-mers each sequence or its reverse complement holds: ones, float64 CSR, shape `(n, 4**k)`."""
    found = sp.csr_array((len(sequences), 4**k))
    for strand in (list(sequences), [reverse_complement(codes) for codes in sequences]):
        text, owner = joined(strand)
        number = words(text, k)
        known = number >= 0
        ones = np.ones(known.sum())
        found = found + sp.coo_array((ones, (owner[known], number[known])), shape=found.shape).tocsr()
    found.data[:] = 1
    return found


def positional_kmers(codes: Codes, lengths: Sequence[int]) -> sp.csr_array:
    """One-hot k-mers at each position (overlapping); a k-mer with an unknown base is all zeros.

    Args:
        codes: shape `(n, length)`.
        lengths: the k's.

    Returns:
        float64 CSR of zeros and ones, shape `(n, sum over k of (length - k + 1) * 4**k)`.
    """
    n, length = codes.shape
    parts = []
    for k in lengths:
        places = max(length - k + 1, 0)
        number = np.zeros((n, places), dtype=np.int64)
        known = np.ones((n, places), dtype=bool)
        for offset in range(k):
            base = codes[:, offset : offset + places]
            number = number * 4 + base
            known &= base < UNKNOWN
        row, place = np.nonzero(known)
        column = place * 4**k + number[row, place]
        index = (row.astype(np.int32), column.astype(np.int32))  # scikit-learn's solvers refuse 64 bits
        parts.append(sp.csr_array((np.ones(len(row)), index), shape=(n, places * 4**k)))
    return sp.hstack(parts, format="csr")


def one_hot(codes: Codes) -> NDArray[np.float32]:
    """Bases as float32 one-hot vectors, shape `(n, 4, length)`; an unknown base is all zeros."""
    table = np.concatenate([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])
    return np.ascontiguousarray(table[codes].transpose(0, 2, 1))


def windowed_kmers(codes: Codes, lengths: Sequence[int], width: int = 9, step: int = 5) -> sp.csr_array:
    """Whether each k-mer starts within each stretch of positions: motifs that may shift by a few bases.

    The -10 and -35 boxes of a promoter stand at varying distances from its start; a positional k-mer misses
    one that has shifted by a base, this does not.

    Args:
        codes: shape `(n, length)`.
        lengths: the k's.
        width: positions in a stretch.
        step: positions between the centres of neighbouring stretches; less than `width` overlaps them.

    Returns:
        float64 CSR of zeros and ones, shape `(n, sum over k of stretches * 4**k)`.
    """
    n, length = codes.shape
    parts = []
    for k in lengths:
        places = max(length - k + 1, 0)
        centres = np.arange(0, places, step)
        single = positional_kmers(codes, (k,)).tocoo()
        row, (place, kmer) = single.row, np.divmod(single.col, 4**k)
        rows, columns = [], []
        for stretch, centre in enumerate(centres):
            inside = np.abs(place - centre) <= width // 2
            rows.append(row[inside])
            columns.append(kmer[inside] + stretch * 4**k)
        found = sp.coo_array(
            (np.ones(sum(map(len, rows))), (_join(rows), _join(columns))), shape=(n, len(centres) * 4**k)
        ).tocsr()
        found.data[:] = 1.0
        parts.append(found)
    return sp.hstack(parts, format="csr")


def _join(parts: list[NDArray]) -> NDArray[np.int32]:
    return np.concatenate(parts).astype(np.int32) if parts else np.zeros(0, dtype=np.int32)
