"""Seqlets against each other: how alike two are at their best alignment, and what many are together.

A seqlet is seen in a frame of `FRAME` bases around its middle, as its bases' one-hot vectors weighted with what each
adds to the call. Two are as alike as the cosine of these at the best shift, on the best strand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.interpret.seqlets import Seqlet

Floats = NDArray[np.floating]

FRAME = 20
SHIFT = 6
_FLANK = 2
_HALF = FRAME // 2


@dataclass(frozen=True, eq=False)
class Frames:
    """Seqlets in their frames.

    Attributes:
        middles: offset in its sequence of each frame's column `FRAME // 2`, shape `(n,)`.
        sequences: index of each seqlet's sequence, shape `(n,)`.
        whole: weighted one-hot of all of the frame, shape `(n, FRAME, 4)`.
        focus: the same with zeros further than two bases from the seqlet, weighted with roots and of unit length.
        both_strands: whether the reverse complement counts as the same motif.
    """

    middles: NDArray[np.int64]
    sequences: NDArray[np.int64]
    whole: Floats
    focus: Floats
    both_strands: bool

    def __len__(self) -> int:
        return len(self.middles)


def frame_seqlets(
    seqlets: Sequence[Seqlet], codes: Sequence[Codes], scores: Sequence[Floats], *, both_strands: bool
) -> Frames:
    """Put seqlets into frames; what lies outside the sequence is zero."""
    middles = np.array([(one.start + one.end) // 2 for one in seqlets], dtype=np.int64)
    rows = np.array([one.sequence for one in seqlets], dtype=np.int64)
    whole = np.zeros((len(seqlets), FRAME, 4))
    focus = np.zeros_like(whole)
    for number, one in enumerate(seqlets):
        weighted = weighted_bases(codes[one.sequence], scores[one.sequence])
        first = int(middles[number]) - _HALF
        low, high = max(0, first), min(len(weighted), first + FRAME)
        whole[number, low - first : high - first] = weighted[low:high]
        near = slice(max(0, one.start - _FLANK - first), min(FRAME, one.end + _FLANK - first))
        focus[number, near] = whole[number, near]
    return Frames(middles, rows, whole, unit(focus), both_strands)


def weighted_bases(codes: Codes, scores: Floats) -> Floats:
    """One-hot vectors of known bases times what each adds, shape `(length, 4)`."""
    out = np.zeros((len(codes), 4))
    known = np.flatnonzero(codes < UNKNOWN)
    out[known, codes[known]] = np.asarray(scores)[known]
    return out


def unit(frames: Floats) -> Floats:
    """Frames of unit length, of the roots of the weights: one base that adds much does not outweigh a whole word."""
    roots = np.sign(frames) * np.sqrt(np.abs(frames))
    norms = np.sqrt((roots**2).sum(axis=(1, 2), keepdims=True))
    return roots / np.where(norms > 0, norms, 1)


def reverse_complements(frames: Floats) -> Floats:
    """The other strand of weighted frames, shape `(n, FRAME, 4)`."""
    return frames[:, ::-1, ::-1]


def shifted(frames: Floats, shift: int) -> Floats:
    """Frames whose column j is column `j + shift` of before; zeros come in."""
    out = np.zeros_like(frames)
    if shift >= 0:
        out[:, : FRAME - shift] = frames[:, shift:]
    else:
        out[:, -shift:] = frames[:, :shift]
    return out


@dataclass(frozen=True, eq=False)
class Fits:
    """How each of n frames fits each of m patterns best: arrays of shape `(n, m)`.

    Attributes:
        likeness: cosine, -1 to 1.
        shift: column j of the pattern lies at column `j + shift` of the frame.
        reverse: whether the frame's reverse complement is meant.
    """

    likeness: Floats
    shift: NDArray[np.int64]
    reverse: NDArray[np.bool_]


def fit(frames: Floats, patterns: Floats, *, both_strands: bool) -> Fits:
    """The best alignment of every frame with every pattern.

    Args:
        frames: of unit length, shape `(n, FRAME, 4)`.
        patterns: of unit length, shape `(m, FRAME, 4)`.
        both_strands: also try the frames' reverse complements.
    """
    n, m = len(frames), len(patterns)
    fits = Fits(np.full((n, m), -np.inf), np.zeros((n, m), np.int64), np.zeros((n, m), bool))
    flat = patterns.reshape(m, FRAME * 4).T
    # From the middle outwards, forward first: of equal alignments the plainest is kept.
    for reverse in (False, True)[: 1 + both_strands]:
        source = reverse_complements(frames) if reverse else frames
        for shift in sorted(range(-SHIFT, SHIFT + 1), key=abs):
            likeness = shifted(source, shift).reshape(n, FRAME * 4) @ flat
            better = likeness > fits.likeness + 1e-9
            fits.likeness[better], fits.shift[better], fits.reverse[better] = likeness[better], shift, reverse
    return fits


def column_offset(middle: int, shift: int, reverse: bool, column: int) -> int:
    """Offset in the sequence of a pattern's column, for a frame around `middle` that fits with this shift."""
    first = middle - _HALF
    return first + FRAME - 1 - (column + shift) if reverse else first + column + shift
