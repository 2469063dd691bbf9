"""A model with weights drawn anew: what an attribution that reads the model must not survive (Adebayo et al. 2018)."""

from __future__ import annotations

import copy
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from dnalm.model.predict import Classifier

Parts = Literal["head", "all"]
PARTS: tuple[Parts, ...] = get_args(Parts)
_LEARNT_BUFFERS = ("centre", "components")
"""Of a wide head: principal components of the states, learnt although not by a gradient."""


def redrawn(classifier: Classifier, generator: np.random.Generator, parts: Parts = "all") -> Classifier:
    """A copy of a classifier whose weights know nothing; the classifier itself stays as it is.

    Each tensor is drawn from a normal distribution with its own mean and standard deviation, so that signals keep
    their size on the way: what is lost is what was learnt.

    Args:
        classifier: the model.
        generator: draws the weights.
        parts: `head`, the top layers of every member; `all`, the encoders too.
    """
    twin = copy.copy(classifier)
    twin.module = copy.deepcopy(classifier.module)
    with torch.no_grad():
        for member in twin.module.members:
            for module in [member.head] if parts == "head" else [member.head, member.encoder]:
                for tensor in module.parameters():
                    _redraw(tensor, generator)
                for name, tensor in module.named_buffers():
                    if name.rpartition(".")[2] in _LEARNT_BUFFERS:
                        _redraw(tensor, generator)
    return twin


def _redraw(tensor: Tensor, generator: np.random.Generator) -> None:
    spread = float(tensor.std(correction=0)) if tensor.numel() else 0.0
    drawn = generator.standard_normal(tuple(tensor.shape), dtype=np.float32) * spread + float(tensor.mean())
    tensor.copy_(torch.from_numpy(np.asarray(drawn, dtype=np.float32)))
