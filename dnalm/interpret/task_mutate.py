"""What changes do to a call, as a task for many sequences: every base, typed changes, a VCF's, pairs, indels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np

from dnalm.alphabet import Codes, decode, reverse_complement
from dnalm.errors import InputError
from dnalm.interpret.edits import Edit, VcfEdit, apply_edits, deletions, edited, insertions, parse_edits
from dnalm.interpret.kept import Answer
from dnalm.interpret.many import Progress
from dnalm.interpret.mutation import Epistasis, Mutations, Saturation, probability_of
from dnalm.interpret.placed import Placed
from dnalm.interpret.variants import TOLERANCE
from dnalm.model.predict import Classifier

Mode = Literal["saturation", "edits", "vcf", "pairs", "indels"]
LONGEST_INDEL = 50
INSERTED = 4
"""K-mers that are put in at each place: all four bases, or as many drawn ones of more bases."""
_AT_ONCE = 64  # variants of another length, each read from end to end
_CHANGE = ("id", "position", "ref", "alt", "probability", "delta", "log_odds_delta")


@dataclass(frozen=True)
class MutateTask:
    """Change a sequence; see `dnalm.interpret.mutation.Mutations`.

    Attributes:
        mode: `saturation`, every base to every other; `edits`, those typed, alone and together; `vcf`, those of a
            file; `pairs`, two at a time in a window; `indels`, so many bases out and in at each place.
        edits: typed changes, as `-12T>A,+3A>G`.
        changes: those of a VCF file.
        window: as `10-25` or `-14:-5`.
        size: bases out and in.
        label: the class; else the positive one, else the one called.
        tolerance: see `VariantScorer`.
    """

    mode: Mode = "saturation"
    edits: str = ""
    changes: tuple[VcfEdit, ...] = ()
    window: str = ""
    size: int = 1
    label: str | None = None
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        if self.mode == "indels" and not 1 <= self.size <= LONGEST_INDEL:
            raise InputError(f"indels of {self.size} bases; wanted: 1 to {LONGEST_INDEL}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the table."""
        if self.mode == "pairs":
            second = ("position_2", "ref_2", "alt_2")
            return (*_CHANGE[:4], *second, *_CHANGE[4:], "interaction")
        return (*_CHANGE, *{"edits": ("edit",), "vcf": ("variant",)}.get(self.mode, ()))

    @property
    def per_base(self) -> bool:
        """Whether it gives every base one score."""
        return self.mode == "saturation"

    def options(self) -> dict[str, Any]:
        """All of them; the VCF's changes by their hash."""
        changes = hashlib.sha256(repr(self.changes).encode()).hexdigest() if self.changes else None
        return {"mode": self.mode, "edits": self.edits, "changes": changes, "window": self.window} | {
            name: value for name, value in asdict(self).items() if name in ("size", "label", "tolerance")
        }

    def check(self, classifier: Classifier, one: Placed) -> None:
        """Refuse what does not fit a sequence before any work is done.

        Raises:
            InputError: REF is not what is there, a window or a change leaves the sequence.
        """
        if self.mode == "pairs":
            one.window(self.window)
        elif self.mode == "indels":
            if self.size >= len(one):
                raise InputError(f"{one.id}: {self.size} of its {len(one):,} bases cannot be taken out")
        else:
            self._changes(one)

    def explain(
        self, classifier: Classifier, one: Placed, generator: np.random.Generator, progress: Progress | None = None
    ) -> Answer:
        """Log-odds of each change."""
        mutations = Mutations(classifier, one.codes, label=self.label, tolerance=self.tolerance)
        probability = float(probability_of(np.float64(mutations.reference)))
        said = {"label": mutations.label, "probability": probability, "log_odds": mutations.reference}
        if self.mode == "saturation":
            return Answer({"log_odds": mutations.saturation(progress).log_odds}, said)
        if self.mode == "pairs":
            found = mutations.epistasis(*one.window(self.window), progress)
            return Answer({"pairs": found.pairs, "single": found.single}, said | {"start": found.start})
        if self.mode == "indels":
            names, changes = self._indels(one, generator)
        else:
            names, changes = self._changes(one)
        scores = _log_odds(mutations, one.codes, changes, progress)
        spans = [_span(one.codes, each) for each in changes]
        arrays = {
            "log_odds": scores,
            "position": np.array([edit.position for edit in spans], dtype=np.int64),
            "ref": np.array([edit.ref for edit in spans], dtype=np.str_),
            "alt": np.array([edit.alt for edit in spans], dtype=np.str_),
            "name": np.array(names, dtype=np.str_),
        }
        return Answer(arrays, said)

    def _changes(self, one: Placed) -> tuple[list[str], list[list[Edit]]]:
        """Names of changes and what each does; of several that are typed the last is all of them together."""
        if self.mode == "vcf":
            return self._of_file(one)
        if self.mode != "edits":
            return [], []
        try:
            edits = parse_edits(self.edits, one.site)
            if not edits:
                raise InputError("there is no change; wanted: -12T>A,+3A>G")
            for edit in edits:
                there = decode(one.codes[edit.position : edit.position + len(edit.ref)])
                if there != edit.ref and len(there) == len(edit.ref):
                    raise InputError(f"{edit.written(one.site)} does not fit, the sequence has {there} there")
                apply_edits(one.codes, [edit])
        except InputError as error:
            raise InputError(f"{one.id}: {error}") from None
        names, changes = [edit.written(one.site) for edit in edits], [[edit] for edit in edits]
        ends = sorted((edit.position, edit.position + len(edit.ref)) for edit in edits)
        apart = all(before[1] <= after[0] for before, after in pairwise(ends))
        if len(edits) > 1 and apart:
            return [*names, ",".join(names)], [*changes, edits]
        return names, changes

    def _of_file(self, one: Placed) -> tuple[list[str], list[list[Edit]]]:
        names, changes = [], []
        for change in self.changes:
            edit = one.read_change(change)
            if edit is None:
                continue
            there = one.codes[edit.position : edit.position + len(edit.ref)]
            if decode(there) != edit.ref:
                backwards = one.region is not None and one.region.strand == "-"
                found = decode(reverse_complement(there) if backwards else there) or "nothing"
                raise InputError(
                    f"{change.record}, position {change.edit.position + 1:,}: REF is {change.edit.ref}, but the"
                    f" sequence has {found} there"
                )
            names.append(change.id)
            changes.append([edit])
        return names, changes

    def _indels(self, one: Placed, generator: np.random.Generator) -> tuple[list[str], list[list[Edit]]]:
        if self.size == 1:
            kmers = ["A", "C", "G", "T"]
        else:
            kmers = [decode(row) for row in generator.integers(0, 4, (INSERTED, self.size), dtype=np.uint8)]
        edits = deletions(one.codes, self.size)
        edits += [edit for kmer in kmers for edit in insertions(one.codes, kmer)]
        return ["-"] * (len(one) - self.size + 1) + [k for k in kmers for _ in range(len(one))], [[e] for e in edits]

    def result(self, classifier: Classifier, one: Placed, answer: Answer) -> Saturation | Epistasis | None:
        """The answer as `Mutations` gives it; None of changes that are only listed."""
        if self.mode == "pairs":
            return Epistasis(answer.said["start"], answer.arrays["pairs"], answer.arrays["single"])
        if self.mode == "saturation":
            said = answer.said
            scores, span = answer.arrays["log_odds"], (0, len(one))
            return Saturation(one.codes, scores, said["log_odds"], classifier.name, said["label"], span)
        return None

    def rows(self, one: Placed, answer: Answer) -> Iterator[dict[str, Any]]:
        """A row for each change; positions are 0-based here."""
        begin = answer.said["log_odds"]
        if self.mode == "pairs":
            yield from _pair_rows(one, answer)
        elif self.mode == "saturation":
            text, scores = one.text, answer.arrays["log_odds"]
            for position, base in np.argwhere(one.codes[:, None] != np.arange(4)):
                row = {"position": int(position), "ref": text[position], "alt": "ACGT"[base]}
                yield row | _worth(scores[position, base], begin)
        else:
            arrays = answer.arrays
            extra = {"edits": "edit", "vcf": "variant"}.get(self.mode)
            for position, ref, alt, name, score in zip(
                *(arrays[each] for each in ("position", "ref", "alt", "name", "log_odds")), strict=True
            ):
                row = {"position": int(position), "ref": str(ref) or "-", "alt": str(alt) or "-", "bases": len(ref)}
                yield row | _worth(score, begin) | ({extra: str(name)} if extra else {})

    def tracks(self, one: Placed, answer: Answer) -> dict[str, np.ndarray]:
        """What each base is worth: its log-odds less the mean of the other three's."""
        name = f"mutation sensitivity {answer.said['label']}"
        return {name: -(answer.arrays["log_odds"] - answer.said["log_odds"]).sum(1) / 3}


def _worth(score: float, begin: float) -> dict[str, float]:
    probability = float(probability_of(np.float64(score)))
    delta = probability - float(probability_of(np.float64(begin)))
    return {"probability": probability, "delta": delta, "log_odds_delta": float(score - begin)}


def _pair_rows(one: Placed, answer: Answer) -> Iterator[dict[str, Any]]:
    start, pairs, single = answer.said["start"], answer.arrays["pairs"], answer.arrays["single"]
    begin, text = answer.said["log_odds"], one.text
    for at, base, there, other in np.argwhere(~np.isnan(pairs)):
        if at < there:
            first, second, both = start + int(at), start + int(there), pairs[at, base, there, other]
            row = {"position": first, "ref": text[first], "alt": "ACGT"[base]}
            row |= {"position_2": second + 1, "ref_2": text[second], "alt_2": "ACGT"[other]}
            worth = _worth(begin + single[at, base] + single[there, other] + both, begin)
            yield row | worth | {"interaction": float(both)}


def _span(codes: Codes, edits: Sequence[Edit]) -> Edit:
    """One change that does what several do: from the first base that one of them touches to the last."""
    if len(edits) == 1:
        return edits[0]
    first = min(edit.position for edit in edits)
    last = max(edit.position + len(edit.ref) for edit in edits)
    inside = [Edit(edit.position - first, edit.ref, edit.alt) for edit in edits]
    changed = apply_edits(codes[first:last], inside)
    return Edit(first, decode(codes[first:last]), decode(changed))


def _log_odds(
    mutations: Mutations, codes: Codes, changes: Sequence[Sequence[Edit]], progress: Progress | None
) -> np.ndarray:
    """Log-odds of changes, `(n,)`: of those that keep the length quickly, of the others each read whole."""
    found = np.empty(len(changes))
    keep = [number for number, edits in enumerate(changes) if all(len(e.ref) == len(e.alt) for e in edits)]
    if keep:
        found[keep] = mutations.of(np.stack([apply_edits(codes, changes[number]) for number in keep]))
    kept = set(keep)
    others = [number for number in range(len(changes)) if number not in kept]
    length, anchor = mutations.classifier.module.fixed_length, mutations.classifier.config.anchor
    for begin in range(0, len(others), _AT_ONCE):
        part = others[begin : begin + _AT_ONCE]
        texts = [edited(codes, changes[number], length=length, anchor=anchor) for number in part]
        least = mutations.classifier.module.least_length
        if any(len(text) < least for text in texts):
            raise InputError(f"{mutations.classifier.name} reads {least} bases or more; a change leaves fewer")
        found[part] = mutations.of_any(texts)
        if progress:
            progress(begin + len(part), len(others))
    return cast(np.ndarray, found)
