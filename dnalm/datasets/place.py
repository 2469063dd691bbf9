"""Where sequences lie on a genome, by exact match on either strand."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes, reverse_complement
from dnalm.datasets.stretches import among
from dnalm.errors import InputError
from dnalm.sequences import Record, Region

SEED = 31  # the longest stretch that fits into 64 bits with 2 bits a base


def _numbers(text: Codes, length: int) -> NDArray[np.uint64]:
    """Each stretch of `length` bases as a base-4 number: shape `(len(text) - length + 1,)`."""
    number = np.zeros(max(len(text) - length + 1, 0), dtype=np.uint64)
    for offset in range(length if len(number) else 0):
        number = (number << np.uint64(2)) | text[offset : offset + len(number)].astype(np.uint64)
    return number


def place(sequences: Sequence[Codes], record: Record) -> list[list[Region]]:
    """Find every exact match of each sequence on a record, both strands.

    Args:
        sequences: n arrays of known bases (a sequence with an N matches nowhere), none empty.
        record: the genome; a circular one is searched across its origin too.

    Returns:
        For each sequence its regions, in order of start, "+" before "-": empty where it does not match.

    Raises:
        InputError: a sequence is empty.
    """
    if not sequences:
        return []
    longest = max(len(codes) for codes in sequences)
    seed = min(SEED, *(len(codes) for codes in sequences))
    if seed == 0:
        raise InputError("an empty sequence cannot be placed on a genome")
    wrap = min(longest - 1, len(record)) if record.circular else 0
    text = np.concatenate([record.codes, record.codes[:wrap]])
    # An unknown base takes two bits of its neighbour here; the full comparison below rejects such a match.
    here = _numbers(np.minimum(text, UNKNOWN - 1), seed)
    queries = [(index, "+", codes) for index, codes in enumerate(sequences)]
    queries += [(index, "-", reverse_complement(codes)) for index, codes in enumerate(sequences)]
    wanted = np.array([_numbers(np.minimum(codes[:seed], UNKNOWN - 1), seed)[0] for _, _, codes in queries])
    hits = np.flatnonzero(among(here, wanted))
    hits = hits[np.argsort(here[hits], kind="stable")]
    left = np.searchsorted(here[hits], wanted, side="left")
    right = np.searchsorted(here[hits], wanted, side="right")
    found: list[list[Region]] = [[] for _ in sequences]
    for (index, strand, codes), low, high in zip(queries, left, right, strict=True):
        if codes.max() >= UNKNOWN:
            continue
        for start in hits[low:high].tolist():
            if start < len(record) and np.array_equal(text[start : start + len(codes)], codes):
                found[index].append(Region(record.id, start, start + len(codes), strand))
    for regions in found:
        regions.sort(key=lambda region: (region.start, region.strand))
    return found


def likeliest(regions: Sequence[Region], header: str) -> Region:
    """Of several places the one nearest to the position that a promoter's header names, else the first.

    RegulonDB's position is on an older version of the genome, at most some thousand bases off.

    Args:
        regions: one place or more.
        header: such as `ECK120016706__gltIp1__reverse__685919`.
    """
    named = re.search(r"__(\d+)$", header)
    if named is None:
        return regions[0]
    return min(regions, key=lambda region: abs(region.start - int(named[1])))
