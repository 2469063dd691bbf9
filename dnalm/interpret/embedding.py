"""Where a model puts k-mers and sequences: their vectors, and which lie nearest to which.

A k-mer's vector is its row of the encoder's embedding matrix: what the model knows of the k-mer before it reads any
text. A sequence's vector is the mean, over all its tokens and over both strands, of the encoder's last-layer states,
so a sequence and its reverse complement have one vector. Nearness is cosine similarity of whole vectors, never a
distance in a picture: `dnalm.interpret.projection` draws the picture and says how far it can be believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dnalm.alphabet import BASES, Codes, gc_content
from dnalm.errors import InputError
from dnalm.model.doors import reverse_complement_codes
from dnalm.model.predict import pad, rows_by_length
from dnalm.tokenizer import KmerTokenizer

if TYPE_CHECKING:
    from dnalm.model.encoder import AWDLSTM
    from dnalm.model.predict import Classifier, LanguageModel
    from dnalm.sequences import LabelledSequence, Record

What = Literal["kmers", "sequences"]
Progress = Callable[[int, int], None]

_BATCH_BASES = 1 << 14
# A genome's states are summed up a stretch at a time: all at once they would fill the memory.
_STRETCH = 1 << 14
# Similarities held at a time, 32 MB of them.
_BLOCK = 1 << 23


@dataclass(frozen=True, eq=False)
class Embedding:
    """Vectors of k-mers or of sequences.

    Attributes:
        model: the model's name.
        what: "kmers" or "sequences".
        ids: of each point: the k-mer's letters, or the sequence's id.
        codes: base codes of each.
        labels: the class of each sequence as it was given; None where none was.
        vectors: float32, shape `(n, width)`.
    """

    model: str
    what: What
    ids: tuple[str, ...]
    codes: tuple[Codes, ...]
    labels: tuple[str | None, ...]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    def gc(self) -> NDArray[np.float64]:
        """Share of G and C of each; nan where no base is known."""
        return np.array([gc_content(codes) for codes in self.codes])

    def find(self, name: str) -> int:
        """The place of a k-mer, in any case and with U or T, or of a sequence's id; of equal ids the first.

        Raises:
            InputError: it is not here.
        """
        wanted = name.strip()
        if self.what == "kmers":
            wanted = wanted.upper().replace("U", "T")
        if wanted in self.ids:
            return self.ids.index(wanted)
        if self.what == "sequences":
            raise InputError(
                f"no sequence has the id {wanted!r}; there are {len(self):,}, the first is {self.ids[0]!r}"
            )
        k = len(self.ids[0])
        wrong = sorted(set(wanted) - set(BASES))
        if wrong or len(wanted) != k:
            raise InputError(f"{wanted!r} is no k-mer of {self.model}: {k} letters of A, C, G and T are wanted")
        raise InputError(f"the k-mer {wanted} was not drawn into this sample of {len(self):,}")

    def take(self, rows: NDArray[np.integer]) -> Embedding:
        """Some of the points, in the order of `rows`."""
        return Embedding(
            self.model,
            self.what,
            tuple(self.ids[row] for row in rows),
            tuple(self.codes[row] for row in rows),
            tuple(self.labels[row] for row in rows),
            self.vectors[rows],
        )


def sample(total: int, most: int, generator: np.random.Generator, keep: int | None = None) -> NDArray[np.int64]:
    """Rows to draw where there are too many for a picture: all of them, or `most` at random, in order.

    Args:
        total: how many there are.
        most: how many there may be.
        generator: draws them.
        keep: a row that is among them in any case.
    """
    if total <= most:
        return np.arange(total)
    drawn = generator.choice(total, most, replace=False)
    if keep is not None and keep not in drawn:
        drawn[0] = keep
    return np.sort(drawn)


def encoder_of(model: Classifier | LanguageModel, member: int = 0) -> AWDLSTM:
    """The encoder of a model; of an ensemble, of one of its members, counted from 0.

    Raises:
        InputError: there is no such member.
    """
    if model.config.kind == "language-model":
        encoders = [model.module.encoder]
    else:
        encoders = [one.encoder for one in model.module.members]
    if not 0 <= member < len(encoders):
        has = "one encoder" if len(encoders) == 1 else f"{len(encoders)} encoders"
        raise InputError(f"{model.name} has {has}: there is no member {member + 1}")
    return encoders[member]


def kmer_vectors(model: Classifier | LanguageModel, *, member: int = 0) -> Embedding:
    """The embedding matrix's rows, one a k-mer, in lexicographic order; pad and unknown are left out.

    Args:
        model: a language model or a classifier.
        member: of an ensemble, whose encoder, counted from 0.

    Raises:
        InputError: there is no such member.
    """
    encoder = encoder_of(model, member)
    tokenizer = encoder.tokenizer
    ids = tuple(tokenizer.vocabulary()[: tokenizer.kmers])
    codes = tuple(_kmer_codes(tokenizer))
    weights = encoder.embedding.weight[: tokenizer.kmers].detach().float().cpu().numpy().copy()
    return Embedding(model.name, "kmers", ids, codes, (None,) * len(ids), weights)


def _kmer_codes(tokenizer: KmerTokenizer) -> Codes:
    numbers = np.arange(tokenizer.kmers)
    shifts = 2 * np.arange(tokenizer.k - 1, -1, -1)
    return (numbers[:, None] >> shifts & 3).astype(np.uint8)


def sequence_vectors(
    model: Classifier | LanguageModel,
    sequences: Sequence[LabelledSequence | Record],
    *,
    member: int = 0,
    progress: Progress | None = None,
) -> Embedding:
    """Read sequences along both strands and average the encoder's last-layer states over all tokens.

    Args:
        model: a language model or a classifier; a classifier's head is not asked.
        sequences: of any length that has a k-mer.
        member: of an ensemble, whose encoder, counted from 0.
        progress: called with (sequences done, sequences in all).

    Raises:
        InputError: there is no such member, no sequence, or one is shorter than a k-mer.
    """
    encoder = encoder_of(model, member)
    lengths = np.array([len(one.codes) for one in sequences], dtype=np.int64)
    if not len(lengths):
        raise InputError("there is no sequence to embed")
    k = encoder.tokenizer.k
    if lengths.min() < k:
        short = sequences[int(np.argmin(lengths))]
        raise InputError(f"sequence {short.id!r} has {len(short.codes)} bases; {model.name} reads {k} or more")
    vectors = np.empty((len(sequences), encoder.config.output_size), dtype=np.float32)
    done = 0
    for rows in rows_by_length(lengths, _BATCH_BASES):
        codes = pad([sequences[row].codes for row in rows]).to(model.device)
        vectors[rows] = mean_states(encoder, codes, torch.from_numpy(lengths[rows]).to(model.device))
        done += len(rows)
        if progress is not None:
            progress(done, len(sequences))
    labels = tuple(getattr(one, "label", None) for one in sequences)
    ids, codes_of = tuple(one.id for one in sequences), tuple(one.codes for one in sequences)
    return Embedding(model.name, "sequences", ids, codes_of, labels, vectors)


def mean_states(encoder: AWDLSTM, codes: torch.Tensor, lengths: torch.Tensor) -> NDArray[np.float32]:
    """Mean last-layer state over the tokens of both strands, shape `(batch, width)`.

    Args:
        encoder: in evaluation mode.
        codes: base codes, shape `(batch, length)`; behind a shorter sequence's end, unknown bases.
        lengths: bases of each, shape `(batch,)`, each at least k.
    """
    stride, k = encoder.config.stride, encoder.config.k
    tokens = torch.div(lengths - k, stride, rounding_mode="floor") + 1
    with torch.inference_mode():
        both = [codes, reverse_complement_codes(codes, lengths)]
        total = sum(_summed(encoder, strand, tokens) for strand in both)
        return (total / (2 * tokens.unsqueeze(1))).float().cpu().numpy()


def _summed(encoder: AWDLSTM, codes: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Sum of each row's states over its own tokens, the recurrent state carried from stretch to stretch."""
    stride, k = encoder.config.stride, encoder.config.k
    total, state = 0.0, None
    for first in range(0, int(tokens.max()), _STRETCH):
        last = min(first + _STRETCH, int(tokens.max()))
        embedded = encoder.embed(codes[:, first * stride : (last - 1) * stride + k])
        states, state = encoder(embedded, state)
        inside = torch.arange(first, last, device=codes.device) < tokens.unsqueeze(1)
        total = total + (states.double() * inside.unsqueeze(-1)).sum(1)
    return total


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Vectors scaled to length 1, so that their products are cosine similarities; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


@dataclass(frozen=True)
class Neighbour:
    """One of the nearest points.

    Attributes:
        row: which point.
        id: its k-mer or id.
        rank: 1 is the nearest.
        similarity: cosine of the two vectors, -1 to 1.
    """

    row: int
    id: str
    rank: int
    similarity: float


def similarities(embedding: Embedding, row: int) -> NDArray[np.float32]:
    """Cosine similarity of every point to one of them, shape `(n,)`, in the full space."""
    vectors = unit(embedding.vectors)
    return np.clip(vectors @ vectors[row], -1, 1)


def neighbours(embedding: Embedding, row: int, count: int = 10) -> list[Neighbour]:
    """The points nearest to one by cosine similarity in the full space, the nearest first; itself is left out."""
    near = similarities(embedding, row)
    order = np.argsort(-near, kind="stable")
    order = order[order != row][:count]
    return [Neighbour(int(i), embedding.ids[i], rank, float(near[i])) for rank, i in enumerate(order, start=1)]


def nearest(embedding: Embedding) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each point's nearest other point and their cosine similarity, both of shape `(n,)`.

    Raises:
        InputError: there is but one point.
    """
    if len(embedding) < 2:
        raise InputError("there is one point: it has no neighbour")
    row, value = np.empty(len(embedding), dtype=np.int64), np.empty(len(embedding), dtype=np.float32)
    for rows, near in _blocks(embedding):
        near[np.arange(len(rows)), rows] = -np.inf
        row[rows] = near.argmax(1)
        value[rows] = near.max(1)
    return row, np.clip(value, -1, 1)


def reverse_complement_rows(embedding: Embedding) -> NDArray[np.int64]:
    """Row of each k-mer's reverse complement, -1 where it was not drawn, shape `(n,)`; a palindrome's is its own.

    Raises:
        InputError: these are not k-mers.
    """
    if embedding.what != "kmers":
        raise InputError("these are sequences: a sequence and its reverse complement have one vector here")
    codes = np.stack(embedding.codes)
    places = 4 ** np.arange(codes.shape[1] - 1, -1, -1)
    row_of = np.full(4 ** codes.shape[1], -1, dtype=np.int64)
    row_of[codes @ places] = np.arange(len(codes))
    return row_of[(3 - codes[:, ::-1]) @ places]


def reverse_complement_ranks(embedding: Embedding) -> NDArray[np.int64]:
    """Where each k-mer's reverse complement stands among its neighbours, shape `(n,)`: 1 is the nearest.

    0 stands for a palindrome, which is its own reverse complement, and for one that was not drawn.

    Raises:
        InputError: these are not k-mers.
    """
    other = reverse_complement_rows(embedding)
    ranks = np.zeros(len(embedding), dtype=np.int64)
    for rows, near in _blocks(embedding):
        near[np.arange(len(rows)), rows] = -np.inf
        its = near[np.arange(len(rows)), other[rows]]
        ranks[rows] = 1 + (near > its[:, None]).sum(1)
    ranks[(other < 0) | (other == np.arange(len(other)))] = 0
    return ranks


def _blocks(embedding: Embedding) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Similarities of all points to all, some rows at a time."""
    vectors = unit(embedding.vectors)
    step = max(1, _BLOCK // len(vectors))
    for first in range(0, len(vectors), step):
        rows = np.arange(first, min(first + step, len(vectors)))
        yield rows, vectors[rows] @ vectors.T
