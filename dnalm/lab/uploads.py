"""Sequences that people uploaded, to be scanned or pre-trained on: whose each is, and who may see it.

A file is kept under the hash of its content, once, however many people brought it: each of them has it then, under the
name that they gave it, private until they share it, and it goes with the last of them who deletes it. Each call takes
the acting person first.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dnalm.errors import InputError
from dnalm.files import out_of_sight
from dnalm.lab import audit, notes, rows
from dnalm.lab import upload_store as store
from dnalm.lab.database import Database, database
from dnalm.lab.in_use import files_in_use, models_reading_file, refuse_jobs_reading_file
from dnalm.lab.indexed import Indexed
from dnalm.lab.people import User
from dnalm.lab.schema import UploadRow
from dnalm.settings import settings

LABELLED = "labelled"


@dataclass(frozen=True)
class IndexedUpload(Indexed):
    """What one person has of an uploaded sequence.

    Attributes:
        key: names the content, and stands in addresses: the same for everybody who brought the file.
        path: the file; it is called as the first who brought it called it.
        size_bytes: its size.
    """

    key: str
    path: Path
    size_bytes: int


def uploads(user: User, *, db: Database | None = None) -> list[IndexedUpload]:
    """What this person may see of the uploads: their own and shared ones, of everybody to an admin; last used first."""
    db = db or database()
    found = store.look(db)
    with db.reading() as session:
        seen = [
            _upload(session, row, found[row.key])
            for row in session.scalars(select(UploadRow).order_by(UploadRow.created.desc()))
            if row.key in found and rows.may_see(user, row)
        ]
    times = {key: store.used_at(path) for key, path in found.items()}
    return sorted(seen, key=lambda one: times[one.key], reverse=True)


def upload(user: User, name: str, *, db: Database | None = None) -> IndexedUpload:
    """One upload, by its id, its key, or the name that its owner gave it; this person's own before a colleague's.

    Raises:
        InputError: there is none that this person may see, or several have the name.
    """
    found = [one for one in uploads(user, db=db) if name in (one.id, one.key, one.name)]
    found = [one for one in found if one.owner == user.id] or found
    if not found:
        raise InputError(f"no upload {name!r} here, or none that is shared with you")
    keys = {one.key for one in found}
    if len(keys) > 1:
        raise InputError(f"{name}: {len(keys)} uploads have this name; say which: {', '.join(sorted(keys))}")
    return found[0]


def add_upload(user: User, file: Path, sha256: str, name: str, *, db: Database | None = None) -> IndexedUpload:
    """Take in a file that was checked: it is this person's then, and private.

    Args:
        user: whose it will be; where they have the same content already, nothing changes.
        file: it is moved into the store, unless the same content is there.
        sha256: of its content.
        name: how the person calls it, fit to be a file's name.
        db: the database; else that of the settings.

    Raises:
        RunError: it cannot be written.
    """
    db = db or database()
    key = f"upload-{sha256[:16]}"
    folder = store.root() / key
    store.root().mkdir(parents=True, exist_ok=True)
    with store.alone(), tempfile.TemporaryDirectory(dir=store.root(), prefix=".new-") as building:
        store.adopt(db)
        known = store.held(folder)
        with db.session() as session:
            if store.put(session, key, user.id, name):
                audit.record(session, user.id, "upload.add", f"upload:{key}", name=name)
            session.flush()
            if known:
                store.write_note(session, folder)
            else:
                kept = Path(building) / key
                kept.mkdir()
                file.rename(kept / name)
                store.write_note(session, kept)
                kept.rename(folder)
            row = session.scalars(store.rows_of(key).where(UploadRow.owner_id == user.id)).one()
            found = _upload(session, row, known or folder / name)
    os.utime(folder)
    return found


def describe_upload(user: User, upload_id: str, description: str, *, db: Database | None = None) -> IndexedUpload:
    """Say in a line what an upload is.

    Raises:
        InputError: it is not this person's, or the line is too long.
        RunError: that cannot be written beside it.
    """
    text = notes.one_line(description)
    with store.alone(), (db or database()).session() as session:
        row = rows.own(session, user, UploadRow, upload_id, "describe")
        row.description = text
        return _changed(session, user, row, "upload.describe")


def share_upload(user: User, upload_id: str, shared: bool, *, db: Database | None = None) -> IndexedUpload:
    """Let the whole lab see an upload, or only its owner again.

    Raises:
        InputError: it is not this person's.
        RunError: that cannot be written beside it.
    """
    with store.alone(), (db or database()).session() as session:
        row = rows.own(session, user, UploadRow, upload_id, "share")
        row.shared = shared
        return _changed(session, user, row, "upload.share", shared=shared)


def delete_upload(user: User, upload_id: str, *, db: Database | None = None) -> None:
    """Take an upload from its owner; the file goes when nobody else has it.

    Raises:
        InputError: it is not this person's, or a job is about to read the file that would go.
        RunError: the folder cannot be removed.
    """
    db = db or database()
    with store.alone():
        with db.session() as session:
            row = _deletable(session, user, upload_id)
            grave = _drop(session, user, row, "upload.delete")
        if grave:
            shutil.rmtree(grave, ignore_errors=True)


def check_upload_deletable(user: User, upload_id: str, *, db: Database | None = None) -> None:
    """Ask whether an upload could be deleted, before a person is asked whether they mean it.

    Raises:
        InputError: as `delete_upload` would.
    """
    with (db or database()).session() as session:
        _deletable(session, user, upload_id)


def models_made_from(user: User, upload_id: str, *, db: Database | None = None) -> str:
    """The models whose training read an upload, by name as this person may see them; empty where none did."""
    with (db or database()).reading() as session:
        row = session.get(UploadRow, upload_id)
        file = store.held(store.root() / row.key) if row else None
        return models_reading_file(session, user, file) if file else ""


def make_room(user: User, most_bytes: int, *, keep: str, db: Database | None = None) -> None:
    """Delete what a person's uploads take beyond a cap, the longest unused first.

    What a job reads that waits, runs or can be resumed, whoever's it is, stays unless somebody else has it too.

    Raises:
        DatabaseError: the jobs cannot be asked for; nothing is deleted.
    """
    db = db or database()
    total, over = 0, []
    for one in (one for one in uploads(user, db=db) if one.owner == user.id):
        total += one.size_bytes
        if total > most_bytes and one.key != keep:
            over.append(one)
    if not over:
        return
    with store.alone():
        needed = files_in_use(db)
        graves = []
        with db.session() as session:
            for one in over:
                row = session.get(UploadRow, one.id)
                if row and (_others(session, row) or one.path.resolve() not in needed):
                    graves.append(_drop(session, user, row, "upload.make_room"))
        for grave in filter(None, graves):
            shutil.rmtree(grave, ignore_errors=True)


def may_read(user: User, path: Path, *, db: Database | None = None) -> bool:
    """Whether a file is this person's to read, as far as uploads go: a colleague's private one is not.

    Labelled tables and the files that sets are made of are their owner's alone; every other path is none of ours.
    """
    if user.is_admin:
        return True
    file, tables, kept = path.resolve(), (settings().cache / LABELLED).resolve(), store.root().resolve()
    if file.is_relative_to(tables):
        return file.relative_to(tables).parts[:1] == (user.id,)
    if file.is_relative_to(kept):
        return file.relative_to(kept).parts[:1] in {(one.key,) for one in uploads(user, db=db)}
    return True


def _others(session: Session, row: UploadRow) -> bool:
    """Whether somebody else has the same file."""
    return session.scalars(store.rows_of(row.key).where(UploadRow.id != row.id)).first() is not None


def _deletable(session: Session, user: User, upload_id: str) -> UploadRow:
    row = rows.own(session, user, UploadRow, upload_id, "delete")
    file = store.held(store.root() / row.key)
    if file and not _others(session, row):
        refuse_jobs_reading_file(session, user, row.name, file)
    return row


def _drop(session: Session, user: User, row: UploadRow, action: str) -> Path | None:
    """Delete a row; where it was the file's last, take that out of sight too, and say where it is to be removed."""
    folder, last = store.root() / row.key, not _others(session, row)
    audit.record(session, user.id, action, f"upload:{row.key}", name=row.name, owner=row.owner_id)
    session.delete(row)
    session.flush()
    if not folder.is_dir():
        return None
    if last:
        return out_of_sight(folder)
    store.write_note(session, folder)
    return None


def _changed(session: Session, user: User, row: UploadRow, action: str, **detail: object) -> IndexedUpload:
    audit.record(session, user.id, action, f"upload:{row.key}", owner=row.owner_id, **detail)
    session.flush()
    folder = store.root() / row.key
    file = store.held(folder)
    if file is None:
        raise InputError(f"{row.name}: its file has gone; upload it again")
    store.write_note(session, folder)
    return _upload(session, row, file)


def _upload(session: Session, row: UploadRow, path: Path) -> IndexedUpload:
    return IndexedUpload(
        id=row.id,
        name=row.name,
        folder=path.parent,
        owner=row.owner_id,
        owner_name=rows.owner_name(session, row.owner_id),
        shared=row.shared,
        description=row.description,
        created=row.created,
        key=row.key,
        path=path,
        size_bytes=path.stat().st_size if path.exists() else 0,
    )
