"""What a folder says of whose it is: `lab.json` beside its files, written in the operation that changes it.

The database decides; the note is what a new one is filled from where the old one was lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dnalm.errors import InputError, RunError
from dnalm.files import write_whole
from dnalm.lab.schema import DatasetRow, JobRow, ModelRow, RunRow, UserRow
from dnalm.model.shelf import LONGEST_DESCRIPTION
from dnalm.settings import settings

NOTE = "lab.json"
LARGEST = 1 << 16


@dataclass(frozen=True)
class Note:
    """Whose a folder is.

    Attributes:
        owner: the person's id; `owner_name` is how they are called.
        shared: the whole lab may see it.
        description: what a person wrote of it; None where nobody did, and its own files say what it is.
    """

    owner: str
    owner_name: str
    shared: bool
    description: str | None = None


def read_note(folder: Path) -> Note | None:
    """What a folder's note says; None where there is none that can be read."""
    return note_of(read_said(folder))


def read_said(folder: Path) -> Any:
    """What stands in a folder's note, as JSON has it; None where there is none that can be read."""
    path = folder / NOTE
    try:
        if path.stat().st_size > LARGEST:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def note_of(said: Any) -> Note | None:
    """A note from what stands in a file; None where it is none."""
    if not isinstance(said, dict):
        return None
    owner, name, shared = said.get("owner"), said.get("owner_name"), said.get("shared")
    description = said.get("description")
    if not (isinstance(owner, str) and 0 < len(owner) <= 64 and isinstance(shared, bool)):
        return None
    named = name[:200] if isinstance(name, str) and name else owner
    return Note(owner, named, shared, description if isinstance(description, str) else None)


def described(folder: Path, otherwise: str) -> str:
    """What a person wrote of a folder, else what its own files say."""
    note = read_note(folder)
    return otherwise if note is None or note.description is None else note.description


def write_note(folder: Path, note: Note) -> None:
    """Write a folder's note whole, where it says something else.

    Raises:
        RunError: it cannot be written.
    """
    if read_note(folder) != note:
        write_said(folder, asdict(note))


def write_said(folder: Path, said: Any) -> None:
    """Write what stands in a folder's note, whole.

    Raises:
        RunError: it cannot be written.
    """
    try:
        write_whole(folder / NOTE, json.dumps(said, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise RunError(f"{folder / NOTE}: cannot be written ({(error.strerror or str(error)).lower()})") from None


def keep_missing(session: Session, found: Iterable[ModelRow | DatasetRow | RunRow]) -> None:
    """Write the notes of folders that have none, or another than the database says; where one cannot be, pass on."""
    jobs = {job.run: job for job in session.scalars(select(JobRow))}
    for row in found:
        with suppress(RunError):
            job = jobs.get(row.name) if isinstance(row, RunRow) else None
            if job is None:
                keep(session, row)
            else:
                keep_job(job)


def keep_job(job: JobRow) -> None:
    """Write into a job's run folder whose it is, who sees it and what it is called.

    Raises:
        RunError: it cannot be written.
    """
    folder = settings().runs / job.run
    if folder.is_dir():
        write_note(folder, Note(job.owner_id, job.owner.name, job.shared, job.name))


def keep(session: Session, row: ModelRow | DatasetRow | RunRow, *, description: str | None = None) -> None:
    """Write into a row's folder whose it is.

    Args:
        session: the transaction that changes the row; where the note cannot be written, it is to be undone.
        row: of what.
        description: what a person writes of it now; None leaves what was written.

    Raises:
        RunError: it cannot be written.
    """
    folder = settings().home / row.folder
    before = read_note(folder)
    if description is None and before is not None:
        description = before.description
    owner = session.get(UserRow, row.owner_id)
    write_note(folder, Note(row.owner_id, owner.name if owner else row.owner_id, row.shared, description))


def one_line(text: str) -> str:
    """A description on one line.

    Raises:
        InputError: it is too long.
    """
    line = " ".join(text.split())
    if len(line) > LONGEST_DESCRIPTION:
        raise InputError(f"a description has at most {LONGEST_DESCRIPTION:,} letters; this one has {len(line):,}")
    return line
