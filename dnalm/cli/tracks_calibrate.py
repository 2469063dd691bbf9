"""`dnalm tracks calibrate`: what a score is worth, learned from calls whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnalm.cli.frame import Json, say
from dnalm.cli.output import print_json
from dnalm.errors import InputError


def calibrate(
    track: Annotated[str, typer.Argument(help="A track's file, or a model (with --genome).", metavar="TRACK|MODEL")],
    truth: Annotated[str, typer.Option(help="Known sites: TSV, GFF3, BED, or a name in the catalogue.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The calibration, as JSON.")],
    genome: Annotated[str | None, typer.Option(help="What a model reads; of a file it says lengths, circles.")] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="RECORD:FIRST-LAST that the model was not trained on; may be repeated."),
    ] = None,
    tolerance: Annotated[int, typer.Option(min=0, help="Bases within which a call is right.")] = 100,
    distance: Annotated[int, typer.Option(min=1, help="Of two calls nearer than this, the higher stays.")] = 40,
    smooth: Annotated[float, typer.Option(min=0, help="Bases of a bell curve to smooth with; 0: not.")] = 0.0,
    method: Annotated[str, typer.Option(help="isotonic, or platt where calls are few.")] = "isotonic",
    circular: Annotated[
        bool | None, typer.Option("--circular/--linear", help="Whether records are circles; else what the file says.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Learn which share of calls of each score is right, in regions that the model was not trained on.

    `dnalm peaks --calibration` then writes this share beside each call. Call with the same distance and smoothing.
    """
    from dnalm.annotation import read_sites
    from dnalm.cli.track_input import Genome, read_subject
    from dnalm.datasets.named_files import named_file
    from dnalm.sequences import Region
    from dnalm.tracks.calibration import calibrate_calls
    from dnalm.tracks.calls import calls_of

    if not output.parent.is_dir():
        raise InputError(f"{output}: the folder {output.parent} is not there; make it first")
    read = Genome.read(genome, circular)
    regions = [Region.parse(text) for text in region or ()]
    subject = read_subject(track, read, regions)
    _refuse_seen(subject, regions)
    known = read_sites(named_file(truth), record=read.first(subject.tracks))
    calls = [
        calls_of(one, distance=distance, smooth=smooth, circular=read.is_circle(one.record)) for one in subject.tracks
    ]
    learned = calibrate_calls(
        calls, known, tolerance=tolerance, method=method, model=subject.name, distance=distance, smooth=smooth
    )
    learned.write(output)
    at = learned([0.5, 0.9]).tolist()
    if as_json:
        print_json({"output": output, **learned.as_dict()})
        return
    say(
        f"{learned.right:,} of {learned.calls:,} calls are right within {tolerance} bases; of those at .5 "
        f"{at[0]:.0%} are, at .9 {at[1]:.0%}"
    )


def _refuse_seen(subject: object, regions: list) -> None:
    """A calibration on what a model was trained on would promise too much; on what it was chosen on, hardly."""
    model = getattr(subject, "model", None)
    if model is None:
        return
    from dnalm.sequences import Region

    trained = [Region.parse(text) for text in model.config.trained.get("regions", {}).get("train", ())]
    asked = regions or [Region(one.record, one.start, one.end) for one in subject.tracks]  # type: ignore[attr-defined]
    for one in asked:
        for other in trained:
            if one.record == other.record and one.start < other.end and other.start < one.end:
                raise InputError(f"{model.name} was trained on {other}: give --region apart from it, not {one}")
