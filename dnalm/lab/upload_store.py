"""Where uploaded sequences are kept, and whose each is: rows of the database, and a note beside each file.

A folder is named for its content's hash and holds the file and `lab.json`. The database decides whose it is; the note
says the same, for a database that was lost. A file of which neither says anything is the local user's.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dnalm.errors import RunError
from dnalm.lab import audit, notes, people, rows
from dnalm.lab.database import Database
from dnalm.lab.schema import UploadRow
from dnalm.settings import settings

KEY = re.compile(r"upload-[0-9a-f]{16}")


def root() -> Path:
    """Where uploaded sequences are kept, a folder each."""
    return settings().cache / "uploads"


def look(db: Database) -> dict[str, Path]:
    """The files that are here, by key, each of them somebody's from now on."""
    found = _files()
    if found:
        with db.reading() as session:
            known = set(session.scalars(select(UploadRow.key)))
        if found.keys() - known:
            with alone():
                adopt(db)
    return found


def keep_missing_notes(db: Database) -> None:
    """Write the notes of files that have none, or another than the database says; where one cannot be, pass on."""
    found = look(db)
    with alone(), db.reading() as session:
        for path in found.values():
            if path.exists():
                with suppress(RunError):
                    write_note(session, path.parent)


@contextmanager
def alone() -> Iterator[None]:
    """While files come or go: who is the last to have one must not change between the question and the act."""
    settings().home.mkdir(parents=True, exist_ok=True)
    with (settings().home / ".uploads.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _files() -> dict[str, Path]:
    if not root().is_dir():
        return {}
    found = {path.name: held(path) for path in root().iterdir() if KEY.fullmatch(path.name)}
    return {key: path for key, path in found.items() if path}


def held(folder: Path) -> Path | None:
    """The one file of a folder, beside its note."""
    try:
        files = [path for path in folder.iterdir() if path.name != notes.NOTE and not path.name.startswith(".")]
    except OSError:
        return None
    return files[0] if len(files) == 1 else None


def used_at(path: Path) -> float:
    """When a file was last used: seconds, as the folder's time has it."""
    try:
        return path.parent.stat().st_mtime
    except OSError:  # it went in this moment
        return 0.0


def adopt(db: Database) -> None:
    """Give each file that the database does not know to those whom its note names, else to the local user."""
    found = _files()
    with db.reading() as session:
        known = set(session.scalars(select(UploadRow.key)))
    new = {key: path for key, path in found.items() if key not in known}
    if not new:
        return
    people.local_user(db)
    with db.session() as session:
        for key, path in new.items():
            for holder in _holders(path.parent) or [_nobody(path)]:
                owner = people.remember(session, holder.owner, holder.owner_name)
                made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                if put(session, key, owner, holder.name, holder.shared, holder.description or "", made):
                    audit.record(session, "dnalm", "upload.found", f"upload:{key}", name=holder.name)


@dataclass(frozen=True)
class _Holder(notes.Note):
    """One of those whom a file's note names, and how they call it."""

    name: str = ""


def _holders(folder: Path) -> list[_Holder]:
    said = notes.read_said(folder)
    told = said.get("holders") if isinstance(said, dict) else None
    found = []
    for one in told if isinstance(told, list) else []:
        note = notes.note_of(one)
        name = one.get("name") if note else None
        if note and isinstance(name, str) and 0 < len(name) <= 200:
            found.append(_Holder(**asdict(note), name=name))
    return found


def _nobody(path: Path) -> _Holder:
    return _Holder(people.LOCAL, "local user", False, name=path.name)


def put(
    session: Session,
    key: str,
    owner: str,
    name: str,
    shared: bool = False,
    description: str = "",
    created: datetime | None = None,
) -> bool:
    """Make a person's row of a file, unless they have one; whether it was made."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    values = {"id": secrets.token_hex(8), "key": key, "owner_id": owner, "name": name, "shared": shared}
    values |= {"description": description, **({"created": created} if created else {})}
    row = dialect.insert(UploadRow).values(**values).on_conflict_do_nothing(index_elements=["key", "owner_id"])
    return session.scalar(row.returning(UploadRow.id)) is not None


def rows_of(key: str) -> Select[tuple[UploadRow]]:
    """The rows of all who have a file."""
    return select(UploadRow).where(UploadRow.key == key)


def write_note(session: Session, folder: Path) -> None:
    """Write beside a file whose it is; `folder` is named for its key.

    Raises:
        RunError: it cannot be written.
    """
    holders = [
        asdict(_Holder(row.owner_id, rows.owner_name(session, row.owner_id), row.shared, row.description, row.name))
        for row in session.scalars(rows_of(folder.name).order_by(UploadRow.created, UploadRow.id))
    ]
    if notes.read_said(folder) != {"holders": holders}:
        used = folder.stat()
        notes.write_said(folder, {"holders": holders})
        os.utime(folder, ns=(used.st_atime_ns, used.st_mtime_ns))  # a note is no use of the file
