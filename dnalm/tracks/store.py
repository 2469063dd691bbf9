"""Keep scans on disk, so that a region which was scanned once opens at once, for everyone and after a restart.

A stored track is found by what made it: the model's files and the record's bases are part of its key, so a
retrained model or an edited sequence never shows old scores. A stored track also serves the regions inside it, and
strides that are multiples of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from dnalm.tracks.track import Track

if TYPE_CHECKING:
    from dnalm.sequences import Record

_NAME = re.compile(r"(?P<key>[0-9a-f]{24})\.(?P<start>\d+)-(?P<end>\d+)\.(?P<stride>\d+)\.npz")


def bundle_digest(folder: str | Path) -> str:
    """SHA-256 of a bundle's configuration and weights: two models with the same digest score alike."""
    digest = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        digest.update((Path(folder) / name).read_bytes())
    return digest.hexdigest()


def record_digest(record: Record) -> str:
    """SHA-256 of a record's bases and whether they form a circle."""
    return hashlib.sha256(record.codes.tobytes() + bytes([record.circular])).hexdigest()


def track_key(model_digest: str, sequence_digest: str, *, window: int, label: str, mode: str = "window") -> str:
    """The key of every track that this model gives on this record in this mode and window, for this label."""
    text = "\n".join(("track-1", model_digest, sequence_digest, str(window), label))
    if mode != "window":  # which is what was kept before there was another
        text += f"\n{mode}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def save_track(track: Track, key: str, folder: str | Path, *, most_bytes: int | None = None) -> Path:
    """Store a track of both strands; a track of one strand is not worth a file and is refused.

    Args:
        track: the scores, both strands.
        key: from `track_key`.
        folder: where stored tracks lie; made when absent.
        most_bytes: what the folder's tracks may take together: the oldest go. No limit when None.

    Returns:
        The file.
    """
    if track.forward is None or track.reverse is None:
        raise ValueError("only tracks of both strands are stored")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.{track.start}-{track.end}.{track.stride}.npz"
    temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    with temporary.open("wb") as file:
        np.savez_compressed(file, forward=track.forward, reverse=track.reverse)
    temporary.replace(path)
    if most_bytes is not None:
        _prune(folder, most_bytes)
    return path


def find_track(key: str, like: Track, folders: Iterable[str | Path], *, stride: int | None = None) -> Track | None:
    """Look for stored scores of a region.

    Args:
        key: from `track_key`.
        like: names the record, region, window, model and label wanted; its scores are not looked at.
        folders: where stored tracks may lie; absent ones are passed over.
        stride: bases between sites; the finest that is stored when None.

    Returns:
        The track with both strands, or None. A damaged file counts as absent.
    """
    for own, start, path in sorted(_covering(key, like, folders)):
        wanted = stride or own
        offset = like.start - start
        if wanted % own or offset % own:
            continue
        try:
            with np.load(path, allow_pickle=False) as stored:
                forward, reverse = stored["forward"], stored["reverse"]
        except (BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError):
            continue
        positions = np.arange(like.start, like.end, wanted, dtype=np.int64)
        chosen = (positions - start) // own
        if len(forward) != len(reverse) or chosen[-1] >= len(forward):
            continue
        return replace(like, stride=wanted, positions=positions, forward=forward[chosen], reverse=reverse[chosen])
    return None


def _prune(folder: Path, most_bytes: int) -> None:
    files = []
    for path in folder.glob("*.npz"):
        with suppress(FileNotFoundError):  # another process that prunes was quicker
            found = path.stat()
            files += [(found.st_mtime, found.st_size, path)] if _NAME.fullmatch(path.name) else []
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > most_bytes:
            path.unlink(missing_ok=True)


def _covering(key: str, like: Track, folders: Iterable[str | Path]) -> list[tuple[int, int, Path]]:
    """Stride, start and file of the stored tracks that hold the whole region."""
    found = []
    for folder in map(Path, folders):
        for path in folder.glob(f"{key}.*.npz") if folder.is_dir() else ():
            match = _NAME.fullmatch(path.name)
            if match and int(match["start"]) <= like.start and like.end <= int(match["end"]):
                found.append((int(match["stride"]), int(match["start"]), path))
    return found
