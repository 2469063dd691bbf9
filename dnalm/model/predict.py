"""Models ready to use: `load` one by name or folder, and ask it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes, encode
from dnalm.errors import InputError
from dnalm.metrics import Figure, block_bootstrap_mean
from dnalm.model.bundle import Bundle, find_bundle, load_module, read_bundle
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import BundleConfig
from dnalm.model.language_model import AWDLanguageModel
from dnalm.model.scoring import bits_per_base, token_nats
from dnalm.model.track_model import Tracks
from dnalm.sequences import LabelledSequence, Record

_BATCH_BASES = 1 << 14
"""Bases in a batch: small ones stay in a processor's cache, and long sequences come in smaller ones."""
INTERVAL_BLOCK_BASES = 2000


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one sequence.

    Attributes:
        label: the called class.
        probability: of the positive class where there is one, else of the called class.
        probabilities: of each class, in the order of the model's labels.
    """

    label: str
    probability: float
    probabilities: dict[str, float]


class _Loaded:
    """What all kinds of model have.

    Attributes:
        runtime: what computes its encoders: see `load`.
    """

    runtime = "torch"

    def __init__(self, bundle: Bundle, device: str | torch.device) -> None:
        self.bundle = bundle
        self.device = torch.device(device)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.bundle.name

    @property
    def config(self) -> BundleConfig:
        """What the model is."""
        return self.bundle.config

    @property
    def metrics(self) -> dict[str, Any]:
        """What was measured when it was made."""
        return self.bundle.metrics

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return self.bundle.card


class Classifier(_Loaded):
    """A classifier, in evaluation mode."""

    def __init__(self, bundle: Bundle, device: str | torch.device = "cpu") -> None:
        super().__init__(bundle, device)
        self.module = load_module(bundle, lambda: SequenceClassifier(bundle.config.members, len(bundle.config.labels)))
        self.module.to(self.device).eval().requires_grad_(False)

    def logits(self, sequences: NDArray[np.uint8] | Sequence[Codes]) -> NDArray[np.float32]:
        """Score sequences.

        Args:
            sequences: base codes, one array `(n, length)` or n arrays of any length.

        Returns:
            float32, shape `(n, classes)`.

        Raises:
            InputError: a sequence is shorter than k, or not of the length that the model keeps positions of.
        """
        out = np.empty((len(sequences), len(self.config.labels)), dtype=np.float32)
        for rows, codes, lengths in self._batches(sequences):
            out[rows] = self.module(codes, lengths).float().cpu().numpy()
        return out

    def logits_both_strands(self, sequences: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score sequences and their reverse complements, at little more than the price of one of the two.

        Args:
            sequences: base codes, shape `(n, length)`.

        Returns:
            Two float32 arrays, each `(n, classes)`.
        """
        ahead, back = (np.empty((len(sequences), len(self.config.labels)), dtype=np.float32) for _ in range(2))
        for rows, codes, lengths in self._batches(sequences):
            there, other = self.module.both_orientations(codes, lengths)
            ahead[rows], back[rows] = there.float().cpu().numpy(), other.float().cpu().numpy()
        return ahead, back

    def probabilities(self, sequences: NDArray[np.uint8] | Sequence[Codes]) -> NDArray[np.float32]:
        """Probability of each class, float32, shape `(n, classes)`; see `logits`."""
        return softmax(self.logits(sequences))

    def predict(self, sequences: Iterable[str | Record | LabelledSequence | Codes]) -> list[Prediction]:
        """Call sequences given as text, records or codes."""
        return [self.call(row) for row in self.probabilities([_codes(item) for item in sequences])]

    def call(self, probabilities: NDArray[np.float32]) -> Prediction:
        """Turn one row of `probabilities` into a call, at the model's threshold."""
        labels, positive = self.config.labels, self.config.positive
        each = {label: float(p) for label, p in zip(labels, probabilities, strict=True)}
        if positive is None:
            label = labels[int(np.argmax(probabilities))]
            return Prediction(label, each[label], each)
        threshold = 0.5 if self.config.threshold is None else self.config.threshold
        negative = labels[1 - labels.index(positive)]
        return Prediction(positive if each[positive] >= threshold else negative, each[positive], each)

    def _batches(
        self, sequences: NDArray[np.uint8] | Sequence[Codes]
    ) -> Iterator[tuple[NDArray[np.int64], torch.Tensor, torch.Tensor]]:
        lengths = np.fromiter((len(codes) for codes in sequences), dtype=np.int64, count=len(sequences))
        self._check_lengths(lengths)
        with torch.inference_mode():
            for rows in rows_by_length(lengths, _BATCH_BASES):
                batch = pad([sequences[row] for row in rows])
                yield rows, batch.to(self.device), torch.from_numpy(lengths[rows]).to(self.device)

    def _check_lengths(self, lengths: NDArray[np.int64]) -> None:
        wanted, least = self.module.fixed_length, self.module.least_length
        if wanted is not None and (lengths != wanted).any():
            wrong = int(np.flatnonzero(lengths != wanted)[0])
            raise InputError(
                f"sequence {wrong + 1} has {lengths[wrong]} bases: {self.name} reads sequences of exactly {wanted},"
                f" with the site at base {(self.config.anchor or 0) + 1}"
            )
        if (lengths < least).any():
            wrong = int(np.flatnonzero(lengths < least)[0])
            raise InputError(f"sequence {wrong + 1} has {lengths[wrong]} bases: {self.name} reads {least} or more")


class TrackModel(_Loaded):
    """A track model, in evaluation mode: it scores every base of a stretch, or as a classifier a window's anchor."""

    def __init__(self, bundle: Bundle, device: str | torch.device = "cpu") -> None:
        super().__init__(bundle, device)
        self.module = load_module(bundle, lambda: Tracks(bundle.config.tracks))
        self.module.to(self.device).eval().requires_grad_(False)
        positive = bundle.config.positive
        assert positive is not None  # the schema sees to it
        self._column = bundle.config.labels.index(positive)

    @property
    def burn_in(self) -> int:
        """Bases of context wanted on either side of a chunk; a multiple of `step`."""
        return self.module.burn_in

    @property
    def step(self) -> int:
        """Chunks that begin and end at multiples of so many bases of a record show the same k-mers."""
        return self.module.step

    def probabilities_along(self, codes: Codes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probability that the positive label holds at each base of stretches of one length.

        Args:
            codes: base codes, shape `(n, length)`.

        Returns:
            Along the forward strand and along the reverse strand, both at forward-strand positions, float32,
            each `(n, length)`.

        Raises:
            InputError: the stretches are shorter than a k-mer.
        """
        self._check(codes)
        with torch.inference_mode():
            ahead, back = self.module(torch.from_numpy(np.ascontiguousarray(codes)).to(self.device))
            return ahead.float().sigmoid().cpu().numpy(), back.float().sigmoid().cpu().numpy()

    def logits_both_strands(self, sequences: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score the anchors of windows and of their reverse complements, as `Classifier.logits_both_strands` does.

        Args:
            sequences: base codes, shape `(n, length)`, the anchor at `config.anchor`.

        Returns:
            Two float32 arrays, each `(n, 2)`.
        """
        self._check(sequences)
        anchor, length = self.config.anchor or 0, sequences.shape[1]
        ahead, back = (np.zeros((len(sequences), 2), dtype=np.float32) for _ in range(2))
        rows = max(1, _BATCH_BASES // length)
        with torch.inference_mode():
            for first in range(0, len(sequences), rows):
                batch = torch.from_numpy(np.ascontiguousarray(sequences[first : first + rows])).to(self.device)
                there, other = self.module(batch)
                ahead[first : first + rows, self._column] = there[:, anchor].float().cpu().numpy()
                back[first : first + rows, self._column] = other[:, length - 1 - anchor].float().cpu().numpy()
        return ahead, back

    def logits(self, sequences: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score the anchors of windows, float32, shape `(n, 2)`."""
        return self.logits_both_strands(np.asarray(sequences))[0]

    def probabilities(self, sequences: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of each label at the anchors of windows, float32, shape `(n, 2)`."""
        return softmax(self.logits(sequences))

    def _check(self, codes: NDArray[np.uint8]) -> None:
        least = max((one.encoder.k for one in self.config.tracks if one.encoder), default=1)
        if codes.shape[1] < least:
            raise InputError(f"the sequence has {codes.shape[1]} bases: {self.name} reads {least} or more")


class LanguageModel(_Loaded):
    """A language model, in evaluation mode."""

    def __init__(self, bundle: Bundle, device: str | torch.device = "cpu") -> None:
        super().__init__(bundle, device)
        encoder, head = bundle.config.encoder, bundle.config.lm_head
        assert encoder is not None and head is not None  # the schema sees to it
        self.module = load_module(bundle, lambda: AWDLanguageModel(encoder, head))
        self.module.to(self.device).eval().requires_grad_(False)

    def bits(self, codes: Codes) -> NDArray[np.float64]:
        """Bits a base of each scored token of one sequence, in order."""
        return bits_per_base(self.module, token_nats(self.module, codes))

    def bits_per_base(self, sequences: Sequence[Codes], generator: np.random.Generator) -> Figure:
        """Mean bits a base over sequences, each read from a fresh state.

        The interval is a block bootstrap over the text; `n` counts bases.

        Raises:
            InputError: there is no sequence long enough to predict anything in.
        """
        least = self.module.tokenizer.bases(2)
        bits = [self.bits(codes) for codes in sequences if len(codes) >= least]
        if not sum(map(len, bits)):
            raise InputError(f"no sequence of {least} bases or more that are known: there is nothing to predict")
        new = self.module.tokenizer.new_bases
        figure = block_bootstrap_mean(np.concatenate(bits), max(1, INTERVAL_BLOCK_BASES // new), generator)
        return Figure(figure.value, figure.low, figure.high, figure.n * new)


def rows_by_length(
    lengths: NDArray[np.int64], most_bases: int, most_rows: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """Batches of sequences of nearly one length, the shortest first: padded, none is larger than so many bases.

    Sequences of one length keep their order. A sequence that is longer than `most_bases` comes alone.

    Args:
        lengths: of all sequences, shape `(n,)`.
        most_bases: of a batch, padding counted.
        most_rows: sequences in a batch; None: any number.

    Yields:
        Rows, each of which comes once.
    """
    order, first = np.argsort(lengths, kind="stable"), 0
    while first < len(order):
        # Lengths rise: with each sequence more, all are padded to its length.
        ahead = max(1, most_bases // max(1, int(lengths[order[first]])))
        most = lengths[order[first : first + min(ahead, most_rows or ahead)]]
        fits = int(np.count_nonzero(most * np.arange(1, len(most) + 1) <= most_bases))
        yield order[first : first + max(1, fits)]
        first += max(1, fits)


def pad(sequences: Sequence[Codes]) -> torch.Tensor:
    """Codes of several sequences in one array, unknown bases behind the shorter ones' ends."""
    length = max(len(codes) for codes in sequences)
    out = np.full((len(sequences), length), UNKNOWN, dtype=np.uint8)
    for row, codes in zip(out, sequences, strict=True):
        row[: len(codes)] = codes
    return torch.from_numpy(out)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities from logits along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def _codes(item: str | Record | LabelledSequence | Codes) -> Codes:
    if isinstance(item, str):
        return encode(item)
    return item.codes if isinstance(item, Record | LabelledSequence) else item


Loaded = Classifier | TrackModel | LanguageModel
_KINDS: dict[str, type[Classifier] | type[TrackModel] | type[LanguageModel]] = {
    "classifier": Classifier,
    "track": TrackModel,
    "language-model": LanguageModel,
}


def load(model: str | Path, device: str | torch.device = "cpu", runtime: str = "torch") -> Loaded:
    """Load a model by name (shipped, or in `DNALM_HOME`), by run folder, or by its own folder.

    Args:
        model: which.
        device: where it computes.
        runtime: what computes its encoders: "torch", or "onnx" or "onnx-int8", see `dnalm.model.onnx_runtime`.

    Raises:
        InputError: there is no such model or runtime.
        BundleError: it is damaged, or of another schema.
    """
    bundle = read_bundle(find_bundle(model))
    loaded = _KINDS[bundle.config.kind](bundle, device)
    if runtime == "torch":
        return loaded
    from dnalm.model.onnx_runtime import accelerated

    return accelerated(loaded, runtime)  # type: ignore[type-var]  # it refuses a language model itself
