"""Read tracks back from the files that a scan wrote, or that another program did: TSV, Parquet, bedGraph and bigWig.

A file says which sites have a score, not where the scan began and ended: a track that is read spans from the first
scored site of a record to the last, on either strand, with nan where there is none in between. Nor does it say whether
the record is a circle. A bigWig and nothing else says how long the record is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pybigtools
from numpy.typing import NDArray

from dnalm.errors import InputError
from dnalm.sequences import open_text
from dnalm.tracks.export import STRAND_NAMES
from dnalm.tracks.track import Track

TRACK_SUFFIXES = (".tsv", ".parquet", ".bedgraph", ".bg", ".bw", ".bigwig")
_HEADER = re.compile(rb"^(?:track|browser|#)[^\n]*(?:\n|\Z)", re.MULTILINE)
_STRAND = re.compile(r"\(([+-])\)")
_CHUNK = 1 << 22
_INTERVALS_LOOKED_AT = 10_000
_Sites = dict[str, tuple[NDArray[np.int64], NDArray[np.float32], int]]
"""By strand: positions, scores, and bases from one site to the next."""


def is_track_file(name: str | Path) -> bool:
    """Whether a name ends as a track's file does."""
    return _suffix(Path(name)) in TRACK_SUFFIXES


def read_tracks(path: str | Path, *, lengths: Mapping[str, int] | None = None, strand: str = "+") -> list[Track]:
    """Read the tracks of a file, one for each record, in the file's order.

    Args:
        path: a track's file; of `scan.plus.bw` and `scan.minus.bw` either one, or `scan.bw`, stands for both. Text may
            be compressed.
        lengths: bases of the records, where the file does not say.
        strand: which one a file speaks of that says none: a bigWig alone, a bedGraph without names or signs.

    Raises:
        InputError: the file is no track, or of a form that is not known.
    """
    path = Path(path)
    suffix = _suffix(path)
    if suffix not in TRACK_SUFFIXES:
        raise InputError(f"{path}: a track ends in {', '.join(TRACK_SUFFIXES)}, not {suffix or 'without ending'}")
    known = dict(lengths or {})
    if suffix in (".bw", ".bigwig"):
        found, sizes = _bigwigs(path, strand)
        known = {**sizes, **known}
    elif suffix in (".bedgraph", ".bg"):
        found = _bedgraph(path, strand)
    else:
        found = _table(path, suffix)
    if not any(len(positions) for sites in found.values() for positions, _, _ in sites.values()):
        raise InputError(f"{path}: holds no score")
    return [_track(path, record, sites, known.get(record, 0)) for record, sites in found.items() if sites]


def _suffix(path: Path) -> str:
    suffixes = [one.lower() for one in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bz2", ".xz"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _track(path: Path, record: str, sites: _Sites, length: int) -> Track:
    """One record's sites on an even grid from the first to the last."""
    strides = {stride for _, _, stride in sites.values()}
    start = min(int(positions[0]) for positions, _, _ in sites.values())
    last = max(int(positions[-1]) for positions, _, _ in sites.values())
    even = len(strides) == 1 and not any(((at - start) % min(strides)).any() for at, _, _ in sites.values())
    stride = min(strides) if even else 1
    if length and last >= length:
        raise InputError(f"{path}: base {last + 1:,} of {record} is beyond its {length:,} bases")
    grid = np.arange(start, last + 1, stride, dtype=np.int64)
    scores: dict[str, NDArray[np.float32]] = {}
    for name, (positions, values, _) in sites.items():
        scores[name] = np.full(len(grid), np.nan, dtype=np.float32)
        scores[name][(positions - start) // stride] = values
    end = min(last + stride, length) if length else last + stride
    name = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    return Track(
        record, start, end, stride, stride, grid, scores.get("+"), scores.get("-"), _plain_name(name), "score", length
    )


def _plain_name(name: str) -> str:
    for strand in STRAND_NAMES.values():
        name = name.removesuffix(f".{strand}")
    return name


def _table(path: Path, suffix: str) -> dict[str, _Sites]:
    wanted = ["record", "position", "strand", "probability"]
    try:
        if suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            with open_text(path) as stream:
                table = pd.read_csv(stream, sep="\t", dtype={"record": str, "strand": str})
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a table of scores ({error})") from error
    missing = [name for name in wanted if name not in table]
    if missing:
        raise InputError(f"{path}: a track's table has the columns {', '.join(wanted)}; {missing[0]} is missing")
    if not len(table):
        return {}
    if not (pd.api.types.is_integer_dtype(table["position"]) and pd.api.types.is_numeric_dtype(table["probability"])):
        raise InputError(f"{path}: position and probability are to be numbers")
    found: dict[str, _Sites] = {}
    for (record, strand), rows in table.groupby(["record", "strand"], sort=False, observed=True):
        if strand not in STRAND_NAMES:
            raise InputError(f"{path}: the strand of {record} is {strand!r}; '+' or '-' is wanted")
        positions = rows["position"].to_numpy(np.int64)
        found.setdefault(str(record), {})[str(strand)] = _ordered(
            path, positions, rows["probability"].to_numpy(np.float32)
        )
    return found


def _ordered(path: Path, positions: NDArray[np.int64], scores: NDArray[np.float32], stride: int = 0) -> Any:
    """Sites by position, and bases from one to the next."""
    order = np.argsort(positions, kind="stable")
    positions, scores = positions[order], scores[order]
    steps = np.unique(np.diff(positions))
    if len(steps) and steps[0] <= 0:
        raise InputError(f"{path}: a site has two scores on one strand")
    return positions, scores, stride or (int(np.gcd.reduce(steps)) if len(steps) else 1)


def _bedgraph(path: Path, strand: str) -> dict[str, _Sites]:
    with open_text(path) as stream:
        text = stream.read()
    heads = list(_HEADER.finditer(text))
    before = text[: heads[0].start()] if heads else text
    borders = [*(head.start() for head in heads), len(text)]
    sections = [("", before)] + [
        (head[0].decode("utf-8", "replace"), text[head.end() : border])
        for head, border in zip(heads, borders[1:], strict=True)
    ]
    parts: dict[tuple[str, str], list[tuple[NDArray[np.int64], NDArray[np.float32], int]]] = {}
    for head, body in sections:
        if not body.strip():
            continue
        rows = _intervals(path, body)
        said = _STRAND.search(head)
        values = rows["value"].to_numpy(np.float32)
        # Without a name, signs say it: a reverse strand is drawn below zero.
        one = said[1] if said else "-" if len(values) and values.max() <= 0 > values.min() else strand
        rows["value"] = np.abs(values) if one == "-" else values
        for record, here in rows.groupby("record", sort=False):
            starts = here["start"].to_numpy(np.int64)
            ends = here["end"].to_numpy(np.int64)
            stride = _step_of(starts, ends)
            expanded = _expanded(starts, ends, here["value"].to_numpy(np.float32), stride)
            parts.setdefault((str(record), one), []).append((*expanded, stride))
    found: dict[str, _Sites] = {}
    for (record, one), several in parts.items():
        stride = int(np.gcd.reduce([part[2] for part in several]))
        joined = [np.concatenate([part[place] for part in several]) for place in (0, 1)]
        found.setdefault(record, {})[one] = _ordered(path, joined[0], joined[1], stride if len(several) == 1 else 0)
    return found


def _intervals(path: Path, body: bytes) -> pd.DataFrame:
    try:
        return pd.read_csv(
            io.BytesIO(body),
            sep="\t" if b"\t" in body[:1000] else r"\s+",
            engine="c",
            header=None,
            names=["record", "start", "end", "value"],
            dtype={"record": str, "start": np.int64, "end": np.int64, "value": np.float32},
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path}: not bedGraph, which has a record, start, end and value a line ({error})") from error


def _step_of(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> int:
    """Bases from site to site: the largest step of which all distances and lengths are multiples.

    A length before a gap, and the last one, may be cut off by the end of what was scanned: the others say it, if any.
    """
    joined = (ends - starts)[:-1][starts[1:] == ends[:-1]]
    steps = joined if len(joined) else np.concatenate([np.diff(starts), (ends - starts)[:-1]])
    return max(1, int(np.gcd.reduce(np.abs(steps)))) if len(steps) else 1


def _expanded(
    starts: NDArray[np.int64], ends: NDArray[np.int64], values: NDArray[np.float32], stride: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """A stretch of one value as the sites that it was joined from."""
    counts = -(-(ends - starts) // stride)
    first = np.repeat(starts - stride * (np.cumsum(counts) - counts), counts)
    return first + stride * np.arange(int(counts.sum())), np.repeat(values, counts)


def _bigwigs(path: Path, strand: str) -> tuple[dict[str, _Sites], dict[str, int]]:
    found: dict[str, _Sites] = {}
    sizes: dict[str, int] = {}
    for one, file in _pair(path, strand).items():
        try:
            with pybigtools.open(str(file)) as reader:
                for record, size in reader.chroms().items():
                    sizes[record] = int(size)
                    sites = _of_bigwig(reader, record, int(size))
                    if sites is not None:
                        found.setdefault(record, {})[one] = sites
        except (OSError, pybigtools.BBIReadError) as error:
            raise InputError(f"{file}: cannot be read as a bigWig ({error})") from error
    return found, sizes


def _pair(path: Path, strand: str) -> dict[str, Path]:
    """The files of both strands, or the one that there is."""
    names = {one: f".{word}{path.suffix}" for one, word in STRAND_NAMES.items()}
    stem = next((path.name.removesuffix(end) for end in names.values() if path.name.endswith(end)), path.stem)
    both = {one: path.with_name(stem + end) for one, end in names.items()}
    there = {one: file for one, file in both.items() if file.is_file()}
    if path.is_file() and path not in there.values():
        return {strand: path}
    if not there:
        raise InputError(f"{path}: is not there, nor are {both['+'].name} and {both['-'].name}")
    return there


def _of_bigwig(reader: Any, record: str, size: int) -> tuple[NDArray[np.int64], NDArray[np.float32], int] | None:
    rows = reader.records(record)
    looked_at = np.array([row[:2] for row in islice(rows, _INTERVALS_LOOKED_AT)], dtype=np.int64).reshape(-1, 2)
    if not len(looked_at):
        return None
    stride = _step_of(looked_at[:, 0], looked_at[:, 1])
    if ((looked_at[:, 0] - looked_at[0, 0]) % stride).any():  # several stretches, not on one grid
        stride = 1
    positions, scores = [], []
    for first in range(int(looked_at[0, 0]), size, _CHUNK // stride * stride):
        last = min(first + _CHUNK // stride * stride, size)
        values = np.asarray(reader.values(record, first, last, fillna=None), dtype=np.float32)[::stride]
        there = np.flatnonzero(~np.isnan(values))
        positions.append(first + stride * there)
        scores.append(values[there])
    return np.concatenate(positions).astype(np.int64), np.concatenate(scores), stride
