"""What the tests of faithfulness found of one model: to JSON and back, and in one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnalm.errors import InputError
from dnalm.metrics import Figure

SCHEMA = 1
KEY = "explanations"
"""Under which a model's own `metrics.json` has them."""
NAMES = {
    "integrated-gradients": "integrated gradients",
    "saliency": "saliency",
    "input-x-gradient": "input x gradient",
    "gradient-shap": "gradient SHAP",
    "occlusion": "occlusion",
    "embedding-gradients": "gradients of the embedding",
    "mutation": "mutation",
}
BASELINE_NAMES = {"shuffled": "shuffles", "background": "the sequence's own composition", "uniform": "even bases"}


@dataclass(frozen=True)
class MeanCurves:
    """Means over sequences and draws at each share of bases replaced (deletion) or put back (insertion).

    Attributes:
        deletion: log-odds, in nats.
        deletion_probability: of the class.
        insertion: log-odds.
        insertion_probability: of the class.
    """

    deletion: tuple[float, ...]
    deletion_probability: tuple[float, ...]
    insertion: tuple[float, ...]
    insertion_probability: tuple[float, ...]


@dataclass(frozen=True)
class OfWay:
    """What one way of attribution reached.

    Attributes:
        method: one of `dnalm.interpret.attribution.METHODS`, or `mutation`.
        baseline: one of its `BASELINES`; empty where the method has none.
        fall: what replacing bases in its order, the highest first, takes from the log-odds, its mean on the way from
            none to all bases: the area between deletion curve and start, in nats.
        deletion: that area over that of random order, bases drawn evenly; nan where random order's may be 0.
        early: the same for the first fifth of the bases alone.
        insertion: area of what putting them back in its order adds, over that of random order.
        deletion_shuffled: as `deletion`, with bases replaced from dinucleotide shuffles.
        insertion_shuffled: as `insertion`, into dinucleotide shuffles.
        curves: the mean curves, bases drawn evenly.
        stability: rank correlation with a second run that draws otherwise; None where nothing is drawn.
        head_redrawn: rank correlation with the same model after the weights of its head were drawn anew.
        all_redrawn: the same after all weights were.
    """

    method: str
    baseline: str
    fall: Figure
    deletion: Figure
    early: Figure
    insertion: Figure
    deletion_shuffled: Figure
    insertion_shuffled: Figure
    curves: MeanCurves
    stability: Figure | None
    head_redrawn: Figure | None
    all_redrawn: Figure | None

    @property
    def name(self) -> str:
        """Method and baseline, as `Agreement` names them."""
        return f"{self.method} {self.baseline}".strip()

    @property
    def words(self) -> str:
        """Method and baseline for people."""
        words = NAMES.get(self.method, self.method)
        return f"{words} from {BASELINE_NAMES.get(self.baseline, self.baseline)}" if self.baseline else words


@dataclass(frozen=True)
class Agreement:
    """How alike two ways rank the bases of a sequence.

    Attributes:
        one: `OfWay.name`.
        other: of the other.
        correlation: mean over the sequences of Spearman's correlation.
    """

    one: str
    other: str
    correlation: Figure


@dataclass(frozen=True)
class Faithfulness:
    """What was found of one model.

    Attributes:
        model: its name.
        weights: SHA-256 of its weights: with others, these figures say nothing.
        label: the class explained; None: of each sequence the one called.
        n: sequences.
        checked: how many of them were looked at again with other draws and other weights.
        draws: of what bases became.
        shares: of the known bases, where the curves were read.
        random: the curves of random order.
        random_fall: its `OfWay.fall`.
        ways: each way of attribution.
        agreement: each pair of ways.
        dataset: name of the labelled set, or the file.
        data_sha256: of the set; empty for a file.
        split: part of the set; empty for a file.
        seed: of all that was drawn.
        command: what to type to see the same.
    """

    model: str
    weights: str
    label: str | None
    n: int
    checked: int
    draws: int
    shares: tuple[float, ...]
    random: MeanCurves
    random_fall: Figure
    ways: tuple[OfWay, ...]
    agreement: tuple[Agreement, ...]
    dataset: str = ""
    data_sha256: str = ""
    split: str = ""
    seed: int = 0
    command: str = ""

    @property
    def best(self) -> OfWay:
        """The way whose deletion takes most."""
        return max(self.ways, key=lambda way: way.fall.value)

    def way(self, method: str, baseline: str | None = None) -> OfWay | None:
        """What was found of a method, with this baseline where that was measured, else with the first that was."""
        some = [way for way in self.ways if way.method == method]
        return next((way for way in some if way.baseline == baseline), some[0] if some else None)

    def between(self, one: OfWay, other: OfWay) -> Figure | None:
        """How alike two ways rank."""
        names = {one.name, other.name}
        return next((pair.correlation for pair in self.agreement if {pair.one, pair.other} == names), None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"schema": SCHEMA, **_plain(self)}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Faithfulness:
        """From JSON.

        Raises:
            InputError: it is no such object.
        """
        try:
            if found["schema"] != SCHEMA:
                raise InputError(f"figures of faithfulness of schema {found['schema']!r}; this dnalm reads {SCHEMA}")
            fields = {name: value for name, value in found.items() if name != "schema"}
            fields["shares"] = tuple(fields["shares"])
            fields["random"] = _curves(fields["random"])
            fields["random_fall"] = _figure(fields["random_fall"])
            fields["ways"] = tuple(_way(way) for way in fields["ways"])
            fields["agreement"] = tuple(
                Agreement(pair["one"], pair["other"], _figure(pair["correlation"])) for pair in fields["agreement"]
            )
            return cls(**fields)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"figures of faithfulness that cannot be read: {error!r}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Figure):
        return value.as_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def _figure(found: Mapping[str, Any]) -> Figure:
    value, low, high = (math.nan if found[key] is None else float(found[key]) for key in ("value", "low", "high"))
    return Figure(value, low, high, int(found["n"]))


def _curves(found: Mapping[str, Any]) -> MeanCurves:
    return MeanCurves(**{name: tuple(float(value) for value in values) for name, values in found.items()})


def _way(found: Mapping[str, Any]) -> OfWay:
    fields = {
        name: value if isinstance(value, str) or value is None else _figure(value)
        for name, value in found.items()
        if name != "curves"
    }
    return OfWay(**fields, curves=_curves(found["curves"]))


def in_one_line(found: Faithfulness, method: str, baseline: str | None = None) -> str:
    """What to think of a picture by this method, in one plain sentence; empty where the method was not measured.

    Args:
        found: of the model.
        method: of the picture.
        baseline: of the picture; where only another was measured, the sentence names that one.
    """
    way = found.way(method, baseline)
    if way is None:
        return ""
    words = way.words[:1].upper() + way.words[1:]
    parts = [f"{words} on this model: {_taken(way)}"]
    mutation = found.way("mutation")
    if mutation is not None and mutation is not way:
        agreement = found.between(way, mutation)
        if agreement is not None and not math.isnan(agreement.value):
            parts.append(f"rank agreement with mutation {_share(agreement)}")
    if way.stability is not None:
        parts.append(f"with other draws {_share(way.stability)}")
    if way.all_redrawn is not None:
        parts.append(f"with weights drawn anew {_share(way.all_redrawn)}")
    held_out = "held-out sequences" if found.split == "test" else "sequences"
    return f"{'; '.join(parts)} ({found.n:,} {held_out})."


def _taken(way: OfWay) -> str:
    """What replacing the bases ranked highest does, beside random ones."""
    beginning = "replacing the bases it ranks highest takes"
    if math.isnan(way.deletion.value):
        return f"{beginning} {_nats(way.fall)} from the log-odds on the way, replacing random ones nothing for sure"
    interval = "" if math.isnan(way.deletion.low) else f" [{way.deletion.low:.1f}, {way.deletion.high:.1f}]"
    return f"{beginning} {way.deletion.value:.1f}{interval} times as much from the log-odds as replacing random ones"


def _nats(figure: Figure) -> str:
    interval = "" if math.isnan(figure.low) else f" [{figure.low:.1f}, {figure.high:.1f}]"
    return f"{figure.value:.1f}{interval}"


def _share(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "unknown"
    text = f"{figure.value:.2f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
