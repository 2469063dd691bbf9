"""What `dnalm scan` writes, and what it says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnalm.cli.output import STANDARD
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.annotation import Site
    from dnalm.tracks.long_scan import LongScan
    from dnalm.tracks.writer import Writer
    from dnalm.tracks.written import Opening, ScannedRecord

PICTURES = (".png", ".svg")
TRACKS = (".bedgraph", ".bg", ".bw", ".bigwig", ".tsv", ".parquet")
# A picture is drawn of the whole track in memory; no screen shows more. Scores.
MOST_DRAWN = 50_000_000


def check_output(output: str, as_json: bool) -> None:
    """Refuse a wrong name before hours of scanning, not after."""
    if output == STANDARD:
        if as_json:
            raise InputError("--json needs -o FILE: standard output holds the JSON object, the track goes to the file")
        return
    suffix = Path(output).suffix.lower()
    if suffix not in TRACKS + PICTURES:
        wanted = ", ".join(TRACKS + PICTURES)
        raise InputError(f"{output}: the suffix {suffix or '(none)'} says no format; wanted one of {wanted}")
    if Path(output).is_dir():
        raise InputError(f"{output}: is a folder; name a file to write")
    if not Path(output).parent.is_dir():
        raise InputError(f"{output}: the folder {Path(output).parent} is not there; make it first")


def opening(output: str, long_scan: LongScan, known: Sequence[Site], threshold: float) -> Opening:
    """What opens the writer for an output.

    Raises:
        InputError: a picture is asked for of more than it can show.
    """
    import sys

    from dnalm.cli.scan_picture import PictureWriter
    from dnalm.tracks.writers import TsvWriter, open_writer

    picture = Path(output).suffix.lower() in PICTURES
    names = list(long_scan.lengths)
    if picture and len(names) > 1:
        shown = ", ".join(names[:5])
        raise InputError(f"{output}: holds one record, but there are {len(names)} ({shown}, ...); choose with --region")
    if picture and long_scan.windows > MOST_DRAWN:
        raise InputError(
            f"{output}: a picture of {long_scan.windows:,} scores shows nothing; choose with --region, or a wider "
            "--stride"
        )

    def open_one(lengths: Mapping[str, int], strands: Sequence[str], folder: Path) -> Writer:
        if output == STANDARD:
            return TsvWriter(Path(output), lengths, strands, folder, stream=sys.stdout)
        if picture:
            return PictureWriter(Path(output), lengths, strands, folder, known=known, threshold=threshold)
        return open_writer(output, lengths, strands, folder=folder)

    return open_one


def summary(
    records: Sequence[ScannedRecord], known: Sequence[Site], threshold: float, strand: str
) -> list[dict[str, Any]]:
    """What was called in each record, and beside known sites where there are any."""
    from dnalm.tracks import agreement

    rows = []
    for one in records:
        row: dict[str, Any] = {"record": one.record, "start": one.start + 1, "end": one.end}
        row |= {"sites": one.sites, "window": one.window, "calls": len(one.peaks)}
        if known:
            here = [site for site in known if _covers(one, site, strand)]
            circle = one.length if one.circular else None
            row["agreement"] = vars(agreement(one.peaks, here, circular_length=circle))
        rows.append(row)
    return rows


def _covers(one: ScannedRecord, site: Site, strand: str) -> bool:
    """Whether a site lies in what was scanned, over the origin too, and on a strand that was."""
    same = site.record == one.record and strand in ("both", site.strand)
    return same and (site.position - one.start) % one.length < one.end - one.start


def sentence(row: dict[str, Any], threshold: float) -> str:
    """A row of `summary` in words."""
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
