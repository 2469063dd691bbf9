"""A track: scores along a stretch of a record, whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.tracks.windows import Scores


@dataclass(frozen=True)
class Track:
    """Scores along a stretch of a record.

    Attributes:
        record: the record's identifier.
        start: first base of the scanned region, 0-based.
        end: one past its last base; beyond `record_length` where a region of a circular record wraps.
        stride: bases from one scored site to the next.
        window: length in bases of the windows that were scored; in stream mode that of the model's windows.
        positions: sites, 0-based on the forward strand, ascending, shape `(n,)`; like `end` they run on past
            `record_length` where the region wraps (`wrapped` brings them back).
        forward: probability that the label holds at each site read along the forward strand, shape `(n,)`;
            nan where a window does not fit in a linear record or is more than half unknown bases. None when
            not asked for.
        reverse: the same, read along the reverse strand.
        model: name of the model.
        label: the class whose probability this is.
        record_length: bases in the whole record.
        mode: "window", each site in a window of its own, or "stream", all in one pass along each strand.
    """

    record: str
    start: int
    end: int
    stride: int
    window: int
    positions: NDArray[np.int64]
    forward: Scores | None
    reverse: Scores | None
    model: str
    label: str = "positive"
    record_length: int = 0
    mode: str = "window"

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def wrapped(self) -> NDArray[np.int64]:
        """The sites as positions of the record, those past the origin brought back to its beginning."""
        return self.positions % self.record_length if self.record_length else self.positions

    def strands(self) -> dict[str, Scores]:
        """The strands that were scored: "+" and "-" to their scores."""
        scores = {"+": self.forward, "-": self.reverse}
        return {strand: values for strand, values in scores.items() if values is not None}


def gather(pieces: Iterable[Track]) -> Track:
    """Join the pieces of one scan, in the order they came, into one track.

    Raises:
        InputError: there is no piece.
    """
    parts = list(pieces)
    if not parts:
        raise InputError("there is nothing to join: the scan gave no piece")

    def joined(scores: list[Scores | None]) -> Scores | None:
        kept = [part for part in scores if part is not None]
        return np.concatenate(kept) if kept else None

    return replace(
        parts[0],
        end=parts[-1].end,
        positions=np.concatenate([part.positions for part in parts]),
        forward=joined([part.forward for part in parts]),
        reverse=joined([part.reverse for part in parts]),
    )
