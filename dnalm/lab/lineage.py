"""Where models come from: genome, language model, fine-tuned language model, classifier; read from the bundles alone.

A bundle names each model that it came from with the hash of that model's weights, the nearest first. The hash decides:
a model that was renamed, or moved to another machine and back, is still the parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dnalm.model.config import BundleConfig

MOST_PARENTS = 16
MOST_GENOMES = 12
MOST_READ = 1000
LONGEST_NAME = 120
"""What a bundle says is not checked: what is drawn of it has bounds."""


class Stage(StrEnum):
    """What a node of the graph is, in the order in which one is made from another."""

    GENOME = "genome"
    LANGUAGE_MODEL = "language model"
    FINE_TUNED = "fine-tuned"
    CLASSIFIER = "classifier"
    TRACK = "track model"


@dataclass(frozen=True)
class Parent:
    """A model that another came from: the name it had then, and the SHA-256 of its weights."""

    name: str
    weights: str


@dataclass(frozen=True)
class Origin:
    """What one bundle says of where it came from.

    Attributes:
        model: its id, by which nodes refer to it.
        name: its name now.
        weights: SHA-256 of its weights.
        stage: what it is.
        parents: the models that it came from, the nearest first.
        genomes: the genomes that it read itself, by name; those of its parents are not among them.
    """

    model: str
    name: str
    weights: str
    stage: Stage
    parents: tuple[Parent, ...]
    genomes: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A genome or a model. `model` is the model's id; None for a genome and for a model that is not here."""

    key: str
    stage: Stage
    name: str
    model: str | None


@dataclass(frozen=True)
class Lineage:
    """Nodes, and edges from what was read to what was made of it, as pairs of nodes' keys."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]

    def node(self, key: str) -> Node:
        """The node of a key."""
        return next(node for node in self.nodes if node.key == key)

    def above(self, key: str) -> set[str]:
        """Keys of everything that a node came from."""
        return _reach(key, {(child, parent) for parent, child in self.edges})

    def below(self, key: str) -> set[str]:
        """Keys of everything that was made from a node."""
        return _reach(key, set(self.edges))

    def around(self, model: str) -> Lineage:
        """The part that one model came from and that came from it."""
        keys = {key for node in self.nodes if node.model == model for key in (node.key, *self._line(node.key))}
        nodes = tuple(node for node in self.nodes if node.key in keys)
        return Lineage(nodes, tuple(edge for edge in self.edges if set(edge) <= keys))

    def _line(self, key: str) -> set[str]:
        return self.above(key) | self.below(key)


def origin(model: str, name: str, config: BundleConfig, weights: str) -> Origin:
    """Read a bundle's own words on where it came from; what it does not say is left out."""
    told = (text.rpartition(" ") for text in config.parents[:MOST_PARENTS])
    parents = tuple(Parent(name[:LONGEST_NAME], digest) for name, _, digest in told if _hash(digest))
    made = Stage.FINE_TUNED if parents else Stage.LANGUAGE_MODEL
    stage = {"classifier": Stage.CLASSIFIER, "track": Stage.TRACK}.get(config.kind, made)
    return Origin(model, name, weights, stage, parents, _genomes(config.trained) if not parents else ())


def _hash(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def _genomes(trained: Mapping[str, Any]) -> tuple[str, ...]:
    told = trained.get("config")
    named = told.get("genomes") if isinstance(told, dict) else None
    return tuple(Path(str(name)).name[:LONGEST_NAME] for name in named[:MOST_READ]) if isinstance(named, list) else ()


def draw_lineage(origins: Iterable[Origin]) -> Lineage:
    """The graph of all models of a list, with the genomes that they read and the parents that are not here."""
    found = list(origins)
    by_weights: dict[str, list[Origin]] = {}
    for one in found:
        by_weights.setdefault(one.weights, []).append(one)
    nodes: dict[str, Node] = {one.model: Node(one.model, one.stage, one.name, one.model) for one in found}
    edges: dict[tuple[str, str], None] = {}
    for one in found:
        below = one.model
        for place, parent in enumerate(one.parents):
            known = _same(by_weights.get(parent.weights, ()), parent.name, below)
            key = known.model if known else f"gone:{parent.weights}"
            if known is None:
                last = place == len(one.parents) - 1
                stage = Stage.LANGUAGE_MODEL if last else Stage.FINE_TUNED
                nodes.setdefault(key, Node(key, stage, parent.name, None))
            edges[key, below] = None
            if known:
                break  # what it came from, it says itself
            below = key
        for key, title in _titles(one):
            nodes.setdefault(key, Node(key, Stage.GENOME, title, None))
            edges[key, one.model] = None
    return Lineage(tuple(nodes.values()), tuple(edges))


def _titles(one: Origin) -> Iterator[tuple[str, str]]:
    """Keys and titles of a model's genomes; of very many the first, and how many more."""
    shown = one.genomes if len(one.genomes) <= MOST_GENOMES else one.genomes[: MOST_GENOMES - 1]
    for genome in shown:
        yield f"genome:{genome}", genome
    if more := len(one.genomes) - len(shown):
        yield f"genomes:{one.model}", f"{more} more genomes"


def dependents(origins: Sequence[Origin], model: str) -> list[Origin]:
    """The models that came from one, at any remove; none where another model here has the same weights."""
    (own,) = [one for one in origins if one.model == model]
    if any(one.weights == own.weights and one.model != model for one in origins):
        return []
    above = {parent.weights for parent in own.parents}
    # Bundles that name each other as parent would otherwise keep each other for ever.
    below = [one for one in origins if one.model != model and one.weights not in above]
    return [one for one in below if any(parent.weights == own.weights for parent in one.parents)]


def _same(candidates: Sequence[Origin], name: str, child: str) -> Origin | None:
    """Of several models with the same weights the one of that name, else the first; a model is not its own parent."""
    others = [one for one in candidates if one.model != child]
    return next((one for one in others if one.name == name), others[0] if others else None)


def _reach(start: str, edges: set[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        for source, target in edges:
            if source == here and target not in found:
                found.add(target)
                waiting.append(target)
    return found
