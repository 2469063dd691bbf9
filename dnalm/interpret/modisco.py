"""TF-MoDISco as another way to motifs, for long sequences (the extra `modisco`; Shrikumar et al. 2018).

`modisco-lite` brings libraries under the GPL and is installed by those who want it alone. It looks at stretches of 21
bases with 10 at each side, merges what is alike, and wants some hundred seqlets a motif: too much for windows of 81.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.errors import InputError
from dnalm.interpret.alignment import weighted_bases
from dnalm.interpret.motif import Motif, Placement, build_motif
from dnalm.interpret.motifs import SMALLEST, MotifSet, named
from dnalm.interpret.seqlets import FDR, Seqlet, Seqlets

Floats = NDArray[np.floating]

SHORTEST = 100
LEIDEN_RUNS = 10


def find_motifs_modisco(
    codes: Sequence[Codes],
    scores: Sequence[Floats],
    *,
    generator: np.random.Generator,
    anchor: int | None = None,
    fdr: float = FDR,
    smallest: int = SMALLEST,
) -> MotifSet:
    """Find motifs with TF-MoDISco: the same kind of result as `find_motifs`.

    TF-MoDISco would also use what each base that is not there would add; what is there alone is given to it, which its
    authors call a lesser input that works. It counts both strands as one.

    Args:
        codes: base codes, n arrays of one length.
        scores: what each base adds.
        generator: not used: TF-MoDISco's clustering has fixed seeds of its own.
        anchor: offset of the site that the sequences are aligned by.
        fdr: false discovery rate of its seqlets.
        smallest: seqlets of the smallest motif.

    Raises:
        InputError: it is not installed, or the sequences are too short or of several lengths.
    """
    lengths = {len(one) for one in codes}
    if len(lengths) != 1 or min(lengths) < SHORTEST:
        found = f"{min(lengths):,}" if len(lengths) == 1 else f"{min(lengths):,} to {max(lengths):,}"
        raise InputError(
            f"TF-MoDISco takes sequences of one length, {SHORTEST} bases or more; these have {found}. "
            "The engine dnalm takes any."
        )
    try:
        from modiscolite.tfmodisco import TFMoDISco
    except ImportError:
        raise InputError(
            "TF-MoDISco is not installed: `pip install 'dnalm[modisco]'`, or take the engine dnalm."
        ) from None
    one_hot = (np.stack(codes)[:, :, None] == np.arange(UNKNOWN)).astype(np.float32)
    weighted = np.stack([weighted_bases(*pair) for pair in zip(codes, scores, strict=True)]).astype(np.float32)
    patterns, _ = TFMoDISco(
        one_hot=one_hot,
        hypothetical_contribs=weighted,
        target_seqlet_fdr=fdr,
        min_metacluster_size=max(2, smallest),
        final_min_cluster_size=smallest,
        n_leiden_runs=LEIDEN_RUNS,
    )
    motifs = [_motif(pattern, codes, scores, anchor) for pattern in patterns or []]
    seqlets = [_seqlet(one, scores) for pattern in patterns or [] for one in pattern.seqlets]
    told = Seqlets(tuple(seqlets), len(codes), fdr, float("nan"), "TF-MoDISco's own")
    return MotifSet(named([one for one in motifs if len(one.sites) >= smallest]), told, "modisco")


def _motif(pattern: Any, codes: Sequence[Codes], scores: Sequence[Floats], anchor: int | None) -> Motif:
    places = []
    for one in pattern.seqlets:
        offsets = np.arange(one.start, one.end)
        reverse = bool(one.is_revcomp)
        places.append(Placement(int(one.example_idx), offsets[::-1] if reverse else offsets, reverse))
    return build_motif(places, codes, scores, anchor)


def _seqlet(one: Any, scores: Sequence[Floats]) -> Seqlet:
    row, start, end = int(one.example_idx), int(one.start), int(one.end)
    adds = float(np.sum(np.asarray(scores[row])[start:end]))
    return Seqlet(row, start, end, adds, float("nan"), float("nan"))
