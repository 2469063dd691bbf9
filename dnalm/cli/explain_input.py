"""What `dnalm explain saliency`, `mutate` and `scramble` are given: their common options, and the sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dnalm.cli.evaluate import Part
from dnalm.cli.predict import check_length, classifier_of
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.interpret.placed import Placed
    from dnalm.model.predict import Classifier
    from dnalm.sequences import LabelledSequence, Record

Model = Annotated[str, typer.Argument(help="A classifier: its name, or its folder.", metavar="MODEL")]
File = Annotated[
    str,
    typer.Argument(
        help="FASTA, GenBank, CSV or TSV, a labelled set's name, or with --region a genome; - is standard input.",
        metavar="FILE",
    ),
]
RegionOption = Annotated[
    str | None, typer.Option(help="A stretch of a genome, RECORD:FIRST-LAST or RECORD:FIRST-LAST(-), 1-based.")
]
Circular = Annotated[
    bool | None, typer.Option("--circular/--linear", help="Whether the genome is a circle; else what the file says.")
]
Split = Annotated[Part, typer.Option(help="Part of a labelled set.")]
Label = Annotated[str | None, typer.Option(help="The class; else the positive one, or the one called.")]
Site = Annotated[
    int | None, typer.Option(min=1, help="The base that is +1, from 1; else where the model has its site.")
]
Tolerance = Annotated[
    float,
    typer.Option(help="Largest difference of states at which a variant's rest is not read again; 0: all is read."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of all that is drawn.")]
Processes = Annotated[int, typer.Option(min=1, help="Sequences read at a time, each by a process of its own.")]
Output = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        help="OUT.tsv .npz .png .svg .bedgraph; a folder for pictures (--format); - is TSV to stdout.",
    ),
]
Format = Annotated[str | None, typer.Option(help="tsv, npz, png, svg or bedgraph; else by the file's suffix.")]


def sequences_of(file: str, split: Part, *, allow_duplicates: bool = True) -> list[LabelledSequence]:
    """The sequences of a file, or of a part of a labelled set that is named.

    Args:
        file: a file, or a labelled set's name or folder.
        split: the part of a labelled set.
        allow_duplicates: let several sequences of a file have one id.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    from dnalm.datasets.recipes import load_or_make, means_set
    from dnalm.sequences import LabelledSequence, read_any

    if means_set(file):
        dataset = load_or_make(file)
        rows = dataset.table if split is Part.ALL else dataset.part(split.value)
        triples = zip(rows["id"], dataset.codes(rows), rows["label"], strict=True)
        found, part = [LabelledSequence(*triple) for triple in triples], f" in its split {split.value}"
    else:
        found, part = list(read_any(file, allow_duplicates=allow_duplicates)), ""
    if not found:
        raise InputError(f"{file}: holds no sequence{part}")
    return found


def placed_of(
    classifier: Classifier, file: str, split: Part, region: str | None, circular: bool | None, site: int | None
) -> list[Placed]:
    """The sequences that are asked about, each of a length that the model reads, with their start sites.

    The model's own site is meant where a sequence has the length of its window.

    Raises:
        InputError: a sequence, a region or a site that does not fit.
    """
    from dnalm.interpret.placed import Placed
    from dnalm.sequences import LabelledSequence, Region

    where, length = None, 0
    if region is None:
        if circular is not None:
            raise InputError("--circular and --linear speak of a genome: choose a stretch of it with --region")
        found = sequences_of(file, split)
    else:
        where = Region.parse(region)
        record = _record(file, where.record, circular)
        length = len(record)
        found = [LabelledSequence(str(where), record.extract(where), None)]
    placed = []
    for one in found:
        check_length(classifier, file, one)
        own = classifier.config.anchor if len(one.codes) == classifier.config.window else None
        if site is not None and site > len(one.codes):
            raise InputError(f"{one.id}: --site {site} lies beyond its last base, {len(one.codes):,}")
        placed.append(Placed(one.id, one.codes, own if site is None else site - 1, where, length))
    return placed


def _record(genome: str, wanted: str, circular: bool | None) -> Record:
    from dnalm.sequences import read_records

    names = []
    for record in read_records(genome, circular=circular):
        if record.id == wanted:
            return record
        names.append(record.id)
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise InputError(f"{genome}: has no record {wanted}; it has {shown}")


def loaded_classifier(model: str) -> Classifier:
    """The model, when it is a classifier."""
    import dnalm

    return classifier_of(dnalm.load(model), model)
