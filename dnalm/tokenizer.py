"""k-mers of a sequence as token ids.

The vocabulary is the 4^k k-mers in lexicographic order, then `pad`, then `unk`. Token t covers the bases
`[t * stride, t * stride + k)`. A k-mer that holds an unknown base is `unk`, never a silent substitute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dnalm import pages
from dnalm.alphabet import BASES, UNKNOWN, Codes
from dnalm.errors import InputError

_BLOCK = 60_000  # tokens at a time: 120 kB a step stay in the processor's cache, and in memory malloc has at hand


def _packed(codes: NDArray[np.uint8], k: int) -> NDArray[np.integer]:
    """Number of every k-mer at stride 1 along the last axis, two bits a base, by doubling: 1, 2, 4, 8 bases.

    log2(k) passes over small integers, instead of k over large ones, are what makes tokenizing fast.
    """
    number, width = codes, 1
    while width < k:
        step = min(width, k - width)
        if step == width:
            high, low = number[..., :-step], number[..., step:]
            bits = np.uint8 if width + step <= 4 else np.uint16 if width + step <= 8 else np.uint32
            number = (high.astype(bits, copy=False) << np.array(2 * step, bits)) | low
        else:  # the last, shorter step: append the k-mer's last `step` bases
            tail = _packed(codes[..., width:], step)
            bits = np.uint8 if k <= 4 else np.uint16
            n = number.shape[-1] - step
            number = (number[..., :n].astype(bits, copy=False) << np.array(2 * step, bits)) | tail[..., :n]
        width += step
    return number


def _packed_pairs(codes: NDArray[np.uint8], k: int) -> NDArray[np.uint16]:
    """Number of every k-mer at stride 2 along the last axis, k 3 to 8: half the work of `_packed` and every second one.

    Two neighbouring bases are read as one little-endian 16-bit number, first + 256 * second. Times 1025, which is
    4 * 256 + 1, its high byte is 4 * first + second; what else the product holds lies below or overflows.
    """
    tokens = (codes.shape[-1] - k) // 2 + 1
    bases = 2 * (tokens - 1) + k + k % 2  # an odd k's last pair is half used
    if bases > codes.shape[-1]:
        codes = np.concatenate([codes, np.zeros((*codes.shape[:-1], 1), np.uint8)], axis=-1)
    codes = np.ascontiguousarray(codes[..., :bases])
    words = codes.view("<u2")
    if not words.flags.aligned:  # numpy reads a view at an odd address several times slower
        words = codes.copy().view("<u2")
    pairs = words.astype(np.uint16, copy=False) * np.uint16(1025)
    pairs >>= 8
    ids = pairs[..., :tokens].copy()
    for pair in range(1, k // 2):
        ids *= 16
        ids |= pairs[..., pair : pair + tokens]
    if k % 2:
        ids *= 4
        pairs >>= 2
        ids |= pairs[..., k // 2 : k // 2 + tokens]
    return ids


def _holds_unknown(codes: NDArray[np.uint8], k: int) -> NDArray[np.bool_]:
    """Whether each k-mer at stride 1 holds a base that is not A, C, G or T."""
    unknown = np.cumsum(codes >= UNKNOWN, axis=-1, dtype=np.int32)
    padded = np.concatenate([np.zeros((*codes.shape[:-1], 1), np.int32), unknown], axis=-1)
    return padded[..., k:] > padded[..., :-k]


@dataclass(frozen=True)
class KmerTokenizer:
    """Cuts sequences into k-mers, `stride` bases apart, and numbers them.

    Args:
        k: bases in a k-mer, 1 to 8.
        stride: bases from one k-mer's start to the next's, 1 or more; beyond k, bases are skipped.

    Raises:
        InputError: k or stride is out of bounds.
    """

    k: int
    stride: int

    def __post_init__(self) -> None:
        if not 1 <= self.k <= 8:
            raise InputError(f"k is {self.k}: a k-mer has 1 to 8 bases")
        if self.stride < 1:
            raise InputError(f"stride is {self.stride}: it is 1 base or more")

    @property
    def kmers(self) -> int:
        """Number of k-mers, 4^k."""
        return 4**self.k

    @property
    def pad_id(self) -> int:
        """The token that fills a batch's shorter sequences."""
        return self.kmers

    @property
    def unk_id(self) -> int:
        """The token of a k-mer that holds an unknown base."""
        return self.kmers + 1

    @property
    def vocabulary_size(self) -> int:
        """k-mers, pad and unk."""
        return self.kmers + 2

    @property
    def new_bases(self) -> int:
        """Bases that a k-mer adds to the one before it: the stride, or k where k-mers do not overlap."""
        return min(self.k, self.stride)

    @property
    def continuations(self) -> int:
        """Number of k-mers that can follow a given one, 4^new_bases."""
        return 4**self.new_bases

    def count(self, length: int) -> int:
        """Tokens in a sequence of `length` bases; 0 where it is shorter than k."""
        return max(0, (length - self.k) // self.stride + 1)

    def bases(self, tokens: int) -> int:
        """Bases that `tokens` tokens span."""
        return 0 if tokens <= 0 else self.k + (tokens - 1) * self.stride

    def ids(self, codes: Codes) -> NDArray[np.int32]:
        """Tokenize along the last axis.

        Args:
            codes: uint8 base codes, shape `(..., length)`.

        Returns:
            int32 token ids, shape `(..., count(length))`.
        """
        tokens = self.count(codes.shape[-1])
        out = pages.empty((*codes.shape[:-1], tokens), np.int32)
        rows = max(1, int(np.prod(codes.shape[:-1])))
        block = max(1, _BLOCK // rows)
        for first in range(0, tokens, block):
            last = min(first + block, tokens)
            piece = codes[..., first * self.stride : (last - 1) * self.stride + self.k]
            out[..., first:last] = self._ids_of_piece(piece)
        return out

    def _ids_of_piece(self, codes: Codes) -> NDArray[np.integer]:
        clean = codes.size == 0 or codes.max() < UNKNOWN
        if clean:
            return self._ids_of_bases(codes)
        ids = self._ids_of_bases(codes & 3).astype(np.int32)
        ids[_holds_unknown(codes, self.k)[..., :: self.stride]] = self.unk_id
        return ids

    def _ids_of_bases(self, codes: Codes) -> NDArray[np.integer]:
        if self.stride == 2 and self.k > 2:  # both presets' stride
            return _packed_pairs(codes, self.k)
        return _packed(codes, self.k)[..., :: self.stride]

    def next_ids(self, codes: Codes) -> NDArray[np.int32]:
        """Number the new bases that each token adds to the one before: what the language model predicts.

        Args:
            codes: uint8 base codes, shape `(..., length)`.

        Returns:
            int32, shape `(..., count(length) - 1)`: 0 to `continuations - 1`, or -1 where the new bases hold an
            unknown one. Entry t belongs to token t + 1.
        """
        new = KmerTokenizer(self.new_bases, self.stride)
        ids = new.ids(codes[..., self.k - self.new_bases + self.stride :])
        return np.where(ids == new.unk_id, np.int32(-1), ids)

    def spans(self, length: int) -> NDArray[np.int64]:
        """Bases that each token covers: 0-based half-open `[start, end)`, shape `(count(length), 2)`."""
        starts = np.arange(self.count(length), dtype=np.int64) * self.stride
        return np.stack([starts, starts + self.k], axis=1)

    def token(self, token_id: int) -> str:
        """Letters of one token, or `<pad>`, `<unk>`.

        Raises:
            InputError: there is no such token.
        """
        if token_id == self.pad_id:
            return "<pad>"
        if token_id == self.unk_id:
            return "<unk>"
        if not 0 <= token_id < self.kmers:
            raise InputError(f"token {token_id} is not in the vocabulary of {self.vocabulary_size}")
        return "".join(BASES[token_id >> 2 * (self.k - 1 - i) & 3] for i in range(self.k))

    def vocabulary(self) -> list[str]:
        """Letters of every token, in order."""
        return ["".join(letters) for letters in product(BASES, repeat=self.k)] + ["<pad>", "<unk>"]

    def decode(self, ids: Iterable[int] | NDArray[np.integer]) -> Codes:
        """Turn token ids back into base codes, shape `(bases(len(ids)),)`.

        A base that no known token covers is unknown; padding at the end is dropped.
        """
        array = np.asarray(ids, dtype=np.int64)
        array = array[array != self.pad_id]
        codes = np.full(self.bases(len(array)), UNKNOWN, dtype=np.uint8)
        known = array < self.kmers
        starts = np.arange(len(array)) * self.stride
        for offset in range(self.k):
            codes[starts[known] + offset] = array[known] >> 2 * (self.k - 1 - offset) & 3
        return codes
