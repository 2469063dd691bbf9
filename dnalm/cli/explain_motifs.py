"""`dnalm explain motifs`: the words that a model reads in many sequences, as tables, matrices and pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.evaluate import Part
from dnalm.cli.explain_input import Processes, sequences_of
from dnalm.cli.explain_output import PARTIAL
from dnalm.cli.frame import Json, progress, say
from dnalm.cli.output import STANDARD, figure_text, format_of, plain, print_json, whole_file
from dnalm.cli.predict import check_length, classifier_of
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.alphabet import Codes
    from dnalm.interpret.attribution import Attribution
    from dnalm.interpret.elements import Known
    from dnalm.interpret.motif_report import Attributed, MotifReport
    from dnalm.model.predict import Classifier
    from dnalm.sequences import LabelledSequence

FORMATS = {
    **{".tsv": "tsv", ".json": "json", ".meme": "meme", ".jaspar": "jaspar"},
    **{".png": "png", ".svg": "svg"},
}
FILES = ("motifs.tsv", "sites.tsv", "matches.tsv", "spacing.tsv", "motifs.meme", "motifs.jaspar", "motifs.json")
PICTURES = ("motifs.png", "motifs.svg")


def motifs(
    model: Annotated[str, typer.Argument(help="A classifier: its name, or its folder.", metavar="MODEL")],
    file: Annotated[
        str, typer.Argument(help="FASTA, GenBank, CSV or TSV, or a labelled set's name or folder.", metavar="FILE")
    ],
    split: Annotated[Part, typer.Option(help="Part of a labelled set.")] = Part.TEST,
    label: Annotated[
        str | None,
        typer.Option(help="The class to explain, the model's positive one else; of a labelled file, its sequences."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Also sequences that the model does not call the class.")
    ] = False,
    method: Annotated[
        str, typer.Option(help="integrated-gradients, input-x-gradient, gradient-shap, occlusion or another.")
    ] = "integrated-gradients",
    baseline: Annotated[str, typer.Option(help="uniform, background or shuffled.")] = "uniform",
    jaspar: Annotated[
        list[Path] | None, typer.Option(help="Known motifs to match, JASPAR or MEME; repeatable.", metavar="FILE")
    ] = None,
    engine: Annotated[str, typer.Option(help="dnalm, or modisco for long sequences (extra modisco).")] = "dnalm",
    null: Annotated[
        str, typer.Option(help="Stretches are held against shuffled scores, or scores of shuffled sequences.")
    ] = "scores",
    fdr: Annotated[float, typer.Option(min=0.001, max=0.999, help="Of the stretches that motifs are made of.")] = 0.2,
    smallest: Annotated[int, typer.Option(min=2, help="Places of the smallest motif.")] = 8,
    at_most: Annotated[int | None, typer.Option(min=1, help="So many sequences, drawn with the seed.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    processes: Processes = 1,
    output: Annotated[
        str,
        typer.Option("-o", "--output", help="OUT.tsv .json .meme .jaspar .png .svg, or a folder for all of them."),
    ] = STANDARD,
    as_json: Json = False,
) -> None:
    """Find the words that a model reads, what they are like, and where they stand.

    Stretches whose bases add much to the call are put together where they are alike. Each motif is held against the
    known elements of bacterial promoters and against the files given with --jaspar. Positions count from the anchor,
    +1 (the start site), where the model has one.
    """
    import numpy as np

    import dnalm
    from dnalm.interpret.elements import KNOWN
    from dnalm.interpret.motif_files import read_known, report_dict
    from dnalm.interpret.motif_report import explain_motifs

    into = output != STANDARD and not Path(output).suffix
    kind = "folder" if into else format_of(output, None, FORMATS, "tsv")
    _check_output(output, kind)
    known: list[Known] = [*KNOWN, *(one for path in jaspar or [] for one in read_known(path))]
    classifier = classifier_of(dnalm.load(model), model)
    generator = np.random.default_rng(seed)
    sequences = _sequences(classifier, file, split, label)
    if at_most is not None and len(sequences) > at_most:
        drawn = np.sort(generator.choice(len(sequences), at_most, replace=False))
        sequences = [sequences[row] for row in drawn]
    partial = None if output == STANDARD else Path(f"{output.rstrip('/')}{PARTIAL}")
    report = explain_motifs(
        classifier,
        [one.codes for one in sequences],
        generator=generator,
        label=label,
        known=known,
        every=every,
        engine=engine,
        null=null,
        fdr=fdr,
        smallest=smallest,
        attributed=_attributed(classifier, method, baseline, seed, processes, partial),
    )
    written = _write(report, sequences, output, kind, quiet=as_json)
    if as_json:
        print_json({"file": file, "seed": seed, **report_dict(report), "output": written})
    else:
        _say(report)


def _attributed(
    classifier: Classifier, method: str, baseline: str, seed: int, processes: int, partial: Path | None
) -> Attributed:
    """Attribute in several processes, what is done kept in `partial` until all is: a stopped run goes on from there."""
    from dnalm.interpret.kept import keeping
    from dnalm.interpret.many import explain_many, header_of
    from dnalm.interpret.placed import Placed
    from dnalm.interpret.task_saliency import SaliencyTask

    def attributed(codes: Sequence[Codes], label: str) -> list[Attribution]:
        task = SaliencyTask(method, baseline, label)  # type: ignore[arg-type]  # checked by what it calls
        placed = [Placed(str(number), one) for number, one in enumerate(codes)]
        header = header_of(task, classifier, placed, seed)
        with keeping(partial, header) if partial else nullcontext() as kept:
            if kept is not None and kept.found:
                say(f"{kept.found:,} of {len(codes):,} sequences are there from an earlier run; going on")
            with progress("attributing", "sequences") as advance:
                told = {"seed": seed, "processes": processes, "store": kept, "progress": advance}
                answers = list(explain_many(task, classifier, placed, **told))
            return [task.result(classifier, one, answer) for one, answer in zip(placed, answers, strict=True)]

    return attributed


def _check_output(output: str, kind: str) -> None:
    target = Path(output)
    if kind == "folder" and target.exists() and not target.is_dir():
        raise InputError(f"{output}: is a file; name a folder, or a file with a suffix such as .tsv")
    if output != STANDARD and not target.parent.is_dir():
        raise InputError(f"{output}: the folder {target.parent} is not there; make it first")


def _sequences(model: Classifier, file: str, split: Part, label: str | None) -> list[LabelledSequence]:
    """The sequences of a file or of a part of a labelled set: of one label, where they have labels."""
    found = sequences_of(file, split)
    labels = {str(one.label) for one in found if one.label is not None}
    wanted = label if label is not None else model.config.positive
    if labels and wanted is not None:
        if wanted not in labels:
            raise InputError(f"{file}: has no sequence labelled {wanted!r}; its labels are {', '.join(sorted(labels))}")
        found = [one for one in found if str(one.label) == wanted]
    for one in found:
        check_length(model, file, one)
    return found


def _write(report: MotifReport, sequences: list[LabelledSequence], output: str, kind: str, *, quiet: bool) -> list[str]:
    """Write what was asked for; returns the files' names."""
    if output == STANDARD:
        if not quiet:
            sys.stdout.write(_text(report, sequences, "motifs.tsv"))
        return []
    if kind != "folder":
        names = {output: f"motifs.{kind}"}
    else:
        Path(output).mkdir(exist_ok=True)
        names = {str(Path(output) / name): name for name in (*FILES, *PICTURES)}
    for path, name in names.items():
        with whole_file(path) as temporary:
            if name in PICTURES:
                from dnalm.files import picture_bytes
                from dnalm.interpret.motif_picture import draw_motifs

                temporary.write_bytes(picture_bytes(draw_motifs(report), name.rpartition(".")[2]))
            else:
                temporary.write_text(_text(report, sequences, name), encoding="utf-8")
    return list(names)


def _text(report: MotifReport, sequences: list[LabelledSequence], name: str) -> str:
    from dnalm.alphabet import decode
    from dnalm.interpret import motif_files as files

    if name == "motifs.tsv":
        return files.tsv_text(files.SUMMARY, files.summary_rows(report))
    if name == "sites.tsv":
        letters = [decode(one.codes) for one in sequences]
        return files.tsv_text(files.SITES, files.site_rows(report, [one.id for one in sequences], letters))
    if name == "matches.tsv":
        return files.tsv_text(files.MATCHES, files.match_rows(report))
    if name == "spacing.tsv":
        return files.tsv_text(files.SPACING, files.spacing_rows(report))
    if name == "motifs.json":
        return json.dumps(plain(files.report_dict(report)), indent=2, ensure_ascii=False) + "\n"
    found = report.motifs.motifs
    return files.meme_text(found) if name == "motifs.meme" else files.jaspar_text(found)


def _say(report: MotifReport) -> None:
    """What was found, in a few sentences on standard error."""
    seqlets = report.motifs.seqlets
    say(
        f"{len(report.used):,} of {report.given:,} sequences looked through, {len(seqlets.found):,} stretches stand "
        f"out, {len(report.motifs.motifs):,} motif{'s' if len(report.motifs.motifs) != 1 else ''}"
    )
    for motif in report.motifs.motifs:
        match: Any = report.best_match(motif.name)
        like = f", like {match.known} (q {match.q_value:.2g})" if match else ""
        say(f"{motif.name} {motif.consensus}: {len(motif.sites):,} places, {motif.mean_contribution:.2f} each{like}")
    if report.spacing is not None and report.reads_a_box and report.spacing.pairs:
        near = figure_text(report.spacing.at_optimum)
        say(
            f"-35 to -10: most often {report.spacing.commonest} bases; 16 to 18 in a share of {near}, "
            f"{report.spacing.by_chance:.2f} by chance"
        )
