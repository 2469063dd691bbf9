"""Tables of start sites and annotations that people bring to train a model that scans: checked, kept for them alone.

They lie beside the person's labelled tables, under the hash of their content, so that an address can name them.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Literal

from dashboard import guard
from dnalm.annotation import read_genes, read_sites
from dnalm.errors import InputError
from dnalm.lab.database import DatabaseError
from dnalm.lab.in_use import files_in_use
from dnalm.lab.people import User
from dnalm.lab.uploads import LABELLED
from dnalm.lab.usage import refuse_over_quota
from dnalm.settings import settings

Kind = Literal["starts", "annotation"]
KINDS: dict[Kind, str] = {"starts": "a table of start sites", "annotation": "an annotation of genes"}
CAPS = guard.Caps(30 << 20, 200 << 20, line=1 << 20, instead="; train with `dnalm train --task track`")
# What one person's files may take on disk; the longest unused go first, but for those that jobs are to read. Bytes.
LARGEST_STORE = 200 << 20

_KEY = re.compile(r"upload-[0-9a-f]{16}")


@dataclass(frozen=True)
class SiteFile:
    """A kept file: its key in the address, its name as the person had it, where it is, how many sites or genes."""

    key: str
    name: str
    path: Path
    kind: Kind
    count: int


def keep(user: User, stream: BinaryIO, name: str, kind: Kind) -> SiteFile:
    """Check a file and keep it; a bad one leaves nothing behind.

    Args:
        user: who brings it.
        stream: its bytes, compressed or not.
        name: its name, for people.
        kind: what it has to be.

    Returns:
        The file. The same content gives the same key.

    Raises:
        InputError: it breaks a cap, is not of that kind, or the person's quota is used up.
    """
    refuse_over_quota(user)
    shown = guard.shown_name(name, "sites")
    root = _root(user, kind)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".new-") as building:
        path = Path(building) / "kept" / shown
        path.parent.mkdir()
        digest = guard.copy(stream, path, shown, CAPS)
        try:
            guard.check_text(path, shown, CAPS)
            _count(path, kind)
        except InputError as error:
            # The person knows the file by its name, not by where it was put for a moment.
            raise InputError(str(error).replace(str(path), shown)) from error
        folder = root / f"upload-{digest[:16]}"
        try:
            path.parent.rename(folder)
        except OSError:  # the same content was brought before
            if _held(folder) is None:
                raise
    os.utime(folder)
    _prune(root, keep=folder)
    found = _held(folder)
    assert found is not None
    return SiteFile(folder.name, found.name, found, kind, _count(found, kind))


def listed(user: User, kind: Kind) -> list[SiteFile]:
    """A person's kept files of a kind, the last used first."""
    root = _root(user, kind)
    folders = [path for path in root.iterdir() if _KEY.fullmatch(path.name)] if root.is_dir() else []
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    held = ((folder, _held(folder)) for folder in folders)
    return [SiteFile(folder.name, path.name, path, kind, _count(path, kind)) for folder, path in held if path]


def _count(path: Path, kind: Kind) -> int:
    """How many sites or genes a file holds.

    Raises:
        InputError: it is not of this kind, or holds none.
    """
    return _counted(path, path.stat().st_mtime_ns, kind)


@lru_cache(maxsize=256)
def _counted(path: Path, stamp: int, kind: Kind) -> int:
    found = read_sites(path) if kind == "starts" else read_genes(path)
    if not found:
        raise InputError(f"{path}: holds no gene; {KINDS[kind]} is wanted here")
    return len(found)


def _root(user: User, kind: Kind) -> Path:
    return settings().cache / LABELLED / user.id / kind


def _held(folder: Path) -> Path | None:
    files = list(folder.iterdir()) if folder.is_dir() else []
    return files[0] if len(files) == 1 else None


def _prune(root: Path, *, keep: Path) -> None:
    folders = [path for path in root.iterdir() if _KEY.fullmatch(path.name)]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    total, spared = 0, None
    for folder in folders:
        total += sum(path.stat().st_size for path in folder.iterdir())
        if total <= LARGEST_STORE or folder == keep:
            continue
        spared = _in_use() if spared is None else spared
        if spared is not None and not any(path.resolve() in spared for path in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)


def _in_use() -> frozenset[Path] | None:
    try:
        return files_in_use()
    except DatabaseError:  # where the jobs cannot be asked for, the cap waits
        return None


def titles(files: Iterable[SiteFile]) -> dict[str, str]:
    """Key to what a list shows."""
    what = {"starts": "sites", "annotation": "genes"}
    return {one.key: f"{one.name} (mine, {one.count:,} {what[one.kind]})" for one in files}
