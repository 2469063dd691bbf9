"""From a classifier and sequences to its motifs, what they match, and how far apart the promoter's boxes are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnalm.alphabet import Codes
from dnalm.errors import InputError
from dnalm.interpret.attribution import Attribution, Baseline, Method, attribute, class_of
from dnalm.interpret.elements import KNOWN, Known
from dnalm.interpret.matching import PERMUTATIONS, Match, match_motifs
from dnalm.interpret.modisco import find_motifs_modisco
from dnalm.interpret.motifs import SMALLEST, MotifSet, find_motifs
from dnalm.interpret.place import MINUS_10_PLACE, share_at_place, share_by_chance
from dnalm.interpret.seqlets import FDR
from dnalm.interpret.spacing import Spacing, measure_spacing
from dnalm.metrics import Figure
from dnalm.model.predict import Classifier
from dnalm.sequences.shuffle import dinucleotide_shuffles

Progress = Callable[[int, int], None]

ENGINES = ("dnalm", "modisco")
NULLS = ("scores", "sequences")
BOXES = ("-35", "-10")
SURE = 0.05
"""The q-value up to which a match is one."""

Attributed = Callable[[Sequence[Codes], str], list[Attribution]]
"""Attributes sequences to a class."""


@dataclass(frozen=True)
class MotifReport:
    """What a model reads in many sequences.

    Attributes:
        model: the classifier's name.
        label: the class that the contributions speak for.
        method: of the attribution.
        baseline: of the attribution; empty where the method has none.
        given: sequences that there were.
        used: index among them of each that was looked through: those that the model calls the class.
        motifs: what was found; its places name sequences by their index among those used.
        matches: with known motifs, every pair.
        spacing: from the -35 to the -10 box, where the windows have an anchor; else None.
        minus_10: share of the sequences whose strongest six bases overlap -14 to -5, with its interval; None without
            an anchor.
        minus_10_by_chance: that share for six bases put anywhere; nan without an anchor.
    """

    model: str
    label: str
    method: str
    baseline: str
    given: int
    used: tuple[int, ...]
    motifs: MotifSet
    matches: tuple[Match, ...]
    spacing: Spacing | None
    minus_10: Figure | None
    minus_10_by_chance: float

    def best_match(self, motif: str) -> Match | None:
        """A motif's best match that is sure, with a q-value up to .05; None where there is none."""
        return next((one for one in self.matches if one.motif == motif and one.q_value <= SURE), None)

    @property
    def reads_a_box(self) -> bool:
        """Whether a motif matches one of sigma 70's boxes: only then the distance between them says something."""
        names = {one.known for one in self.matches if one.q_value <= SURE}
        return any(box in name for name in names for box in BOXES)


def explain_motifs(
    classifier: Classifier,
    sequences: Sequence[Codes],
    *,
    generator: np.random.Generator,
    method: Method = "integrated-gradients",
    baseline: Baseline = "uniform",
    label: str | None = None,
    known: Sequence[Known] = KNOWN,
    every: bool = False,
    engine: str = "dnalm",
    null: str = "scores",
    fdr: float = FDR,
    smallest: int = SMALLEST,
    permutations: int = PERMUTATIONS,
    attributed: Attributed | None = None,
    progress: Progress | None = None,
) -> MotifReport:
    """Find what a model reads in sequences of one class.

    Args:
        classifier: the model.
        sequences: base codes, n arrays of shape `(length,)`.
        generator: of the attribution's draws, the null, the permutations and the bootstrap; each takes its own stream,
            so that one does not change with another's options.
        method: of the attribution.
        baseline: of the attribution.
        label: the class; else the model's positive one.
        known: motifs that those found are held against.
        every: also look through sequences that the model does not call the class.
        engine: `dnalm`, or `modisco` for long sequences.
        null: what stretches are held against: `scores`, the same with their positions shuffled; `sequences`, those of
            the sequences with their dinucleotides shuffled, which takes twice as long and finds less: what the model
            takes for a word in them counts as chance.
        fdr: false discovery rate of the seqlets.
        smallest: seqlets of the smallest motif.
        permutations: of each motif, for the p-values of its matches.
        attributed: attributes the sequences to a class, in place of `attribute`: in several processes, say; method and
            baseline are then its own affair.
        progress: called with sequences attributed and all.

    Raises:
        InputError: an unknown class, engine or null, several classes and none named, or no sequence that the model
            calls the class.
    """
    if engine not in ENGINES:
        raise InputError(f"{engine!r} is no engine for motifs; wanted: {', '.join(ENGINES)}")
    if null not in NULLS or (null == "sequences" and engine != "dnalm"):
        raise InputError(f"{null!r} is no null of the engine {engine}; wanted: {', '.join(NULLS)} (modisco: scores)")
    name = _label(classifier, label)
    draws, shuffles, chance, resamples = generator.spawn(4)
    used = _called(classifier, sequences, name) if not every else list(range(len(sequences)))
    if not used:
        raise InputError(f"{classifier.name} calls none of the {len(sequences):,} sequences {name}: nothing to explain")
    codes = [np.asarray(sequences[row]) for row in used]
    told: dict[str, Any] = {"method": method, "baseline": baseline, "label": name, "generator": draws}
    read = [*codes, *(dinucleotide_shuffles(one, 1, shuffles)[0] for one in codes)] if null == "sequences" else codes
    found = attributed(read, name) if attributed else attribute(classifier, read, progress=progress, **told)
    scores: list[NDArray[Any]] = [one.bases for one in found[: len(codes)]]
    anchor = classifier.config.anchor
    options: dict[str, Any] = {"generator": shuffles, "anchor": anchor, "fdr": fdr, "smallest": smallest}
    if null == "sequences":
        options["null"] = [one.bases for one in found[len(codes) :]]
    motifs = (find_motifs if engine == "dnalm" else find_motifs_modisco)(codes, scores, **options)
    matches = match_motifs(
        motifs.motifs, known, generator=chance, both_strands=anchor is None, permutations=permutations
    )
    spacing, minus_10, even = None, None, float("nan")
    if anchor is not None and anchor + MINUS_10_PLACE[0] >= 0:
        spacing = measure_spacing(codes, scores, generator=resamples, anchor=anchor)
        minus_10 = share_at_place(scores, anchor, generator=resamples)
        even = float(np.mean([share_by_chance(len(one), anchor) for one in codes]))
    return MotifReport(
        classifier.name,
        name,
        found[0].method,
        found[0].baseline,
        len(sequences),
        tuple(used),
        motifs,
        tuple(matches),
        spacing,
        minus_10,
        even,
    )


def _label(classifier: Classifier, label: str | None) -> str:
    labels = classifier.config.labels
    if label is None and classifier.config.positive is None:
        raise InputError(f"{classifier.name} tells {len(labels)} classes apart; name one of {', '.join(labels)}")
    return labels[class_of(classifier, label, np.zeros(len(labels), np.float32))]


def _called(classifier: Classifier, sequences: Sequence[Codes], label: str) -> list[int]:
    """Which sequences the model calls the class."""
    rows = classifier.probabilities(list(sequences))
    return [number for number, row in enumerate(rows) if classifier.call(row).label == label]
