"""The two ways into a model: base codes, and base probabilities.

A k-mer's embedding is a linear function of the outer product of its bases' one-hot vectors, so a model that reads
codes also reads `(batch, length, 4)` base probabilities, with the same result on one-hot input. Attribution is then
exact at base resolution.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dnalm.alphabet import UNKNOWN
from dnalm.tokenizer import KmerTokenizer


def kmer_ids(codes: Tensor, tokenizer: KmerTokenizer) -> Tensor:
    """Tokenize on the model's device; agrees with `KmerTokenizer.ids`.

    Args:
        codes: integer base codes, shape `(batch, length)`.
        tokenizer: the k-mers.

    Returns:
        int64 ids, shape `(batch, tokens)`; there are none where the sequences are shorter than k.
    """
    tokens = tokenizer.count(codes.shape[1])
    if tokens == 0:
        return codes.new_zeros((codes.shape[0], 0), dtype=torch.int64)
    ids = codes.new_zeros((codes.shape[0], tokens), dtype=torch.int64)
    unknown = torch.zeros_like(ids, dtype=torch.bool)
    for offset in range(tokenizer.k):
        base = codes[:, offset : offset + (tokens - 1) * tokenizer.stride + 1 : tokenizer.stride]
        unknown |= base >= UNKNOWN
        ids = ids * 4 + base.to(torch.int64).clamp_max(3)
    return ids.masked_fill_(unknown, tokenizer.unk_id)


def kmer_probabilities(bases: Tensor, k: int, stride: int) -> Tensor:
    """Probability of each k-mer at each token, from independent base probabilities.

    Args:
        bases: shape `(batch, length, 4)`; an unknown base is all zeros.
        k: bases in a k-mer.
        stride: bases from one k-mer to the next.

    Returns:
        Shape `(batch, tokens, 4^k)`, k-mers in lexicographic order.
    """
    windows = bases.unfold(1, k, stride)  # (batch, tokens, 4, k)
    product = windows[..., 0]
    for position in range(1, k):
        product = (product.unsqueeze(-1) * windows[..., position].unsqueeze(-2)).flatten(-2)
    return product


def one_hot(codes: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Base probabilities of known sequence, shape `(batch, length, 4)`; zeros where a base is unknown."""
    return (codes.unsqueeze(-1) == torch.arange(4, device=codes.device)).to(dtype)


def flip(rows: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the first `lengths[i]` entries of each row along axis 1; what lies behind stays in place.

    Args:
        rows: shape `(batch, length, ...)`.
        lengths: shape `(batch,)`.

    Returns:
        The same shape.
    """
    place = torch.arange(rows.shape[1], device=rows.device).unsqueeze(0)
    end = lengths.unsqueeze(1)
    index = torch.where(place < end, end - 1 - place, place)
    return torch.gather(rows, 1, index.view(*index.shape, *[1] * (rows.dim() - 2)).expand_as(rows))


def reverse_complement_codes(codes: Tensor, lengths: Tensor) -> Tensor:
    """Read the other strand of each row of `codes`, shape `(batch, length)`; padding stays behind."""
    return torch.where(codes < UNKNOWN, 3 - codes, codes).gather(1, _reversal(codes, lengths))


def reverse_complement_bases(bases: Tensor, lengths: Tensor) -> Tensor:
    """Read the other strand of base probabilities, shape `(batch, length, 4)`."""
    return flip(bases.flip(2), lengths)


def _reversal(codes: Tensor, lengths: Tensor) -> Tensor:
    place = torch.arange(codes.shape[1], device=codes.device).expand(codes.shape[0], -1)
    return flip(place, lengths)
