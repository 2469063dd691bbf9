"""`dnalm peaks`: the calls of a track, with what is known of each, as BED, GFF3 or a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import Json, say
from dnalm.cli.output import STANDARD, print_json, whole_file
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.annotation import Site
    from dnalm.cli.track_input import Genome, Subject
    from dnalm.tracks import Peak, Track
    from dnalm.tracks.background import Background
    from dnalm.tracks.calibration import Calibration

SHUFFLED, GENIC = "shuffled", "genic"


def peaks(
    track: Annotated[
        str, typer.Argument(help="A track's file (.bw .bedgraph .tsv .parquet), or a model.", metavar="TRACK|MODEL")
    ],
    genome: Annotated[
        str | None, typer.Argument(help="FASTA or GenBank: what a model scans; optional with a file.", metavar="GENOME")
    ] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", help="OUT.bed .narrowpeak .gff3 .tsv; - is a table to standard output.")
    ] = STANDARD,
    region: Annotated[list[str] | None, typer.Option(help="RECORD:FIRST-LAST, 1-based; may be repeated.")] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least probability; else the model's own, or 0.5.")
    ] = None,
    distance: Annotated[int, typer.Option(min=1, help="Of two nearer than this, in bases, the higher stays.")] = 40,
    smooth: Annotated[float, typer.Option(min=0, help="Bases of a bell curve to smooth with; 0: not.")] = 0.0,
    prominence: Annotated[
        float, typer.Option(min=0, max=1, help="Least height over the valleys that part it from higher peaks.")
    ] = 0.0,
    background: Annotated[
        str | None,
        typer.Option(help="What chance gives, for q: shuffled, genic (with --genes), or a track's file."),
    ] = None,
    genes: Annotated[str | None, typer.Option(help="Annotation (GenBank, GFF3, BED) for --background genic.")] = None,
    q: Annotated[float | None, typer.Option("--q", min=0, max=1, help="Greatest q of a call.")] = None,
    truth: Annotated[str | None, typer.Option(help="Known sites (TSV, GFF3, BED): the nearest beside each.")] = None,
    tolerance: Annotated[int, typer.Option(min=0, help="Bases within which a call is right.")] = 10,
    calibration: Annotated[
        Path | None, typer.Option(help="From `dnalm tracks calibrate`; else the model's own, where it has one.")
    ] = None,
    stride: Annotated[int, typer.Option(min=1, help="Bases between sites, where a model scans.")] = 1,
    circular: Annotated[
        bool | None, typer.Option("--circular/--linear", help="Whether records are circles; else what the file says.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the shuffle.")] = 0,
    as_json: Json = False,
) -> None:
    """Call the peaks of a track: a file that `dnalm scan` wrote, or a model that reads a genome now.

    With a background each call gets a q-value: the share of false calls to expect among it and all higher ones.
    """
    from dnalm.annotation import read_sites
    from dnalm.cli.track_input import Genome, read_subject
    from dnalm.datasets.named_files import named_file
    from dnalm.sequences import Region

    _check_output(output, as_json)
    if q is not None and background is None:
        raise InputError("--q needs --background: a q-value says how often chance gives such a call")
    read = Genome.read(genome, circular)
    regions = [Region.parse(text) for text in region or ()]
    subject = read_subject(track, read, regions, **({"stride": stride} if stride > 1 else {}))
    cut = threshold if threshold is not None else (subject.threshold or 0.5)
    calling = {"distance": distance, "smooth": smooth}
    chance = _backgrounds(background, subject, read, genes, seed, calling) if background else None
    learned = _calibration(calibration, subject)
    found = _called(subject.tracks, read, cut, prominence, calling, chance, q, learned)
    known = read_sites(named_file(truth), record=read.first(subject.tracks)) if truth else None
    written = _write(found, output, subject.name, known, read, subject.tracks)
    told = _told(subject, found, cut, written, chance)
    if known is not None:
        told["agreement"] = _agreement(found, known, read, subject.tracks, tolerance)
    if as_json:
        print_json(told)
    else:
        say(_sentence(told))


def _check_output(output: str, as_json: bool) -> None:
    from dnalm.tracks.export_peaks import PEAK_FORMATS

    if output == STANDARD:
        if as_json:
            raise InputError("--json needs -o FILE: standard output holds the JSON object, the calls go to the file")
        return
    wanted = (*PEAK_FORMATS, ".tsv")
    if Path(output).suffix.lower() not in wanted:
        raise InputError(f"{output}: calls are written as {', '.join(wanted)}")
    if not Path(output).parent.is_dir():
        raise InputError(f"{output}: the folder {Path(output).parent} is not there; make it first")


def _called(
    tracks: Sequence[Track],
    genome: Genome,
    threshold: float,
    prominence: float,
    calling: dict[str, Any],
    chance: Background | None,
    most_q: float | None,
    learned: Calibration | None,
) -> list[Peak]:
    from dnalm.tracks import call_peaks
    from dnalm.tracks.background import with_q
    from dnalm.tracks.calibration import calibrated

    least = {"threshold": threshold, "prominence": prominence} if chance is None else {"threshold": 0}
    found = [
        peak
        for track in tracks
        for peak in call_peaks(track, **least, **calling, circular=genome.is_circle(track.record))
    ]
    if chance is not None:
        # How many calls were made, high and low, of all records, is part of what a q-value says: they are chosen
        # afterwards.
        every = with_q(found, chance)
        found = [peak for peak in every if peak.probability >= threshold and (peak.prominence or 0) >= prominence]
    if most_q is not None:
        found = [peak for peak in found if peak.q is not None and peak.q <= most_q]
    return calibrated(found, learned) if learned and found else found


def _backgrounds(
    kind: str, subject: Subject, genome: Genome, genes: str | None, seed: int, calling: dict[str, Any]
) -> Background:
    """One background of all records: heights of calls that chance gives."""
    import numpy as np

    from dnalm.annotation import read_genes
    from dnalm.cli.track_input import scanned
    from dnalm.datasets.named_files import named_file
    from dnalm.tracks.background import background_of, genic_background, pooled, shuffled_record
    from dnalm.tracks.reading import is_track_file, read_tracks

    def options(record: str) -> dict[str, Any]:
        return {**calling, "circular": genome.is_circle(record)}

    if kind == SHUFFLED:
        if subject.model is None:
            raise InputError("--background shuffled scans the genome's shuffle: give a model and a genome, not a file")
        generator = np.random.default_rng(seed)
        parts = []
        for one in subject.tracks:
            record = shuffled_record(genome.records[one.record], generator)
            track = scanned(subject.model, record, _region_of(one), stride=one.stride)
            parts.append(background_of(track, SHUFFLED, **options(one.record)))
        return pooled(parts)
    if kind == GENIC:
        if genes is None:
            raise InputError("--background genic needs --genes, the annotation that says where genes lie")
        annotated = read_genes(named_file(genes))
        return pooled([genic_background(one, annotated, **options(one.record)) for one in subject.tracks])
    if not is_track_file(kind):
        raise InputError(f"--background {kind}: wanted {SHUFFLED}, {GENIC} or a track's file")
    return pooled([background_of(one, Path(kind).name, **options(one.record)) for one in read_tracks(kind)])


def _region_of(track: Track) -> Any:
    from dnalm.sequences import Region

    return Region(track.record, track.start, track.end)


def _calibration(path: Path | None, subject: Subject) -> Calibration | None:
    from dnalm.tracks.calibration import METRIC, Calibration

    if path is not None:
        return Calibration.read(path)
    kept = subject.model.metrics.get(METRIC) if subject.model is not None else None
    return Calibration.from_dict(kept) if kept else None


def _write(
    found: Sequence[Peak],
    output: str,
    name: str,
    known: Sequence[Site] | None,
    genome: Genome,
    tracks: Sequence[Track],
) -> str | None:
    from dnalm.tracks.export_peaks import write_peaks
    from dnalm.tracks.peak_table import peak_table

    lengths = {one.record: one.record_length for one in tracks if genome.is_circle(one.record)}
    if output != STANDARD and Path(output).suffix.lower() != ".tsv":
        return str(write_peaks(found, output, source=name)[0])
    text = peak_table(found, known, circular_lengths=lengths).to_csv(
        sep="\t", index=False, float_format="%.6g", lineterminator="\n", na_rep=""
    )
    if output == STANDARD:
        sys.stdout.write(text)
        return None
    with whole_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return output


def _agreement(
    found: Sequence[Peak], known: Sequence[Site], genome: Genome, tracks: Sequence[Track], tolerance: int
) -> dict[str, Any]:
    from dnalm.tracks import agreement

    counts = {"known": 0, "found": 0, "calls": 0, "right": 0}
    for one in tracks:
        circle = one.record_length if genome.is_circle(one.record) else None
        length = one.record_length or one.end
        calls = [peak for peak in found if peak.record == one.record]
        here = [
            site
            for site in known
            if site.record == one.record
            and site.strand in one.strands()
            and (site.position - one.start) % length < one.end - one.start
        ]
        result = vars(agreement(calls, here, tolerance=tolerance, circular_length=circle))
        counts = {name: count + result[name] for name, count in counts.items()}
    return {**counts, "tolerance": tolerance}


def _told(
    subject: Subject, found: Sequence[Peak], threshold: float, written: str | None, chance: Background | None
) -> dict[str, Any]:
    told: dict[str, Any] = {"name": subject.name, "output": written, "threshold": threshold, "calls": len(found)}
    told["strands"] = {strand: sum(peak.strand == strand for peak in found) for strand in "+-"}
    if chance is not None:
        told["background"] = {
            "kind": chance.kind,
            "peaks": len(chance.heights),
            "kilobases": chance.kilobases,
            "per_kb_at_threshold": chance.rate(threshold),
        }
        told["q_at_threshold"] = max((peak.q for peak in found if peak.q is not None), default=None)
    return told


def _sentence(told: dict[str, Any]) -> str:
    text = f"{told['calls']:,} calls at or above {told['threshold']:.3g}"
    if "background" in told:
        rate = told["background"]["per_kb_at_threshold"]
        text += f"; chance gives {rate:.3g} such calls on a kilobase of one strand"
        if told["q_at_threshold"] is not None:
            text += f", and q is at most {told['q_at_threshold']:.2g}"
    if "agreement" in told:
        counts = told["agreement"]
        text += (
            f"; {counts['found']:,} of {counts['known']:,} known sites have a call within {counts['tolerance']} bases, "
            f"{counts['right']:,} of {counts['calls']:,} calls have a known site"
        )
    return text
