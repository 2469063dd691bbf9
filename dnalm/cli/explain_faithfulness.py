"""`dnalm explain faithfulness`: how far pictures of what a model reads can be believed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from dnalm.cli.evaluate import Part
from dnalm.cli.frame import Json, progress, say
from dnalm.cli.output import print_json, print_table
from dnalm.cli.predict import check_length, classifier_of
from dnalm.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnalm.alphabet import Codes
    from dnalm.interpret.faithfulness_result import Faithfulness
    from dnalm.metrics import Figure
    from dnalm.model.predict import Classifier

COLUMNS = (
    *("method", "baseline", "fall", "deletion", "early", "insertion", "deletion_shuffled", "insertion_shuffled"),
    *("with_mutation", "stability", "head_redrawn", "all_redrawn"),
)
_BATCH = 64


class Given(NamedTuple):
    """Sequences that may be measured on."""

    codes: list[Codes]
    labels: list[str | None]
    groups: NDArray[np.integer] | None
    told: dict[str, Any]


def faithfulness(
    model: Annotated[str, typer.Argument(help="A classifier: its name, or its folder.", metavar="MODEL")],
    file: Annotated[
        str, typer.Argument(help="A labelled set's name or folder, or a sequence file.", metavar="FILE-or-dataset")
    ],
    split: Annotated[Part, typer.Option(help="Part of a labelled set.")] = Part.TEST,
    n: Annotated[int, typer.Option("--n", min=1, help="So many sequences, of those called right.")] = 60,
    checked: Annotated[
        int, typer.Option(min=0, help="So many of them again, with other draws and with weights drawn anew.")
    ] = 12,
    longest: Annotated[int, typer.Option(min=1, help="Leave longer sequences out; bases.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the figures with the model, for its pages.")] = False,
    as_json: Json = False,
) -> None:
    """Test each way of attribution on one model, every figure with its 95 % interval.

    Replacing the bases that it ranks highest, what is taken from the log-odds, as a multiple of what random ones
    take; how alike the ways rank, and how alike a way with other draws; what is left once the weights are drawn anew,
    where a picture that reads the model must change. Sequences are of the positive class, and called it.
    """
    import numpy as np

    import dnalm
    from dnalm.interpret.faithfulness import measure
    from dnalm.interpret.faithfulness_files import keep as keep_figures

    classifier = classifier_of(dnalm.load(model), model)
    generator = np.random.default_rng(seed)
    given = _given(classifier, file, split)
    rows = _called_right(classifier, file, given, n, longest, generator)
    words = ["dnalm", "explain", "faithfulness", model, file, "--split", split.value, "--n", str(n)]
    words += ["--checked", str(checked), "--longest", str(longest), "--seed", str(seed)]
    with progress("measuring", "sequences") as advance:
        found = measure(
            classifier,
            [given.codes[row] for row in rows],
            generator=generator,
            checked=checked,
            groups=None if given.groups is None else given.groups[rows],
            told={**given.told, "seed": seed, "command": shlex.join(words)},
            progress=advance,
        )
    kept = keep_figures(classifier.bundle, found) if keep else None
    if as_json:
        print_json({**found.as_dict(), "kept": kept})
    else:
        print_table(COLUMNS, _rows(found))
        _say(found, kept)


def _given(classifier: Classifier, file: str, split: Part) -> Given:
    """The sequences of a file or of a part of a labelled set, with their labels where they have any."""
    from dnalm.datasets.recipes import load_or_make, means_set
    from dnalm.sequences import read_any

    if means_set(file):
        dataset = load_or_make(file)
        rows = dataset.table if split is Part.ALL else dataset.part(split.value)
        told = {"dataset": dataset.name, "data_sha256": dataset.sha256(), "split": split.value}
        labels: list[str | None] = [str(label) for label in rows["label"]]
        return Given(dataset.codes(rows), labels, dataset.groups(rows), told)
    found = [check_length(classifier, file, one) for one in read_any(file, allow_duplicates=True)]
    labels = [None if one.label is None else str(one.label) for one in found]
    return Given([one.codes for one in found], labels, None, {"dataset": Path(file).name})


def _called_right(
    classifier: Classifier, file: str, given: Given, n: int, longest: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Rows drawn of the sequences of the positive class (without one: of any) that the model calls right.

    Raises:
        InputError: there is none.
    """
    import numpy as np

    positive, labels = classifier.config.positive, given.labels
    unlabelled = all(label is None for label in labels)
    wanted = [
        row
        for row, codes in enumerate(given.codes)
        if len(codes) <= longest and (unlabelled or positive is None or labels[row] == positive)
    ]
    right: list[int] = []
    order = generator.permutation(np.array(wanted, dtype=np.int64))
    for first in range(0, len(order), _BATCH):
        some = order[first : first + _BATCH]
        for row, call in zip(some, classifier.predict([given.codes[row] for row in some]), strict=True):
            if call.label == (positive if unlabelled else labels[row]) or (unlabelled and positive is None):
                right.append(int(row))
        if len(right) >= n:
            break
    if not right:
        what = f"labelled {positive!r} and called so" if positive is not None else "called right"
        raise InputError(f"{file}: holds no sequence of at most {longest:,} bases that is {what} by {classifier.name}")
    return np.array(right[:n], dtype=np.int64)


def _rows(found: Faithfulness) -> list[list[str]]:
    mutation = found.way("mutation")
    rows = []
    for way in found.ways:
        alike = found.between(way, mutation) if mutation is not None else None
        figures = [way.fall, way.deletion, way.early, way.insertion, way.deletion_shuffled, way.insertion_shuffled]
        figures += [alike, way.stability, way.head_redrawn, way.all_redrawn]
        rows.append([way.method, way.baseline, *map(_cell, figures)])
    return rows


def _cell(figure: Figure | None) -> str:
    if figure is None or figure.as_dict()["value"] is None:
        return ""
    interval = "" if figure.as_dict()["low"] is None else f" ({figure.low:.2f} to {figure.high:.2f})"
    return f"{figure.value:.2f}{interval}"


def _say(found: Faithfulness, kept: Path | None) -> None:
    from dnalm.interpret.faithfulness_result import in_one_line

    say(f"random order takes {_cell(found.random_fall)} from the log-odds on the way to all bases replaced")
    say(in_one_line(found, found.best.method, found.best.baseline))
    if kept is not None:
        say(f"kept in {kept}")
