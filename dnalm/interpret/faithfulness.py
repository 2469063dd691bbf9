"""How far a picture of what a model reads can be believed: four tests of each way of attribution, for one model.

- **Deletion and insertion** (Petsiuk et al. 2018): do the bases that it ranks highest carry the call? Areas of their
  curves, as multiples of those of random order; see `dnalm.interpret.replacement`.
- **Agreement**: do the ways rank the bases alike? Spearman's correlation within each sequence.
- **Stability**: does a way that draws shuffles or samples rank them alike with others?
- **Weights drawn anew** (Adebayo et al. 2018): does it rank them otherwise when the model has forgotten what it learnt?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.errors import InputError
from dnalm.interpret.attribution import attribute
from dnalm.interpret.faithfulness_result import Agreement, Faithfulness, MeanCurves, OfWay
from dnalm.interpret.mutation import Mutations, probability_of
from dnalm.interpret.redrawn import PARTS, redrawn
from dnalm.interpret.replacement import EARLY, REPLACEMENTS, SHARES, Curves, drawn_bases, ranked, replacement_curves
from dnalm.metrics import Figure, bootstrap_figures
from dnalm.model.bundle import weights_hash
from dnalm.model.predict import Classifier

MUTATION = "mutation"
"""Saturation mutagenesis: what each base is worth beside the three others."""
WAYS: tuple[tuple[str, str], ...] = (
    ("integrated-gradients", "shuffled"),
    ("integrated-gradients", "background"),
    ("integrated-gradients", "uniform"),
    ("gradient-shap", "shuffled"),
    ("embedding-gradients", "uniform"),
    ("occlusion", "uniform"),
    ("input-x-gradient", ""),
    ("saliency", ""),
    (MUTATION, ""),
)
"""Method and baseline: every method, the most used with each baseline."""
DRAWING = frozenset({"gradient-shap"})
"""Methods that draw whatever their baseline is; all draw shuffles."""
DRAWS = 2
CHECKED = 12
LEAST_BASES = 3  # that a rank correlation says anything of

Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _One:
    """What one sequence brought: curves by what bases became, random order last; correlations by what was compared."""

    curves: dict[str, Curves]
    agreement: dict[tuple[int, int], float]
    stable: dict[int, float]
    redrawn: dict[tuple[str, int], float]


def measure(
    classifier: Classifier,
    sequences: Sequence[Codes],
    *,
    generator: np.random.Generator,
    label: str | None = None,
    ways: Sequence[tuple[str, str]] = WAYS,
    draws: int = DRAWS,
    checked: int = CHECKED,
    groups: NDArray[np.integer] | None = None,
    resamples: int = 1000,
    told: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Faithfulness:
    """Put each way of attribution to the four tests.

    Args:
        classifier: the model.
        sequences: base codes of sequences that it calls right, n arrays.
        generator: draws shuffles, orders, weights and resamples; each sequence has a stream of its own.
        label: the class; else the positive one, else of each sequence the one called.
        ways: method and baseline; `MUTATION` is a method too.
        draws: of what bases become, each way, with a random order of its own to compare with.
        checked: so many of the sequences, the first, are looked at again with other draws and with new weights.
        groups: of sequences that are near copies, shape `(n,)`; see `dnalm.metrics.resample_weights`.
        resamples: of the bootstrap over sequences.
        told: what the result says of where the sequences came from: `dataset`, `data_sha256`, `split`, `seed`,
            `command`.
        progress: called with sequences done and all.

    Raises:
        InputError: no sequence, or none of the ways; see also `attribute`.
    """
    if not sequences or not ways:
        raise InputError("there is no sequence, or no way of attribution, to measure")
    checked = min(checked, len(sequences))
    *streams, for_weights, for_resamples = generator.spawn(len(sequences) + 2)
    twins = {parts: redrawn(classifier, for_weights, parts) for parts in PARTS} if checked else {}
    ones = []
    for number, (codes, stream) in enumerate(zip(sequences, streams, strict=True)):
        again = twins if number < checked else {}
        ones.append(_measure_one(classifier, again, np.array(codes), label, ways, draws, stream))
        if progress:
            progress(number + 1, len(sequences))

    def mean(values: Sequence[float], of: NDArray[np.integer] | None = groups) -> Figure:
        return _mean(values, for_resamples, resamples, of)

    some = None if groups is None else groups[:checked]
    areas = _areas(ones)
    by_chance = {name: mean(area[:, -1].tolist()) for name, area in areas.items()}

    def times_random(name: str, at: int) -> Figure:
        if by_chance[name].low <= 0:  # a multiple of what may be nothing says nothing
            return Figure(float("nan"), float("nan"), float("nan"), len(ones))
        return _ratio(areas[name][:, at], areas[name][:, -1], for_resamples, resamples, groups)

    found = []
    for at, (method, baseline) in enumerate(ways):
        stable = [one.stable[at] for one in ones[:checked] if at in one.stable]
        survives = {
            parts: mean([one.redrawn[parts, at] for one in ones[:checked]], some) if checked else None
            for parts in PARTS
        }
        found.append(
            OfWay(
                method=method,
                baseline=baseline,
                fall=mean(areas["deletion"][:, at].tolist()),
                **{name: times_random(name, at) for name in areas},
                curves=_mean_curves(ones, at),
                stability=mean(stable, some) if stable else None,
                head_redrawn=survives["head"],
                all_redrawn=survives["all"],
            )
        )
    pairs = [
        Agreement(_name(ways[one]), _name(ways[two]), mean([each.agreement[one, two] for each in ones]))
        for one, two in combinations(range(len(ways)), 2)
    ]
    return Faithfulness(
        model=classifier.name,
        weights=weights_hash(classifier.bundle.folder),
        label=label if label is not None else classifier.config.positive,
        n=len(sequences),
        checked=checked,
        draws=draws,
        shares=SHARES,
        random=_mean_curves(ones, len(ways)),
        random_fall=by_chance["deletion"],
        ways=tuple(found),
        agreement=tuple(pairs),
        **(told or {}),
    )


def _name(way: tuple[str, str]) -> str:
    return " ".join(part for part in way if part)


def _measure_one(
    classifier: Classifier,
    twins: dict[Any, Classifier],
    codes: Codes,
    label: str | None,
    ways: Sequence[tuple[str, str]],
    draws: int,
    generator: np.random.Generator,
) -> _One:
    mutations = Mutations(classifier, codes, label=label)
    label, target = mutations.label, mutations.target  # of the class called, where none was named
    scores = [_scores(classifier, codes, label, way, generator) for way in ways]
    known = int((codes < UNKNOWN).sum())
    orders = [np.broadcast_to(ranked(codes, one), (draws, known)) for one in scores]
    by_chance = generator.permuted(np.tile(np.flatnonzero(codes < UNKNOWN), (draws, 1)), axis=1)
    curves = {
        how: replacement_curves(
            classifier, codes, np.stack([*orders, by_chance]), drawn_bases(codes, how, draws, generator), target
        )
        for how in REPLACEMENTS
    }
    agreement = {
        (one, two): rank_correlation(codes, scores[one], scores[two]) for one, two in combinations(range(len(ways)), 2)
    }
    stable, changed = {}, {}
    if twins:
        for at, way in enumerate(ways):
            if way[1] == "shuffled" or way[0] in DRAWING:
                other = _scores(classifier, codes, label, way, generator)
                stable[at] = rank_correlation(codes, scores[at], other)
            for parts, twin in twins.items():
                other = _scores(twin, codes, label, way, generator)
                changed[parts, at] = rank_correlation(codes, scores[at], other)
    return _One(curves, agreement, stable, changed)


def _scores(
    classifier: Classifier, codes: Codes, label: str, way: tuple[str, str], generator: np.random.Generator
) -> NDArray[np.floating]:
    """What each position adds, shape `(length,)`."""
    method, baseline = way
    if method == MUTATION:
        return Mutations(classifier, codes, label=label).saturation().bases
    told: dict[str, Any] = {"method": method, **({"baseline": baseline} if baseline else {})}
    return attribute(classifier, [codes], label=label, generator=generator, **told)[0].bases


def rank_correlation(codes: Codes, one: NDArray[np.floating], two: NDArray[np.floating]) -> float:
    """Spearman's correlation of two rankings of the known bases; nan where one ranks nothing."""
    known = codes < UNKNOWN
    if known.sum() < LEAST_BASES:
        return float("nan")
    ranks = [rankdata(scores[known]) for scores in (one, two)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def _mean(
    values: Sequence[float], generator: np.random.Generator, resamples: int, groups: NDArray[np.integer] | None
) -> Figure:
    """Mean over the sequences that have a value, with its interval."""
    array = np.array(values, dtype=np.float64)
    there = np.isfinite(array)
    if not there.any():
        return Figure(float("nan"), float("nan"), float("nan"), 0)
    of = None if groups is None else groups[there]

    def statistics(weights: Floats) -> dict[str, Floats]:
        return {"mean": weights @ array[there] / weights.sum(1)}

    return bootstrap_figures(statistics, int(there.sum()), generator=generator, resamples=resamples, groups=of)["mean"]


def _areas(ones: Sequence[_One]) -> dict[str, Floats]:
    """Areas in nats under the names that `OfWay` has for their multiples of random order's, each `(n, orders)`."""
    even, shuffled = ([one.curves[how] for one in ones] for how in REPLACEMENTS)
    return {
        "deletion": np.array([curves.fall() for curves in even]),
        "early": np.array([curves.fall(EARLY) for curves in even]),
        "insertion": np.array([curves.rise() for curves in even]),
        "deletion_shuffled": np.array([curves.fall() for curves in shuffled]),
        "insertion_shuffled": np.array([curves.rise() for curves in shuffled]),
    }


def _ratio(
    areas: Floats,
    by_chance: Floats,
    generator: np.random.Generator,
    resamples: int,
    groups: NDArray[np.integer] | None,
) -> Figure:
    """Area of a way over that of random order, each summed over the sequences."""

    def statistics(weights: Floats) -> dict[str, Floats]:
        below = weights @ by_chance
        return {"ratio": np.where(below > 0, weights @ areas / np.where(below > 0, below, 1), np.nan)}

    return bootstrap_figures(statistics, len(areas), generator=generator, resamples=resamples, groups=groups)["ratio"]


def _mean_curves(ones: Sequence[_One], order: int) -> MeanCurves:
    """Means over sequences and draws."""
    deletion = np.stack([one.curves["even"].deletion[order] for one in ones])
    insertion = np.stack([one.curves["even"].insertion[order] for one in ones])

    def over(values: Floats) -> tuple[float, ...]:
        return tuple(round(float(value), 5) for value in values.mean((0, 1)))

    return MeanCurves(over(deletion), over(probability_of(deletion)), over(insertion), over(probability_of(insertion)))
