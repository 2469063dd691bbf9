"""Files that are whole or absent: written under another name and renamed. And pictures as bytes."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.errors import InputError, RunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GONE = ".gone-"
PICTURES = ("png", "svg")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and goes when it fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def out_of_sight(folder: Path) -> Path:
    """Take a folder's name away at once, whole; its files are to be removed when nothing speaks of them any more.

    Returns:
        Where it is until then: `.gone-…` beside it.

    Raises:
        RunError: it cannot be moved.
    """
    grave = Path(tempfile.mkdtemp(dir=folder.parent, prefix=GONE))
    try:
        folder.rename(grave / folder.name)
    except OSError as error:
        grave.rmdir()
        raise RunError(f"{folder}: cannot be removed ({(error.strerror or str(error)).lower()})") from None
    return grave


def clear_leftovers(parent: Path) -> int:
    """Remove what a killed process had begun to remove from a folder; returns how many."""
    found = list(parent.glob(f"{GONE}*"))
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    return len(found)


def write_whole(path: Path, text: str) -> None:
    """Write a text file: readers see the old one or the new one, never a half."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def picture_bytes(figure: Figure, kind: str) -> bytes:
    """A matplotlib figure as the bytes of a file; equal pictures give equal bytes.

    Args:
        figure: what was drawn.
        kind: one of `PICTURES`.

    Raises:
        InputError: another kind.
    """
    import matplotlib as mpl

    if kind not in PICTURES:
        raise InputError(f"a picture is written as {' or '.join(PICTURES)}, not {kind}")
    buffer = io.BytesIO()
    # Text stays text in SVG, to be searched and edited; no date, so that equal pictures give equal files.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dnalm"}):
        figure.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()
