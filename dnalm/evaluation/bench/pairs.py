"""Two models on the same sequences: is one better, on which sequences do they differ, and what was set differently?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from dnalm.errors import InputError
from dnalm.evaluation.bench.entries import Entry
from dnalm.evaluation.bench.kept import own, shipped
from dnalm.evaluation.folds import Calls, Run
from dnalm.evaluation.paired import McNemar, mcnemar
from dnalm.evaluation.results import predictions
from dnalm.evaluation.results.intervals import mean_figures
from dnalm.evaluation.results.together import together
from dnalm.metrics import Figure

FIGURES = ("mcc", "accuracy", "auroc")
FIGURES_OF_SEVERAL = ("mcc", "accuracy", "f1")
_SEED = 0  # of the bootstrap: the same predictions give the same interval


@dataclass(frozen=True)
class Pair:
    """How a model compares with another on the same sequences.

    Attributes:
        first: id of the entry.
        second: id of the entry that it is held against.
        seeds: those that both have.
        differences: the first's figure minus the second's, mean over seeds, with its 95 % interval.
        test: McNemar's test on the calls of the first of the seeds.
        adjusted: its p after the correction for all pairs that were asked for (Benjamini and Hochberg 1995).
        together: figures of the mean of both models' log-odds; empty of several classes.
    """

    first: str
    second: str
    seeds: tuple[int, ...]
    differences: dict[str, Figure]
    test: McNemar
    adjusted: float
    together: dict[str, Figure] = field(default_factory=dict)


def predictions_of(entry: Entry) -> Path | None:
    """The file that has an own row's predictions; None where none has."""
    if entry.row is None or entry.task is None or entry.row["labels"]:
        return None
    for folder in (own(), shipped()):
        path = predictions.predictions_file(folder, entry.task)
        if predictions.has(path, entry.row["split"], entry.row["model"], entry.row["seeds"]):
            return path
    return None


def runs_of(entry: Entry) -> tuple[list[Run], pd.DataFrame]:
    """An own row's predictions, seed by seed; see `dnalm.evaluation.results.predictions.read`.

    Raises:
        InputError: they are not kept.
    """
    path = predictions_of(entry)
    if path is None or entry.row is None:
        raise InputError(f"the predictions of {entry.model} are not kept")
    return predictions.read(path, entry.row["split"], entry.row["model"], entry.row["seeds"])


def comparable(first: Entry, second: Entry) -> str:
    """Why two rows cannot be held against each other sequence by sequence; empty where they can."""
    if first.row is None or second.row is None:
        return "published figures come without predictions"
    if first.task != second.task or first.split != second.split:
        return "they were measured on other sequences or another split"
    if first.row["data"]["sha256"] != second.row["data"]["sha256"]:
        return "the set has changed from one to the other"
    if predictions_of(first) is None or predictions_of(second) is None:
        return "the predictions of one are not kept"
    if not set(first.row["seeds"]) & set(second.row["seeds"]):
        return "they have no seed in common"
    return ""


def compare(entries: Sequence[Entry], *, resamples: int = 1000) -> list[Pair]:
    """Hold each entry against the first; p is corrected for how many there are.

    Args:
        entries: own rows of one task and split; those that cannot be compared with the first are left out.
        resamples: of the bootstrap, which draws whole groups but on random folds.

    Raises:
        InputError: the predictions cannot be read.
    """
    if len(entries) < 2:
        return []
    reference, found = entries[0], []
    for entry in entries[1:]:
        if comparable(entry, reference):
            continue
        (ours, theirs), table, seeds = _both(entry, reference)
        random = entry.row is not None and entry.row["split"] == "random"
        groups = None if random else table[predictions.GROUP].to_numpy()
        several = isinstance(ours[0], Calls)
        figures_of = partial(mean_figures, groups=groups, resamples=resamples)
        differences = figures_of(
            ours,
            minus=theirs,
            figures=FIGURES_OF_SEVERAL if several else FIGURES,
            generator=np.random.default_rng(_SEED),
        )
        both = (
            {}
            if several
            else figures_of(together(ours, theirs), figures=FIGURES, generator=np.random.default_rng(_SEED))
        )
        found.append((entry.id, seeds, differences, mcnemar(ours[0], theirs[0]), both))
    if not found:
        return []
    adjusted = false_discovery_control([test.p for *_, test, _ in found])
    return [
        Pair(name, reference.id, seeds, differences, test, float(p), both)
        for (name, seeds, differences, test, both), p in zip(found, adjusted, strict=True)
    ]


def disagreements(first: Entry, second: Entry) -> pd.DataFrame:
    """The sequences that the two call differently, the widest apart first.

    Returns:
        `row` (in the dataset, 0-based), `truth`, `first` and `second` (probabilities of the first common seed),
        `first_called` and `second_called`, `right` (which of the two is: "first", "second" or "neither").

    Raises:
        InputError: the predictions cannot be read.
    """
    (ours, theirs), table, _ = _both(first, second)
    one, other = ours[0], theirs[0]
    frame = pd.DataFrame(
        {
            "row": table.index,
            "truth": one.truth,
            "first": one.probability,
            "second": other.probability,
            "first_called": one.called,
            "second_called": other.called,
            "right": np.select([one.called == one.truth, other.called == one.truth], ["first", "second"], "neither"),
        }
    )[one.called != other.called]
    return frame.iloc[np.argsort(-(frame["first"] - frame["second"]).abs().to_numpy(), kind="stable")]


def _both(first: Entry, second: Entry) -> tuple[tuple[list[Run], list[Run]], pd.DataFrame, tuple[int, ...]]:
    """The runs of both on the seeds that both have."""
    (ours, table), (theirs, _) = runs_of(first), runs_of(second)
    seeds = sorted({run.seed for run in ours} & {run.seed for run in theirs})
    pair = tuple([run for run in runs if run.seed in seeds] for runs in (ours, theirs))
    return (pair[0], pair[1]), table, tuple(seeds)


def changes(first: Entry, second: Entry) -> pd.DataFrame:
    """What differs between what two own rows rest on: `field`, `first`, `second`; a line a field."""
    flat = [_flat(entry.row.get("fingerprint", {})) | _about(entry) if entry.row else {} for entry in (first, second)]
    names = dict.fromkeys([*flat[0], *flat[1]])
    lines = [
        {"field": name, "first": flat[0].get(name, ""), "second": flat[1].get(name, "")}
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    ]
    return pd.DataFrame(lines, columns=["field", "first", "second"])


def _about(entry: Entry) -> dict[str, str]:
    row = entry.row or {}
    return {
        "data": f"{entry.data} {row.get('data', {}).get('sha256', '')[:12]}",
        "split": entry.split,
        "trained on": str(entry.labels),
        "seeds": ", ".join(map(str, row.get("seeds", []))),
        "machine": "; ".join(row.get("machines", [])),
        **{f"version of {name}": str(value) for name, value in row.get("versions", {}).items()},
    }


def _flat(fields: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            if value not in (None, ""):
                found[f"{prefix}{name}"] = str(value)
    return found
