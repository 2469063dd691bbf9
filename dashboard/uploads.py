"""Sequences that people bring to be scanned or pre-trained on: checked, then kept by the lab as the person's own."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dashboard import guard
from dnalm.errors import InputError
from dnalm.lab import uploads as kept_uploads
from dnalm.lab.database import DatabaseError
from dnalm.lab.people import User
from dnalm.lab.usage import refuse_over_quota
from dnalm.sequences import read_records
from dnalm.settings import settings

# A compressed file may unpack to this much, an upload's records to so many: caps against accidents and bombs.
LARGEST_TEXT = 200 << 20
MOST_RECORDS = 10_000
# What one person's uploads may take on disk; their longest unused go first, but for those that jobs are to read,
# resumed ones too.
LARGEST_STORE = 2 << 30


@dataclass(frozen=True)
class Upload:
    """An uploaded sequence: its key in the address, its name as the person had it, its title in lists, its file."""

    key: str
    name: str
    title: str
    path: Path


def keep(user: User, content: bytes, name: str) -> Upload:
    """Check an uploaded FASTA or GenBank file and keep it, for this person alone until they share it.

    Args:
        user: who brings it.
        content: the file's bytes, compressed or not.
        name: its name, for people; only letters that are harmless in a file's name are kept.

    Returns:
        The upload. The same content gives the same key, whatever its name.

    Raises:
        InputError: it is no such file, or larger than allowed, or the person's quota is used up; nothing is left
            behind.
        RunError: it cannot be kept.
    """
    refuse_over_quota(user)
    shown = guard.shown_name(name)
    settings().cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings().cache, prefix=".upload-") as building:
        path = Path(building) / shown
        path.write_bytes(content)
        _check(path, shown)
        found = kept_uploads.add_upload(user, path, hashlib.sha256(content).hexdigest(), shown)
    with suppress(DatabaseError):  # where the jobs cannot be asked for, the cap waits
        kept_uploads.make_room(user, LARGEST_STORE, keep=found.key)
    return Upload(found.key, found.name, _title(user, found), found.path)


def known(user: User) -> list[Upload]:
    """The uploads that this person may use, the last used first: each once, as their own where they have it."""
    found: dict[str, kept_uploads.IndexedUpload] = {}
    for one in kept_uploads.uploads(user):
        if one.key not in found or one.owner == user.id:
            found[one.key] = one
    return [Upload(key, one.name, _title(user, one), one.path) for key, one in found.items()]


def _title(user: User, one: kept_uploads.IndexedUpload) -> str:
    return f"{one.name} (uploaded)" if one.owner == user.id else f"{one.name} (uploaded by {one.owner_name})"


def _check(path: Path, shown: str) -> None:
    try:
        caps = guard.Caps(LARGEST_TEXT, LARGEST_TEXT, line=LARGEST_TEXT, instead="; scan it with `dnalm scan`")
        guard.check_text(path, shown, caps)
        for count, _ in enumerate(read_records(path), start=1):
            if count > MOST_RECORDS:
                raise InputError(f"{shown} holds more than {MOST_RECORDS:,} records; scan it with `dnalm scan`.")
    except InputError as error:
        # The person knows the file by its name, not by where it was put for a moment.
        raise InputError(str(error).replace(str(path), shown)) from error
