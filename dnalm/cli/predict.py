"""`dnalm predict`: label and probability of each sequence, streamed to TSV, Parquet or JSON lines."""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from dnalm.cli.frame import Json, progress, say
from dnalm.cli.output import STANDARD, format_of, print_json, whole_file
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier
    from dnalm.sequences import LabelledSequence

FORMATS = {".tsv": "tsv", ".parquet": "parquet", ".jsonl": "jsonl"}
COLUMNS = ("id", "start", "end", "strand", "label", "probability")

Row = dict[str, Any]
Write = Callable[[Sequence[Row]], None]


class Strands(StrEnum):
    """Which strand of the given sequences is read."""

    FORWARD = "+"
    REVERSE = "-"
    BOTH = "both"


def predict(
    model: Annotated[str, typer.Argument(help="A classifier: its name, or its folder.", metavar="MODEL")],
    file: Annotated[str, typer.Argument(help="FASTA, GenBank, CSV or TSV; - is standard input.", metavar="FILE")],
    output: Annotated[str, typer.Option("-o", "--output", help="A file; - is standard output.")] = STANDARD,
    format: Annotated[str | None, typer.Option(help="tsv, parquet or jsonl; else by the file's suffix.")] = None,
    strand: Annotated[Strands, typer.Option(help="Read the sequences as given (+), reversed (-), or both.")] = (
        Strands.FORWARD
    ),
    all_classes: Annotated[bool, typer.Option("--all-classes", help="A column more for each class.")] = False,
    sequence: Annotated[str | None, typer.Option(help="The table's column with the sequences.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="The table's column with ids.")] = None,
    allow_duplicates: Annotated[bool, typer.Option("--allow-duplicates", help="Let ids repeat.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences read by the model at a time.")] = 256,
    as_json: Json = False,
) -> None:
    """Say what each sequence of a file is, and how sure the model is.

    The probability is that of the positive class where there is one, else of the class called. Start and end are
    1-based and inclusive.
    """
    import dnalm
    from dnalm.sequences import read_any

    kind = format_of(output, format, FORMATS, "tsv")
    classifier = classifier_of(dnalm.load(model), model)
    found = read_any(file, sequence=sequence, id=id, allow_duplicates=allow_duplicates)
    sequences = (check_length(classifier, file, one) for one in found)
    seen: Counter[str] = Counter()
    collected: list[Row] = []
    with _writer(output, kind, _columns(classifier, all_classes), collected if as_json else None) as write:
        with progress("predicting", "sequences") as advance:
            done = 0
            for rows, count in _predictions(classifier, sequences, strand, all_classes, batch_size):
                write(rows)
                seen.update(row["label"] for row in rows)
                done += count
                advance(done, None)
        if not done:
            raise InputError(f"{file}: holds no sequence")
    summary = {"model": classifier.name, "sequences": done, "labels": dict(seen)}
    if as_json:
        print_json(summary | ({"predictions": collected} if output == STANDARD else {"output": output}))
    else:
        called = ", ".join(f"{count:,} {label}" for label, count in seen.most_common())
        say(f"{done:,} sequence{'s' if done != 1 else ''}: {called}")


def classifier_of(loaded: Any, name: str) -> Classifier:
    """The loaded model, when it is a classifier.

    Raises:
        InputError: it is a language model.
    """
    if loaded.config.kind != "classifier":
        raise InputError(f"{name} is a {loaded.config.kind.replace('-', ' ')}; a classifier is wanted here")
    return loaded


def check_length(model: Classifier, file: str, one: LabelledSequence) -> LabelledSequence:
    """The sequence itself, when the model can read one of its length.

    Raises:
        InputError: it cannot; the message names file and record.
    """
    wanted, least, found = model.module.fixed_length, model.module.least_length, len(one.codes)
    if wanted is not None and found != wanted:
        raise InputError(
            f"{file}, record {one.id!r}: has {found:,} bases, but {model.name} reads exactly {wanted:,}, with the site "
            f"at base {(model.config.anchor or 0) + 1}; `dnalm scan` reads longer sequences"
        )
    if found < least:
        raise InputError(f"{file}, record {one.id!r}: has {found:,} bases, but {model.name} reads {least:,} or more")
    return one


def _columns(model: Classifier, all_classes: bool) -> list[str]:
    return [*COLUMNS, *(f"p_{label}" for label in model.config.labels if all_classes)]


def _batches(sequences: Iterable[LabelledSequence], size: int) -> Iterator[list[LabelledSequence]]:
    iterator = iter(sequences)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _predictions(
    model: Classifier, sequences: Iterable[LabelledSequence], strand: Strands, all_classes: bool, size: int
) -> Iterator[tuple[list[Row], int]]:
    """Rows of the output and the number of sequences they speak of, a batch at a time, in the file's order."""
    from dnalm.alphabet import reverse_complement
    from dnalm.sequences import Record

    strands = ("+", "-") if strand is Strands.BOTH else (strand.value,)
    for batch in _batches(sequences, size):
        read = [
            (one, s, Record(one.id, one.codes if s == "+" else reverse_complement(one.codes)))
            for one in batch
            for s in strands
        ]
        calls = model.predict([record for _, _, record in read])
        rows = []
        for (one, s, _), call in zip(read, calls, strict=True):
            row = {"id": one.id, "start": 1, "end": len(one.codes), "strand": s}
            row |= {"label": call.label, "probability": float(call.probability)}
            if all_classes:
                row |= {f"p_{label}": float(call.probabilities[label]) for label in model.config.labels}
            rows.append(row)
        yield rows, len(batch)


@contextmanager
def _writer(output: str, kind: str, columns: Sequence[str], collect: list[Row] | None) -> Iterator[Write]:
    """A function that takes rows, to the file or stream asked for; with `collect` and no file, into that list."""
    if output == STANDARD and collect is not None:
        yield collect.extend
    elif output == STANDARD and kind == "parquet":
        raise InputError("Parquet is binary and needs a file: name one with -o")
    elif output == STANDARD:
        yield _text_writer(sys.stdout, kind, columns)
    elif kind == "parquet":
        with whole_file(output) as temporary, _parquet_writer(temporary, columns) as write:
            yield write
    else:
        with whole_file(output) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
            yield _text_writer(stream, kind, columns)


def _text_writer(stream: TextIO, kind: str, columns: Sequence[str]) -> Write:
    if kind == "tsv":
        print(*columns, sep="\t", file=stream)

    def write(rows: Sequence[Row]) -> None:
        for row in rows:
            if kind == "tsv":
                print(*(_cell(row[column]) for column in columns), sep="\t", file=stream)
            else:
                print(json.dumps(row, ensure_ascii=False), file=stream)
        stream.flush()

    return write


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).replace("\t", " ").replace("\n", " ")


@contextmanager
def _parquet_writer(path: Path, columns: Sequence[str]) -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"start": pa.int64(), "end": pa.int64(), "id": pa.string(), "strand": pa.string(), "label": pa.string()}
    schema = pa.schema([(column, kinds.get(column, pa.float64())) for column in columns])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist(list(rows), schema=schema))
