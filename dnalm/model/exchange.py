"""Send a model as one file, and take one in: a zip of the bundle's four files, checked before it gets a place.

An archive comes from anywhere and may say anything: only the four names are taken from it, never its paths; links,
encryption and unusual packing are refused; what comes out is counted, not what the archive says of it.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from dnalm.errors import BundleError, InputError
from dnalm.model.bundle import WEIGHTS, Bundle, find_bundle, read_bundle
from dnalm.model.shelf import FILES, changing_models, checked_name, write_config
from dnalm.settings import settings

LARGEST = 4 << 30
"""Bytes that an archive's files may unpack to, each: the published size has 0.1 GB of weights."""
LARGEST_SMALL = 16 << 20
"""Bytes that each file beside the weights may unpack to."""
HIGHEST_RATIO = 200
"""Times as large as it came that a file may unpack to, once it is over a megabyte: weights hardly pack at all."""
MOST_ENTRIES = 16
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
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


def import_bundle(
    source: Path,
    *,
    name: str | None = None,
    replace: bool = False,
    before_replacing: Callable[[Path], None] | None = None,
) -> Bundle:
    """Take a model in from an archive or a folder: checked whole, then put among this installation's models.

    Args:
        source: an archive from `export_bundle`, a bundle's folder or a run folder.
        name: the name it gets here; its own when None.
        replace: let it take the place of a model of this name.
        before_replacing: called with the folder that is about to make room; what it raises leaves all as it was.

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
        config = read_bundle(unpacked).config
        target = models / checked_name(name or config.name)
        write_config(unpacked, config.model_copy(update={"name": target.name}))
        with changing_models():
            if target.exists():
                if not replace:
                    raise InputError(
                        f"{target}: there is a model of this name; choose another, or replace it (--replace)"
                    )
                if before_replacing is not None:
                    before_replacing(target)
                target.replace(Path(scratch) / "old")
            unpacked.replace(target)
    return read_bundle(target)


def _copy(folder: Path, target: Path) -> None:
    read_bundle(folder)
    for name in FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)


def _unpack(source: Path, target: Path) -> None:
    """Unpack the four known files and nothing else; what an archive says about paths is never followed."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise BundleError(f"{source}: holds {len(entries):,} files; a model's archive has {len(FILES)}")
            for entry in entries:
                if entry.is_dir():
                    continue
                _check_entry(entry, source)
                path = PurePosixPath(entry.filename)
                if path.name not in FILES or len(path.parts) > 2 or ".." in path.parts or path.is_absolute():
                    raise BundleError(
                        f"{source}: holds {entry.filename!r}; a model's archive has {', '.join(FILES)} alone"
                    )
                if (target / path.name).exists():
                    raise BundleError(f"{source}: holds {path.name} twice")
                _unpack_one(archive, entry, source, target / path.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BundleError(f"{source}: not a whole zip archive: {error}") from None


def _check_entry(entry: zipfile.ZipInfo, source: Path) -> None:
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise BundleError(f"{source}: {entry.filename!r} is a link or a device; plain files alone are taken")
    if entry.flag_bits & 1:
        raise BundleError(f"{source}: {entry.filename!r} is encrypted; plain files alone are taken")
    if entry.compress_type not in _PACKINGS:
        raise BundleError(f"{source}: {entry.filename!r} is packed in an unusual way; zip's own (deflate) is wanted")


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: Path, target: Path) -> None:
    written, most = 0, LARGEST if target.name == WEIGHTS else min(LARGEST, LARGEST_SMALL)
    with archive.open(entry) as packed, target.open("wb") as file:
        while chunk := packed.read(_CHUNK):
            written += len(chunk)
            # The size that the archive states may be a lie; what comes out is counted.
            if written > most:
                raise BundleError(f"{source}: {entry.filename} unpacks to more than {most:,} bytes")
            if written > max(_CHUNK, entry.compress_size * HIGHEST_RATIO):
                raise BundleError(f"{source}: {entry.filename} unpacks to more than {HIGHEST_RATIO} times its size")
            file.write(chunk)


def _check_loads(folder: Path, source: Path) -> None:
    import dnalm

    try:
        dnalm.load(folder)
    except BundleError as error:
        raise BundleError(str(error).replace(str(folder), str(source))) from None
