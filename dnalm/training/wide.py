"""Fits the `wide` head: frozen states, pools, k-mer counts and bases into one regularised logistic regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from dnalm.alphabet import Codes
from dnalm.model.classifier import Member
from dnalm.model.heads import Encoding, WideHead
from dnalm.model.predict import pad

STRENGTHS = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
"""Inverse regularisation tried: small, since there are thousands of standardised features."""
_BATCH = 256

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class WideFit:
    """What the fit chose.

    Attributes:
        strength: inverse regularisation.
        logits: of the training sequences, each from a fit that had not seen its fold; shape `(n, classes)`.
    """

    strength: float
    logits: Floats


def fit_wide(
    member: Member,
    sequences: Sequence[Codes],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    *,
    class_weights: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> WideFit:
    """Fit the head of `member` in place; its encoder stays as it is.

    Args:
        member: with a `WideHead`; evaluation mode.
        sequences: training sequences.
        targets: class of each, shape `(n,)`.
        folds: inner fold of each, by which the regularisation is chosen.
        class_weights: weigh classes by the inverse of their share.
        progress: called with sequences read and to read.

    Returns:
        What was chosen, with out-of-fold logits to set a threshold by.
    """
    head = member.head
    assert isinstance(head, WideHead)
    with torch.no_grad():
        if head.config.length is not None:
            _fit_components(member, sequences)
        features = read_features(member, sequences, progress)
    centre, spread = features.mean(0), features.std(0)
    spread = np.where(spread > 1e-6, spread, np.inf)  # a feature that never changes gets no weight
    scaled = (features - centre) / spread
    classes = head.linear.out_features
    strength, logits = _choose(scaled, targets, folds, classes, class_weights)
    weight, bias = _fit(scaled, targets, classes, strength, class_weights)
    weight = weight / spread
    with torch.no_grad():
        head.linear.weight.copy_(torch.from_numpy(weight))
        head.linear.bias.copy_(torch.from_numpy(bias - weight @ centre))
    return WideFit(strength, logits)


def _batches(member: Member, sequences: Sequence[Codes]) -> Sequence[Encoding]:
    device = next(member.parameters()).device
    for first in range(0, len(sequences), _BATCH):
        piece = sequences[first : first + _BATCH]
        lengths = torch.tensor([len(codes) for codes in piece], device=device)
        yield member.encode(pad(piece).to(device), lengths)


def _fit_components(member: Member, sequences: Sequence[Codes]) -> None:
    """Principal components of the states at all positions, both strands, scaled to unit variance."""
    head = member.head
    width = head.centre.shape[0]
    count, total, product = 0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
    for encoding in _batches(member, sequences):
        for states in (encoding.states, encoding.other):
            if states is not None:
                rows = states.flatten(0, 1).double().cpu()
                count += len(rows)
                total += rows.sum(0)
                product += rows.T @ rows
    centre = total / count
    values, vectors = torch.linalg.eigh(product / count - torch.outer(centre, centre))
    kept = torch.arange(width - 1, width - 1 - head.config.components, -1)
    signs = torch.sign(vectors[:, kept].sum(0))  # an eigenvector's sign is arbitrary: settle it
    head.centre.copy_(centre)
    head.components.copy_(vectors[:, kept] * signs / values[kept].clamp_min(1e-12).sqrt())


def read_features(
    member: Member, sequences: Sequence[Codes], progress: Callable[[int, int], None] | None = None
) -> Floats:
    """Features of each sequence, float32, shape `(n, features)`."""
    rows = []
    for encoding in _batches(member, sequences):
        rows.append(member.head.features(encoding).float().cpu().numpy())
        if progress:
            progress(min(len(rows) * _BATCH, len(sequences)), len(sequences))
    return np.concatenate(rows)


def _fit(
    features: Floats, targets: NDArray[np.int64], classes: int, strength: float, class_weights: bool
) -> tuple[Floats, Floats]:
    """Weights and bias of each class, shapes `(classes, features)` and `(classes,)`."""
    model = LogisticRegression(C=strength, max_iter=2000, class_weight="balanced" if class_weights else None)
    model.fit(features, targets)
    weight = np.zeros((classes, features.shape[1]), dtype=np.float32)
    bias = np.full(classes, -30.0, dtype=np.float32)  # a class that the training part lacks is never called
    if len(model.classes_) == 2:
        weight[model.classes_[1]], bias[model.classes_] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        weight[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    return weight, bias


def _choose(
    features: Floats, targets: NDArray[np.int64], folds: NDArray[np.int64], classes: int, class_weights: bool
) -> tuple[float, Floats]:
    """The strength with the lowest out-of-fold log loss, and its out-of-fold logits."""
    best: tuple[float, float, Floats] | None = None
    for strength in STRENGTHS:
        logits = np.zeros((len(targets), classes), dtype=np.float32)
        for fold in np.unique(folds):
            inside = folds != fold
            weight, bias = _fit(features[inside], targets[inside], classes, strength, class_weights)
            logits[~inside] = features[~inside] @ weight.T + bias
        shifted = logits - logits.max(1, keepdims=True)
        loss = float(np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(targets)), targets]))
        if best is None or loss < best[0]:
            best = (loss, strength, logits)
    assert best is not None
    return best[1], best[2]
