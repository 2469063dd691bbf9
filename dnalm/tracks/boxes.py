"""The -35 and -10 boxes of a sigma-70 promoter: the pair of hexamers before a start site most like the consensus.

E. coli's RNA polymerase with sigma 70 knows a promoter by two hexamers, TTGACA and TATAAT in the consensus, with 15
to 19 bases between them and 5 to 9 bases from the -10 box to the start (Harley & Reynolds 1987; Shultzaberger et
al. 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnalm.alphabet import Codes, encode
from dnalm.model.box_path import MINUS_10, MINUS_35, SPACERS

DISCRIMINATORS = range(5, 10)


@dataclass(frozen=True)
class Boxes:
    """Where the boxes lie.

    Attributes:
        minus_35: offset of the -35 box's first base in the window.
        minus_10: offset of the -10 box's first base.
        matches_35: bases equal to TTGACA, 0 to 6.
        matches_10: bases equal to TATAAT, 0 to 6.
        spacer: bases between the boxes.
    """

    minus_35: int
    minus_10: int
    matches_35: int
    matches_10: int
    spacer: int


def find_boxes(codes: Codes, anchor: int) -> Boxes | None:
    """The pair of hexamers with the most bases of the consensus before a start site.

    Args:
        codes: a window's bases, as read along its strand, shape `(length,)`.
        anchor: offset of the start site, +1, in it.

    Returns:
        The best pair; of equal ones that with a spacer nearest to 17 bases. None where the window holds too few
        bases before the site.
    """
    best: tuple[tuple[int, int], Boxes] | None = None
    for discriminator in DISCRIMINATORS:
        minus_10 = anchor - discriminator - len(MINUS_10)
        for spacer in SPACERS:
            minus_35 = minus_10 - spacer - len(MINUS_35)
            if minus_35 < 0:
                continue
            first, second = _matches(codes, minus_35, MINUS_35), _matches(codes, minus_10, MINUS_10)
            rank = (first + second, -abs(spacer - 17))
            if best is None or rank > best[0]:
                best = rank, Boxes(minus_35, minus_10, first, second, spacer)
    return best[1] if best else None


def _matches(codes: Codes, start: int, consensus: str) -> int:
    return int(np.sum(codes[start : start + len(consensus)] == encode(consensus)))
