"""A track model as a classifier of one site, so that attribution reads it: what it says of the anchor of a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dnalm.alphabet import Codes
from dnalm.errors import InputError
from dnalm.model.predict import Classifier, TrackModel


class _Door(nn.Module):
    """The one-hot door of a track model, at one base of the forward strand."""

    def __init__(self, tracks: nn.Module, anchor: int, column: int, classes: int) -> None:
        super().__init__()
        self.tracks, self.anchor, self.column, self.classes = tracks, anchor, column, classes

    def from_bases(self, bases: Tensor, lengths: Tensor) -> Tensor:
        """Logits of base probabilities `(n, length, 4)`, shape `(n, classes)`: 0 for the class that is no start."""
        ahead, _ = self.tracks.from_bases(bases)
        logits = torch.zeros((len(bases), self.classes), dtype=ahead.dtype, device=ahead.device)
        columns = torch.arange(self.classes, device=ahead.device) == self.column
        return torch.where(columns, ahead[:, self.anchor, None], logits)


class Anchored:
    """What `dnalm.interpret.attribution.attribute` asks of a classifier, by a track model.

    Args:
        model: the track model; its weights are shared.
    """

    def __init__(self, model: TrackModel) -> None:
        config = model.config
        assert config.positive is not None  # the schema sees to it
        self._model = model
        self.name, self.config, self.device = model.name, config, model.device
        column = config.labels.index(config.positive)
        self.module = _Door(model.module, config.anchor or 0, column, len(config.labels)).eval()

    def logits(self, sequences: Sequence[Codes]) -> NDArray[np.float32]:
        """Score the anchors of windows, float32, shape `(n, 2)`.

        Raises:
            InputError: a window is not as long as the model's.
        """
        wrong = next((len(codes) for codes in sequences if len(codes) != self.config.window), None)
        if wrong is not None:
            raise InputError(f"a window has {wrong} bases: {self.name} is asked about windows of {self.config.window}")
        return self._model.logits(np.stack([np.asarray(codes) for codes in sequences]))


def as_classifier(model: Classifier | TrackModel) -> Classifier:
    """The model itself; a track model as what attribution asks of a classifier."""
    return cast(Classifier, Anchored(model)) if isinstance(model, TrackModel) else model
