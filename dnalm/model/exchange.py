"""Send a model as one file, and take one in: a zip of the bundle's four files, checked before it gets a place."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from dnalm.errors import BundleError, InputError
from dnalm.model.bundle import CARD, CONFIG, METRICS, WEIGHTS, Bundle, find_bundle, read_bundle
from dnalm.settings import settings

FILES = (CONFIG, WEIGHTS, METRICS, CARD)
LARGEST = 4 << 30
"""Bytes that an archive's files may unpack to, each: the published size has 0.1 GB of weights."""
_STAMP = (1980, 1, 1, 0, 0, 0)  # one date for all, so that the same bundle gives the same bytes
_CHUNK = 1 << 20


def export_bundle(model: str | Path, target: Path) -> Path:
    """Write a model as a zip archive, whole or not at all.

    Args:
        model: its name, run folder or folder.
        target: the archive; its folder must be there.

    Returns:
        `target`.

    Raises:
        InputError: there is no such model, or the target's folder is missing.
    """
    bundle = read_bundle(find_bundle(model))
    if not target.parent.is_dir():
        raise InputError(f"{target}: the folder {target.parent} is not there; make it first")
    temporary = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name in FILES:
                if (bundle.folder / name).is_file():
                    entry = zipfile.ZipInfo(f"{bundle.name}/{name}", _STAMP)
                    entry.external_attr = 0o644 << 16
                    with (bundle.folder / name).open("rb") as source, archive.open(entry, "w") as packed:
                        shutil.copyfileobj(source, packed, _CHUNK)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def import_bundle(source: Path, *, name: str | None = None, replace: bool = False) -> Bundle:
    """Take a model in from an archive or a folder: checked whole, then put among this installation's models.

    Args:
        source: an archive from `export_bundle`, a bundle's folder or a run folder.
        name: the name it gets here; its own when None.
        replace: let it take the place of a model of this name.

    Returns:
        The bundle in `DNALM_HOME`.

    Raises:
        InputError: the source is neither, or the name is taken or no name.
        BundleError: the archive or what it holds is damaged or not a model.
    """
    models = settings().models
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".import-") as scratch:
        unpacked = Path(scratch) / "bundle"
        unpacked.mkdir()
        if source.is_dir():
            _copy(find_bundle(source), unpacked)
        elif source.is_file():
            _unpack(source, unpacked)
        else:
            raise InputError(
                f"{source}: not there; an archive from `dnalm models export` or a model's folder is wanted"
            )
        _check_loads(unpacked, source)
        bundle = read_bundle(unpacked)
        target = models / _name(name or bundle.name)
        if target.exists():
            if not replace:
                raise InputError(f"{target}: there is a model of this name; choose another, or replace it (--replace)")
            target.replace(Path(scratch) / "old")
        unpacked.replace(target)
    return read_bundle(target)


def _name(text: str) -> str:
    allowed = text[:1].isalnum() and all(letter.isalnum() or letter in "._-" for letter in text)
    if not (allowed and text.isascii() and len(text) <= 120):
        raise InputError(f"{text!r} is no name for a model: letters, digits, dot, dash and underscore, at most 120")
    return text


def _copy(folder: Path, target: Path) -> None:
    read_bundle(folder)
    for name in FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)


def _unpack(source: Path, target: Path) -> None:
    """Unpack the four known files and nothing else; what an archive says about paths is never followed."""
    try:
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                path = PurePosixPath(entry.filename)
                if path.name not in FILES or len(path.parts) > 2 or ".." in path.parts or path.is_absolute():
                    raise BundleError(
                        f"{source}: holds {entry.filename!r}; a model's archive has {', '.join(FILES)} alone"
                    )
                if (target / path.name).exists():
                    raise BundleError(f"{source}: holds {path.name} twice")
                _unpack_one(archive, entry, source, target / path.name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"{source}: not a whole zip archive: {error}") from None


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: Path, target: Path) -> None:
    written = 0
    with archive.open(entry) as packed, target.open("wb") as file:
        while chunk := packed.read(_CHUNK):
            written += len(chunk)
            # The size that the archive states may be a lie; what comes out is counted.
            if written > LARGEST:
                raise BundleError(f"{source}: {entry.filename} unpacks to more than {LARGEST:,} bytes")
            file.write(chunk)


def _check_loads(folder: Path, source: Path) -> None:
    import dnalm

    try:
        dnalm.load(folder)
    except BundleError as error:
        raise BundleError(str(error).replace(str(folder), str(source))) from None
