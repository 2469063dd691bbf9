"""`dnalm tracks evaluate`: tracks, or models, against known sites, with intervals, baselines and comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import Json, say
from dnalm.cli.output import print_json, print_table
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.annotation import Site
    from dnalm.cli.track_input import Genome, Subject
    from dnalm.sequences import Region
    from dnalm.tracks.evaluation import Comparison, Evaluation
    from dnalm.tracks.scored import Scored

FIGURES = ("auprc", "recall_at_500_calls", "false_per_kb_at_50_recall", "distance_median")
THRESHOLD_FIGURES = ("recall", "precision", "false_per_kb")


def evaluate(
    tracks: Annotated[
        list[str], typer.Argument(help="Tracks' files, or models (with --genome).", metavar="TRACK|MODEL...")
    ],
    truth: Annotated[str, typer.Option(help="Known sites: TSV, GFF3, BED, or a name in the catalogue.")],
    genome: Annotated[
        str | None, typer.Option(help="What models and baselines read; of files it says lengths and circles.")
    ] = None,
    region: Annotated[list[str] | None, typer.Option(help="RECORD:FIRST-LAST to score in; may be repeated.")] = None,
    tolerance: Annotated[
        list[int] | None, typer.Option(min=0, help="Bases within which a call is right; may be repeated.")
    ] = None,
    distance: Annotated[
        int, typer.Option(min=1, help="Of two calls nearer than this, in bases, the higher stays.")
    ] = 50,
    smooth: Annotated[float, typer.Option(min=0, help="Bases of a bell curve to smooth with; 0: not.")] = 0.0,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="For recall and precision at it; else each model's own.")
    ] = None,
    merge: Annotated[int, typer.Option(min=0, help="Sites no further apart than this are one cluster.")] = 50,
    trained_on: Annotated[
        list[str] | None, typer.Option(help="Regions that the model has seen, told apart; else what it says itself.")
    ] = None,
    baselines: Annotated[bool, typer.Option("--baselines", help="Plain baselines beside it.")] = False,
    train_region: Annotated[list[str] | None, typer.Option(help="What the baselines learn from.")] = None,
    genes: Annotated[str | None, typer.Option(help="Annotation, for the baselines that read it.")] = None,
    against: Annotated[
        str | None, typer.Option(help="Name of the one that all others are compared with; else the first.")
    ] = None,
    block: Annotated[int, typer.Option(min=500, help="Bases of the blocks that are resampled.")] = 20_000,
    resamples: Annotated[int, typer.Option(min=0, help="How many; 0 gives no intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
    circular: Annotated[
        bool | None, typer.Option("--circular/--linear", help="Whether records are circles; else what the file says.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score tracks against known sites: recall, precision, false calls per kb, AUPRC, distance, with 95 % intervals.

    A call is right when a known site of its strand lies within the tolerance; a site is found once.
    """
    from dnalm.annotation import read_sites
    from dnalm.cli.track_input import Genome, on_shared, read_subject
    from dnalm.datasets.named_files import named_file
    from dnalm.sequences import Region
    from dnalm.tracks.evaluate import TOLERANCES

    read = Genome.read(genome, circular)
    regions = [Region.parse(text) for text in region or ()]
    subjects = on_shared([read_subject(name, read, regions) for name in tracks])
    known = read_sites(named_file(truth), record=read.first(subjects[0].tracks))
    seen = [Region.parse(text) for text in trained_on] if trained_on else None
    learn = [Region.parse(text) for text in train_region or ()]
    if baselines:
        subjects += _baselines(read, regions or _stretches(subjects), known, learn, genes)
    choices = {"tolerances": tuple(tolerance or TOLERANCES), "merge": merge, "block": block}
    scored = _scored(subjects, known, read, choices, {"distance": distance, "smooth": smooth}, seen, threshold)
    found = [_evaluated(one, resamples, seed) for one in scored]
    compared = _compared(scored, against, resamples, seed)
    if as_json:
        print_json({"truth": truth, "distance": distance, "smooth": smooth, "seed": seed,
                    "evaluations": [one.as_dict() for one in found],
                    "comparisons": [one.as_dict() for one in compared]})  # fmt: skip
        return
    _print(found)
    _print_compared(compared, choices["tolerances"])


def _stretches(subjects: Sequence[Subject]) -> list[Region]:
    from dnalm.sequences import Region

    return [Region(track.record, track.start, track.end) for track in subjects[0].tracks]


def _baselines(
    genome: Genome, regions: Sequence[Region], known: Sequence[Site], learn: Sequence[Region], genes: str | None
) -> list[Subject]:
    from dnalm.annotation import read_genes
    from dnalm.cli.track_input import Subject
    from dnalm.datasets.named_files import named_file
    from dnalm.tracks.baselines import baseline_track, fit_baselines

    if not genome.records or not learn:
        raise InputError("--baselines needs --genome and --train-region, what they read and what they learn from")
    if learn[0].record not in genome.records:
        raise InputError(f"--train-region {learn[0]}: the genome has no record {learn[0].record}")
    annotated = read_genes(named_file(genes)) if genes else None
    found = fit_baselines(genome.records[learn[0].record], known, learn, annotated)
    return [
        Subject(one.name, [baseline_track(one, genome.records[r.record], r) for r in regions], seen=tuple(learn))
        for one in found
    ]


def _scored(
    subjects: Sequence[Subject],
    known: Sequence[Site],
    genome: Genome,
    choices: dict[str, Any],
    calling: dict[str, Any],
    seen: Sequence[Region] | None,
    threshold: float | None,
) -> list[Scored]:
    from dnalm.tracks.calls import calls_of
    from dnalm.tracks.evaluate import score

    # What any of them has seen is held against all: they are compared on what none has.
    said = [region for one in subjects for region in one.seen or ()]
    union = list(seen) if seen is not None else said if any(one.seen is not None for one in subjects) else None
    silent = [one.name for one in subjects if one.seen is None]
    if seen is None and union is not None and silent:
        say(f"{', '.join(silent)}: not said what was trained on; held-out is what the others have not seen")
    return [
        score(
            one.name,
            [calls_of(track, circular=genome.is_circle(track.record), **calling) for track in one.tracks],
            known,
            trained_on=union,
            threshold=threshold if threshold is not None else one.threshold,
            **choices,
        )
        for one in subjects
    ]


def _evaluated(scored: Scored, resamples: int, seed: int) -> Evaluation:
    import numpy as np

    from dnalm.tracks.evaluate import evaluate as evaluated

    return evaluated(scored, generator=np.random.default_rng(seed), resamples=resamples)


def _compared(scored: Sequence[Scored], against: str | None, resamples: int, seed: int) -> list[Comparison]:
    import numpy as np

    from dnalm.tracks.evaluate import compare

    names = [one.name for one in scored]
    if against is not None and against not in names:
        raise InputError(f"--against {against}: the names here are {', '.join(names)}")
    base = scored[names.index(against)] if against else scored[0]
    return [
        compare(one, base, generator=np.random.default_rng(seed), resamples=resamples, figures=FIGURES[:3])
        for one in scored
        if one is not base
    ]


def _print(found: Sequence[Evaluation]) -> None:
    names = [*FIGURES, *(name for name in THRESHOLD_FIGURES if any(name in one.rows[0].figures for one in found))]
    header = ["name", "part", "strand", "sites as", "tolerance", "sites", *(name.replace("_", " ") for name in names)]
    body = [
        [
            *(one.name, row.key.part, row.key.strand, "clusters" if row.key.clustered else "single"),
            *(row.key.tolerance, row.sites),
            *(row.figures[name].short() if name in row.figures else "" for name in names),
        ]
        for one in found
        for row in one.rows
    ]
    print_table(header, body)


def _print_compared(compared: Sequence[Comparison], tolerances: Sequence[int]) -> None:
    for one in compared:
        for tolerance in tolerances:
            ratio = one.row(tolerance=tolerance).ratios["auprc"]
            say(f"AUPRC of {one.first} within {tolerance} bases: {ratio.short()} times that of {one.second}")
