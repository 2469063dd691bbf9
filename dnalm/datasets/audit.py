"""What a dataset would let a lazy model get away with: copies, shared stretches, length, GC, start codons.

Each finding is a number with what it was counted over; `warnings` says in a sentence what a reader of a
result on this dataset must know.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes, gc_content, reverse_complement
from dnalm.datasets.dataset import BY_SOURCE, BY_STRETCH, Dataset
from dnalm.datasets.splits import SPLITS, STRETCH, shared_with, stretch_groups
from dnalm.metrics import Figure, binary_metrics, binary_statistics, bootstrap_figures, choose_threshold

START_CODONS = ("ATG", "GTG", "TTG")
START_CODON_WINDOW = 150
START_CODON_AT = 100
_RESAMPLES = 1000
_MANY_LABELS = 10  # of which each has its interval: with more, a tenth of the resamples does
_SEED = 20_261_101  # the intervals' resamples; fixed, so that an audit of one dataset is always the same


def leak(dataset: Dataset, length: int = STRETCH) -> dict[str, dict[str, float | None]]:
    """Sequences of valid and test that have a near copy among the training sequences.

    Args:
        dataset: the dataset; what makes a near copy is its own to say (`Dataset.grouped_by`).
        length: bases of a shared stretch, on either strand.

    Returns:
        For "valid" and "test": `shared` (how many), `of` (sequences there), `share` (None when empty).
    """
    outside = (dataset.table["split"] != "train").to_numpy()
    held = dataset.table[outside]
    if dataset.grouped_by == BY_STRETCH:
        hit = shared_with(dataset.codes(held), dataset.codes(dataset.part("train")), length)
    else:
        groups = dataset.groups()
        hit = np.isin(groups[outside], groups[~outside])
    found = {}
    for part in SPLITS[1:]:
        rows = (held["split"] == part).to_numpy()
        shared, of = int(hit[rows].sum()), int(rows.sum())
        found[part] = {"shared": shared, "of": of, "share": shared / of if of else None}
    return found


def group_summary(groups: NDArray[np.int64]) -> dict[str, int]:
    """How many groups of shared stretches there are, how many hold one sequence, and the largest."""
    sizes = np.bincount(groups)
    return {"groups": len(sizes), "singles": int((sizes == 1).sum()), "largest": int(sizes.max())}


def _duplicates(dataset: Dataset, codes: list[Codes]) -> dict[str, int]:
    """Copies of an earlier sequence, and what they straddle."""
    forward = [array.tobytes() for array in codes]
    reverse = [reverse_complement(array).tobytes() for array in codes]
    frame = pd.DataFrame(
        {
            "forward": forward,
            "either": [min(pair) for pair in zip(forward, reverse, strict=True)],
            "label": dataset.table["label"].to_numpy(),
            "split": dataset.table["split"].to_numpy(),
        }
    )
    exact = int(frame["forward"].duplicated().sum())
    either = int(frame["either"].duplicated().sum())
    grouped = frame.groupby("either")
    return {
        "exact": exact,
        "reverse_complement": either - exact,
        "sequences_with_two_labels": int((grouped["label"].nunique() > 1).sum()),
        "sequences_in_two_splits": int((grouped["split"].nunique() > 1).sum()),
    }


def _spread(values: NDArray[np.float64]) -> dict[str, float | None]:
    values = values[np.isfinite(values)]
    if not len(values):
        return {"mean": None, "sd": None, "min": None, "median": None, "max": None}
    numbers = (values.mean(), values.std(), values.min(), np.median(values), values.max())
    return dict(zip(("mean", "sd", "min", "median", "max"), (round(float(x), 6) for x in numbers), strict=True))


def _auroc(truth: NDArray[np.bool_], score: NDArray[np.float64], groups: NDArray[np.int64], resamples: int) -> Figure:
    statistics = binary_statistics(truth, score, 0.5, names=("auroc",))
    generator = np.random.default_rng(_SEED)
    return bootstrap_figures(statistics, len(truth), generator=generator, resamples=resamples, groups=groups)["auroc"]


def _alone(dataset: Dataset, feature: NDArray[np.float64], groups: NDArray[np.int64]) -> dict[str, Any]:
    """How well one number per sequence (0 to 1) tells each label from the rest, its best direction taken.

    For two labels also what a cut chosen on train achieves on test.
    """
    labels = dataset.table["label"].to_numpy()
    split = dataset.table["split"].to_numpy()
    names = [dataset.positive] if dataset.positive else dataset.labels
    resamples = _RESAMPLES if len(names) <= _MANY_LABELS else _RESAMPLES // 10
    result: dict[str, Any] = {}
    for name in names:
        truth = labels == name
        higher = feature[truth].mean() >= feature[~truth].mean()
        score = feature if higher else 1 - feature
        found: dict[str, Any] = {
            "direction": "higher" if higher else "lower",
            "auroc": _auroc(truth, score, groups, resamples).as_dict(),
        }
        train, test = split == "train", split == "test"
        if dataset.positive and all(0 < truth[part].sum() < part.sum() for part in (train, test)):
            cut = choose_threshold(truth[train], score[train], by="accuracy")
            figures = binary_metrics(
                truth[test],
                score[test],
                threshold=cut,
                generator=np.random.default_rng(_SEED),
                groups=groups[test],
            )
            found["test"] = {key: figures[key].as_dict() for key in ("accuracy", "mcc", "auroc")}
            found["test"]["majority_accuracy"] = float(max(truth[test].mean(), 1 - truth[test].mean()))
        result[str(name)] = found
    return result


def start_codon_rule(dataset: Dataset) -> dict[str, Any] | None:
    """What "positive where bases 100 to 102 are ATG, GTG or TTG" achieves; None where it does not apply.

    It applies to two labels and windows of 150 bases: those cut at gene starts show the start codon there.
    """
    if dataset.window != START_CODON_WINDOW or dataset.positive is None:
        return None
    codon = dataset.table["sequence"].str.slice(START_CODON_AT, START_CODON_AT + 3)
    truth = (dataset.table["label"] == dataset.positive).to_numpy()
    called = codon.isin(START_CODONS).to_numpy()
    result: dict[str, Any] = {"codon_hidden": bool((codon == "NNN").all())}
    test = (dataset.table["split"] == "test").to_numpy()
    for part, rows in (("all", np.ones_like(test)), ("test", test)):
        if 0 < truth[rows].sum() < rows.sum():
            figures = binary_metrics(
                truth[rows],
                called[rows].astype(float),
                threshold=0.5,
                generator=np.random.default_rng(_SEED),
            )
            result[part] = {key: figures[key].as_dict() for key in ("accuracy", "mcc")}
    return result


def _listed(names: list[str], most: int = 3) -> str:
    """The first few, and how many more."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _warnings(found: dict[str, Any]) -> list[str]:
    said = []
    absent: dict[str, list[str]] = {}
    for label, counts in found["counts"].items():
        parts = [part for part in SPLITS[1:] if not counts[part] and found["shared_stretches"][part]["of"]]
        if parts:
            absent.setdefault(" and no ".join(parts), []).append(label)
    for parts, names in absent.items():
        said.append(
            f"No {parts} sequence is {_listed(names)}, so nothing can be measured for it: it has too few "
            "sequences, or they all share a stretch (an adapter, a repeat) and so stay on one side."
        )
    shares = "come from a gene of which" if found["grouped_by"] == BY_SOURCE else "share a stretch with"
    also = "training sequences come too" if found["grouped_by"] == BY_SOURCE else "a training sequence"
    for part, numbers in found["shared_stretches"].items():
        if numbers["shared"]:
            said.append(
                f"{numbers['shared']} of {numbers['of']} {part} sequences ({numbers['share']:.1%}) {shares} "
                f"{also}: figures measured there flatter the model."
            )
    copies = found["duplicates"]
    if copies["sequences_with_two_labels"]:
        said.append(f"{copies['sequences_with_two_labels']} sequences stand under two labels.")
    for name, feature in (("GC content", "gc_alone"), ("Length", "length_alone")):
        reached = {label: numbers["auroc"]["value"] or 0.0 for label, numbers in (found[feature] or {}).items()}
        told = [f"{label} with AUROC {area:.3f}" for label, area in reached.items() if area >= 0.75]
        if told:
            said.append(f"{name} alone tells {_listed(told)}.")
    rule = found["start_codon_rule"]
    if rule and not rule["codon_hidden"] and rule["all"]["accuracy"]["value"] >= 0.75:
        said.append(
            f"The rule 'ATG, GTG or TTG at base {START_CODON_AT}' alone has accuracy "
            f"{rule['all']['accuracy']['value']:.3f}: use the masked twin for the headline."
        )
    return said


def audit(dataset: Dataset, length: int = STRETCH) -> dict[str, Any]:
    """Report what could make results on a dataset look better than they are.

    Args:
        dataset: the dataset.
        length: bases of a shared stretch.

    Returns:
        A dict that goes into JSON as it is: `rows`, `counts` (label, split), `duplicates`, `grouped_by` and `groups`
        (see `Dataset.groups`), `shared_stretches` (see `leak`), `length`, `gc` and `unknown_bases` (spread by label),
        `gc_alone` and `length_alone` (see `_alone`; None where all lengths are equal), `start_codon_rule`, `warnings`.
        Figures are `{"value", "low", "high", "n"}` with a 95 % bootstrap interval over sequences.
    """
    codes = dataset.codes()
    labels = dataset.table["label"].to_numpy()
    lengths = np.array([len(array) for array in codes], dtype=np.float64)
    gc = np.array([gc_content(array) for array in codes])
    unknown = np.array([float((array >= UNKNOWN).mean()) if len(array) else 0.0 for array in codes])
    by = dataset.grouped_by
    groups = stretch_groups(codes, length) if by == BY_STRETCH else dataset.groups()
    features = {"length": lengths, "gc": gc, "unknown_bases": unknown}
    found: dict[str, Any] = {
        "rows": len(dataset),
        "counts": dataset.counts(),
        "stretch": length,
        "duplicates": _duplicates(dataset, codes),
        "grouped_by": by,
        "groups": group_summary(groups),
        "shared_stretches": leak(dataset, length),
    }
    for name, values in features.items():
        found[name] = {label: _spread(values[labels == label]) for label in dataset.labels}
    # A sequence of N alone has no GC: one half says nothing either way.
    found["gc_alone"] = _alone(dataset, np.nan_to_num(gc, nan=0.5), groups)
    same = lengths.min() == lengths.max()
    found["length_alone"] = None if same else _alone(dataset, lengths / lengths.max(), groups)
    found["start_codon_rule"] = start_codon_rule(dataset)
    found["warnings"] = _warnings(found)
    return found
