"""Score tracks, or calls, against known sites, such as a map of transcription starts.

Every figure gets a 95 % interval by resampling blocks of genome, regions that the model was trained on are told apart,
strands too, and two models are compared on the same resamples. What counts as right and as found,
`dnalm.metrics.sites` says.

A map of start sites is never complete: a call far from all known sites is called wrong here, though some are right. So
precision is a lower bound, and comparisons say more than single figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.metrics import Figure, resample_weights
from dnalm.metrics.bootstrap import percentile_interval
from dnalm.tracks.blocks import Blocks
from dnalm.tracks.evaluation import Compared, Comparison, Evaluation, Row
from dnalm.tracks.ladder import Floats, Ladder
from dnalm.tracks.scored import BLOCK, MERGE, TOLERANCES, Scored, score

__all__ = ["BLOCK", "MERGE", "RESAMPLES", "TOLERANCES", "Scored", "compare", "evaluate", "score"]

RESAMPLES = 1000
_BINS = 20


def evaluate(
    scored: Scored | Sequence[Scored],
    *,
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
    name: str | None = None,
    figures: Sequence[str] | None = None,
) -> Evaluation:
    """Every figure with its interval.

    Args:
        scored: a model; or several runs of one recipe, such as seeds, of which each figure is the mean.
        generator: draws the blocks.
        resamples: how many; 0 gives no intervals.
        name: of several runs together; the first's when None.
        figures: names of those wanted; all when None.

    Raises:
        InputError: the runs were not scored on the same genome with the same choices.
    """
    runs = _runs(scored)
    weights = _weights(runs[0].blocks, generator, resamples)
    rows = []
    for key, ladder in runs[0].ladders.items():
        ladders = [run.ladders[key] for run in runs]
        point = [one.statistics(np.ones((1, len(ladder.kilobases)))) for one in ladders]
        drawn = [one.statistics(weights[key.part]) for one in ladders]
        names = [one for one in point[0] if figures is None or one in figures]
        rows.append(
            Row(
                key,
                ladder.sites,
                round(np.mean([one.calls for one in ladders])),
                float(ladder.kilobases.sum()),
                {one: _figure(_mean(point, one), _mean(drawn, one), ladder.sites) for one in names},
                {one: tuple(float(of_run[one][0]) for of_run in point) for one in names} if len(runs) > 1 else {},
                _histogram([one.offsets for one in ladders], key.tolerance),
                _curve(ladders) if key.strand == "both" and not key.clustered else {},
            )
        )
    said = {**runs[0].settings, "resamples": resamples}
    return Evaluation(name or runs[0].name, tuple(run.name for run in runs), said, tuple(rows))


def compare(
    first: Scored | Sequence[Scored],
    second: Scored | Sequence[Scored],
    *,
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
    names: tuple[str, str] | None = None,
    figures: Sequence[str] | None = None,
) -> Comparison:
    """Two models on the same resampled blocks: ratios and differences with intervals.

    Args:
        first: a model, or runs of it whose figures are averaged.
        second: the other.
        generator: draws the blocks.
        resamples: how many.
        names: what to call the two; their own names when None.
        figures: those wanted; all when None.

    Raises:
        InputError: they were not scored on the same genome with the same choices.
    """
    ours, theirs = _runs(first), _runs(second)
    _runs([*ours, *theirs])
    weights = _weights(ours[0].blocks, generator, resamples)
    rows = []
    for key, ladder in ours[0].ladders.items():
        every = np.ones((1, len(ladder.kilobases)))
        sides = []
        for runs in (ours, theirs):
            ladders = [run.ladders[key] for run in runs]
            point, drawn = ([one.statistics(w) for one in ladders] for w in (every, weights[key.part]))
            sides.append((point, drawn))
        shared = [name for name in sides[0][0][0] if name in sides[1][0][0] and (figures is None or name in figures)]
        ratios, differences = {}, {}
        for name in shared:
            a, b = ([_mean(kind, name) for kind in side] for side in sides)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios[name] = _figure(a[0] / b[0], a[1] / b[1], ladder.sites)
            differences[name] = _figure(a[0] - b[0], a[1] - b[1], ladder.sites)
        rows.append(Compared(key, ratios, differences))
    one, other = names or (ours[0].name, theirs[0].name)
    return Comparison(one, other, tuple(rows))


def _runs(scored: Scored | Sequence[Scored]) -> list[Scored]:
    runs = [scored] if isinstance(scored, Scored) else list(scored)
    if not runs:
        raise InputError("there is no scored track")
    for run in runs[1:]:
        if not run.blocks.same(runs[0].blocks) or list(run.ladders) != list(runs[0].ladders):
            raise InputError(f"{run.name} was not scored on the same genome and truth as {runs[0].name}")
    return runs


def _weights(blocks: Blocks, generator: np.random.Generator, resamples: int) -> dict[str, Floats]:
    """Resamples of each part's blocks, the same for every figure, tolerance and model."""
    found = {}
    for part in blocks.parts:
        count = len(blocks.members(part))
        drawn = list(resample_weights(count, generator, resamples)) if resamples and count else []
        found[part] = np.concatenate(drawn) if drawn else np.empty((0, count))
    return found


def _mean(runs: Iterable[Mapping[str, Floats]], name: str) -> Floats:
    return np.mean([of_run[name] for of_run in runs], axis=0)


def _figure(point: Floats, drawn: Floats, n: int) -> Figure:
    finite = len(drawn) and np.isfinite(point[0])
    low, high = percentile_interval(drawn) if finite else (np.nan, np.nan)
    return Figure(float(point[0]), low, high, n)


def _histogram(offsets: Sequence[NDArray[np.int64]], tolerance: int) -> dict[str, list[int]]:
    """How many sites have their call at each distance: odd bins of whole bases, the middle one around 0."""
    wide = 2 * (tolerance // (_BINS + 1)) + 1
    half = -(-(2 * tolerance + 1) // wide) // 2
    edges = (np.arange(-half, half + 2) * wide) - wide // 2
    counts, _ = np.histogram(np.concatenate(offsets), bins=edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _curve(ladders: Sequence[Ladder]) -> dict[str, list[float | None]]:
    """The mean of the runs' curves, where all reach."""
    each = [ladder.curve() for ladder in ladders]
    return {
        name: [None if None in values else float(np.mean(values)) for values in zip(*(one[name] for one in each))]  # noqa: B905 - equal by CURVE
        for name in each[0]
    }
