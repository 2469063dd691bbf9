"""The files that the genome browser in the dashboard reads: made when they are first shown, kept while there is room.

Each lies in the folder of the sequence that it is made of, so that who may read the sequence may read it and nobody
else, under a name that is a digest of what it is made of: the same scores are never written twice, and a file never
changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dnalm.errors import InputError
from dnalm.files import write_whole
from dnalm.settings import settings
from dnalm.tracks.igv_session import Shown, View, locus, rows, write_fasta

FILE_NAME = re.compile(r"[0-9a-f]{32}\.(?:bw|bed|gff3|json|fa|fa\.fai)")
# What all these files may take together; those longest unused go. Bytes.
LARGEST_STORE = 1 << 30
# Longer records take longer than a page may to be written out; they are for IGV on the desktop. Bases.
LONGEST_RECORD = 50_000_000
# Three digits are more than the height of a row can show, and many neighbours are equal then.
_DECIMALS = 3
_FORMATS = {"scores": ("wig", "bigwig"), "peaks": ("annotation", "bed"), "sites": ("annotation", "bed")}
_FORMATS |= {"genes": ("annotation", "gff3")}
# A file under its temporary name for so long was left by a process that was killed. Seconds.
_LEFT_BEHIND = 3600


def prepare(sequence_key: str, view: View) -> str:
    """Make the files of a view that are not there yet.

    Args:
        sequence_key: of the sequence that the record is of, as in the address.
        view: what is shown.

    Returns:
        The name of the view's own file, JSON: what igv.js is told, with the other files by their names.

    Raises:
        InputError: the record is too long.
    """
    if len(view.record) > LONGEST_RECORD:
        raise InputError(
            f"{view.record.id} has {len(view.record):,} bases, more than the {LONGEST_RECORD:,} that are shown here"
        )
    folder = store() / sequence_key
    folder.mkdir(parents=True, exist_ok=True)
    used = [*_reference(view, folder)]
    tracks = []
    for row in rows(view):
        path = folder / (_short(row.digest()) + Path(row.file).suffix)
        if not path.is_file():
            row.write(path, decimals=_DECIMALS)
        tracks.append(_track(row, path.name))
        used.append(path)
    fasta, index = used[0].name, used[1].name
    shown = {
        "reference": {"id": view.record.id, "name": view.record.id, "fastaURL": fasta, "indexURL": index},
        "locus": locus(view),
        "tracks": tracks,
    }
    text = json.dumps(shown, ensure_ascii=False)
    path = folder / (_short(hashlib.sha256(text.encode()).hexdigest()) + ".json")
    if not path.is_file():
        write_whole(path, text)
    for one in [*used, path]:
        touch(one)
    _prune()
    return path.name


def touch(path: Path) -> None:
    """Note that a file is used; when it was written, by which browsers know it, stays."""
    with suppress(FileNotFoundError):
        os.utime(path, (time.time(), path.stat().st_mtime))


def store() -> Path:
    """The folder of all these files."""
    return settings().cache / "genome-browser"


def _reference(view: View, folder: Path) -> tuple[Path, Path]:
    """The record as FASTA, and its index."""
    digest = hashlib.sha256(f"{view.record.id}\n".encode())
    digest.update(view.record.codes)
    fasta = folder / f"{_short(digest.hexdigest())}.fa"
    index = fasta.with_name(fasta.name + ".fai")
    if not (fasta.is_file() and index.is_file()):
        write_fasta(view.record, fasta)
    return fasta, index


def _track(row: Shown, file: str) -> dict[str, Any]:
    """A row as igv.js is told it; `url` is the file's name."""
    kind, form = _FORMATS[row.kind]
    told = {"type": kind, "format": form, "url": file, "name": row.name, "color": row.colour, "height": row.height}
    if row.kind == "scores":
        scale = {"min": 0, "max": 1, "autoscale": False, "windowFunction": "max"}
        return told | scale | {"flipAxis": row.mirrored}
    told |= {"visibilityWindow": -1, "indexed": False}
    if row.kind == "peaks":
        # The colours are the strands', from the file; names would be numbers that say nothing.
        del told["color"]
        return told | {"displayMode": "SQUISHED", "squishedRowHeight": 18}
    return told | {"displayMode": "EXPANDED"}


def _short(digest: str) -> str:
    return digest[:32]


def _prune(most: int | None = None) -> None:
    """Make room: files longest unused go, and what killed processes left."""
    files: list[tuple[float, int, Path]] = []
    for path in store().glob("*/*"):
        with suppress(FileNotFoundError):
            state = path.stat()
            if FILE_NAME.fullmatch(path.name):
                files.append((state.st_atime, state.st_size, path))
            elif time.time() - state.st_mtime > _LEFT_BEHIND:
                path.unlink()
    files.sort(reverse=True)
    total = 0
    for _, size, path in files:
        total += size
        if total > (LARGEST_STORE if most is None else most):
            path.unlink(missing_ok=True)
