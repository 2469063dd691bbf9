"""What each base of a sequence adds, as a task for many sequences: options, answer, table, track."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from dnalm.interpret.attribution import SHUFFLES, STEPS, SUMMING, Attribution, Baseline, Method, attribute
from dnalm.interpret.kept import Answer
from dnalm.interpret.many import Progress
from dnalm.interpret.placed import Placed
from dnalm.model.predict import Classifier


@dataclass(frozen=True)
class SaliencyTask:
    """Attribute a call to the bases; see `dnalm.interpret.attribution.attribute`."""

    columns: ClassVar[tuple[str, ...]] = ("id", "position", "base", "score")
    per_base: ClassVar[bool] = True

    method: Method = "integrated-gradients"
    baseline: Baseline = "shuffled"
    label: str | None = None
    steps: int = STEPS
    shuffles: int = SHUFFLES
    composition: list[float] | None = None

    def options(self) -> dict[str, Any]:
        """All of them."""
        return asdict(self)

    def check(self, classifier: Classifier, one: Placed) -> None:
        """Nothing of a sequence can be wrong but what its model does not read."""

    def explain(
        self, classifier: Classifier, one: Placed, generator: np.random.Generator, progress: Progress | None = None
    ) -> Answer:
        """The scores, and what is to be minded."""
        codes = one.codes.copy()  # torch warns of arrays that cannot be written
        found = attribute(classifier, [codes], generator=generator, progress=progress, **asdict(self))[0]
        begin = found.baseline_log_odds
        said = {
            "label": found.label,
            "probability": found.probability,
            "log_odds": found.log_odds,
            "baseline": found.baseline or None,
            "baseline_log_odds": None if np.isnan(begin) else begin,
            "delta": found.delta if found.method in SUMMING else None,
            "warning": found.warning or None,
        }
        return Answer({"scores": found.scores}, said)

    def result(self, classifier: Classifier, one: Placed, answer: Answer) -> Attribution:
        """The answer as `attribute` gives it."""
        said = answer.said
        begin = said["baseline_log_odds"]
        return Attribution(
            one.codes,
            answer.arrays["scores"],
            classifier.name,
            said["label"],
            self.method,
            said["baseline"] or "",
            said["log_odds"],
            float("nan") if begin is None else begin,
        )

    def rows(self, one: Placed, answer: Answer) -> Iterator[dict[str, Any]]:
        """A row for each base; `position` is 0-based here."""
        text, scores = one.text, answer.arrays["scores"].sum(1)
        for position, (base, score) in enumerate(zip(text, scores, strict=True)):
            yield {"position": position, "base": base, "score": float(score)}

    def tracks(self, one: Placed, answer: Answer) -> dict[str, np.ndarray]:
        """A score for each base, by name."""
        return {f"{self.method} {answer.said['label']}": answer.arrays["scores"].sum(1)}
