"""`dnalm scan`: the probability along a genome, as a track, a table or a picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import Json, progress, say
from dnalm.cli.output import STANDARD, print_json, whole_file
from dnalm.cli.predict import Strands, classifier_of
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.annotation import Site
    from dnalm.model.predict import Classifier
    from dnalm.sequences import Record, Region
    from dnalm.tracks import Track

PICTURES = (".png", ".svg")
TRACKS = (".bedgraph", ".bg", ".bw", ".bigwig", ".tsv", ".parquet")


def scan(
    model: Annotated[str, typer.Argument(help="A classifier: its name, or its folder.", metavar="MODEL")],
    genome: Annotated[str, typer.Argument(help="FASTA or GenBank; - is standard input.", metavar="GENOME")],
    output: Annotated[
        str, typer.Option("-o", "--output", help="OUT.bedgraph .bw .tsv .parquet .png .svg; - is TSV to stdout.")
    ] = STANDARD,
    region: Annotated[str | None, typer.Option(help="RECORD:FIRST-LAST, 1-based; else every record, whole.")] = None,
    stride: Annotated[int, typer.Option(min=1, help="Bases between scored sites.")] = 1,
    strand: Annotated[Strands, typer.Option(help="Strands to score.")] = Strands.BOTH,
    window: Annotated[int | None, typer.Option(min=1, help="Window in bases, for models of any length.")] = None,
    label: Annotated[str | None, typer.Option(help="The class to score; else the positive one.")] = None,
    circular: Annotated[
        bool | None, typer.Option("--circular/--linear", help="Whether records are circles; else what the file says.")
    ] = None,
    sites: Annotated[str | None, typer.Option(help="Known start sites (TSV, GFF3, BED): drawn, and counted.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Least probability of a call.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows read by the model at a time.")] = 256,
    as_json: Json = False,
) -> None:
    """Slide a classifier along a genome: the probability at every site of both strands."""
    import dnalm
    from dnalm.annotation import read_sites
    from dnalm.sequences import Region

    _check_output(output, as_json)
    where = Region.parse(region) if region else None
    classifier = classifier_of(dnalm.load(model), model)
    options = {"stride": stride, "strand": strand.value, "window": window, "label": label, "batch_size": batch_size}
    records = _records(genome, where, circular)
    # A table of one genome's sites often names no record: they are then of the first that is scanned.
    known = read_sites(sites, record=records[0].id) if sites else []
    tracks = [_scan_one(classifier, record, where, options) for record in records]
    cut = threshold if threshold is not None else (classifier.config.threshold or 0.5)
    written = _write(tracks, output, known, cut)
    summary = _summary(tracks, known, cut)
    if as_json:
        print_json({"model": classifier.name, "output": written, "threshold": cut, "records": summary})
        return
    for one in summary:
        say(_sentence(one, cut))


def _check_output(output: str, as_json: bool) -> None:
    """Refuse a wrong name before hours of scanning, not after."""
    if output == STANDARD:
        if as_json:
            raise InputError("--json needs -o FILE: standard output holds the JSON object, the track goes to the file")
        return
    suffix = Path(output).suffix.lower()
    if suffix not in TRACKS + PICTURES:
        wanted = ", ".join(TRACKS + PICTURES)
        raise InputError(f"{output}: the suffix {suffix or '(none)'} says no format; wanted one of {wanted}")
    if not Path(output).parent.is_dir():
        raise InputError(f"{output}: the folder {Path(output).parent} is not there; make it first")


def _records(genome: str, region: Region | None, circular: bool | None) -> list[Record]:
    from dnalm.sequences import read_records

    records, names = [], []
    for record in read_records(genome, circular=circular):
        names.append(record.id)
        if region is None or record.id == region.record:
            records.append(record)
            if region is not None:
                break
    if not records:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise InputError(f"{genome}: has no record {region.record if region else ''}; it has {shown}")
    return records


def _scan_one(model: Classifier, record: Record, region: Region | None, options: dict[str, Any]) -> Track:
    from dnalm import tracks

    with progress(f"scanning {record.id}", "windows") as advance:
        return tracks.gather(tracks.scan(model, record, region=region, progress=advance, **options))


def _write(tracks: Sequence[Track], output: str, known: Sequence[Site], threshold: float) -> list[str]:
    """Write the tracks and return the files' names.

    A bigWig and a picture hold one record; text and tables hold all of a genome's.
    """
    from dnalm.tracks import export, picture

    suffix = Path(output).suffix.lower()
    if output == STANDARD:
        for number, track in enumerate(tracks):
            text = export.tsv_text(track)
            sys.stdout.write(text if number == 0 else text.split("\n", 1)[1])
        return []
    if suffix in PICTURES:
        one = _only(tracks, output)
        return [str(picture.write_picture(picture.draw(one, sites=known, threshold=threshold), output))]
    if len(tracks) == 1 or suffix in (".bw", ".bigwig"):
        return [str(path) for path in export.write_track(_only(tracks, output), output)]
    with whole_file(output) as temporary:
        if suffix == ".parquet":
            import pandas as pd

            frames = [export.to_frame(track) for track in tracks]
            pd.concat(frames, ignore_index=True).to_parquet(temporary, index=False)
        else:
            texts = [export.tsv_text(t) if suffix == ".tsv" else export.bedgraph_text(t) for t in tracks]
            if suffix == ".tsv":
                texts[1:] = [text.split("\n", 1)[1] for text in texts[1:]]
            temporary.write_text("".join(texts), encoding="utf-8")
    return [output]


def _only(tracks: Sequence[Track], output: str) -> Track:
    if len(tracks) > 1:
        names = ", ".join(track.record for track in tracks[:5])
        raise InputError(
            f"{output}: holds one record, but there are {len(tracks)} ({names}, ...); choose with --region"
        )
    return tracks[0]


def _summary(tracks: Sequence[Track], known: Sequence[Site], threshold: float) -> list[dict[str, Any]]:
    """What was called in each record, and beside known sites where there are any."""
    from dnalm.tracks import agreement, call_peaks

    rows = []
    for track in tracks:
        peaks = call_peaks(track, threshold)
        row: dict[str, Any] = {"record": track.record, "start": track.start + 1, "end": track.end}
        row |= {"sites": len(track), "window": track.window, "calls": len(peaks)}
        if known:
            here = [site for site in known if _covers(track, site)]
            row["agreement"] = vars(agreement(peaks, here))
        rows.append(row)
    return rows


def _covers(track: Track, site: Site) -> bool:
    """Whether a site lies in what was scanned, over the origin too, and on a strand that was."""
    same = site.record == track.record and site.strand in track.strands()
    return same and (site.position - track.start) % track.record_length < track.end - track.start


def _sentence(row: dict[str, Any], threshold: float) -> str:
    text = f"{row['record']}:{row['start']:,}-{row['end']:,}: {row['calls']:,} peaks at or above {threshold:.3g}"
    if "agreement" in row and not row["agreement"]["known"]:
        text += "; no known site lies there"
    elif "agreement" in row:
        found = row["agreement"]
        text += (
            f"; {found['found']:,} of {found['known']:,} known sites have a peak within {found['tolerance']} bases, "
            f"{found['right']:,} of {found['calls']:,} peaks have a known site"
        )
    return text
