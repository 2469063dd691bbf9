"""A genome's bases in one flat file, a byte a base: read once, and shared by every process that scans it.

What is mapped from the file is given up under pressure and read again, so that a genome need not fit in memory.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnalm.errors import InputError
from dnalm.sequences import Header, Record, stream_codes


@dataclass(frozen=True)
class Entry:
    """A record of the file.

    Attributes:
        id: its name.
        length: its bases.
        circular: whether its end joins its start.
        offset: of its first base in the file.
        digest: SHA-256 of its bases and whether they form a circle; what `store.record_digest` gives.
    """

    id: str
    length: int
    circular: bool
    offset: int
    digest: str


@dataclass(frozen=True)
class GenomeFile:
    """The records of a genome, in its order, and the file with their codes."""

    path: Path
    entries: tuple[Entry, ...]

    def record(self, index: int) -> Record:
        """One of the records; its codes are mapped, not read."""
        entry = self.entries[index]
        codes = np.memmap(self.path, dtype=np.uint8, mode="r", offset=entry.offset, shape=(entry.length,))
        return Record(entry.id, np.asarray(codes), circular=entry.circular)

    @property
    def digest(self) -> str:
        """SHA-256 of names and bases of all records."""
        text = "\n".join(f"{entry.id}\t{entry.digest}" for entry in self.entries)
        return hashlib.sha256(text.encode()).hexdigest()


def copy_codes(genome: str | Path, path: Path, *, only: str | None = None, circular: bool | None = None) -> GenomeFile:
    """Write the codes of a sequence file to a flat file, a block at a time.

    Args:
        genome: FASTA or GenBank, plain or compressed; `-` is standard input.
        path: the file to write.
        only: the one record that is wanted; every record when None.
        circular: whether the records are circles; what the file says when None.

    Raises:
        InputError: the file cannot be read, or has no such record.
    """
    entries: list[Entry] = []
    names: list[str] = []
    header: Header | None = None
    digest, start, wanted = hashlib.sha256(), 0, False

    with path.open("wb") as file:

        def finish() -> None:
            if header is not None and wanted:
                digest.update(bytes([header.circular]))
                length = file.tell() - start
                entries.append(Entry(header.id, length, header.circular, start, digest.hexdigest()))

        for fresh, codes in stream_codes(genome, circular=circular):
            if fresh is not None:
                finish()
                if only is not None and entries:
                    wanted = False
                    break
                header, wanted = fresh, only is None or fresh.id == only
                names.append(fresh.id)
                digest, start = hashlib.sha256(), file.tell()
            if wanted:
                text = codes.tobytes()
                file.write(text)
                digest.update(text)
        finish()
    if not entries:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise InputError(f"{genome}: has no record {only}; it has {shown}")
    return GenomeFile(path, tuple(entries))
