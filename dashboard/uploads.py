"""Sequences that people bring: checked, kept under the hash of their content, so that an address can name them."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dashboard import guard
from dnalm.errors import DnalmError, InputError
from dnalm.lab.in_use import files_in_use
from dnalm.sequences import read_records
from dnalm.settings import settings

# A compressed file may unpack to this much, an upload's records to so many: caps against accidents and bombs.
LARGEST_TEXT = 200 << 20
MOST_RECORDS = 10_000
# What all uploads may take on disk; the longest unused go first, but for those that jobs are to read, resumed ones too.
LARGEST_STORE = 2 << 30

_KEY = re.compile(r"upload-[0-9a-f]{16}")


@dataclass(frozen=True)
class Upload:
    """An uploaded sequence: its key in the address, its name as the person had it, its file."""

    key: str
    name: str
    path: Path


def keep(content: bytes, name: str) -> Upload:
    """Check an uploaded FASTA or GenBank file and keep it.

    Args:
        content: the file's bytes, compressed or not.
        name: its name, for people; only letters that are harmless in a file's name are kept.

    Returns:
        The upload. The same content gives the same key, whatever its name.

    Raises:
        InputError: it is no such file, or larger than allowed; nothing is left behind.
    """
    shown = guard.shown_name(name)
    folder = _root() / f"upload-{hashlib.sha256(content).hexdigest()[:16]}"
    held = _held(folder)
    if held:
        return held
    _root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_root(), prefix=".new-") as building:
        path = Path(building) / shown
        path.write_bytes(content)
        _check(path, shown)
        kept = Path(building) / "kept"
        kept.mkdir()
        path.rename(kept / shown)
        try:
            kept.rename(folder)
        except OSError:
            # Someone uploaded the same file at the same moment: theirs is as good.
            if not _held(folder):
                raise
    _prune(keep=folder)
    return Upload(folder.name, shown, folder / shown)


def known() -> list[Upload]:
    """The uploads that are here, the last used first."""
    if not _root().is_dir():
        return []
    folders = [path for path in _root().iterdir() if _KEY.fullmatch(path.name)]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [upload for upload in map(_held, folders) if upload]


def used(upload_key: str) -> None:
    """Note that an upload was looked at, so that it is not the first to go."""
    if _KEY.fullmatch(upload_key) and (_root() / upload_key).is_dir():
        os.utime(_root() / upload_key)


def _root() -> Path:
    return settings().cache / "uploads"


def _held(folder: Path) -> Upload | None:
    files = list(folder.iterdir()) if folder.is_dir() else []
    return Upload(folder.name, files[0].name, files[0]) if len(files) == 1 else None


def _check(path: Path, shown: str) -> None:
    try:
        caps = guard.Caps(LARGEST_TEXT, LARGEST_TEXT, line=LARGEST_TEXT, instead="; scan it with `dnalm scan`")
        guard.check_text(path, shown, caps)
        for count, _ in enumerate(read_records(path), start=1):
            if count > MOST_RECORDS:
                raise InputError(f"{shown} holds more than {MOST_RECORDS:,} records; scan it with `dnalm scan`.")
    except InputError as error:
        # The person knows the file by its name, not by where it was put for a moment.
        raise InputError(str(error).replace(str(path), shown)) from error


def _prune(*, keep: Path) -> None:
    """Remove what was longest unused beyond the cap; never what a job is to read that waits, runs or can be resumed."""
    total, over = 0, []
    for upload in known():
        total += upload.path.stat().st_size
        if total > LARGEST_STORE and upload.path.parent != keep:
            over.append(upload)
    if not over:
        return
    try:
        needed = files_in_use()
    except DnalmError:  # where the jobs cannot be asked for, the cap waits
        return
    for upload in over:
        if upload.path.resolve() not in needed:
            upload.path.unlink(missing_ok=True)
            upload.path.parent.rmdir()
