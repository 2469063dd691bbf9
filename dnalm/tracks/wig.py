"""Values at every base of a region as a wig file, such as a saliency: what each base adds to a call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.files import write_whole


def wig_text(
    record: str,
    start: int,
    values: NDArray[np.floating],
    *,
    name: str,
    description: str = "",
    record_length: int | None = None,
) -> str:
    """Values of neighbouring bases as wig, one `fixedStep` block a stretch of bases that have one.

    Args:
        record: the record's identifier.
        start: the first base, 0-based; the file counts from 1.
        values: one a base, along the forward strand, shape `(n,)`; nan where there is none.
        name: of the track.
        description: of the track; its name when empty.
        record_length: bases of a circular record: values past its end go on at its beginning, and stand first.

    Raises:
        InputError: values are not one a base, or the record's name holds a blank, which would end it.
    """
    values = np.asarray(values)
    if values.ndim != 1:
        raise InputError(f"a wig holds one value a base, shape (n,); these have the shape {values.shape}")
    if not record or len(record.split()) != 1:
        raise InputError(f"{record!r} cannot name a record in a wig file: it must be one word")
    named, described = (text.replace('"', "'").replace("\n", " ") for text in (name, description or name))
    lines = [f'track type=wiggle_0 name="{named}" description="{described}" visibility=full autoScale=on alwaysZero=on']
    start = start % record_length if record_length else start
    turn = min(len(values), record_length - start) if record_length else len(values)
    for first, piece in ((0, values[turn:]), (start, values[:turn])):
        for begin, end in _stretches(piece):
            lines.append(f"fixedStep chrom={record} start={first + begin + 1} step=1 span=1")
            lines += [f"{value:.6g}" for value in piece[begin:end]]
    return "\n".join(lines) + "\n"


def write_wig(path: str | Path, record: str, start: int, values: NDArray[np.floating], *, name: str) -> Path:
    """Write `wig_text` to a file, whole or not at all."""
    write_whole(Path(path), wig_text(record, start, values, name=name))
    return Path(path)


def _stretches(values: NDArray[np.floating]) -> list[tuple[int, int]]:
    """First and one past the last of each unbroken stretch of values that are not nan."""
    present = np.concatenate([[False], ~np.isnan(values), [False]])
    edges = np.flatnonzero(present[1:] != present[:-1])
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
