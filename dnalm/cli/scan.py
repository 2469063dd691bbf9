"""`dnalm scan`: the probability along a genome, as a track, a table or a picture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.frame import INTERRUPTED, Json, progress, say
from dnalm.cli.output import STANDARD, print_json
from dnalm.cli.predict import Strands
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier, TrackModel
    from dnalm.tracks.long_scan import LongScan, Means


class Mode(StrEnum):
    """How sites are read."""

    STREAM = "stream"
    WINDOW = "window"


class Runtime(StrEnum):
    """What computes the encoders."""

    TORCH = "torch"
    ONNX = "onnx"
    INT8 = "onnx-int8"


def scan(
    model: Annotated[
        str, typer.Argument(help="A classifier or a track model: its name, or its folder.", metavar="MODEL")
    ],
    genome: Annotated[
        str,
        typer.Argument(help="FASTA or GenBank, or a name in the catalogue; - is standard input.", metavar="GENOME"),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", help="OUT.bedgraph .bw .tsv .parquet .png .svg; - is TSV to stdout.")
    ] = STANDARD,
    region: Annotated[str | None, typer.Option(help="RECORD:FIRST-LAST, 1-based; else every record, whole.")] = None,
    stride: Annotated[int, typer.Option(min=1, help="Bases between scored sites.")] = 1,
    strand: Annotated[Strands, typer.Option(help="Strands to score.")] = Strands.BOTH,
    mode: Annotated[
        Mode | None,
        typer.Option(help="stream: one pass along each strand; window: each site by itself; else the model's first."),
    ] = None,
    window: Annotated[int | None, typer.Option(min=1, help="Window in bases, for models of any length.")] = None,
    label: Annotated[str | None, typer.Option(help="The class to score; else the positive one.")] = None,
    circular: Annotated[
        bool | None, typer.Option("--circular/--linear", help="Whether records are circles; else what the file says.")
    ] = None,
    truth: Annotated[
        str | None, typer.Option("--truth", help="Known start sites (TSV, GFF3, BED), or their name in the catalogue.")
    ] = None,
    sites: Annotated[str | None, typer.Option("--sites", hidden=True)] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Least probability of a call.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows read by the model at a time.")] = 256,
    processes: Annotated[int, typer.Option(min=1, help="Processes that scan at a time.")] = 1,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or several in turn: cuda:0,cuda:1; cuda:all is every one.")
    ] = "cpu",
    runtime: Annotated[
        Runtime, typer.Option(help="onnx is faster on a processor; onnx-int8 more so, and not quite the same.")
    ] = Runtime.TORCH,
    part: Annotated[
        str | None, typer.Option(metavar="K/N", help="Only the K-th of N equal shares, for several machines.")
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="Write what the parts scored; refuse if one is missing.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew, not where an earlier attempt stopped.")] = False,
    as_json: Json = False,
) -> None:
    """Scan a genome: the probability at every site of both strands.

    A scan to a file that was stopped, however, goes on when the same command is given again.
    """
    import dnalm
    from dnalm.cli.scan_output import check_output
    from dnalm.datasets.named_files import named_file
    from dnalm.sequences import Region
    from dnalm.tracks import ScanOptions
    from dnalm.tracks.long_scan import LongScan, Means
    from dnalm.tracks.parts import Parts, parts_folder

    check_output(output, as_json)
    means = Means(processes, _devices(device), _part(part), fresh)
    if output == STANDARD and (part or join):
        raise InputError("--part and --join need -o FILE: its name says which parts belong together")
    if join and (part or fresh):
        raise InputError("--join writes what all parts scored: give it without --part and --fresh")
    where = Region.parse(region) if region else None
    path = genome if genome == STANDARD else named_file(genome)
    exact = _scannable(dnalm.load(model, _own_device(means)), model)
    loaded = _run_by(runtime, exact, means)
    options = ScanOptions(stride, strand.value, mode.value if mode else None, window, label, batch_size)
    folder = parts_folder(output) if output != STANDARD else None
    try:
        with LongScan(loaded, path, folder, where, options, circular, means) as long_scan:
            if join:
                _refuse_missing(long_scan, output)
            strayed = _strayed(long_scan, exact) if runtime is Runtime.INT8 else None
            _run(long_scan, output, truth or sites, threshold, as_json, strayed)
    except KeyboardInterrupt:
        kept = len(Parts.there(folder)) if folder is not None else 0
        if not kept:
            raise
        say(f"stopped; {kept:,} pieces are scored and kept: the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None


def _run_by(runtime: Runtime, model: Classifier | TrackModel, means: Means) -> Classifier | TrackModel:
    if runtime is Runtime.TORCH:
        return model
    if any(device != "cpu" for device in means.devices):
        raise InputError(f"--runtime {runtime.value} computes on a processor: give it without --device")
    from dnalm.model.onnx_runtime import accelerated

    return accelerated(model, runtime.value)


def _strayed(long_scan: LongScan, exact: Classifier | TrackModel) -> dict[str, Any]:
    """How far the model that scans is from the exact one, on windows from all over what is scanned."""
    import numpy as np

    from dnalm.model.onnx_runtime import difference
    from dnalm.tracks.sampled import sample_windows

    some = long_scan.works[:: -(-len(long_scan.works) // 16)]
    windows = []
    for work in some:
        one = long_scan.scan_of(work)
        told = {"window": one.width, "anchor": one.anchor, "count": -(-256 // len(some))}
        windows.append(sample_windows(one.record, work.first, work.end, **told))
    return difference(exact, long_scan.model, np.concatenate(windows)).as_dict()


def _run(
    long_scan: LongScan,
    output: str,
    truth: str | None,
    threshold: float | None,
    as_json: bool,
    strayed: dict[str, Any] | None,
) -> None:
    from dnalm.annotation import read_sites
    from dnalm.cli.scan_output import opening, sentence, summary
    from dnalm.datasets.named_files import named_file
    from dnalm.tracks.written import write_scan

    name = "standard input" if long_scan.genome == STANDARD else Path(long_scan.genome).name
    left_out = long_scan.left_out
    if left_out:
        say(f"{len(left_out):,} records are shorter than a window and left out: {', '.join(left_out[:5])}")
    with progress(f"scanning {name}", "sites") as advance:
        if long_scan.means.part is not None:
            _tell_part(long_scan, long_scan.score_part(advance), as_json)
            return
        cut = threshold if threshold is not None else (long_scan.model.config.threshold or 0.5)
        # A table of one genome's sites often names no record: they are then of the first that is scanned.
        known = read_sites(named_file(truth), record=next(iter(long_scan.lengths))) if truth else []
        opened = opening(output, long_scan, known, cut)
        written, records = write_scan(long_scan, opened, threshold=cut, progress=advance)
    rows = summary(records, known, cut, long_scan.options.strand)
    if as_json:
        files = [str(path) for path in written]
        told = {"runtime": long_scan.model.runtime, **({"difference": strayed} if strayed else {})}
        print_json({"model": long_scan.model.name, "output": files, "threshold": cut, "records": rows, **told})
        return
    if strayed:
        say(
            f"8 bits: probabilities are off by at most {strayed['largest']:.2g} on {strayed['n']:,} windows from here,"
            f" {strayed['rms']:.2g} in the root mean square"
        )
    for row in rows:
        say(sentence(row, cut))


def _tell_part(long_scan: LongScan, pieces: int, as_json: bool) -> None:
    part, parts = long_scan.means.part or (1, 1)
    missing = len(long_scan.missing())
    if as_json:
        told: dict[str, Any] = {"model": long_scan.model.name, "part": part, "parts": parts}
        print_json(told | {"pieces": pieces, "missing": missing, "folder": long_scan.folder})
        return
    rest = f"{missing:,} pieces are left to the other parts" if missing else "all are done: --join writes the file"
    say(f"part {part} of {parts} is scored, {pieces:,} pieces; {rest}")


def _refuse_missing(long_scan: LongScan, output: str) -> None:
    missing = long_scan.missing()
    if missing:
        first = missing[0]
        place = f"{long_scan.scan_of(first).record.id}:{first.first + 1:,}-{first.end:,}"
        raise InputError(
            f"{output}: {len(missing):,} of {len(long_scan.works):,} pieces are not scored yet, the first at {place}; "
            "run the parts that are missing, or the command without --join, which scores them itself"
        )


def _scannable(loaded: Any, name: str) -> Classifier | TrackModel:
    if loaded.config.kind not in ("classifier", "track"):
        kind = loaded.config.kind.replace("-", " ")
        raise InputError(f"{name} is a {kind}; a classifier or a track model is wanted here")
    return loaded


def _part(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise InputError(f"--part {text}: write which of how many, as 2/8 is the second of eight")
    return int(part), int(parts)


def _devices(text: str) -> tuple[str, ...]:
    """The devices named; whether they are there is looked up only where one is not the processor."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["cpu"]:
        return ("cpu",)
    import torch

    if names == ["cuda:all"]:
        names = [f"cuda:{number}" for number in range(torch.cuda.device_count())] or ["cuda"]
    for name in names:
        kind, _, number = name.partition(":")
        if kind not in ("cpu", "cuda", "mps") or (number and not number.isdecimal()):
            raise InputError(f"--device {name}: wanted cpu, cuda, cuda:1 or mps, or several of them with commas")
        there = torch.cuda.device_count() if kind == "cuda" else int(kind == "cpu" or torch.backends.mps.is_available())
        if int(number or 0) >= there:
            raise InputError(f"--device {name}: this machine has {there} such devices that torch can use")
    if not names:
        raise InputError("--device: name one, such as cpu or cuda")
    return tuple(names)


def _own_device(means: Means) -> str:
    """Where the command's own model computes; with several processes it only says what it is."""
    return "cpu" if max(means.processes, len(means.devices)) > 1 else means.devices[0]
