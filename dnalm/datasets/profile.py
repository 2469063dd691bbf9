"""What the audit's pictures are drawn from: how GC and lengths spread in each label, and what a random split leaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dnalm.alphabet import gc_content
from dnalm.datasets.audit import leak
from dnalm.datasets.dataset import Dataset

GC_BINS = 40
LENGTH_BINS = 40
_SEED = 20_261_101  # of the random split compared with; fixed, so that a dataset's picture is always the same


@dataclass(frozen=True)
class Histogram:
    """Counts of each label in bins of one width.

    Attributes:
        edges: borders of the bins, in the feature's unit: shape `(bins + 1,)`.
        counts: label to sequences in each bin: shape `(bins,)`.
    """

    edges: NDArray[np.float64]
    counts: dict[str, NDArray[np.int64]]

    def shares(self) -> dict[str, NDArray[np.float64]]:
        """The counts as shares of each label's sequences, so that a rare label is seen as well as a common one."""
        return {label: counts / max(int(counts.sum()), 1) for label, counts in self.counts.items()}

    def table(self, unit: str) -> pd.DataFrame:
        """One row a bin: its borders, and the sequences of each label in it."""
        borders = {f"from ({unit})": self.edges[:-1], f"to ({unit})": self.edges[1:]}
        return pd.DataFrame({**borders, **self.counts})


@dataclass(frozen=True)
class Profile:
    """The spreads that pictures show.

    Attributes:
        gc: share of G and C among the known bases, 0 to 1.
        lengths: in bases; None where all sequences have one length.
        random_leak: as `leak`, had the rows of each label been dealt at random into parts of the same size.
    """

    gc: Histogram
    lengths: Histogram | None
    random_leak: dict[str, dict[str, float | None]]


def _histogram(values: NDArray[np.float64], labels: NDArray, names: list[str], edges: NDArray) -> Histogram:
    counts = {name: np.histogram(values[labels == name], edges)[0].astype(np.int64) for name in names}
    return Histogram(edges.astype(np.float64), counts)


def _length_edges(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole bases where they fit into the bins, else bins that grow with the length: transcripts span decades."""
    low, high = float(lengths.min()), float(lengths.max())
    if high - low < LENGTH_BINS:
        return np.arange(low, high + 2)
    if low > 0 and high / low > 20:
        return np.geomspace(low, high + 1, LENGTH_BINS + 1)
    return np.linspace(low, high + 1, LENGTH_BINS + 1)


def _dealt_at_random(dataset: Dataset) -> Dataset:
    """The same rows; which of each label stand in which part is left to chance."""
    generator = np.random.default_rng(_SEED)
    table = dataset.table.copy()
    for _, rows in table.groupby("label").groups.items():
        table.loc[rows, "split"] = generator.permutation(table.loc[rows, "split"].to_numpy())
    return Dataset(table, {key: dataset.info.get(key) for key in ("labels", "positive", "groups")})


def profile(dataset: Dataset) -> Profile:
    """Spread of GC and length by label, and the leak of a random split of the same sizes.

    Args:
        dataset: the dataset; a sequence of unknown bases alone has no GC and counts in no bin of it.
    """
    codes = dataset.codes()
    labels = dataset.table["label"].to_numpy()
    lengths = np.array([len(array) for array in codes], dtype=np.float64)
    gc = np.array([gc_content(array) for array in codes])
    known = np.isfinite(gc)
    same = lengths.min() == lengths.max()
    return Profile(
        gc=_histogram(gc[known], labels[known], dataset.labels, np.linspace(0, 1, GC_BINS + 1)),
        lengths=None if same else _histogram(lengths, labels, dataset.labels, _length_edges(lengths)),
        random_leak=leak(_dealt_at_random(dataset)),
    )
