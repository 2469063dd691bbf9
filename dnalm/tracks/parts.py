"""The pieces of a scan that goes on: a hidden folder beside its output, so that a scan which was stopped goes on.

Each piece is a file, written whole and renamed. A manifest says what the pieces are of; pieces of anything else are
never taken for them. Processes that share a scan, on one machine or on several, write into one folder.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from dnalm.errors import InputError
from dnalm.files import write_whole
from dnalm.locks import HeldError, held, is_held
from dnalm.tracks.windows import Scores

MANIFEST = "manifest.json"
WHOLE = "whole"
"""Name of the share of whoever does, or completes, all of a scan."""
WORK = "work-"
_WORDS = {
    "model": "by another model, or by the same trained again",
    "genome": "of another sequence",
}


def parts_folder(output: str | Path) -> Path:
    """Where the pieces of a scan lie whose output is this file: `.out.bw.parts` beside `out.bw`."""
    output = Path(output)
    return output.with_name(f".{output.name}.parts")


class Parts:
    """The pieces of one scan.

    Args:
        folder: where they lie; made where it is absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    @contextmanager
    def working(self, share: str = WHOLE) -> Iterator[None]:
        """Hold the folder while pieces are written: several shares of a scan at once, each once, or one for all.

        Args:
            share: name of the share; `WHOLE` for a scan that is not shared out, or that joins the shares.

        Raises:
            InputError: another process is at this share, or at one that this would collide with.
        """
        with ExitStack() as stack:
            busy = f"{self.folder}: another process is at this scan; wait for it, or stop it"
            try:
                stack.enter_context(held(self.folder / f"{share}.lock", patience=0.5))
            except HeldError:
                raise InputError(busy) from None
            for path in self.folder.glob("*.lock"):
                if path.stem != share and WHOLE in (share, path.stem) and is_held(path):
                    raise InputError(busy)
            if share == WHOLE:
                self._clear("*.part", f"{WORK}*")  # what killed processes left half written
            yield

    def claim(self, manifest: Mapping[str, Any], *, fresh: bool = False) -> None:
        """Say what the pieces are of.

        Args:
            manifest: as JSON holds it; equal for every process and every attempt of one scan.
            fresh: remove what is there first.

        Raises:
            InputError: the folder holds the pieces of another scan.
        """
        if fresh:
            self._clear("*.npz", MANIFEST)
        wanted = json.loads(json.dumps(manifest))
        found = self._manifest()
        if found is None:
            self._clear("*.npz")
            write_whole(self.folder / MANIFEST, json.dumps(wanted, indent=1) + "\n")
        elif found != wanted:
            raise InputError(
                f"{self.folder} holds the pieces of an unfinished scan {_difference(found, wanted)}: finish that one, "
                "or start anew with --fresh"
            )

    def done(self) -> set[int]:
        """Numbers of the pieces that are there."""
        return self.there(self.folder)

    @staticmethod
    def there(folder: Path) -> set[int]:
        """Numbers of the pieces in a folder, which may be absent."""
        return {int(path.stem) for path in folder.glob("*.npz") if path.stem.isdecimal()}

    def save(self, number: int, forward: Scores | None, reverse: Scores | None) -> None:
        """Keep the scores of a piece."""
        scores = {"forward": forward, "reverse": reverse}
        temporary = self.folder / f"{number:07d}.{os.getpid()}.part"
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **{name: one for name, one in scores.items() if one is not None})
        temporary.replace(self._path(number))

    def load(self, number: int) -> dict[str, Scores] | None:
        """The scores of a piece by strand, "forward" and "reverse"; None where it is absent or damaged."""
        try:
            with np.load(self._path(number), allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except (BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError):
            return None

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:07d}.npz"

    def _manifest(self) -> dict[str, Any] | None:
        """None where there is none that can be read: then nobody knows what the pieces are of."""
        try:
            found = json.loads((self.folder / MANIFEST).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _clear(self, *patterns: str) -> None:
        for path in (path for pattern in patterns for path in self.folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What the folder's scan differs in, in words."""
    for name in wanted:
        if found.get(name) != wanted[name]:
            return _WORDS.get(name, f"of another kind ({name.replace('_', ' ')} {found.get(name)}, not {wanted[name]})")
    return "of another kind"
