"""Calls beside known sites: which are right, which sites they find, by part of the genome, strand and tolerance.

What counts as right and as found, `dnalm.metrics.sites` says. `dnalm.tracks.evaluate` makes figures of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.metrics.sites import match
from dnalm.sequences import Region
from dnalm.tracks.blocks import Blocks, blocks_of
from dnalm.tracks.calls import Calls
from dnalm.tracks.evaluation import Key
from dnalm.tracks.ladder import Floats, Ladder, Ranked

if TYPE_CHECKING:
    from dnalm.annotation import Site

TOLERANCES = (10, 50, 100, 250)
BLOCK = 20_000
MERGE = 50


@dataclass(frozen=True)
class Scored:
    """One model's calls beside the truth, before any interval is drawn; see `evaluate` and `compare`.

    Attributes:
        name: the model's.
        blocks: the stretches that resamples draw.
        ladders: by part, strand, tolerance and way of counting.
        settings: what it was made with.
    """

    name: str
    blocks: Blocks
    ladders: Mapping[Key, Ladder]
    settings: dict[str, Any]


def score(
    name: str,
    calls: Calls | Sequence[Calls],
    truth: Sequence[Site],
    *,
    tolerances: Sequence[int] = TOLERANCES,
    regions: Sequence[Region] = (),
    trained_on: Sequence[Region] | None = None,
    threshold: float | None = None,
    merge: int = MERGE,
    block: int = BLOCK,
) -> Scored:
    """Put a model's calls beside known sites.

    Args:
        name: the model's.
        calls: from `calls_of`, one for each record, or for each of several stretches of one.
        truth: known sites, 0-based; those of other records, and outside what was scanned, are left out of recall.
        tolerances: greatest distances in bases between a call and its site.
        regions: parts to look at; all that was scanned when empty.
        trained_on: regions whose truth the model has seen, in training or in choosing; figures of them and of the
            rest are kept apart. None: not known.
        threshold: the model's own, for recall and precision at it.
        merge: sites of one strand no further apart than this, in bases, are one cluster.
        block: length in bases of the blocks that are resampled; shorter where fewer than ten would fit.

    Raises:
        InputError: no site lies in what was scanned, or a region is not in it.
    """
    stretches = [calls] if isinstance(calls, Calls) else list(calls)
    blocks = blocks_of(stretches, regions=regions, trained_on=trained_on, block=block)
    merged = clusters(truth, merge)
    ladders: dict[Key, Ladder] = {}
    for tolerance in tolerances:
        columns = [_of_record(one, number, truth, tolerance, blocks) for number, one in enumerate(stretches)]
        for clustered in (False, True):
            whole = _joined([_grouped(one, merged if clustered else None) for one in columns])
            for part in blocks.parts:
                for strand in _strands(stretches):
                    ranked = _chosen(whole, part, strand, blocks)
                    kilobases = blocks.kilobases[part][blocks.members(part)]
                    ladders[Key(part, strand, tolerance, clustered)] = Ladder(ranked, kilobases, threshold)
    if not any(ladder.sites for ladder in ladders.values()):
        raise InputError(f"none of the {len(truth):,} known sites lies in what was scanned")
    said = {"threshold": threshold, "merge": merge, "block": blocks.length, **blocks.as_dict()}
    return Scored(name, blocks, ladders, said)


@dataclass(frozen=True)
class _Columns:
    """Calls and sites of a record, or of several under one another."""

    scores: Floats
    right: NDArray[np.bool_]
    forward: NDArray[np.bool_]
    call_block: NDArray[np.int64]
    call_part: NDArray[np.int64]
    site: NDArray[np.int64]
    """Place of each site in the truth."""
    site_forward: NDArray[np.bool_]
    site_block: NDArray[np.int64]
    site_part: NDArray[np.int64]
    site_call: NDArray[np.int64]
    site_offset: NDArray[np.int64]


def _of_record(calls: Calls, number: int, truth: Sequence[Site], tolerance: int, blocks: Blocks) -> _Columns:
    circle = calls.record_length if calls.circular else None
    here = np.array([place for place, site in enumerate(truth) if site.record == calls.record], dtype=np.int64)
    positions = np.array([truth[place].position for place in here], dtype=np.int64)
    names = np.array([truth[place].strand for place in here], dtype="<U1")
    inside = blocks.part_of(number, calls.positions) >= 0
    where, strands, scores = calls.positions[inside], calls.names[inside], calls.scores[inside]
    found = match(where, strands, scores, positions, names, tolerance, circular_length=circle)
    # Calls just outside find no site; sites just outside make a call right all the same.
    offset = np.zeros(len(here), dtype=np.int64)
    hit = found.site_call >= 0
    step = where[found.site_call[hit]] - positions[hit]
    if circle:
        step = (step + circle // 2) % circle - circle // 2
    offset[hit] = np.where(names[hit] == "+", step, -step)
    part = blocks.part_of(number, positions)
    wanted = (part >= 0) & np.isin(names, list(calls.strands))
    return _Columns(
        scores,
        found.right,
        strands == "+",
        blocks.block_of(number, where),
        blocks.part_of(number, where),
        here[wanted],
        names[wanted] == "+",
        blocks.block_of(number, positions[wanted]),
        part[wanted],
        found.site_call[wanted],
        offset[wanted],
    )


def clusters(truth: Sequence[Site], merge: int = MERGE) -> NDArray[np.int64]:
    """Number of the cluster of each site: neighbours of one record and strand no further apart than `merge` bases.

    Returns:
        Shape `(sites,)`; the first site of a cluster, along the forward strand, gives it its number.
    """
    order = sorted(range(len(truth)), key=lambda one: (truth[one].record, truth[one].strand, truth[one].position))
    found = np.arange(len(truth), dtype=np.int64)
    for before, here in pairwise(order):
        one, other = truth[before], truth[here]
        if (one.record, one.strand) == (other.record, other.strand) and other.position - one.position <= merge:
            found[here] = found[before]
    return found


def _grouped(columns: _Columns, merged: NDArray[np.int64] | None) -> _Columns:
    """Sites as they are, or each cluster as the member that was found by the highest call."""
    if merged is None or not len(columns.site):
        return columns
    call_score = np.where(columns.site_call >= 0, np.append(columns.scores, -np.inf)[columns.site_call], -np.inf)
    order = np.lexsort((columns.site, -call_score, merged[columns.site]))
    _, first = np.unique(merged[columns.site][order], return_index=True)
    kept = np.sort(order[first])
    changed = {name: values[kept] for name, values in vars(columns).items() if name.startswith("site")}
    return _Columns(**{**vars(columns), **changed})


def _joined(columns: Sequence[_Columns]) -> _Columns:
    """Records under one another; calls are numbered on."""
    first = np.cumsum([0, *(len(one.scores) for one in columns)])
    parts: dict[str, list[NDArray[Any]]] = {name: [vars(one)[name] for one in columns] for name in vars(columns[0])}
    parts["site_call"] = [
        np.where(call >= 0, call + start, -1) for call, start in zip(parts["site_call"], first[:-1], strict=True)
    ]
    return _Columns(**{name: np.concatenate(values) for name, values in parts.items()})


def _chosen(columns: _Columns, part: str, strand: str, blocks: Blocks) -> Ranked:
    """The calls and sites of one part and strand, blocks numbered anew."""
    number = blocks.parts.index(part)
    calls, sites = columns.call_part == number, columns.site_part == number
    if strand != "both":
        calls, sites = calls & (columns.forward == (strand == "+")), sites & (columns.site_forward == (strand == "+"))
    finding = columns.site_call[sites]
    score_of = np.where(finding >= 0, np.append(columns.scores, -np.inf)[finding], -np.inf)
    finds = np.zeros(len(columns.scores), dtype=bool)
    finds[finding[finding >= 0]] = True
    renumbered = np.cumsum(np.isin(np.arange(blocks.count), blocks.members(part))) - 1
    return Ranked(
        columns.scores[calls],
        columns.right[calls],
        finds[calls],
        renumbered[columns.call_block[calls]],
        score_of,
        renumbered[columns.site_block[sites]],
        columns.site_offset[sites],
    )


def _strands(stretches: Sequence[Calls]) -> list[str]:
    read = {one.strands for one in stretches}
    return ["both", "+", "-"] if read == {"+-"} else ["both"]
