"""The catalogue of public data: what there is, where it comes from, and a verified local copy of it.

`data/catalog.yaml` has one entry a file. `fetch` looks in `DNALM_DATA_MIRROR`, then among the files that ship
with dnalm, then in the cache, and only then asks the official address. Every copy is checked.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dnalm.datasets.checksums import LEVELS, checksum
from dnalm.datasets.download import Progress, download
from dnalm.errors import InputError
from dnalm.settings import settings


class Entry(BaseModel):
    """One file of the catalogue.

    `official` says how the file at `addresses` relates to the catalogued one, and so how it can be checked:
    "identical" (the same bytes), "repacked" (the same content, compressed otherwise), "sequences" (the same
    sequences under other headers or line lengths), "derived" (made from the source by a step that `note`
    tells: no address gives this file).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    path: str = Field(description="where the file lies in the mirror and in the cache")
    kind: Literal["genome", "annotation", "promoters", "enhancers", "sites", "transcripts", "rrna", "taxonomy"]
    title: str
    what: str
    source: str = Field(description="the official page or database, for people")
    addresses: tuple[str, ...] = Field((), description="official addresses to download from, tried in order")
    official: Literal["identical", "repacked", "sequences", "derived"]
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="checksum of the catalogued file")
    content_sha256: str = Field(pattern="^[0-9a-f]{64}$", description="the same after decompression")
    sequences_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    bytes: int
    licence: str
    citation: str
    doi: str | None = None
    note: str = ""
    shipped: str | None = Field(None, description="path in the shipped data/ of a copy with the same content")

    def matches(self, path: Path) -> str | None:
        """The strictest level at which a file agrees with this entry: "file", "content", "sequences" or None.

        Agreement of the sequences alone counts only where the official file is known to differ in form.
        """
        wanted = {"file": self.sha256, "content": self.content_sha256}
        if self.official == "sequences" and self.sequences_sha256:
            wanted["sequences"] = self.sequences_sha256
        for level in LEVELS:
            if level in wanted and checksum(path, level) == wanted[level]:
                return level
        return None


@cache
def _read(path: Path) -> dict[str, Entry]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"the catalogue {path} is missing; install dnalm again, or put the file back") from None
    except OSError as error:
        raise InputError(f"the catalogue {path} cannot be read: {error.strerror or error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"the catalogue {path}{where} is damaged: it is no YAML; put the file back") from None
    named = raw.get("entries") if isinstance(raw, dict) else None
    if not isinstance(named, dict):
        raise InputError(f"the catalogue {path} is damaged: it has no entries; put the file back")
    entries = {}
    for name, fields in named.items():
        if not (isinstance(name, str) and isinstance(fields, dict) and all(isinstance(key, str) for key in fields)):
            raise InputError(f"the catalogue {path} is damaged: its entry {name} has no fields; put the file back")
        try:
            entries[name] = Entry.model_validate({**fields, "name": name})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"{path}, entry {name}, field {where}: {first['msg']}") from error
    return entries


def load(path: Path | None = None) -> dict[str, Entry]:
    """All entries of the catalogue, by name, in its order.

    Raises:
        InputError: it is missing or damaged.
    """
    return dict(_read(path or settings().shipped_data / "catalog.yaml"))


def entry(name: str) -> Entry:
    """One entry by name.

    Raises:
        InputError: there is none of that name; the message lists those that there are.
    """
    entries = load()
    if name not in entries:
        raise InputError(f"the catalogue has no {name!r}; it has {', '.join(entries)}")
    return entries[name]


_verified: dict[tuple[str, int, int], str] = {}


def _verify(found: Entry, path: Path, origin: str) -> Path:
    """The path, once its checksum agrees; a file that has not changed since is not read again."""
    state = path.stat()
    key = (str(path), state.st_size, state.st_mtime_ns)
    if key not in _verified:
        level = found.matches(path)
        if level is None:
            raise InputError(
                f"{path} ({origin}) does not match the catalogue's checksum of {found.name}: "
                f"found sha256 {checksum(path)}, wanted {found.sha256}"
            )
        _verified[key] = level
    return path


def _places(found: Entry) -> list[tuple[str, Path]]:
    """Where a copy may lie, in the order of `fetch`, each with the words for it."""
    mirror = settings().data_mirror
    places = [("in DNALM_DATA_MIRROR", mirror / found.path)] if mirror else []
    if found.shipped:
        places.append(("shipped with dnalm", settings().shipped_data / found.shipped))
    return [*places, ("in the cache; delete it to fetch it again", settings().cache / "downloads" / found.path)]


def holding(name: str) -> tuple[str, Path] | None:
    """Where a copy lies, in words and as a path, or None; it is not checked, which takes reading all of it."""
    return next(((origin, path) for origin, path in _places(entry(name)) if path.is_file()), None)


def local(name: str) -> Path | None:
    """A verified copy that is on this machine already (mirror, shipped or cache), or None."""
    there = holding(name)
    return _verify(entry(name), there[1], there[0]) if there else None


def fetch(name: str, progress: Progress | None = None) -> Path:
    """A verified local copy of a catalogued file; downloaded when there is none yet.

    Args:
        name: the entry's name.
        progress: called with (bytes so far, bytes in all, 0 where unknown) while downloading.

    Returns:
        The path: in the mirror, among the shipped data, or in `$DNALM_HOME/cache/downloads`.

    Raises:
        InputError: no such entry, or a copy fails its checksum.
        RunError: every address failed, or the file has none.
    """
    path = local(name)
    if path is None:
        found = entry(name)
        path = _verify(found, download(found, settings().cache / "downloads", progress), "downloaded")
    return path
