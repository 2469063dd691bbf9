"""Write a track to files that genome browsers and tables read: bedGraph, bigWig, TSV and Parquet.

Sites without a score are left out. Each file is written under a temporary name beside its own and renamed, so
that a reader never sees half of one.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pybigtools

from dnalm.errors import InputError
from dnalm.files import replacing
from dnalm.tracks.scan import Scores, Track

_STRAND_NAMES = {"+": "plus", "-": "minus"}


def write_track(track: Track, path: str | Path) -> list[Path]:
    """Write a track in the format that the file's name asks for.

    Args:
        track: the scores.
        path: ends in .bedgraph, .bg, .bw, .bigwig, .tsv or .parquet.

    Returns:
        The files written: two for a bigWig of both strands, else one.

    Raises:
        InputError: the name ends in something else.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: a track is written as {', '.join(FORMATS)}, not {suffix or 'without ending'}")
    return FORMATS[suffix](track, path)


def to_frame(track: Track) -> pd.DataFrame:
    """The track as a table, one row a site and strand.

    Returns:
        Columns record, position (1-based, as in region text), strand, probability; by strand and position.
    """
    parts = []
    for strand, scores in track.strands().items():
        order = _scored(track, scores)
        parts.append(
            pd.DataFrame(
                {
                    "record": track.record,
                    "position": track.wrapped[order] + 1,
                    "strand": strand,
                    "probability": scores[order],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def tsv_text(track: Track) -> str:
    """The table of `to_frame` as tab-separated text with a header line."""
    return to_frame(track).to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n")


def bedgraph_text(track: Track) -> str:
    """The track as bedGraph, one `track` line a strand; the reverse strand's values are negative.

    A site's value covers the bases up to the next site, so that a track of stride 50 shows in a browser.
    Coordinates are 0-based, half-open.
    """
    text = io.StringIO()
    for strand, scores in track.strands().items():
        order = _scored(track, scores)
        starts, ends = _spans(track, order)
        # Not a bare minus: that would write a score of zero as -0.
        values = scores[order] if strand == "+" else 0 - scores[order]
        name = _quoted(f"{track.model} {track.label} ({strand})")
        text.write(f'track type=bedGraph name="{name}" description="{name}" visibility=full\n')
        rows = pd.DataFrame({"record": track.record, "start": starts, "end": ends, "value": values})
        rows.to_csv(text, sep="\t", index=False, header=False, float_format="%.6g", lineterminator="\n")
    return text.getvalue()


def write_bedgraph(track: Track, path: str | Path) -> list[Path]:
    """Write `bedgraph_text` to a file."""
    return _write_text(bedgraph_text(track), path)


def write_tsv(track: Track, path: str | Path) -> list[Path]:
    """Write `tsv_text` to a file."""
    return _write_text(tsv_text(track), path)


def write_parquet(track: Track, path: str | Path) -> list[Path]:
    """Write the table of `to_frame` as Parquet."""
    with replacing(Path(path)) as temporary:
        to_frame(track).to_parquet(temporary, index=False)
    return [Path(path)]


def write_bigwig(track: Track, path: str | Path) -> list[Path]:
    """Write a bigWig of each strand.

    Args:
        track: the scores; its `record_length` becomes the chromosome's size.
        path: the file of a track with one strand. With both, `scan.bw` becomes `scan.plus.bw` and
            `scan.minus.bw`, since a bigWig holds one value a base.

    Returns:
        The files written.

    Raises:
        InputError: no site has a score, so that there is nothing to write.
    """
    path = Path(path)
    strands = track.strands()
    written = []
    for strand, scores in strands.items():
        order = _scored(track, scores)
        if not len(order):
            raise InputError(f"{path}: no site of {track.record} has a score on the {strand} strand")
        starts, ends = _spans(track, order)
        target = path.with_suffix(f".{_STRAND_NAMES[strand]}{path.suffix}") if len(strands) > 1 else path
        rows = zip(starts.tolist(), ends.tolist(), scores[order].tolist(), strict=True)
        with replacing(target) as temporary:
            writer = pybigtools.open(str(temporary), "w")
            writer.write(
                {track.record: track.record_length},
                ((track.record, start, end, value) for start, end, value in rows),
            )
        written.append(target)
    return written


FORMATS: dict[str, Callable[[Track, str | Path], list[Path]]] = {
    ".bedgraph": write_bedgraph,
    ".bg": write_bedgraph,
    ".bw": write_bigwig,
    ".bigwig": write_bigwig,
    ".tsv": write_tsv,
    ".parquet": write_parquet,
}


def _scored(track: Track, scores: Scores) -> np.ndarray:
    """Indices of the sites that have a score, by position in the record: those past the origin first."""
    kept = np.flatnonzero(~np.isnan(scores))
    return kept[np.argsort(track.wrapped[kept], kind="stable")]


def _spans(track: Track, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First base and one past the last base that each site's value covers: to the next site or the end."""
    starts = track.wrapped[order]
    laps = track.positions[order] - starts
    limit = np.where(laps + track.record_length < track.end, track.record_length, track.end - laps)
    return starts, np.minimum(starts + track.stride, limit if track.record_length else track.end)


def _quoted(text: str) -> str:
    return text.replace('"', "'")


def _write_text(text: str, path: str | Path) -> list[Path]:
    with replacing(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return [Path(path)]
