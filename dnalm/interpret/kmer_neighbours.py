"""What a k-mer's nearest neighbour is: the same but for its first or last base, or its reverse complement?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnalm.interpret.embedding import Embedding, nearest, reverse_complement_ranks, reverse_complement_rows


@dataclass(frozen=True)
class Share:
    """How many k-mers have such a nearest neighbour, and how many would if it were drawn at random."""

    count: int
    of: int
    by_chance: float

    @property
    def value(self) -> float:
        """The share, 0 to 1; nan of nothing."""
        return self.count / self.of if self.of else float("nan")

    def __str__(self) -> str:
        return f"{self.count:,} of {self.of:,} ({self.value:.1%}; by chance {self.by_chance:.1%})"

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"count": self.count, "of": self.of, "by_chance": self.by_chance}


@dataclass(frozen=True)
class KmerNeighbours:
    """Of all k-mers, what the nearest one is by cosine similarity in the full space.

    Attributes:
        first: it differs in the first base and no other.
        last: it differs in the last base and no other.
        inner: it differs in one base between.
        reverse_complement: it is the reverse complement; palindromes, which are their own, are not counted.
        median_rank: of the reverse complement among all neighbours, 1 being the nearest; nan where all are palindromes.
    """

    first: Share
    last: Share
    inner: Share
    reverse_complement: Share
    median_rank: float


def kmer_neighbours(embedding: Embedding) -> KmerNeighbours:
    """Look at each k-mer's nearest neighbour.

    Args:
        embedding: of all k-mers of a model, from `kmer_vectors`.

    Raises:
        InputError: these are not k-mers.
    """
    other = reverse_complement_rows(embedding)
    ranks = reverse_complement_ranks(embedding)
    row, _ = nearest(embedding)
    codes = np.stack(embedding.codes)
    differs = codes != codes[row]
    alone = differs.sum(1) == 1
    n, k = codes.shape
    inner = alone & differs[:, 1:-1].any(1)
    pairs = other != np.arange(n)
    own = ranks[pairs]
    return KmerNeighbours(
        Share(int((alone & differs[:, 0]).sum()), n, 3 / (n - 1)),
        Share(int((alone & differs[:, -1]).sum()), n, 3 / (n - 1)),
        Share(int(inner.sum()), n, 3 * max(0, k - 2) / (n - 1)),
        Share(int((row[pairs] == other[pairs]).sum()), int(pairs.sum()), 1 / (n - 1)),
        float(np.median(own)) if len(own) else float("nan"),
    )
