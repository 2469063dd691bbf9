"""Elements of bacterial promoters and ribosome binding sites that are known, to hold a model's motifs against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import BASES
from dnalm.errors import InputError

# Compilations agree on the consensus and not on its strength: of -10's bases one gives 49 to 89 %, another 56 to 82 %.
# One value for all is plain about that.
CONSENSUS_SHARE = 0.7
IUPAC = {
    **{base: base for base in BASES},
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}


@dataclass(frozen=True, eq=False)
class Known:
    """A motif to hold others against.

    Attributes:
        name: as the field calls it.
        frequencies: of A, C, G and T at each position, shape `(width, 4)`.
        source: where it is from, for people.
        consensus: in IUPAC letters.
    """

    name: str
    frequencies: NDArray[np.float64]
    source: str
    consensus: str

    def __len__(self) -> int:
        return len(self.frequencies)


def from_consensus(name: str, consensus: str, source: str) -> Known:
    """An element of which a consensus is published: its bases share `CONSENSUS_SHARE`, the others the rest.

    Args:
        name: as the field calls it.
        consensus: IUPAC letters; N says nothing.
        source: the paper.

    Raises:
        InputError: a letter that is not IUPAC's.
    """
    rows = []
    for letter in consensus.upper():
        if letter not in IUPAC:
            raise InputError(f"{name}: the consensus {consensus!r} has {letter!r}, which is no IUPAC letter")
        meant = [base in IUPAC[letter] for base in BASES]
        share = CONSENSUS_SHARE if sum(meant) < len(BASES) else 1.0
        rest = (1 - share) / max(1, len(BASES) - sum(meant))
        rows.append([share / sum(meant) if is_meant else rest for is_meant in meant])
    return Known(name, np.array(rows), source, consensus.upper())


def letters_of(frequencies: NDArray[np.floating]) -> str:
    """A consensus in IUPAC letters, by the rule of Cavener (1987).

    One base where it has more than half and twice the next one's share; two where they have more than three quarters;
    else N.
    """
    names = {frozenset(bases): letter for letter, bases in IUPAC.items()}
    letters = []
    for row in np.asarray(frequencies, dtype=np.float64):
        first, second = np.argsort(-row, kind="stable")[:2]
        if row[first] > 0.5 and row[first] > 2 * row[second]:
            letters.append(BASES[first])
        elif row[first] + row[second] > 0.75:
            letters.append(names[frozenset((BASES[first], BASES[second]))])
        else:
            letters.append("N")
    return "".join(letters)


_SIGMA_70 = "Harley & Reynolds 1987, doi:10.1093/nar/15.5.2343"

MINUS_35 = from_consensus("-35", "TTGACA", _SIGMA_70)
MINUS_10 = from_consensus("-10", "TATAAT", _SIGMA_70)
EXTENDED_MINUS_10 = from_consensus("extended -10", "TGNTATAAT", "Burr et al. 2000, doi:10.1093/nar/28.9.1864")
UP_ELEMENT = from_consensus("UP element", "AAAWWTWTTTTNNAAAA", "Estrem et al. 1998, doi:10.1073/pnas.95.17.9761")
SHINE_DALGARNO = from_consensus("Shine-Dalgarno", "AGGAGG", "Shine & Dalgarno 1974, doi:10.1073/pnas.71.4.1342")

KNOWN = (MINUS_35, MINUS_10, EXTENDED_MINUS_10, UP_ELEMENT, SHINE_DALGARNO)
