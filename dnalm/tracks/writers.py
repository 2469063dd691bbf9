"""Write a scan to a file as its pieces come: memory is bounded by the piece, however long the scan.

A writer takes the pieces in the order of the records and of their bases; what comes out is what `export.write_track`
makes of the whole tracks. Half-written files lie in a folder of their own until the last piece is there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from dnalm.errors import InputError
from dnalm.tracks.export import COLUMNS, STRAND_NAMES, tab_separated
from dnalm.tracks.track import Track
from dnalm.tracks.windows import Scores
from dnalm.tracks.writer import Writer, rows_of
from dnalm.tracks.writer_bigwig import BigWigWriter


def open_writer(
    path: str | Path, lengths: Mapping[str, int], strands: Sequence[str], *, folder: Path | None = None
) -> Writer:
    """A writer in the format that the file's name asks for.

    Args:
        path: ends in one of `WRITERS`: .bedgraph, .bg, .bw, .bigwig, .tsv or .parquet.
        lengths: bases of each record that is scanned, by its name.
        strands: "+", "-" or both.
        folder: where half-written files lie; beside the file when None.

    Raises:
        InputError: the name ends in something else.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise InputError(f"{path}: a scan is written as {', '.join(WRITERS)}, not {suffix or 'without ending'}")
    return WRITERS[suffix](path, lengths, strands, folder or path.parent)


class BedGraphWriter(Writer):
    """bedGraph, one `track` line a strand; the reverse strand's values are negative, and come after all others."""

    def __init__(self, path: Path, lengths: Mapping[str, int], strands: Sequence[str], folder: Path) -> None:
        super().__init__(path, lengths, strands, folder)
        self._texts = {
            strand: (self.folder / STRAND_NAMES[strand]).open("w+", encoding="utf-8", newline="\n")
            for strand in strands
        }

    def add(self, piece: Track) -> None:
        """Take the next piece."""
        for strand, text in self._texts.items():
            if not text.tell():
                name = f"{piece.model} {piece.label} ({strand})".replace('"', "'")
                text.write(f'track type=bedGraph name="{name}" description="{name}" visibility=full\n')
            starts, ends, scores = rows_of(piece, strand)
            # Not a bare minus: that would write a score of zero as -0.
            values = scores if strand == "+" else 0 - scores
            text.write(tab_separated(pa.scalar(piece.record), pa.array(starts), pa.array(ends), pa.array(values)))

    def finish(self) -> list[tuple[Path, Path]]:
        """Append the reverse strand to the forward one."""
        first, *others = self._texts.values()
        for text in others:
            _append(text, first)
        first.close()
        return [(Path(first.name), self.path)]

    def abandon(self) -> None:
        """Remove what was written so far."""
        for text in self._texts.values():
            text.close()
        super().abandon()


class TsvWriter(Writer):
    """Tab-separated text: record, position (0-based), strand, probability; of each record first the forward strand.

    Args:
        path: the file to write.
        lengths: bases of each record that is scanned, by its name.
        strands: "+", "-" or both.
        folder: where half-written files lie.
        stream: takes the text in place of a file.
    """

    def __init__(
        self,
        path: Path,
        lengths: Mapping[str, int],
        strands: Sequence[str],
        folder: Path,
        *,
        stream: TextIO | None = None,
    ) -> None:
        super().__init__(path, lengths, strands, folder)
        self._stream = stream
        self._text = stream or (self.folder / "table").open("w", encoding="utf-8", newline="\n")
        # The reverse strand waits for the record's end.
        self._later = (self.folder / "later").open("w+", encoding="utf-8", newline="\n")
        self._record: str | None = None
        self._text.write("\t".join(COLUMNS.names) + "\n")

    def add(self, piece: Track) -> None:
        """Take the next piece."""
        if piece.record != self._record:
            _append(self._later, self._text)
            self._record = piece.record
        for strand in self.strands:
            starts, _, scores = rows_of(piece, strand)
            text = self._later if strand == "-" and len(self.strands) > 1 else self._text
            text.write(tab_separated(*_table(piece.record, strand, starts, scores).columns))

    def finish(self) -> list[tuple[Path, Path]]:
        """Append the last record's reverse strand."""
        _append(self._later, self._text)
        if self._stream is not None:
            self._stream.flush()
            return []
        self._text.close()
        return [(self.folder / "table", self.path)]

    def abandon(self) -> None:
        """Remove what was written so far."""
        self._later.close()
        if self._stream is None:
            self._text.close()
        super().abandon()


class ParquetWriter(Writer):
    """The table of `TsvWriter` as Parquet, a row group a piece and strand."""

    def __init__(self, path: Path, lengths: Mapping[str, int], strands: Sequence[str], folder: Path) -> None:
        super().__init__(path, lengths, strands, folder)
        self._file = parquet.ParquetWriter(self.folder / "table", COLUMNS)
        self._later: parquet.ParquetWriter | None = None
        self._record: str | None = None

    def add(self, piece: Track) -> None:
        """Take the next piece."""
        if piece.record != self._record:
            self._catch_up()
            self._record = piece.record
        for strand in self.strands:
            starts, _, scores = rows_of(piece, strand)
            if not len(starts):
                continue
            table = _table(piece.record, strand, starts, scores)
            if strand == "-" and len(self.strands) > 1:
                self._later = self._later or parquet.ParquetWriter(self.folder / "later", COLUMNS)
                self._later.write_table(table)
            else:
                self._file.write_table(table)

    def _catch_up(self) -> None:
        """Move the record's reverse strand, which waited for the record's end, behind the forward one."""
        if self._later is None:
            return
        self._later.close()
        self._later = None
        with parquet.ParquetFile(self.folder / "later") as later:
            for number in range(later.num_row_groups):
                self._file.write_table(later.read_row_group(number))

    def finish(self) -> list[tuple[Path, Path]]:
        """Append the last record's reverse strand, and the table of contents."""
        self._catch_up()
        self._file.close()
        return [(self.folder / "table", self.path)]

    def abandon(self) -> None:
        """Remove what was written so far."""
        for file in (self._file, self._later):
            if file is not None:
                file.close()
        super().abandon()


WRITERS: dict[str, Callable[[Path, Mapping[str, int], Sequence[str], Path], Writer]] = {
    ".bedgraph": BedGraphWriter,
    ".bg": BedGraphWriter,
    ".bw": BigWigWriter,
    ".bigwig": BigWigWriter,
    ".tsv": TsvWriter,
    ".parquet": ParquetWriter,
}


def _table(record: str, strand: str, starts: NDArray[np.int64], scores: Scores) -> pa.Table:
    columns = [pa.repeat(record, len(starts)), starts, pa.repeat(strand, len(starts)), scores.astype(np.float32)]
    return pa.table(columns, schema=COLUMNS)


def _append(source: TextIO, target: TextIO) -> None:
    """Move what was written to one text to the end of another."""
    source.seek(0)
    shutil.copyfileobj(source, target, 1 << 20)
    source.seek(0)
    source.truncate()
