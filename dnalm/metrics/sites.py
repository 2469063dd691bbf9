"""Calls of sites along a sequence against known sites: maxima, what each call finds, average precision.

Plain functions of arrays, for all that ranks calls: choosing a model while it trains, and `dnalm.tracks.evaluate`.

What counts, here and there:

- a call is **right** when a known site of its own strand lies within the tolerance (distance at most so many bases);
- a known site is **found** by the highest call of its strand within the tolerance; one call may find several sites
  that lie close together (tandem promoters);
- **recall** is the share of distinct sites found, so a site is found once, however many calls lie near it;
- **precision** is the share of calls that are right. A second call near a site that is found already is right, and
  adds nothing to recall. `once=True` counts such calls as wrong instead (as detection benchmarks of images do:
  Everingham et al. 2010), which is never the more favourable way;
- **average precision**, the area under the steps of precision over recall: the mean over known sites of the precision
  among all calls that score at least as high as the call that found the site; 0 for sites never found. Where each
  call lies near at most one site and each site near one call, it is scikit-learn's `average_precision_score` of the
  calls times the share of sites found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import find_peaks

from dnalm.errors import InputError

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]
STRANDS = ("+", "-")


@dataclass(frozen=True)
class Found:
    """What calls find of known sites.

    Attributes:
        offset: bases from its nearest known site to each call, positive downstream along the strand; shape
            `(calls,)`. A large number (`NOWHERE`) where the strand has no known site.
        right: whether a known site of its strand lies within the tolerance, shape `(calls,)`.
        finds: whether the call is the one that finds some site: right, and no second call; shape `(calls,)`.
        site_score: score of the call that finds each site, -inf where none does; shape `(sites,)`.
        site_call: index of that call, -1 where none; shape `(sites,)`.
    """

    offset: Positions
    right: Flags
    finds: Flags
    site_score: NDArray[np.float64]
    site_call: Positions


NOWHERE = np.int64(2**62)


def maxima(
    scores: ArrayLike, *, threshold: float = -np.inf, distance: int = 1, circular: bool = False
) -> NDArray[np.int64]:
    """Local maxima; of those nearer than `distance` to a higher one that stays, only the higher stays.

    The highest maximum is kept and all nearer to it than `distance` go; then the highest of the rest, and so on
    (greedy non-maximum suppression). So no two that stay are nearer than `distance`, and each that went is nearer
    than that to a higher one that stayed.

    Args:
        scores: shape `(n,)`; nan is lower than everything.
        threshold: least score.
        distance: in elements of `scores`, 1 or more.
        circular: the last element lies beside the first one.

    Returns:
        Indices, ascending. A flat top counts once, at its middle. On a line, the ends can be maxima.
    """
    values = np.asarray(scores, dtype=np.float64)
    if distance < 1:
        raise InputError(f"the distance between maxima is {distance}; it must be 1 or more")
    values = np.where(np.isnan(values), -np.inf, values)
    if not len(values) or not values.max() >= max(threshold, np.nextafter(-np.inf, 0)):
        return np.empty(0, dtype=np.int64)
    if not circular:
        return _on_line(values, threshold, distance)
    return _on_circle(values, threshold, distance)


def _on_line(values: NDArray[np.float64], threshold: float, distance: int) -> NDArray[np.int64]:
    # A bottom on either side lets the first and the last element be maxima.
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    height = max(threshold, np.nextafter(-np.inf, 0))
    return find_peaks(padded, height=height, distance=distance)[0].astype(np.int64) - 1


def _on_circle(values: NDArray[np.float64], threshold: float, distance: int) -> NDArray[np.int64]:
    """The circle cut open at its highest maximum, which always stays, and with it at both ends of the line."""
    n = len(values)
    top = int(values.argmax())
    if values[top] == values.min():
        return np.array([top])  # flat all round: one maximum
    level = values == values[top]
    while level[top - 1]:  # to the first element of the flat top, over the origin too
        top -= 1
    width = int(np.argmin(np.roll(level, -top)))
    middle = (top + (width - 1) // 2) % n
    line = np.append(np.roll(values, -middle), np.inf)
    line[0] = np.inf
    # The rest of the flat top slopes down from its middle, so that it is no maximum of its own.
    line[1:n][np.arange(1, n) <= width // 2] = np.nextafter(values[middle], -np.inf)
    line[1:n][np.arange(1, n) >= n - (width - 1) // 2] = np.nextafter(values[middle], -np.inf)
    kept = _on_line(line, threshold, distance)
    kept = np.union1d(kept[kept < n], [0])
    return np.sort((kept + middle) % n)


def match(
    positions: ArrayLike,
    strands: Sequence[str] | NDArray[np.str_],
    scores: ArrayLike,
    site_positions: ArrayLike,
    site_strands: Sequence[str] | NDArray[np.str_],
    tolerance: int,
    *,
    circular_length: int | None = None,
) -> Found:
    """Put calls beside known sites.

    Args:
        positions: of the calls, 0-based forward, shape `(calls,)`.
        strands: "+" or "-" each; "++-" is read as three.
        scores: shape `(calls,)`; a higher one is a surer call.
        site_positions: of the known sites, shape `(sites,)`.
        site_strands: "+" or "-" each.
        tolerance: greatest distance in bases between a call and its site.
        circular_length: bases of the record where it is a circle: distances then go over the origin.

    Raises:
        InputError: lengths differ, a strand is neither "+" nor "-", or the tolerance is below 0.
    """
    where, rank = np.asarray(positions, dtype=np.int64), np.asarray(scores, dtype=np.float64)
    known = np.asarray(site_positions, dtype=np.int64)
    lanes, known_lanes = _lanes(strands, len(where), "calls"), _lanes(site_strands, len(known), "sites")
    if len(rank) != len(where):
        raise InputError(f"there are {len(where)} calls but {len(rank)} scores")
    if tolerance < 0:
        raise InputError(f"the tolerance is {tolerance} bases; it must be 0 or more")
    offset = np.full(len(where), NOWHERE)
    site_score = np.full(len(known), -np.inf)
    site_call = np.full(len(known), -1)
    for forward in (True, False):
        calls, sites = np.flatnonzero(lanes == forward), np.flatnonzero(known_lanes == forward)
        if len(calls) and len(sites):
            steps = _nearest(where[calls], known[sites], circular_length)
            offset[calls] = steps if forward else -steps
            best = _best_within(where[calls], rank[calls], known[sites], tolerance, circular_length)
            hit = best >= 0
            site_call[sites[hit]] = calls[best[hit]]
            site_score[sites[hit]] = rank[site_call[sites[hit]]]
    finds = np.zeros(len(where), dtype=bool)
    finds[site_call[site_call >= 0]] = True
    return Found(offset, np.abs(offset) <= tolerance, finds, site_score, site_call)


def _lanes(strands: Sequence[str] | NDArray[np.str_], count: int, what: str) -> Flags:
    names = np.asarray(list(strands) if isinstance(strands, str) else strands, dtype=str)
    if names.shape != (count,):
        raise InputError(f"there are {count} {what} but {names.size} strands")
    strange = set(np.unique(names).tolist()) - set(STRANDS)
    if strange:
        raise InputError(f"a strand is '+' or '-', not {sorted(strange)[0]!r}")
    return names == "+"


def _nearest(where: Positions, known: Positions, circle: int | None) -> Positions:
    """Bases from the nearest site to each call along the forward strand."""
    ordered = np.sort(known % circle if circle else known)
    if circle:
        where = where % circle
        ordered = np.concatenate([ordered[-1:] - circle, ordered, ordered[:1] + circle])
    after = np.clip(np.searchsorted(ordered, where), 0, len(ordered) - 1)
    before = np.maximum(after - 1, 0)
    ahead, behind = where - ordered[after], where - ordered[before]
    return np.where(np.abs(behind) <= np.abs(ahead), behind, ahead)


def _best_within(
    where: Positions, rank: NDArray[np.float64], known: Positions, tolerance: int, circle: int | None
) -> Positions:
    """For each site the call of the highest score within the tolerance, of equal ones the nearest; -1 for none."""
    source = np.arange(len(where))
    if circle:
        where, known = where % circle, known % circle
        source = np.tile(source, 3)
        where = np.concatenate([where - circle, where, where + circle])
    order = np.argsort(where, kind="stable")
    where, source = where[order], source[order]
    first = np.searchsorted(where, known - tolerance, side="left")
    last = np.searchsorted(where, known + tolerance, side="right")
    best = np.full(len(known), -1)
    for site in np.flatnonzero(last > first).tolist():
        near = slice(first[site], last[site])
        key = np.lexsort((np.abs(where[near] - known[site]), -rank[source[near]]))
        best[site] = source[near][key[0]]
    return best


def average_precision(
    positions: ArrayLike,
    strands: Sequence[str] | NDArray[np.str_],
    scores: ArrayLike,
    sites: tuple[ArrayLike, Sequence[str] | NDArray[np.str_]],
    tolerance: int,
    *,
    once: bool = False,
    circular_length: int | None = None,
) -> float:
    """Area under the steps of precision over recall of ranked calls against known sites; see the module.

    Args:
        positions: of the calls, 0-based forward, shape `(calls,)`: maxima, not every base.
        strands: "+" or "-" each.
        scores: shape `(calls,)`; calls of equal score are one step.
        sites: positions and strands of the known sites.
        tolerance: greatest distance in bases between a call and its site.
        once: a second call near a site that a higher one found counts as wrong.
        circular_length: bases of the record where it is a circle.

    Returns:
        0 to 1; nan without known sites.
    """
    found = match(positions, strands, scores, *sites, tolerance, circular_length=circular_length)
    if not len(found.site_score):
        return float("nan")
    rank = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-rank, kind="stable")
    counted = np.cumsum((found.finds if once else found.right)[order])
    at = found.site_score[found.site_call >= 0]
    # All calls of the finding call's score and higher: ties are one step of the curve.
    upto = np.searchsorted(-rank[order], -at, side="right")
    return float((counted[upto - 1] / upto).sum() / len(found.site_score))


def average_precision_along(
    forward: ArrayLike,
    reverse: ArrayLike,
    sites: tuple[ArrayLike, Sequence[str] | NDArray[np.str_]],
    tolerance: int,
    *,
    distance: int = 50,
    start: int = 0,
    once: bool = False,
) -> float:
    """Average precision of the maxima of scores at every base of both strands.

    Args:
        forward: score of each base read along the forward strand, shape `(n,)`.
        reverse: of each base read along the reverse strand, in forward coordinates, shape `(n,)`.
        sites: positions and strands of known sites; those outside the stretch are left out.
        tolerance: greatest distance in bases between a call and its site.
        distance: of two maxima of one strand nearer than this the higher is a call.
        start: position of the first base in the record, 0-based.
        once: see `average_precision`.
    """
    positions, strands, scores = [], [], []
    for name, along in zip(STRANDS, (forward, reverse), strict=True):
        values = np.asarray(along)
        kept = maxima(values, distance=distance)
        positions.append(kept + start)
        strands.append(np.full(len(kept), name))
        scores.append(values[kept])
    where, names = np.asarray(sites[0], dtype=np.int64), np.array(list(sites[1]), dtype=str)
    inside = (where >= start) & (where < start + len(np.asarray(forward)))
    return average_precision(
        np.concatenate(positions),
        np.concatenate(strands),
        np.concatenate(scores),
        (where[inside], names[inside]),
        tolerance,
        once=once,
    )
