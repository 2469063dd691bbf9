"""The figures of a model's `metrics.json`, found and written for people: value, 95 % interval, how many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dnalm.interpret.faithfulness_result import KEY as EXPLANATIONS

TITLES = {
    "mcc": "MCC",
    "accuracy": "Accuracy",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "precision": "Precision",
    "recall": "Sensitivity (recall)",
    "specificity": "Specificity",
    "f1": "F1",
    "macro_f1": "F1, mean over the classes",
    "brier": "Brier score",
    "bits_per_base": "Bits per base",
    "perplexity": "Perplexity",
}
# What a card shows first, of those that a model has.
HEADLINE = (
    "bits_per_base",
    "mcc",
    "accuracy",
    "macro_f1",
    "auroc",
    "auprc_within_100",
    "recall_at_500_calls_within_100",
)
_WITHIN = "_within_"
# A figure on what the model was chosen by says less than one on what it never saw.
_PREFERRED = ("test", "held", "cross", "fold", "valid")


@dataclass(frozen=True)
class Shown:
    """One figure: `where` names the part of `metrics.json` it stands in, outermost first."""

    name: str
    value: float
    low: float | None
    high: float | None
    n: int | None
    where: tuple[str, ...]

    @property
    def title(self) -> str:
        """What people call it: `auprc_within_100` of calls along a genome is the AUPRC within 100 bases."""
        name, within, bases = self.name.partition(_WITHIN)
        words = TITLES.get(name, name.replace("_", " "))
        return f"{words} within {bases} bases" if within else words

    def __str__(self) -> str:
        """Value and interval: `0.812 (95 % 0.764 to 0.858)`."""
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} (95 % {self.low:.3f} to {self.high:.3f})"


def measured_on(metrics: dict[str, Any], figure: Shown) -> str:
    """What a figure was measured on, in the words of `metrics.json`; empty where it does not say."""
    split = metrics.get("split")
    places = [part.replace("_", " ") for part in figure.where if part != "figures"]
    return ", ".join([*places, *([split] if isinstance(split, str) else [])])


def all_figures(metrics: dict[str, Any]) -> list[Shown]:
    """Every figure in a model's metrics, in their order; those of its explanations are told beside the pictures."""
    return list(_walk({name: value for name, value in metrics.items() if name != EXPLANATIONS}, ()))


def headline(metrics: dict[str, Any], most: int = 3) -> list[Shown]:
    """The figures that a card shows: of each kind the one on what the model saw least of."""
    found = all_figures(metrics)
    chosen = []
    for name in HEADLINE:
        same = [figure for figure in found if figure.name == name]
        if same:
            chosen.append(min(same, key=lambda figure: (_rank(figure.where), len(figure.where))))
    return chosen[:most]


def _rank(where: tuple[str, ...]) -> int:
    text = " ".join(where).lower()
    return next((rank for rank, word in enumerate(_PREFERRED) if word in text), len(_PREFERRED))


def _walk(node: Any, where: tuple[str, ...]) -> Iterator[Shown]:
    if not isinstance(node, dict):
        return
    for name, value in node.items():
        if isinstance(value, dict) and isinstance(value.get("value"), int | float):
            yield Shown(
                str(name),
                float(value["value"]),
                _number(value.get("low")),
                _number(value.get("high")),
                int(value["n"]) if isinstance(value.get("n"), int | float) else None,
                where,
            )
        else:
            yield from _walk(value, (*where, str(name)))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
