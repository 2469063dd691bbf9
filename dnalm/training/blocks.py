"""A block of features of all sequences, weighed as a whole: what the fits of the `wide` head work on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor


@dataclass(frozen=True)
class Block:
    """One block's features, centred and scaled as a whole: `scale * (features - centre)`.

    Attributes:
        features: shape `(n, size)`; centred where dense, as read where sparse, which centring would fill.
        centre: what is subtracted, `(size,)`.
        scale: by which the block has its weight in the mean squared length.
        factors: by which each feature was multiplied beforehand, `(size,)`; None: by one.
    """

    features: Tensor | csr_array
    centre: Tensor
    scale: float
    factors: Tensor | None = None

    @classmethod
    def dense(cls, features: Tensor, weight: float) -> Block:
        """Centres `features` in place."""
        centre = features.mean(0)
        features -= centre
        return cls(features, centre, _scale(weight, float(features.square().sum(1).mean())))

    @classmethod
    def sparse(cls, features: csr_array, weight: float) -> Block:
        """Leaves `features` as they are; the centre is taken off where they are multiplied."""
        centre = np.asarray(features.mean(0), np.float32)
        length = float(features.multiply(features).sum()) / features.shape[0] - float(centre @ centre)
        return cls(features, torch.from_numpy(centre), _scale(weight, length))

    @classmethod
    def rare(cls, features: csr_array, weight: float) -> Block:
        """`sparse`, each feature multiplied by the logarithm of how rare it is among the sequences.

        Inverse document frequency (Sparck Jones 1972): what nearly all sequences hold tells none from another.
        """
        count = features.shape[0]
        held = np.asarray((features > 0).sum(0))
        factors = np.log((count + 1) / (held + 0.5)).astype(np.float32)
        found = cls.sparse(csr_array(features.multiply(factors[None])), weight)
        return replace(found, factors=torch.from_numpy(factors))

    def products(self) -> Tensor:
        """Inner products of the sequences, shape `(n, n)`."""
        if isinstance(self.features, Tensor):
            return (self.features @ self.features.T).mul_(self.scale**2)
        raw = torch.from_numpy((self.features @ self.features.T).toarray())
        with_centre = torch.from_numpy(self.features @ self.centre.numpy())
        raw -= with_centre[:, None]
        raw -= with_centre - self.centre @ self.centre
        return raw.mul_(self.scale**2)

    def take(self, rows: NDArray[np.int64]) -> Block:
        """The same of some of the sequences, around the same centre."""
        features = self.features[torch.from_numpy(rows)] if isinstance(self.features, Tensor) else self.features[rows]
        return replace(self, features=features)

    def logits(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """What weights `(size, classes)` of the scaled features add to the logits, shape `(n, classes)`."""
        if isinstance(self.features, Tensor):
            return self.scale * (self.features.numpy() @ weights)
        return self.scale * (self.features @ weights - self.centre.numpy() @ weights)

    def back(self, residuals: NDArray[np.float32]) -> NDArray[np.float32]:
        """The transpose of `logits`: from `(n, classes)` to `(size, classes)`."""
        if isinstance(self.features, Tensor):
            return self.scale * (self.features.numpy().T @ residuals)
        return self.scale * (self.features.T @ residuals - np.outer(self.centre.numpy(), residuals.sum(0)))

    def times(self, factor: float) -> Block:
        """The block with so many times its weight."""
        return replace(self, scale=self.scale * factor**0.5)

    def weights(self, duals: Tensor) -> Tensor:
        """Weights of the raw features, shape `(classes, size)`, from dual weights `(n, classes)`."""
        if isinstance(self.features, Tensor):
            return self.scale**2 * (duals.T @ self.features)
        raw = torch.from_numpy((self.features.T @ duals.numpy()).T)
        return self.scale**2 * (raw - duals.sum(0)[:, None] * self.centre)


def _scale(weight: float, length: float) -> float:
    return (weight / length) ** 0.5 if length > 0 else 0.0
