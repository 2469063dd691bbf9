"""`dnalm evaluate`: a classifier on labelled sequences, a language model on any sequence, with intervals."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import Json, progress
from dnalm.cli.output import STANDARD, plain, print_json, print_table, whole_file
from dnalm.cli.predict import check_length, classifier_of
from dnalm.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from dnalm.alphabet import Codes
    from dnalm.model.predict import Classifier, LanguageModel
    from dnalm.sequences import LabelledSequence

BATCH = 1024
COLUMNS = ("figure", "value", "low", "high", "n")


class Part(StrEnum):
    """Which part of a dataset is evaluated on."""

    TEST = "test"
    VALID = "valid"
    TRAIN = "train"
    ALL = "all"


def evaluate(
    model: Annotated[str, typer.Argument(help="A model: its name, or its folder.", metavar="MODEL")],
    file: Annotated[
        str,
        typer.Argument(help="A labelled table or dataset; for a language model any sequence file.", metavar="FILE"),
    ],
    negatives: Annotated[str | None, typer.Option(help="FILE holds positives only; the negatives are here.")] = None,
    split: Annotated[Part, typer.Option(help="Part of a dataset.")] = Part.TEST,
    region: Annotated[str | None, typer.Option(help="Language models: RECORD:FIRST-LAST, 1-based.")] = None,
    sequence: Annotated[str | None, typer.Option(help="The table's column with the sequences.")] = None,
    label: Annotated[str | None, typer.Option(help="The table's column with the labels.")] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(help="A label of the file, as the model calls it: 1=promoter; repeatable."),
    ] = None,
    allow_duplicates: Annotated[bool, typer.Option("--allow-duplicates", help="Let ids repeat.")] = False,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Else the model's own.")] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples behind the 95 % intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
    output: Annotated[str, typer.Option("-o", "--output", help="A file for the JSON object.")] = STANDARD,
    as_json: Json = False,
) -> None:
    """Measure a model, every figure with its 95 % interval.

    A classifier: accuracy, precision, recall, specificity, F1, MCC, AUROC, AUPRC, Brier, calibration and confusion.
    A language model: bits per base, and perplexity per token.
    """
    import numpy as np

    import dnalm
    from dnalm.model.predict import LanguageModel

    loaded = dnalm.load(model)
    generator = np.random.default_rng(seed)
    report: dict[str, Any] = {"model": loaded.name, "kind": loaded.config.kind, "file": file, "seed": seed}
    if isinstance(loaded, LanguageModel):
        _refuse(negatives=negatives, sequence=sequence, label=label, rename=rename, threshold=threshold)
        report |= _language_model(loaded, file, region, generator)
    else:
        classifier_of(loaded, model)
        _refuse(region=region)
        sequences = _labelled(loaded, file, negatives, split, sequence, label, allow_duplicates)
        report |= _classifier(loaded, file, sequences, _renaming(rename), threshold, resamples, generator)
    _deliver(report, output, as_json)


def _refuse(**options: Any) -> None:
    for name, value in options.items():
        if value:
            raise InputError(f"--{name} does not go with this kind of model")


def _language_model(
    model: LanguageModel, file: str, region: str | None, generator: np.random.Generator
) -> dict[str, Any]:
    """Bits per base over all records, or over one region read from a fresh state."""
    bits = model.bits_per_base(_texts(file, region), generator)
    new = model.module.tokenizer.new_bases
    perplexity = {
        key: value if key == "n" or value is None else 2 ** (value * new) for key, value in bits.as_dict().items()
    }
    return {"region": region, "figures": {"bits_per_base": bits.as_dict(), "perplexity": perplexity}}


def _texts(file: str, region: str | None) -> list[Codes]:
    from dnalm.sequences import Region, read_any, read_records

    if region is None:
        return [one.codes for one in read_any(file)]
    where = Region.parse(region)
    names = []
    for record in read_records(file):
        if record.id == where.record:
            return [record.extract(where)]
        names.append(record.id)
    raise InputError(f"{file}: has no record {where.record}; it has {', '.join(names[:5])}")


def _labelled(
    model: Classifier,
    file: str,
    negatives: str | None,
    split: Part,
    sequence: str | None,
    label: str | None,
    allow_duplicates: bool,
) -> list[LabelledSequence]:
    """The labelled sequences of a table, of two sequence files, or of a part of a dataset."""
    from dnalm.datasets.recipes import load_or_make, means_set
    from dnalm.sequences import LabelledSequence, read_labelled, read_two_fasta

    if negatives is not None:
        return list(read_two_fasta(file, negatives, _two_labels(model), allow_duplicates=allow_duplicates))
    if means_set(file):
        dataset = load_or_make(file)
        rows = dataset.table if split is Part.ALL else dataset.part(split.value)
        if rows.empty:
            raise InputError(f"{file}: has no sequence in its split {split.value}")
        pairs = zip(rows["id"], dataset.codes(rows), rows["label"], strict=True)
        return [LabelledSequence(id, codes, label) for id, codes, label in pairs]
    return list(read_labelled(file, sequence=sequence, label=label, allow_duplicates=allow_duplicates))


def _two_labels(model: Classifier) -> tuple[str, str]:
    labels, positive = model.config.labels, model.config.positive
    if positive is None or len(labels) != 2:
        raise InputError(f"{model.name} has the labels {', '.join(labels)}; --negatives needs a positive and one other")
    return positive, labels[1 - labels.index(positive)]


def _renaming(pairs: list[str] | None) -> dict[str, str]:
    names = {}
    for pair in pairs or []:
        found, equals, wanted = pair.partition("=")
        if not equals:
            raise InputError(f"--rename {pair}: wanted FOUND=LABEL, as 1=promoter")
        names[found] = wanted
    return names


def _classifier(
    model: Classifier,
    file: str,
    sequences: list[LabelledSequence],
    names: dict[str, str],
    threshold: float | None,
    resamples: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    import numpy as np

    from dnalm.datasets.splits import stretch_groups
    from dnalm.metrics import evaluate_probabilities

    truth = [names.get(str(one.label), str(one.label)) for one in sequences]
    labels = model.config.labels
    if strange := sorted(set(truth) - set(labels)):
        raise InputError(
            f"{file}: the label {strange[0]!r} is none of {model.name}'s ({', '.join(labels)}); "
            f"say what it is called there, as --rename {strange[0]}={labels[-1]}"
        )
    for one in sequences:
        check_length(model, file, one)
    pieces = []
    with progress("reading", "sequences") as advance:
        for first in range(0, len(sequences), BATCH):
            pieces.append(model.probabilities([one.codes for one in sequences[first : first + BATCH]]))
            advance(min(first + BATCH, len(sequences)), len(sequences))
    return evaluate_probabilities(
        truth,
        np.concatenate(pieces),
        labels,
        model.config.positive,
        threshold if threshold is not None else model.config.threshold,
        generator=generator,
        resamples=resamples,
        # Near-copies are drawn together, as in the figures of a run: they do not count as so many observations.
        groups=stretch_groups([one.codes for one in sequences]),
    )


def _deliver(report: dict[str, Any], output: str, as_json: bool) -> None:
    if output != STANDARD:
        import json

        with whole_file(output) as temporary:
            temporary.write_text(json.dumps(plain(report), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        print_json(report)
        return
    rows = [_row(name, figure) for name, figure in report["figures"].items()]
    for label, figures in (report.get("per_class") or {}).items():
        rows += [_row(f"{label}: {name}", figure) for name, figure in figures.items()]
    if output == STANDARD:
        print_table(COLUMNS, rows)


def _row(name: str, figure: dict[str, Any]) -> list[str]:
    numbers = ["" if figure[key] is None else f"{figure[key]:.4f}" for key in ("value", "low", "high")]
    return [name, *numbers, str(figure["n"])]
