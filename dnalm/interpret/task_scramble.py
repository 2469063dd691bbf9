"""A stretch replaced at every place, as a task for many sequences: options, answer, table, track."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from dnalm.alphabet import UNKNOWN, encode
from dnalm.errors import InputError
from dnalm.interpret.kept import Answer
from dnalm.interpret.many import Progress
from dnalm.interpret.mutation import LONGEST_SCRAMBLE, Mutations, Scramble, probability_of
from dnalm.interpret.placed import Placed
from dnalm.interpret.variants import TOLERANCE
from dnalm.model.predict import Classifier

DRAWS = 16
_BASES = 1 << 26  # of variants that are held at a time


@dataclass(frozen=True)
class ScrambleTask:
    """Slide random k-mers, or given ones, along a sequence; see `Mutations.scramble` and `Mutations.insert`.

    Attributes:
        ks: bases replaced at a time, 1 to `LONGEST_SCRAMBLE` each.
        draws: random k-mers at each place.
        fixed: the same k-mers at every place.
        inserts: given k-mers, after the random ones.
        label: the class; else the positive one, else the one called.
        tolerance: see `VariantScorer`.
    """

    columns: ClassVar[tuple[str, ...]] = ("id", "k", "position", "mean", "spread", "low", "high", "inserted")
    per_base: ClassVar[bool] = True

    ks: tuple[int, ...] = (1, 3, 6)
    draws: int = DRAWS
    fixed: bool = False
    inserts: tuple[str, ...] = ()
    label: str | None = None
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        for k in self.ks:
            if not 1 <= k <= LONGEST_SCRAMBLE:
                raise InputError(f"k is {k}; wanted: 1 to {LONGEST_SCRAMBLE} bases")
        for text in self.inserts:
            if not text or (encode(text) >= UNKNOWN).any():
                raise InputError(f"{text!r} is nothing to put in; wanted: bases A, C, G, T, such as TATAAT")
        if not self.ks and not self.inserts:
            raise InputError("there is no k and nothing to put in")
        if self.draws < 1:
            raise InputError(f"{self.draws} draws; wanted: 1 or more")

    def options(self) -> dict[str, Any]:
        """All of them."""
        return asdict(self)

    def check(self, classifier: Classifier, one: Placed) -> None:
        """Refuse a sequence that is shorter than what is put in."""
        longest = max([*self.ks, *(len(text) for text in self.inserts)])
        if longest > len(one):
            raise InputError(f"{one.id}: has {len(one):,} bases; {longest} are to be replaced at a time")

    def explain(
        self, classifier: Classifier, one: Placed, generator: np.random.Generator, progress: Progress | None = None
    ) -> Answer:
        """The log-odds of every draw, for each k and each given k-mer."""
        mutations = Mutations(classifier, one.codes, label=self.label, tolerance=self.tolerance)
        probability = float(probability_of(np.float64(mutations.reference)))
        said: dict[str, Any] = {"label": mutations.label, "probability": probability, "log_odds": mutations.reference}
        arrays, inserted = {}, []
        # A sequence of 5 kb has too many variants to be held at once.
        at_once = min(self.draws, max(1, _BASES // len(one) ** 2))
        draws = [min(at_once, self.draws - begin) for begin in range(0, self.draws, at_once)]
        steps, done = len(self.ks) * len(draws) + len(self.inserts), 0
        for k in self.ks:
            parts = []
            for count in draws:
                parts.append(mutations.scramble(k, draws=count, generator=generator, fixed=self.fixed))
                done += 1
                if progress:
                    progress(done, steps)
            arrays[f"curve_{len(arrays)}"] = np.concatenate([part.log_odds for part in parts])
            inserted.append([text for part in parts for text in part.inserted])
        for text in self.inserts:
            found = mutations.insert([encode(text)])[0]
            arrays[f"curve_{len(arrays)}"] = found.log_odds
            inserted.append(list(found.inserted))
            done += 1
            if progress:
                progress(done, steps)
        lengths = [*self.ks, *(len(text) for text in self.inserts)]
        said["curves"] = [{"k": k, "inserted": what} for k, what in zip(lengths, inserted, strict=True)]
        return Answer(arrays, said)

    def result(self, classifier: Classifier, one: Placed, answer: Answer) -> list[Scramble]:
        """The answer as `Mutations` gives it."""
        return curves_of(answer)

    def rows(self, one: Placed, answer: Answer) -> Iterator[dict[str, Any]]:
        """A row for each stretch of each curve; `position` is the stretch's first base, 0-based here."""
        for curve in curves_of(answer):
            draws, mean, spread = curve.probability, curve.mean, curve.spread
            inserted = ",".join(curve.inserted)
            for place, position in enumerate(curve.starts):
                yield {
                    "k": curve.k,
                    "position": int(position),
                    "mean": float(mean[place]),
                    "spread": float(spread[place]),
                    "low": float(draws[:, place].min()),
                    "high": float(draws[:, place].max()),
                    "inserted": inserted,
                    "bases": curve.k,
                }

    def tracks(self, one: Placed, answer: Answer) -> dict[str, np.ndarray]:
        """The mean probability at the middle of each stretch, for each curve."""
        found = {}
        for number, curve in enumerate(curves_of(answer)):
            scores = np.full(len(one), np.nan)
            scores[curve.starts + (curve.k - 1) // 2] = curve.mean
            name = f"k={curve.k}" if number < len(self.ks) else curve.inserted[0]
            found[f"scramble {answer.said['label']} {name}"] = scores
        return found


def curves_of(answer: Answer) -> list[Scramble]:
    """The curves of an answer."""
    return [
        Scramble(one["k"], np.arange(values.shape[1]), values, tuple(one["inserted"]))
        for one, values in zip(answer.said["curves"], answer.arrays.values(), strict=True)
    ]
