"""A sequence file by any name that people call it: its path, a catalogue entry, or its key in the dashboard."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from dnalm.datasets import catalog
from dnalm.errors import InputError
from dnalm.settings import settings

_UPLOAD = re.compile(r"upload-[0-9a-f]{16}")
_NOTE = "lab.json"  # what the lab keeps beside an upload


def as_path(name: str) -> Path:
    """The file that a name stands for, as far as that can be told without fetching anything.

    Args:
        name: a path; an upload's key in the dashboard; the first word of a shipped genome's file name; any other name,
            such as one of the catalogue, is given back as it is.
    """
    path = Path(name)
    if path.exists() or "/" in name:
        return path
    kept = (settings().cache / "uploads" / name).glob("[!.]*") if _UPLOAD.fullmatch(name) else ()
    shipped = (settings().shipped_data / "genomes").glob(f"{glob.escape(name)}.f*a*")
    return min((file for file in (*kept, *shipped) if file.name != _NOTE), default=path)


def named_file(name: str) -> Path:
    """The same, but one of the catalogue is fetched where it is not here yet.

    Raises:
        InputError: there is no such file, and no such entry in the catalogue.
    """
    path = as_path(name)
    if path.exists():
        return path
    if "/" in name or name not in catalog.load():
        raise InputError(f"{name}: no such file, and nothing of that name in the catalogue (`dnalm data list`)")
    return catalog.fetch(name)
