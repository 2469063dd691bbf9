"""A picture of many-dimensional vectors in two dimensions, and how far it can be believed.

PCA keeps the two directions in which the vectors, as they are, differ most, and says which share of the variance that
is. t-SNE (van der Maaten & Hinton 2008) and UMAP (McInnes et al. 2018, arXiv:1802.03426) keep who is whose neighbour,
and bend all else: distances between groups, and the groups' sizes, say nothing in them. Both read the vectors scaled to
length 1, among which Euclidean distance ranks as cosine similarity does.
"""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from dnalm.errors import InputError
from dnalm.interpret.embedding import unit

Method = Literal["pca", "tsne", "umap"]
METHODS: tuple[Method, ...] = get_args(Method)
TITLES: dict[str, str] = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
NO_UMAP = "UMAP is not installed here: `pip install umap-learn` brings it; PCA and t-SNE need nothing more"

NEIGHBOURS = 10
"""Neighbours that the trustworthiness looks at."""
MOST_JUDGED = 2000
"""Points on which it is measured at most: it compares all pairs."""
_FEWEST = {"pca": 3, "tsne": 5, "umap": 10}
# As usual before t-SNE: what lies beyond these axes is little, and costs time at every pair.
_AXES = 50
_PERPLEXITY = 30.0
_UMAP_NEIGHBOURS = 15
# numba's threads end the whole process when two callers come at once.
_ONE_UMAP = threading.Lock()


@dataclass(frozen=True, eq=False)
class Trustworthiness:
    """How far neighbours in the picture are neighbours in truth (Venna & Kaski 2001): 1 all, about 0.5 by chance.

    Attributes:
        value: the figure.
        k: neighbours of each point that were looked at.
        points: points that it was measured on.
    """

    value: float
    k: int
    points: int


@dataclass(frozen=True, eq=False)
class Projection:
    """Points in two dimensions.

    Attributes:
        method: "pca", "tsne" or "umap".
        points: float64, shape `(n, 2)`; without a unit.
        variance: the share of the variance that each axis keeps, 0 to 1; of PCA only.
        trust: how faithful the picture is; None where there are too few points to say.
    """

    method: Method
    points: NDArray[np.float64]
    variance: tuple[float, float] | None
    trust: Trustworthiness | None

    def axes(self) -> tuple[str, str]:
        """Titles of the two axes."""
        if self.variance is None:
            title = TITLES[self.method]
            return f"{title} axis 1 (no unit)", f"{title} axis 2 (no unit)"
        first, second = self.variance
        return (
            f"first principal component ({first:.1%} of the variance)",
            f"second principal component ({second:.1%} of the variance)",
        )


def has_umap() -> bool:
    """Whether the extra `umap` is installed."""
    return find_spec("umap") is not None


def check_method(method: str, points: int) -> Method:
    """The method, if it can be used.

    Args:
        method: its name.
        points: how many there are.

    Raises:
        InputError: there is no such method, it is not installed, or there are too few points for it.
    """
    if method not in METHODS:
        raise InputError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    if method == "umap" and not has_umap():
        raise InputError(NO_UMAP)
    if points < _FEWEST[method]:
        raise InputError(f"{TITLES[method]} wants {_FEWEST[method]} points or more; here are {points}")
    return method  # type: ignore[return-value]  # it is one of METHODS


def project(vectors: NDArray[np.floating], method: str, generator: np.random.Generator) -> Projection:
    """Bring vectors to two dimensions, and measure how faithful the result is.

    The same vectors, method and seed of the generator give the same points on one machine.

    Args:
        vectors: shape `(n, width)`, width 2 or more.
        method: "pca", "tsne" or "umap".
        generator: t-SNE and UMAP begin from it, and it draws the points that are judged where there are many.

    Raises:
        InputError: see `check_method`; or the vectors have fewer than two numbers each.
    """
    known = check_method(method, len(vectors))
    if vectors.shape[1] < 2:
        raise InputError(f"the vectors have {vectors.shape[1]} number each; two or more are wanted for a picture")
    variance = None
    if known == "pca":
        points, variance = _pca(vectors)
    elif known == "tsne":
        points = _tsne(_shortened(vectors), _seed(generator))
    else:
        points = _umap(_shortened(vectors), _seed(generator))
    return Projection(known, points, variance, trustworthiness(vectors, points, generator))


def trustworthiness(
    vectors: NDArray[np.floating], points: NDArray[np.floating], generator: np.random.Generator
) -> Trustworthiness | None:
    """Trustworthiness of a picture, against neighbours by cosine similarity in the full space.

    Args:
        vectors: shape `(n, width)`.
        points: shape `(n, 2)`.
        generator: draws `MOST_JUDGED` points where there are more.

    Returns:
        None where there are fewer than five points.
    """
    if len(vectors) > MOST_JUDGED:
        rows = np.sort(generator.choice(len(vectors), MOST_JUDGED, replace=False))
        vectors, points = vectors[rows], points[rows]
    n = len(vectors)
    k = min(NEIGHBOURS, (n - 1) // 2)
    if n < 5:
        return None
    value = sklearn_trustworthiness(vectors, points, n_neighbors=k, metric="cosine")
    return Trustworthiness(float(value), k, n)


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**31 - 1))


def _pca(vectors: NDArray[np.floating]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    wide = vectors.astype(np.float64)
    if not (wide.var(axis=0) > 0).any():
        return np.zeros((len(wide), 2)), (0.0, 0.0)
    # The full decomposition: exact, the same each time, and these widths cost little.
    found = PCA(2, svd_solver="full").fit(wide)
    first, second = found.explained_variance_ratio_
    return found.transform(wide), (float(first), float(second))


def _shortened(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Vectors of length 1 on their first axes."""
    scaled = unit(vectors)
    axes = min(_AXES, *scaled.shape)
    if axes == scaled.shape[1]:
        return scaled
    return PCA(axes, svd_solver="full").fit_transform(scaled.astype(np.float64)).astype(np.float32)


def _tsne(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    init = "pca" if vectors.var(axis=0).any() else "random"
    found = TSNE(2, init=init, perplexity=perplexity, random_state=seed, n_jobs=1)
    return found.fit_transform(vectors).astype(np.float64)


def _umap(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    with _ONE_UMAP, warnings.catch_warnings():
        # It speaks of threads that a fixed seed does not get, and of a package for networks that is not wanted.
        warnings.filterwarnings("ignore", module="umap")
        from umap import UMAP

        found = UMAP(n_neighbors=min(_UMAP_NEIGHBOURS, len(vectors) - 1), random_state=seed, n_jobs=1)
        return found.fit_transform(vectors).astype(np.float64)
