"""From the units' files to a table's rows: figures with intervals, differences, time, and what they rest on.

A task's rows are kept in `data/results/TASK.json`, which is what the page is drawn from: it needs neither the data
nor the predictions. A row that is there stays until there is a better one: of other data, weights or settings, or
of as many seeds.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.evaluation.folds import Calls, OutOfFold, Run
from dnalm.evaluation.networks import RANDOM
from dnalm.evaluation.results import chains, predictions, together
from dnalm.evaluation.results.intervals import mean_figures
from dnalm.evaluation.results.measure import fingerprint, groups_of, labelled, leak_of
from dnalm.evaluation.results.models import Models, is_network, start_of
from dnalm.evaluation.results.tasks import Row, Task, rows, side_units, units
from dnalm.evaluation.results.units import SCHEMA, Store, Unit
from dnalm.files import write_whole
from dnalm.locks import held

Document = dict[str, Any]
_SEED = 0  # of the bootstrap: the same predictions give the same interval


def results_file(folder: Path, task: Task) -> Path:
    """Where a task's rows are kept."""
    return folder / f"{task.name}.json"


def read_results(folder: Path, task: Task) -> Document:
    """A task's rows as kept; none where nothing was measured.

    Raises:
        InputError: the file is damaged.
    """
    path = results_file(folder, task)
    if not path.is_file():
        return {"schema": SCHEMA, "task": task.name, "rows": []}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error


def gather(task: Task, store: Store, models: Models, folder: Path, snapshots: Sequence[str] = ()) -> Document:
    """Bring a task's rows up to date with the units that are done, and write them.

    Args:
        task: which.
        store: the units.
        models: folders of the language models by name.
        folder: where the rows are kept.
        snapshots: see `rows`.

    Returns:
        What was written.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    # Two jobs may measure one task side by side: each reads what the other wrote, and loses none of it.
    with held(store.folder / ".gather.lock", patience=math.inf):
        return _gather(task, store, models, folder, snapshots)


def _gather(task: Task, store: Store, models: Models, folder: Path, snapshots: Sequence[str]) -> Document:
    document = read_results(folder, task)
    kept = {(row["model"], row["split"], row["labels"]): row for row in document["rows"]}
    columns: dict[str, pd.Series] = {}
    for row in rows(task, models, snapshots):
        done = _done(task, row, store, models)
        key = (row.model, row.split, row.labels)
        if not done or _keeps(kept.get(key), done):
            continue
        measured = _bits_row if task.kind == "bits" else _classifier_row
        kept[key] = {**asdict(row), **measured(task, row, done), **_side(task, row, store, models)}
        if task.kind in ("folds", "test"):
            columns |= _columns(task, row, done)
    for row in rows(task, models, snapshots):
        if task.kind == "few":
            _put_difference(task, row, kept, store, models)
        entry = kept.get((row.model, row.split, row.labels))
        if entry is not None and _of_these_weights(task, row, entry, models):
            entry |= _side(task, row, store, models)
    kept_predictions = predictions.predictions_file(folder, task.name)
    if columns:
        data = labelled(task.data)
        fixed = {predictions.TRUTH: data.truth, predictions.GROUP: groups_of(task.data)}
        predictions.write(kept_predictions, fixed, columns)
    if task.kind in ("folds", "test"):
        _put_from_predictions(task, kept, kept_predictions)
    document = {"schema": SCHEMA, "task": task.name, "title": task.title, "rows": list(kept.values())}
    if document["rows"]:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(results_file(folder, task), json.dumps(document, indent=1) + "\n")
    return document


def _put_from_predictions(task: Task, kept: dict[tuple[Any, ...], Document], path: Path) -> None:
    """Add to each row what its kept predictions say beyond its figures."""
    for (model, split, labels), entry in kept.items():
        told: Document = {}
        if split == chains.GROUPED:
            told["without_largest"] = chains.without_largest(path, model, entry["seeds"])
        others = [task.reference, *([f"{RANDOM}+{model.rpartition('+')[2]}"] if start_of(model) else [])]
        for other, name in zip(others, ("difference", "pre_training"), strict=False):
            seeds = set(kept.get((other, split, labels), {}).get("seeds", [])) & set(entry["seeds"])
            if other is None or other == model or not seeds:
                continue
            if not all(predictions.has(path, split, one, seeds) for one in (model, other)):
                continue
            ours, table = predictions.read(path, split, model, sorted(seeds))
            theirs, _ = predictions.read(path, split, other, sorted(seeds))
            groups = None if split == "random" else table[predictions.GROUP].to_numpy()
            told[name] = _difference(other, ours, theirs, {"groups": groups, "generator": np.random.default_rng(_SEED)})
            if name == "difference" and is_network(model):
                told["with_reference"] = together.with_other(ours, theirs, groups)
        for name in ("without_largest", "with_reference", "pre_training"):
            entry.pop(name, None)
        entry |= {name: found for name, found in told.items() if found}


def _of_these_weights(task: Task, row: Row, entry: Document, models: Models) -> bool:
    """Whether a kept row started from the language model that is here: what is told of its text then holds for it."""
    start = start_of(row.model)
    if start is None or start not in models:
        return False
    return entry["fingerprint"].get("weights") == fingerprint(units(task, row)[0], models).get("weights")


def _columns(task: Task, row: Row, done: dict[int, list[Document]]) -> dict[str, pd.Series]:
    """A row's predictions, sequence by sequence."""
    count, found = len(labelled(task.data).truth), {}
    for seed, documents in done.items():
        run, place = _run(row, seed, documents)
        found |= predictions.columns_of(row.split, row.model, run, place, count)
    return found


def _done(task: Task, row: Row, store: Store, models: Models) -> dict[int, list[Document]]:
    """Documents of each seed all of whose units are done, with the data, weights and settings of now."""
    start = start_of(row.model)
    if start is not None and start not in models:
        return {}
    found: dict[int, list[Document]] = {}
    every = units(task, row)
    for seed in task.seeds:
        of_seed = [unit for unit in every if unit.seed == seed]
        if all(store.path(unit).is_file() for unit in of_seed):
            documents = [store.current(unit, fingerprint(unit, models)) for unit in of_seed]
            if all(documents):
                found[seed] = [document for document in documents if document]
    return found


def _keeps(old: Document | None, done: dict[int, list[Document]]) -> bool:
    """Whether a kept row stays: of the same data, weights and settings, and of more seeds."""
    if old is None:
        return False
    same = old["fingerprint"] == next(iter(done.values()))[0]["fingerprint"]
    return same and len(old["seeds"]) > len(done)


def _facts(done: dict[int, list[Document]]) -> Document:
    """What a row rests on."""
    documents = [document for of_seed in done.values() for document in of_seed]
    digest = hashlib.sha256(json.dumps([d.get("probability", d["figures"]) for d in documents]).encode()).hexdigest()
    return {
        "seeds": sorted(done),
        "fits": len(documents),
        "seconds": round(float(np.mean([document["seconds"] for document in documents])), 2),
        "machines": sorted({document["machine"] for document in documents}),
        "versions": documents[-1]["versions"],
        "finished": max(document["finished"] for document in documents),
        "fingerprint": documents[0]["fingerprint"],
        "predictions_sha256": digest,
    }


def _bits_row(task: Task, row: Row, done: dict[int, list[Document]]) -> Document:
    (document,) = next(iter(done.values()))
    return {"figures": document["figures"], "facts": document["facts"], **_facts(done)}


def _run(row: Row, seed: int, documents: Sequence[Document]) -> tuple[Run, np.ndarray]:
    """A seed's predictions in the order of the dataset's rows, and those rows."""
    place = np.concatenate([document["rows"] for document in documents])
    order = np.argsort(place, kind="stable")

    def joined(of_one: list[Any]) -> np.ndarray:
        return np.concatenate(of_one)[order]

    if "called" in documents[0]:
        truth, called, probability = (
            joined([np.array(document[name]) for document in documents]) for name in ("truth", "called", "probability")
        )
        return Calls(row.model, seed, truth, called, probability, documents[0]["classes"]), place[order]
    sizes = [len(document["rows"]) for document in documents]
    run = OutOfFold(
        row.model,
        seed,
        joined([np.full(size, fold) for fold, size in enumerate(sizes)]),
        joined([np.array(document["truth"], dtype=bool) for document in documents]),
        joined([np.array(document["probability"]) for document in documents]),
        joined([np.full(size, document["threshold"]) for document, size in zip(documents, sizes, strict=True)]),
        tuple(document["seconds"] for document in documents),
    )
    return run, place[order]


def _drawn(task: Task, row: Row, place: np.ndarray) -> Document:
    """How intervals are drawn: groups of sequences, but on random folds; draws of labels too."""
    groups = None if row.split == "random" else groups_of(task.data)[place]
    return {"groups": groups, "resample_runs": task.kind == "few", "generator": np.random.default_rng(_SEED)}


def _classifier_row(task: Task, row: Row, done: dict[int, list[Document]]) -> Document:
    pairs = {seed: _run(row, seed, documents) for seed, documents in done.items()}
    runs = [run for run, _ in pairs.values()]
    place = next(iter(pairs.values()))[1]
    figures = mean_figures(runs, **_drawn(task, row, place))
    each = {
        seed: mean_figures([run], generator=np.random.default_rng(_SEED), resamples=0)
        for seed, (run, _) in pairs.items()
    }
    return {
        "figures": {name: figure.as_dict() for name, figure in figures.items()},
        "by_seed": {
            str(seed): {name: round(figure.value, 4) for name, figure in found.items()} for seed, found in each.items()
        },
        "data": {"name": task.data, "sha256": labelled(task.data).sha256, "trained_on": _trained_on(done)},
        "leak": leak_of(task.data, row.split),
        **_facts(done),
    }


def _trained_on(done: dict[int, list[Document]]) -> int:
    return round(float(np.mean([document["trained_on"] for of_seed in done.values() for document in of_seed])))


def _side(task: Task, row: Row, store: Store, models: Models) -> Document:
    """What the pre-training text held of the dataset, or the language model's bits per base, where measured."""
    found: Document = {}
    for unit in side_units(task, row):
        document = store.read(unit)
        if document and unit.model in models and document["fingerprint"] == fingerprint(unit, models):
            if unit.kind == "bits":
                found["bits_per_base"] = document["figures"]["bits_per_base"]
            else:
                found["text"] = {key: document[key] for key in ("shared", "of", "facts")}
    return found


def _put_difference(task: Task, row: Row, kept: dict[tuple[Any, ...], Document], store: Store, models: Models) -> None:
    """Add a row's paired difference to the task's reference, over the seeds that both have: of few labels."""
    entry = kept.get((row.model, row.split, row.labels))
    if task.reference in (None, row.model) or entry is None:
        return
    reference = Row(task.reference or "", row.split, row.labels)
    ours, theirs = _done(task, row, store, models), _done(task, reference, store, models)
    seeds = [seed for seed in entry["seeds"] if seed in ours and seed in theirs]
    told = entry.get("difference", {})
    if not seeds or len(told.get("seeds", [])) > len(seeds):
        return
    ours_runs = [_run(row, seed, ours[seed]) for seed in seeds]
    theirs_runs = [_run(reference, seed, theirs[seed])[0] for seed in seeds]
    drawn = _drawn(task, row, ours_runs[0][1])
    entry["difference"] = _difference(reference.model, [run for run, _ in ours_runs], theirs_runs, drawn)


def _difference(to: str, ours: Sequence[Run], theirs: Sequence[Run], drawn: Document) -> Document:
    """A row's figures minus another's, on the same seeds, and each seed's own."""
    found = mean_figures(ours, minus=theirs, figures=("mcc", "accuracy"), **drawn)
    each = {}
    for run, other in zip(ours, theirs, strict=True):
        of_seed = mean_figures([run], minus=[other], figures=("mcc",), generator=drawn["generator"], resamples=0)
        each[str(run.seed)] = round(of_seed["mcc"].value, 4)
    return {
        "to": to,
        "seeds": [run.seed for run in ours],
        "figures": {name: figure.as_dict() for name, figure in found.items()},
        "by_seed": each,
    }


def missing(task: Task, row: Row, store: Store, models: Models) -> list[Unit]:
    """The units of a row that are still to be measured; all of them where its language model is not there."""
    start = start_of(row.model)
    if start is not None and start not in models:
        return units(task, row)
    return [unit for unit in units(task, row) if store.current(unit, fingerprint(unit, models)) is None]
