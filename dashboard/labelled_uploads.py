"""Files that people bring to make a labelled set of: received as a stream, checked, kept for the person alone.

They are kept under the hash of their content, so that an address can name them, in a folder of the person's own:
unlike a sequence to scan, an unpublished table is shown to nobody else.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dashboard import guard
from dnalm.alphabet import decode, gc_content
from dnalm.datasets.files import guess_positive
from dnalm.datasets.intake import Intake, kind_of, take_in
from dnalm.errors import InputError
from dnalm.sequences.table import TableColumns, read_columns
from dnalm.settings import settings

LARGEST_FILE = 100 << 20
LARGEST_TEXT = 300 << 20
MOST_RECORDS = 300_000
# What one person's files may take on disk; the longest unused go first.
LARGEST_STORE = 1 << 30
KIND_NAMES = {"table": "a table", "fasta": "FASTA", "genbank": "GenBank"}
FIRST = 10
SHOWN_BASES = 60

_KEY = re.compile(r"upload-[0-9a-f]{16}")
_OWNER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class LabelledUpload:
    """A kept file: its key in the address, its name as the person had it, where it is, what it is."""

    key: str
    name: str
    path: Path
    kind: str


@dataclass(frozen=True)
class Preview:
    """What a set made of a file or two would hold.

    Attributes:
        read: sequences found.
        kept: sequences that would stand in the set.
        labels: label to sequences; empty for one FASTA or GenBank file.
        positive: the positive one of two labels, where their names say it.
        dropped: reason to sequences left out.
        examples: reason to the sentence of the first one.
        notes: what else is to be known.
        first: the first sequences, as rows of a table.
        shortest: bases of the shortest sequence kept.
        longest: bases of the longest.
    """

    read: int
    kept: int
    labels: dict[str, int]
    positive: str | None
    dropped: dict[str, int]
    examples: dict[str, str]
    notes: list[str]
    first: list[dict[str, object]]
    shortest: int
    longest: int


def keep(stream: BinaryIO, name: str, owner: str) -> LabelledUpload:
    """Receive a file, check it and keep it; a bad one leaves nothing behind.

    Args:
        stream: its bytes, compressed or not; read a megabyte at a time.
        name: its name, for people.
        owner: the person's id.

    Returns:
        The upload. The same content gives the same key.

    Raises:
        InputError: it breaks a cap, or is no table, FASTA or GenBank file; the sentence calls it by its own name.
    """
    shown = guard.shown_name(name, "file")
    root = _root(owner)
    root.mkdir(parents=True, exist_ok=True)
    caps = guard.Caps(LARGEST_FILE, LARGEST_TEXT, instead="; make the set with `dnalm data make`")
    with tempfile.TemporaryDirectory(dir=root, prefix=".new-") as building:
        path = Path(building) / "kept" / shown
        path.parent.mkdir()
        digest = guard.copy(stream, path, shown, caps)
        with _named(path, shown):
            guard.check_text(path, shown, caps)
            kind_of(path)
        folder = root / f"upload-{digest[:16]}"
        try:
            path.parent.rename(folder)
        except OSError:
            # The same content was brought before, perhaps at this moment: that one is as good.
            if not _held(folder):
                raise
    os.utime(folder)
    _prune(root, keep=folder)
    return find(folder.name, owner)


def find(key: str, owner: str) -> LabelledUpload:
    """A person's kept file by its key.

    Raises:
        InputError: there is none, or not any more.
    """
    folder = _root(owner) / key
    path = _held(folder) if _KEY.fullmatch(key) else None
    if path is None:
        raise InputError("The file that the address names is not kept here any more: upload it again.")
    return LabelledUpload(key, path.name, path, kind_of(path))


def listed(owner: str) -> list[LabelledUpload]:
    """A person's kept files, the last used first."""
    root = _root(owner)
    folders = [path for path in root.iterdir() if _KEY.fullmatch(path.name)] if root.is_dir() else []
    found = []
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        with suppress(InputError):  # it went in this moment
            found.append(find(folder.name, owner))
    return found


def forget(key: str, owner: str) -> None:
    """Throw away a person's file; nothing happens where it is gone already."""
    if _KEY.fullmatch(key):
        shutil.rmtree(_root(owner) / key, ignore_errors=True)


def columns_of(upload: LabelledUpload) -> TableColumns:
    """The columns of a table and what each is taken for; InputError with the file's own name."""
    with _named(upload.path, upload.name):
        return read_columns(upload.path)


def preview(
    uploads: tuple[LabelledUpload, ...],
    labels: tuple[str, str] = ("positive", "negative"),
    columns: tuple[str | None, str | None, str | None] = (None, None, None),
    drop_copies: bool = True,
    *,
    progress: Callable[[int], None] | None = None,
) -> Preview:
    """Read the files as the set's making would, and say what it would hold.

    Args:
        uploads: one table, or two files, the positives first.
        labels: the two files' labels.
        columns: a table's columns of sequences, labels and names, where they are not found by themselves.
        drop_copies: leave out copies of a sequence.
        progress: told now and then how many sequences have been read.

    Raises:
        InputError: a file cannot be used, or holds too many sequences.
    """
    files = tuple((str(upload.path), upload.name) for upload in uploads)
    named = dict(zip(("sequence", "label", "id"), columns, strict=True))
    try:
        taken = take_in(
            *(path for path, _ in files),
            labels=labels,
            columns=named,
            drop_unusable=True,
            drop_copies=drop_copies,
            most=MOST_RECORDS,
            progress=progress,
        )
    except InputError as error:
        raise InputError(own_names(str(error), files)) from None
    lengths = [len(row.codes) for row in taken.rows]
    counts = taken.labels()
    return Preview(
        read=taken.read,
        kept=len(taken.rows),
        labels=counts,
        positive=guess_positive(counts),
        dropped=taken.dropped,
        examples={reason: own_names(example, files) for reason, example in taken.examples.items()},
        notes=taken.notes(),
        first=_first(taken),
        shortest=min(lengths),
        longest=max(lengths),
    )


def _first(taken: Intake) -> list[dict[str, object]]:
    """The first sequences of each label, so that a table sorted by label shows all of them."""
    shown, count = [], dict.fromkeys([None, *taken.labels()], 0)
    most = max(2, FIRST // max(1, len(taken.labels())))
    for row in taken.rows:
        if count[row.label] < most and len(shown) < FIRST:
            count[row.label] += 1
            bases = decode(row.codes[:SHOWN_BASES])
            shown.append(
                {
                    "Name": row.id,
                    **({"Label": row.label} if row.label is not None else {}),
                    "Bases": len(row.codes),
                    "GC (%)": round(100 * float(gc_content(row.codes)), 1),
                    "Sequence": bases + ("…" if len(row.codes) > SHOWN_BASES else ""),
                }
            )
    return shown


def own_names(sentence: str, files: tuple[tuple[str, str], ...]) -> str:
    """A sentence in which files are called as the person calls them, not by where they are kept."""
    for path, name in files:
        sentence = sentence.replace(path, name)
    return sentence


@contextmanager
def _named(path: Path, name: str) -> Iterator[None]:
    """Turn the messages of the block into ones that call a file by its own name."""
    try:
        yield
    except InputError as error:
        raise InputError(own_names(str(error), ((str(path), name),))) from error


def _root(owner: str) -> Path:
    if not _OWNER.fullmatch(owner):
        raise InputError(f"the person's id {owner!r} cannot be a folder's name")
    return settings().cache / "labelled" / owner


def _held(folder: Path) -> Path | None:
    files = list(folder.iterdir()) if folder.is_dir() else []
    return files[0] if len(files) == 1 else None


def _prune(root: Path, *, keep: Path) -> None:
    folders = [path for path in root.iterdir() if _KEY.fullmatch(path.name)]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for folder in folders:
        total += sum(path.stat().st_size for path in folder.iterdir())
        if total > LARGEST_STORE and folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
