"""A one-layer convolutional network: the plain network that a language model has to beat.

One-hot bases, one layer of filters, ReLU, a small max-pool that keeps the position, dropout, and one linear
layer. Each inner fold trains a network, stops it by the fold held out, and the networks' log-odds are averaged;
the held-out predictions give the calibration and the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn
from torch.nn import functional as F

from dnalm.evaluation.features import Floats, Sequences, one_hot, windows
from dnalm.evaluation.fitting import Fitted, Labels, inner_folds, platt
from dnalm.metrics import choose_threshold

FILTERS = 100
WIDTH = 11
POOL = 4
DROPOUT = 0.5
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
BATCH = 64
MAX_EPOCHS = 15
PATIENCE = 3
NETWORKS = 3


class OneLayerCnn(nn.Module):
    """Bases `(n, 4, length)` to the log-odds `(n,)` of the positive class."""

    def __init__(self, length: int, generator: torch.Generator) -> None:
        super().__init__()
        # Plain construction would draw from the global generator, to no purpose.
        self.filters = nn.utils.skip_init(nn.Conv1d, 4, FILTERS, WIDTH, padding=WIDTH // 2)
        self.output = nn.utils.skip_init(nn.Linear, FILTERS * -(-length // POOL), 1)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.05, 0.05, generator=generator)

    def forward(self, bases: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Log-odds; with a generator, dropout is drawn from it."""
        found = F.max_pool1d(F.relu(self.filters(bases)), POOL, ceil_mode=True).flatten(1)
        if generator is not None:
            keep = torch.empty_like(found).bernoulli_(1 - DROPOUT, generator=generator)
            found = found * keep / (1 - DROPOUT)
        return self.output(found).squeeze(1)


def _train_one(
    bases: Tensor, labels: Tensor, held_out: Tensor, held_labels: Tensor, generator: torch.Generator
) -> tuple[OneLayerCnn, Tensor]:
    """Train a network until the held-out loss stops falling; the best one, and its held-out log-odds."""
    network = OneLayerCnn(bases.shape[2], generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    best_loss, best_epoch = float("inf"), 0
    best: Mapping[str, Tensor] = {}
    for epoch in range(MAX_EPOCHS):
        for rows in torch.randperm(len(labels), generator=generator).split(BATCH):
            loss = F.binary_cross_entropy_with_logits(network(bases[rows], generator), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss = F.binary_cross_entropy_with_logits(log_odds(network, held_out), held_labels).item()
        if loss < best_loss:
            best_loss, best_epoch = loss, epoch
            best = {name: value.clone() for name, value in network.state_dict().items()}
        elif epoch - best_epoch >= PATIENCE:
            break
    network.load_state_dict(best)
    return network, log_odds(network, held_out)


@torch.no_grad()
def log_odds(network: OneLayerCnn, bases: Tensor) -> Tensor:
    """Log-odds of many sequences, in batches, shape `(n,)`."""
    return torch.cat([network(part) for part in bases.split(1024)])


def fit_cnn(sequences: Sequences, labels: Labels, generator: np.random.Generator, *, grouped: bool = True) -> Fitted:
    """Fit the averaged one-layer networks; windows of one length only. `grouped`: see `inner_folds`."""
    who = "a convolutional network"
    labels = np.asarray(labels).astype(bool)
    codes = windows(sequences, who)
    fold = inner_folds(codes, labels, generator, NETWORKS, grouped=grouped)
    source = torch.Generator().manual_seed(int(generator.integers(2**62)))
    target = torch.from_numpy(labels.astype(np.float32))
    bases = torch.from_numpy(one_hot(codes))
    networks: list[OneLayerCnn] = []
    inside_score = np.zeros(len(labels))
    for one in range(fold.max() + 1):
        held = torch.from_numpy(fold == one)
        network, score = _train_one(bases[~held], target[~held], bases[held], target[held], source)
        networks.append(network)
        inside_score[fold == one] = score.numpy()
    slope, offset = platt(inside_score, labels)

    def probability_of(wanted: Sequences) -> Floats:
        again = torch.from_numpy(one_hot(windows(wanted, who)))
        score = np.mean([log_odds(network, again).double().numpy() for network in networks], axis=0)
        return expit(slope * score + offset)

    inside = expit(slope * inside_score + offset)
    return Fitted(probability_of, choose_threshold(labels, inside), inside)
