"""Which figures of several models may stand side by side: those measured on the same sequences, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.figures import HEADLINE, Shown, all_figures, headline
from dnalm.model.bundle import Bundle


@dataclass(frozen=True)
class Group:
    """Models that were measured on the same sequences.

    Attributes:
        title: what those are; empty where a model does not say.
        bundles: the models.
        digest: SHA-256 of the sequences; empty where a model does not say.
    """

    title: str
    bundles: tuple[Bundle, ...]
    digest: str = ""

    def hint(self, others: Sequence[Group]) -> str:
        """What tells these sequences from others that are called the same."""
        alike = [group for group in others if group.title == self.title]
        return f", table {self.digest[:8]}…" if self.digest and len(alike) > 1 else ""

    def shared(self) -> list[str]:
        """Names of the figures that all have, in the order of the first."""
        first, *others = [{figure.name for figure in best(bundle).values()} for bundle in self.bundles]
        order = [name for name in best(self.bundles[0]) if name in first.intersection(*others)]
        return sorted(order, key=lambda name: HEADLINE.index(name) if name in HEADLINE else len(HEADLINE))


def best(bundle: Bundle) -> dict[str, Shown]:
    """A model's figures by name, each on what the model saw least of."""
    found: dict[str, Shown] = {figure.name: figure for figure in reversed(all_figures(bundle.metrics))}
    return found | {figure.name: figure for figure in headline(bundle.metrics, most=len(HEADLINE))}


def groups(bundles: Sequence[Bundle]) -> list[Group]:
    """Put models together that were measured on the same sequences; one that does not say on which stands alone."""
    found: dict[tuple[Any, ...], tuple[str, list[Bundle]]] = {}
    for bundle in bundles:
        key, title = measured(bundle)
        found.setdefault(key or ("nobody knows", bundle.folder), (title, []))[1].append(bundle)
    return [Group(title, tuple(members), str(key[1]) if title else "") for key, (title, members) in found.items()]


def measured(bundle: Bundle) -> tuple[tuple[Any, ...] | None, str]:
    """What a model's figures were measured on: by hash, and for people. None where the bundle does not say."""
    metrics, trained = bundle.metrics, bundle.config.trained
    data = trained.get("data")
    data = data if isinstance(data, dict) else {}
    digest, split, name = (str(data.get(field) or "") for field in ("sha256", "split", "dataset"))
    if bundle.config.kind == "classifier":
        test = metrics.get("test")
        count = test.get("n") if isinstance(test, dict) else None
        if digest and split and isinstance(count, int):
            return ("test", digest, split, count), f"{count:,} test sequences of {name} ({split} split)"
        return None, ""
    where = str(metrics.get("split") or "")
    if text := metrics.get("corpus_sha256"):
        told = trained.get("config")
        genomes = told.get("genomes") if isinstance(told, dict) else None
        named = [Path(str(genome)).name for genome in genomes] if isinstance(genomes, list) else ["the same genomes"]
        return ("text", str(text), where), f"held-out text of {', '.join(named)}"
    if digest and where:
        return ("validation", digest, where), f"validation sequences of {name}"
    return None, ""
