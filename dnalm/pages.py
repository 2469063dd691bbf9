"""Large arrays where the system can back them with huge pages.

A fresh array is not memory yet: the system hands it out at the first touch, 4 kilobytes at a time, which for a genome
takes longer than to read and tokenize it. numpy asks for huge pages of 2 megabytes, which only serve whole ones inside
the array; one that begins at such a boundary gets them from its first byte. Where the system has none, nothing is lost.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGE = 1 << 22
"""Bytes from which numpy asks for huge pages."""
_HUGE = 1 << 21


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """Like `np.empty`, begun at the boundary of a huge page where the array is large."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < LARGE:
        return np.empty(shape, kind)
    room = np.empty(size + _HUGE, np.uint8)
    start = -room.ctypes.data % _HUGE
    return room[start : start + size].view(kind).reshape(shape)
