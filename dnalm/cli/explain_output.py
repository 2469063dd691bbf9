"""What `dnalm explain saliency`, `mutate` and `scramble` share: sequences in, many explained, files out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnalm.cli.frame import Advance, progress, say
from dnalm.cli.output import STANDARD, format_of, plain, print_json, whole_file
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.interpret.explained import AnyTask
    from dnalm.interpret.kept import Answer, Kept
    from dnalm.interpret.placed import Placed
    from dnalm.model.predict import Classifier

PICTURES = {".png": "png", ".svg": "svg"}
FORMATS = {".tsv": "tsv", ".npz": "npz", ".bedgraph": "bedgraph", ".bg": "bedgraph", **PICTURES}
PARTIAL = ".partial"
"""What the file is called, behind the output's name, that keeps the answers of a run that has not ended."""


@dataclass(frozen=True)
class Target:
    """Where answers go: a file or a folder (or standard output), and as what."""

    output: str
    kind: str
    folder: bool

    @property
    def partial(self) -> Path | None:
        """Where they are kept until they are all there."""
        return None if self.output == STANDARD else Path(f"{self.output.rstrip('/')}{PARTIAL}")


def target_of(output: str, chosen: str | None) -> Target:
    """Read -o and --format, before any work is done.

    Raises:
        InputError: no format is meant, or it cannot be written there.
    """
    pictures = chosen is not None and chosen.lower() in PICTURES.values()
    if pictures and output != STANDARD and (Path(output).is_dir() or not Path(output).suffix):
        if Path(output).exists() and not Path(output).is_dir():
            raise InputError(f"{output}: is a file; name a folder, or a file with a suffix")
        kind, folder = str(chosen).lower(), True
    else:
        kind, folder = format_of(output, chosen, FORMATS, "tsv"), False
        if output == STANDARD and kind in ("npz", *PICTURES.values()):
            raise InputError(f"{kind} is binary or a picture and needs a file: name one with -o")
        if output != STANDARD and Path(output).is_dir():
            raise InputError(f"{output}: is a folder; pictures are put there with --format png, one a sequence")
    parent = Path(output).parent
    if output != STANDARD and not parent.is_dir():
        raise InputError(f"{output}: the folder {parent} is not there; make it first")
    return Target(output, kind, folder)


def explain_to(
    target: Target,
    task: AnyTask,
    classifier: Classifier,
    sequences: Sequence[Placed],
    *,
    seed: int,
    processes: int,
    as_json: bool,
    what: str,
) -> list[dict[str, Any]]:
    """Ask a task of each sequence and write what it answers.

    Args:
        target: where to.
        task: what is asked.
        classifier: the model.
        sequences: what is asked about.
        seed: of all that is drawn.
        processes: sequences at a time.
        as_json: print one JSON object; the rows are in it where no file is named.
        what: is being done, for the bar.

    Returns:
        What is said of each sequence.

    Raises:
        InputError: the format does not hold this, or a sequence does not fit the task.
    """
    _check(target, task, classifier, sequences)
    said: list[dict[str, Any]] = []
    with _answers(target, task, classifier, sequences, seed, processes, what) as answers:
        collected = _collecting(answers, sequences, said)
        if target.output == STANDARD:
            rows = _to_standard(target.kind, task, sequences, collected, as_json)
        else:
            rows = []
            _to_files(target, task, classifier, sequences, collected, seed)
    if as_json:
        result = {"model": classifier.name, "seed": seed, "options": task.options(), "sequences": said}
        print_json(result | ({"rows": rows} if target.output == STANDARD else {"output": target.output}))
    return said


def _check(target: Target, task: AnyTask, classifier: Classifier, sequences: Sequence[Placed]) -> None:
    if target.kind == "bedgraph" and (sequences[0].region is None or not task.per_base):
        asks = "positions on a genome: choose a stretch with --region" if task.per_base else "one score for each base"
        raise InputError(f"bedGraph needs {asks}")
    if target.kind in PICTURES.values() and len(sequences) > 1 and not target.folder:
        raise InputError(
            f"{target.output}: holds one picture, and there are {len(sequences):,} sequences; name a folder, with"
            f" --format {target.kind}"
        )
    if task.label is not None and task.label not in classifier.config.labels:
        labels = ", ".join(classifier.config.labels)
        raise InputError(f"{classifier.name} has no class {task.label!r}; it has {labels}")
    for one in sequences:
        task.check(classifier, one)


@contextmanager
def _answers(
    target: Target,
    task: AnyTask,
    classifier: Classifier,
    sequences: Sequence[Placed],
    seed: int,
    processes: int,
    what: str,
) -> Iterator[Iterator[Answer]]:
    """The answers, kept beside the output until it is there."""
    from dnalm.interpret.kept import keeping
    from dnalm.interpret.many import explain_many, header_of

    def answers(store: Kept | None, advance: Advance) -> Iterator[Answer]:
        bars = {"within": advance} if len(sequences) == 1 else {"progress": advance}
        return explain_many(task, classifier, sequences, seed=seed, processes=processes, store=store, **bars)

    unit = "steps" if len(sequences) == 1 else "sequences"
    if target.partial is None:
        with progress(what, unit) as advance:
            yield answers(None, advance)
        return
    # A file is begun when all is known: a kill before that leaves nothing behind but what is kept.
    if len(sequences) == 1:
        with progress(what, unit) as advance:
            found = list(answers(None, advance))
        yield iter(found)
        return
    try:
        with keeping(target.partial, header_of(task, classifier, sequences, seed)) as kept:
            if kept.found:
                say(f"{kept.found:,} of {len(sequences):,} sequences are there from an earlier run; going on")
            elif kept.replaced:
                say(f"{target.partial} was of another run and is begun anew")
            with progress(what, unit) as advance:
                for _ in answers(kept, advance):
                    pass
            yield explain_many(task, classifier, sequences, seed=seed, store=kept)
    except KeyboardInterrupt:
        if target.partial.exists():
            say(f"what is done is kept in {target.partial}; the same command goes on from there")
        raise


def _collecting(answers: Iterator[Answer], sequences: Sequence[Placed], said: list[dict[str, Any]]) -> Iterator[Answer]:
    for one, answer in zip(sequences, answers, strict=True):
        said.append({"id": one.id, "length": len(one), **answer.said})
        yield answer


def _to_standard(
    kind: str, task: AnyTask, sequences: Sequence[Placed], answers: Iterator[Answer], as_json: bool
) -> list[dict[str, Any]]:
    from dnalm.interpret.explained import columns_of, rows_of, tsv_lines
    from dnalm.interpret.placed import bedgraph_text

    if as_json:
        columns = columns_of(task, sequences)
        rows = (row for one, answer in zip(sequences, answers, strict=True) for row in rows_of(task, one, answer))
        return [plain({column: row[column] for column in columns}) for row in rows]
    if kind == "bedgraph":
        for one, answer in zip(sequences, answers, strict=True):
            sys.stdout.write(bedgraph_text(one, task.tracks(one, answer)))
    else:
        for line in tsv_lines(task, sequences, answers):
            sys.stdout.write(line)
    return []


def _to_files(
    target: Target,
    task: AnyTask,
    classifier: Classifier,
    sequences: Sequence[Placed],
    answers: Iterator[Answer],
    seed: int,
) -> None:
    from dnalm.files import picture_bytes
    from dnalm.interpret.explained import draw, npz_bytes, tsv_lines
    from dnalm.interpret.placed import bedgraph_text

    if target.folder:
        Path(target.output).mkdir(exist_ok=True)
        digits = len(str(len(sequences)))
        for number, (one, answer) in enumerate(zip(sequences, answers, strict=True), 1):
            name = re.sub(r"[^A-Za-z0-9._+-]+", "_", one.id)[:80]
            path = Path(target.output) / f"{number:0{digits}d}-{name}.{target.kind}"
            with whole_file(path) as temporary:
                temporary.write_bytes(picture_bytes(draw(task, classifier, one, answer), target.kind))
        return
    with whole_file(target.output) as temporary:
        if target.kind == "tsv":
            with temporary.open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(tsv_lines(task, sequences, answers))
        elif target.kind == "npz":
            temporary.write_bytes(npz_bytes(task, classifier, sequences, answers, seed))
        else:
            for one, answer in zip(sequences, answers, strict=True):
                if target.kind == "bedgraph":
                    temporary.write_text(bedgraph_text(one, task.tracks(one, answer)), encoding="utf-8")
                else:
                    temporary.write_bytes(picture_bytes(draw(task, classifier, one, answer), target.kind))
