"""Answers about many sequences as tables and arrays: what the command line writes."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dnalm.interpret import pictures
from dnalm.interpret.edits import Edit
from dnalm.interpret.kept import Answer
from dnalm.interpret.mutation import Epistasis, Saturation, probability_of
from dnalm.interpret.placed import Placed
from dnalm.interpret.task_mutate import MutateTask
from dnalm.interpret.task_saliency import SaliencyTask
from dnalm.interpret.task_scramble import ScrambleTask
from dnalm.model.predict import Classifier

AnyTask = SaliencyTask | MutateTask | ScrambleTask
Row = dict[str, Any]


def columns_of(task: AnyTask, sequences: Sequence[Placed]) -> list[str]:
    """Of the table: the task's, then the number from the start site and the place on the genome where there are."""
    return [
        *task.columns,
        *(["from_site"] if any(one.site is not None for one in sequences) else []),
        *(["genome"] if any(one.region is not None for one in sequences) else []),
    ]


def rows_of(task: AnyTask, one: Placed, answer: Answer) -> Iterator[Row]:
    """Rows of one sequence, positions 1-based; a genome's is that of the first of the bases on its forward strand."""
    for row in task.rows(one, answer):
        at = row["position"]
        yield row | {
            "id": one.id,
            "position": at + 1,
            "from_site": one.number(at) if one.site is not None else "",
            "genome": one.on_record(at, row.get("bases", 1)) + 1 if one.region is not None else "",
        }


def tsv_lines(task: AnyTask, sequences: Sequence[Placed], answers: Iterable[Answer]) -> Iterator[str]:
    """A table's lines, with their ends, the header first; those of a sequence as soon as its answer is there."""
    columns = columns_of(task, sequences)
    yield "\t".join(columns) + "\n"
    for one, answer in zip(sequences, answers, strict=True):
        for row in rows_of(task, one, answer):
            yield "\t".join(_cell(row[column]) for column in columns) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value).replace("\t", " ").replace("\n", " ")


def npz_bytes(
    task: AnyTask, classifier: Classifier, sequences: Sequence[Placed], answers: Iterable[Answer], seed: int
) -> bytes:
    """The answers for NumPy, without pickle, so that `numpy.load(FILE)` reads them.

    Always there, for each of n sequences: `id`, `sequence`, `length`, `site` (0-based, -1 where there is none),
    `label`, `probability` and `log_odds` of the sequence itself; and `model` and `seed`. Besides,

    - saliency: `scores` (n, longest, 4), `baseline_log_odds` and `delta` (n,), nan where there is none;
    - saturation: `changed_log_odds` (n, longest, 4);
    - pairs: `pairs` (n, window, 4, window, 4) and `single` (n, window, 4), `start` (n,), 0-based;
    - other changes: `row` (m,), the sequence of each; `position` (m,), 0-based, `ref`, `alt`, `name` and
      `changed_log_odds` (m,);
    - scramble: `changed_log_odds_0`, ... for each curve, (n, draws, longest), by the first base of the stretch; `k`
      (curves,) and `inserted` (n, curves).

    What is padded, is padded with nan.
    """
    found = list(answers)
    arrays: dict[str, np.ndarray] = {
        "id": np.array([one.id for one in sequences]),
        "sequence": np.array([one.text for one in sequences]),
        "length": np.array([len(one) for one in sequences]),
        "site": np.array([-1 if one.site is None else one.site for one in sequences]),
        **{name: np.array([answer.said[name] for answer in found]) for name in ("label", "probability", "log_odds")},
        "model": np.array(classifier.name),
        "seed": np.array(seed),
    }
    if isinstance(task, SaliencyTask):
        arrays["scores"] = _padded([answer.arrays["scores"] for answer in found], 0)
        for name in ("baseline_log_odds", "delta"):
            arrays[name] = np.array([_number(answer.said[name]) for answer in found])
        arrays["method"] = np.array(task.method)
    elif isinstance(task, ScrambleTask):
        curves = found[0].said["curves"]
        for number in range(len(curves)):
            each = [answer.arrays[f"curve_{number}"] for answer in found]
            arrays[f"changed_log_odds_{number}"] = _padded(each, 1, max(len(one) for one in sequences))
        arrays["k"] = np.array([curve["k"] for curve in curves])
        arrays["inserted"] = np.array([[",".join(c["inserted"]) for c in answer.said["curves"]] for answer in found])
    else:
        arrays |= _of_changes(task, found)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _of_changes(task: MutateTask, found: Sequence[Answer]) -> dict[str, np.ndarray]:
    if task.mode == "saturation":
        return {"changed_log_odds": _padded([answer.arrays["log_odds"] for answer in found], 0)}
    if task.mode == "pairs":
        return {
            "pairs": np.stack([answer.arrays["pairs"] for answer in found]),
            "single": np.stack([answer.arrays["single"] for answer in found]),
            "start": np.array([answer.said["start"] for answer in found]),
        }
    names = {"changed_log_odds": "log_odds", "position": "position", "ref": "ref", "alt": "alt", "name": "name"}
    counts = [len(answer.arrays["position"]) for answer in found]
    return {
        "row": np.repeat(np.arange(len(found)), counts),
        **{name: np.concatenate([answer.arrays[own] for answer in found]) for name, own in names.items()},
    }


def _padded(arrays: Sequence[np.ndarray], axis: int, length: int = 0) -> np.ndarray:
    """Stack arrays that differ in their length along one axis, nan beyond their ends."""
    longest = max(length, *(array.shape[axis] for array in arrays))
    shape = list(arrays[0].shape)
    shape[axis] = longest
    out = np.full((len(arrays), *shape), np.nan, dtype=arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[(slice(None),) * axis + (slice(array.shape[axis]),)] = array
    return out


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def draw(task: AnyTask, classifier: Classifier, one: Placed, answer: Answer) -> Figure:
    """The picture of one sequence's answer."""
    said = answer.said
    if isinstance(task, SaliencyTask):
        return pictures.draw_saliency(one, task.result(classifier, one, answer))
    if isinstance(task, ScrambleTask):
        curves = []
        for number, found in enumerate(task.result(classifier, one, answer)):
            given = number >= len(task.ks)
            name = found.inserted[0] if given else f"k={found.k}"
            curves.append(pictures.Curve(name, found.centres, found.log_odds, given))
        title = f"How {classifier.name}'s call {said['label']} changes where bases of {one.id} are replaced"
        return pictures.draw_curves(one, curves, said["log_odds"], title, said["label"])
    found = task.result(classifier, one, answer)
    if isinstance(found, Saturation):
        return pictures.draw_saturation(one, found)
    if isinstance(found, Epistasis):
        return pictures.draw_pairs(one, found)
    arrays = answer.arrays
    probability = probability_of(arrays["log_odds"])
    if task.mode != "indels":
        names = [
            f"{name} " * (name != ".") + Edit(int(at), str(ref), str(alt)).written(one.site) * (task.mode == "vcf")
            for name, at, ref, alt in zip(*(arrays[each] for each in ("name", "position", "ref", "alt")), strict=True)
        ]
        return pictures.draw_changes(one, names, said["probability"], probability, said["label"])
    kinds = list(dict.fromkeys(arrays["name"].tolist()))
    told = []
    for kind in kinds:
        rows = arrays["name"] == kind
        name = f"{task.size} out" if kind == "-" else f"{kind} in"
        middle = (task.size - 1) / 2 if kind == "-" else -0.5
        places = arrays["position"][rows] + middle
        told.append(pictures.Curve(name, places, arrays["log_odds"][rows][None], given=True))
    bases = "1 base" if task.size == 1 else f"{task.size} bases"
    title = f"What {bases} taken out of {one.id}, or put in, do to {classifier.name}'s call {said['label']}"
    return pictures.draw_curves(one, told, said["log_odds"], title, said["label"])
