"""Write tracks to files that genome browsers and tables read: bedGraph, bigWig, TSV and Parquet.

Every writer takes one track, the tracks of many records, or the pieces of scans; it goes through them a stretch at a
time, so that a whole genome costs little memory beyond the scores. Coordinates are 0-based in every file, half-open
where a span is written. Sites without a score are left out. Each file is written under a temporary name beside its
own and renamed, so that a reader never sees half of one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise, repeat
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
import pyarrow as pa
import pybigtools
from numpy.typing import NDArray
from pyarrow import compute, parquet

from dnalm.errors import InputError, RunError
from dnalm.files import replacing
from dnalm.tracks.scan import Scores, Track

if TYPE_CHECKING:
    import pandas as pd

Tracks = Track | Sequence[Track]

STRAND_NAMES = {"+": "plus", "-": "minus"}
COLUMNS = pa.schema(
    [("record", pa.string()), ("position", pa.int64()), ("strand", pa.string()), ("probability", pa.float32())]
)
# Sites written at a time: enough that Python costs little, few enough that memory stays flat.
_STRETCH = 1 << 16


def write_track(tracks: Tracks, path: str | Path) -> list[Path]:
    """Write tracks in the format that the file's name asks for.

    Args:
        tracks: one track, or many: of several records, or pieces of one.
        path: ends in one of `FORMATS`: .bedgraph, .bg, .bw, .bigwig, .tsv or .parquet.

    Returns:
        The files written: two for a bigWig of both strands, else one.

    Raises:
        InputError: the name ends in something else, or two tracks score the same bases.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: a track is written as {', '.join(FORMATS)}, not {suffix or 'without ending'}")
    return FORMATS[suffix](tracks, path)


def to_frame(tracks: Tracks) -> pd.DataFrame:
    """Tracks as a table, one row a site and strand.

    Returns:
        Columns record, position (0-based), strand, probability; by record in the order given, strand and position.
    """
    parts = list(_tables(tracks))
    return (pa.concat_tables(parts) if parts else COLUMNS.empty_table()).to_pandas()


def tsv_text(tracks: Tracks) -> str:
    """The table of `to_frame` as tab-separated text with a header line."""
    return _text(_put_tsv, tracks)


def bedgraph_text(tracks: Tracks) -> str:
    """Tracks as bedGraph, one `track` line a strand; the reverse strand's values are negative.

    A site's value covers the bases up to the next site, so that a track of stride 50 shows in a browser.
    """
    return _text(_put_bedgraph, tracks)


def write_bedgraph(tracks: Tracks, path: str | Path) -> list[Path]:
    """Write `bedgraph_text` to a file."""
    return _write(_put_bedgraph, tracks, path)


def write_tsv(tracks: Tracks, path: str | Path) -> list[Path]:
    """Write `tsv_text` to a file."""
    return _write(_put_tsv, tracks, path)


def write_parquet(tracks: Tracks, path: str | Path) -> list[Path]:
    """Write the table of `to_frame` as Parquet."""
    with replacing(Path(path)) as temporary, parquet.ParquetWriter(temporary, COLUMNS) as writer:
        for table in _tables(tracks):
            writer.write_table(table)
    return [Path(path)]


def write_bigwig(tracks: Tracks, path: str | Path) -> list[Path]:
    """Write a bigWig of each strand, all of them or none.

    Args:
        tracks: one or many; each `record_length` becomes its chromosome's size.
        path: the file of a track of the forward strand alone. Else `scan.bw` becomes `scan.plus.bw` and
            `scan.minus.bw`, since a bigWig holds one value a base and does not say of which strand.

    Returns:
        The files written.

    Raises:
        InputError: no site has a score, so that there is nothing to write.
        RunError: the file could not be written whole.
    """
    path, runs = Path(path), _runs(tracks)
    strands = _strands(runs)
    with ExitStack() as stack:
        written = []
        for strand in strands:
            # A file that does not name its strand is read back as the forward one.
            named = path.with_suffix(f".{STRAND_NAMES[strand]}{path.suffix}")
            target = path if list(strands) == ["+"] else named
            _put_bigwig(runs, strand, stack.enter_context(replacing(target)), path)
            written.append(target)
    return written


def bigwig_strand(tracks: Tracks, strand: str, path: str | Path, *, decimals: int | None = None) -> Path:
    """Write the bigWig of one strand.

    Args:
        tracks: one or many.
        strand: "+" or "-".
        path: the file.
        decimals: round to so many, and write neighbours that are then equal as one: a small file, quickly written,
            for looking at. Scores as they are when None.

    Raises:
        InputError: no site of this strand has a score.
        RunError: the file could not be written whole.
    """
    with replacing(Path(path)) as temporary:
        _put_bigwig(_runs(tracks), strand, temporary, Path(path), decimals)
    return Path(path)


FORMATS: dict[str, Callable[[Tracks, str | Path], list[Path]]] = {
    ".bedgraph": write_bedgraph,
    ".bg": write_bedgraph,
    ".bw": write_bigwig,
    ".bigwig": write_bigwig,
    ".tsv": write_tsv,
    ".parquet": write_parquet,
}


@dataclass(frozen=True)
class _Run:
    """Sites of a track that ascend in the record: `[first, last)` of its positions, less `shift` bases.

    `end` is one past the last base that they speak of, in the record's own coordinates.
    """

    track: Track
    first: int
    last: int
    shift: int
    end: int

    @property
    def start(self) -> int:
        return int(self.track.positions[self.first]) - self.shift

    def scored(self, strand: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], Scores]]:
        """Start, end and score of the sites that have one, a stretch at a time."""
        scores = self.track.strands().get(strand)
        for first in range(self.first, self.last, _STRETCH) if scores is not None else ():
            piece = slice(first, min(first + _STRETCH, self.last))
            kept = ~np.isnan(scores[piece])
            starts = self.track.positions[piece][kept] - self.shift
            yield starts, np.minimum(starts + self.track.stride, self.end), scores[piece][kept]


def _runs(tracks: Tracks) -> dict[str, list[_Run]]:
    """The runs of each record, in the order of its bases; records in the order in which they come."""
    found: dict[str, list[_Run]] = {}
    for track in [tracks] if isinstance(tracks, Track) else tracks:
        runs = found.setdefault(track.record, [])
        length = track.record_length
        # What lies past the origin of a circle belongs to the record's beginning.
        turn = int(np.searchsorted(track.positions, length)) if length else len(track)
        if turn:
            runs.append(_Run(track, 0, turn, 0, min(track.end, length) if length else track.end))
        if turn < len(track):
            runs.append(_Run(track, turn, len(track), length, track.end - length))
    for record, runs in found.items():
        runs.sort(key=lambda run: run.start)
        for one, following in pairwise(runs):
            if following.start < one.end or following.track.record_length != one.track.record_length:
                raise InputError(
                    f"two tracks of {record} score the same bases; a file holds one score a base and strand"
                )
    return found


def _strands(runs: dict[str, list[_Run]]) -> list[str]:
    present = {strand for several in runs.values() for run in several for strand in run.track.strands()}
    return [strand for strand in STRAND_NAMES if strand in present]


def _tables(tracks: Tracks) -> Iterator[pa.Table]:
    for record, runs in _runs(tracks).items():
        for strand in _strands({record: runs}):
            for run in runs:
                for starts, _, scores in run.scored(strand):
                    names = [pa.repeat(name, len(starts)) for name in (record, strand)]
                    columns = [names[0], starts, names[1], scores.astype(np.float32)]
                    yield pa.table(columns, schema=COLUMNS)


def _put_tsv(tracks: Tracks, text: TextIO) -> None:
    text.write("\t".join(COLUMNS.names) + "\n")
    for table in _tables(tracks):
        text.write(tab_separated(*table.columns))


def _put_bedgraph(tracks: Tracks, text: TextIO) -> None:
    runs = _runs(tracks)
    for strand in _strands(runs):
        one = next(run.track for several in runs.values() for run in several)
        name = f"{one.model} {one.label} ({strand})".replace('"', "'")
        text.write(f'track type=bedGraph name="{name}" description="{name}" visibility=full\n')
        for record, several in runs.items():
            for run in several:
                for starts, ends, scores in run.scored(strand):
                    # Not a bare minus: that would write a score of zero as -0.
                    values = scores if strand == "+" else 0 - scores
                    text.write(tab_separated(pa.scalar(record), pa.array(starts), pa.array(ends), pa.array(values)))


def tab_separated(*columns: pa.Array | pa.ChunkedArray | pa.Scalar) -> str:
    """Columns as tab-separated lines, floats in the fewest digits that give the same float back."""
    rows = compute.binary_join_element_wise(*(column.cast(pa.string()) for column in columns), "\t")
    if isinstance(rows, pa.ChunkedArray):
        rows = rows.combine_chunks()
    if not len(rows):
        return ""
    return compute.binary_join(pa.ListArray.from_arrays([0, len(rows)], rows), "\n")[0].as_py() + "\n"


def _put_bigwig(
    runs: dict[str, list[_Run]], strand: str, target: Path, shown: Path, decimals: int | None = None
) -> None:
    """Write one strand of all records; the writer itself says nothing when its rows come to a bad end."""
    sizes = {record: several[0].track.record_length or several[-1].end for record, several in runs.items() if several}
    covered = 0
    failure: Exception | None = None

    def rows() -> Iterator[tuple[str, int, int, float]]:
        nonlocal covered, failure
        try:
            for record, several in runs.items():
                for run in several:
                    for starts, ends, scores in run.scored(strand):
                        covered += int((ends - starts).sum())
                        if decimals is not None:
                            starts, ends, scores = _merged(starts, ends, np.round(scores, decimals))
                        yield from zip(repeat(record), starts.tolist(), ends.tolist(), scores.tolist(), strict=False)
        except Exception as error:
            failure = error

    pybigtools.open(str(target), "w").write(sizes, rows())
    if failure is None and not covered:
        names = ", ".join(list(runs)[:3])
        raise InputError(f"{shown}: no site of {names} has a score on the {strand} strand")
    if failure is not None or covered_bases(target) != covered:
        raise RunError(f"{shown}: could not be written whole ({failure or 'is the disk full?'})") from failure


def _merged(
    starts: NDArray[np.int64], ends: NDArray[np.int64], scores: Scores
) -> tuple[NDArray[np.int64], NDArray[np.int64], Scores]:
    """Neighbours of equal score as one stretch."""
    new = np.ones(len(starts), dtype=bool)
    new[1:] = (starts[1:] != ends[:-1]) | (scores[1:] != scores[:-1])
    first = np.flatnonzero(new)
    return starts[first], ends[np.append(first[1:], len(ends)) - 1], scores[first]


def covered_bases(path: Path) -> int:
    """Bases with a value in a bigWig; none where it cannot be read."""
    try:
        with pybigtools.open(str(path)) as written:
            return int(written.info()["summary"]["basesCovered"])
    except (OSError, pybigtools.BBIReadError):
        return 0


def _text(put: Callable[[Tracks, TextIO], None], tracks: Tracks) -> str:
    text = io.StringIO()
    put(tracks, text)
    return text.getvalue()


def _write(put: Callable[[Tracks, TextIO], None], tracks: Tracks, path: str | Path) -> list[Path]:
    with replacing(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as text:
        put(tracks, text)
    return [Path(path)]
