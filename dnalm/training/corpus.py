"""Genomes as a memory-mapped text of one byte a base, and the lanes in which training reads it."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.alphabet import UNKNOWN, Codes, complement
from dnalm.errors import InputError
from dnalm.sequences import Record, Region

_BREAK = np.array([UNKNOWN], dtype=np.uint8)  # one unknown base parts two records: no k-mer spans it
_COPY = 1 << 24
MOST_TOLD = 200
"""Records that a bundle lists: transcripts and contigs come in tens of thousands."""


@dataclass(frozen=True)
class Holdout:
    """Which text is kept out of training.

    Attributes:
        share: last share of each record that is held out, 0 to below 1.
        records: records held out whole; where given, `share` does not apply.
        exclude: regions cut out of the training text (and not evaluated on either).
    """

    share: float = 0.1
    records: tuple[str, ...] = ()
    exclude: tuple[Region, ...] = ()

    def spans(
        self, record: str, length: int, *, circular: bool = False
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Training and held-out spans of one record, 0-based half-open, on the forward strand.

        Raises:
            InputError: a region that is kept out lies beyond the record's end.
        """
        if self.records:
            whole = [(0, length)]
            train, held = ([], whole) if record in self.records else (whole, [])
        else:
            cut = length - round(length * self.share)
            train, held = [(0, cut)], [(cut, length)]
        cuts = []
        for region in self.exclude:
            if region.record == record:
                if region.start >= length or region.end > (2 if circular else 1) * length:
                    raise InputError(f"{region}: kept out, but {record} has {length:,} bases")
                cuts += [(region.start, region.end), (0, region.end - length)]  # the second: over the origin
        return _subtract(train, cuts), _subtract(held, cuts)


def _subtract(spans: Iterable[tuple[int, int]], cuts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    left = [span for span in spans if span[1] > span[0]]
    for start, end in cuts:
        left = [piece for a, b in left for piece in ((a, min(b, start)), (max(a, end), b)) if piece[1] > piece[0]]
    return left


class Corpus:
    """Training and held-out text of some genomes, on disk.

    Both are files of one byte a base, read through a memory map; records and pieces are parted by one unknown base.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = json.loads((folder / "corpus.json").read_text())

    def train(self) -> np.memmap:
        """The training text, shape `(bases,)`."""
        return np.memmap(self.folder / "train.u8", dtype=np.uint8, mode="r")

    def held_out(self) -> Codes:
        """The held-out text, shape `(bases,)`; empty where nothing was held out."""
        path = self.folder / "held_out.u8"
        return np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)

    @property
    def told(self) -> dict[str, Any]:
        """What is said of it in a run folder and a bundle: of very many records the first, and how many more."""
        rows = self.info["records"]
        more = len(rows) - MOST_TOLD
        return self.info if more <= 0 else {**self.info, "records": rows[:MOST_TOLD], "more_records": more}

    @property
    def hash(self) -> str:
        """Hash of the text, of what was held out and of what was cut."""
        return self.info["sha256"]


def build_corpus(
    records: Iterable[Record],
    folder: Path,
    holdout: Holdout,
    progress: Callable[[str, int], None] | None = None,
) -> Corpus:
    """Write the corpus of `records` into `folder`, a record at a time.

    Args:
        records: the genomes' records; ids are unique within one corpus.
        folder: made anew; built beside it and renamed, so that it is whole or absent.
        holdout: what is kept out of training.
        progress: called with a record's id and the bases written so far.

    Raises:
        InputError: nothing is left to train on, or a record or region that is kept out is not there.
    """
    building = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(building, ignore_errors=True)  # of a process that was killed and had this one's number
    building.mkdir(parents=True)
    try:
        info = _write_texts(records, building, holdout, progress)
        (building / "corpus.json").write_text(json.dumps(info, indent=1))
        if folder.exists():
            for file in building.iterdir():
                file.replace(folder / file.name)
        else:
            building.replace(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Corpus(folder)


def _write_texts(
    records: Iterable[Record], building: Path, holdout: Holdout, progress: Callable[[str, int], None] | None
) -> dict[str, Any]:
    """Write the two texts; returns what `corpus.json` says of them."""
    digest, rows, missing = hashlib.sha256(), [], {region.record for region in holdout.exclude} | set(holdout.records)
    with (building / "train.u8").open("wb") as train, (building / "held_out.u8").open("wb") as held:
        for record in records:
            missing.discard(record.id)
            spans = holdout.spans(record.id, len(record), circular=record.circular)
            for file, name, pieces in zip((train, held), ("train", "held_out"), spans, strict=True):
                for start, end in pieces:
                    for at in range(start, end, _COPY):
                        block = record.codes[at : min(end, at + _COPY)]
                        digest.update(block)
                        file.write(block)
                    file.write(_BREAK)
                    digest.update(f"{name} {record.id} {start} {end}".encode())
            rows.append({"id": record.id, "length": len(record), "train": spans[0], "held_out": spans[1]})
            if progress:
                progress(record.id, train.tell())
        size = train.tell()
    if missing:
        raise InputError(
            f"kept out, but not in the genomes: {', '.join(sorted(missing))}; records there: "
            f"{', '.join(row['id'] for row in rows[:5])}{' …' if len(rows) > 5 else ''}"
        )
    if size == 0:
        raise InputError("no text is left to train on: everything was held out or cut")
    return {"records": rows, "train_bases": size, "sha256": digest.hexdigest()}


class Lanes:
    """Reads a text in `lanes` side by side, `window` bases a step, for truncated backpropagation with carried state.

    With both strands, the text is followed by its reverse complement, computed while reading. Each epoch starts the
    lanes at another place, drawn from the seed and the epoch alone, so that any step can be found again.

    Args:
        text: base codes, usually a memory map.
        lanes: stretches read side by side.
        window: bases that a step moves on.
        overlap: bases that a step reads beyond its window.
        seed: what the places are drawn from.
        both_strands: whether the reverse complement follows.
    """

    def __init__(
        self, text: Codes, *, lanes: int, window: int, overlap: int, seed: int, both_strands: bool = True
    ) -> None:
        self.text, self.window, self.overlap, self.seed = text, window, overlap, seed
        self.length = len(text) * (2 if both_strands else 1)
        self.lanes = lanes
        self.steps_per_epoch = (self.length // lanes - overlap) // window
        if self.steps_per_epoch < 1:
            raise InputError(
                f"the training text of {len(text):,} bases is too short for {lanes} lanes of {window + overlap} bases:"
                " take fewer lanes or fewer tokens"
            )

    def starts(self, epoch: int) -> Sequence[int]:
        """Where each lane begins in an epoch, 0-based on the text and its reverse complement."""
        offset = int(np.random.default_rng([self.seed, epoch]).integers(self.length))
        return [(offset + lane * (self.length // self.lanes)) % self.length for lane in range(self.lanes)]

    def step(self, number: int, lanes: slice = slice(None)) -> tuple[Codes, bool]:
        """Read one step.

        Args:
            number: step, counted from 0 over all epochs.
            lanes: which lanes; several processes share them out.

        Returns:
            Codes, shape `(lanes, window + overlap)`, and whether the state starts fresh here.
        """
        epoch, within = divmod(number, self.steps_per_epoch)
        starts = self.starts(epoch)[lanes]
        out = np.empty((len(starts), self.window + self.overlap), dtype=np.uint8)
        for row, start in zip(out, starts, strict=True):
            self._read(start + within * self.window, row)
        return out, within == 0

    def _read(self, start: int, out: Codes) -> None:
        filled = 0
        while filled < len(out):
            at = (start + filled) % self.length
            size = len(self.text)
            if at < size:
                piece = self.text[at : at + len(out) - filled]
            else:  # the other strand: position p there is the complement of base 2 * size - 1 - p
                last = 2 * size - at
                piece = complement(self.text[max(0, last - (len(out) - filled)) : last][::-1])
            out[filled : filled + len(piece)] = piece
            filled += len(piece)

    def release(self) -> None:
        """Let go of the pages read so far, so that a large genome does not count as resident memory."""
        base = getattr(self.text, "_mmap", None)
        if base is not None:
            base.madvise(mmap.MADV_DONTNEED)
