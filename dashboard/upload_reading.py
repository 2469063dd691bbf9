"""What uploaded files hold, read beside the page: a large table takes a while, and the page says how far it is."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from dashboard import background, labelled_uploads
from dashboard.background import Task, TaskState
from dashboard.labelled_uploads import LabelledUpload, Preview
from dnalm.errors import InputError, RunError
from dnalm.lab.people import User

READING = "read:"
SOON = 2.0
"""Seconds that the page waits before it is drawn without the preview: most files are read by then."""
MOST_HELD = 32

_found: OrderedDict[str, Preview | InputError] = OrderedDict()
_lock = threading.Lock()


def preview(
    user: User,
    uploads: tuple[LabelledUpload, ...],
    *,
    labels: tuple[str, str] = ("positive", "negative"),
    columns: tuple[str | None, str | None, str | None] = (None, None, None),
    drop_copies: bool = True,
) -> Preview | Task:
    """What a set made of these files would hold, or the task that reads them, where that takes longer.

    Raises:
        InputError: a file cannot be used, or holds too many sequences.
        RunError: reading broke off.
    """
    asked = repr(([(upload.key, upload.name) for upload in uploads], labels, columns, drop_copies))
    key = f"{READING}{hashlib.sha256(f'{user.id} {asked}'.encode()).hexdigest()[:16]}"

    def work(task: Task) -> None:
        task.step = f"reading {title}"

        def count(read: int) -> None:
            task.step = f"reading {title}: {read:,} sequences"
            task.check()

        try:
            _keep(key, labelled_uploads.preview(uploads, labels, columns, drop_copies, progress=count))
        except InputError as error:
            _keep(key, error)

    title = " and ".join(upload.name for upload in uploads)
    with _lock:
        held = _found.get(key)
    if held is None:
        task = background.find(key)
        if task is None or task.state == TaskState.DONE:
            task = background.start(key, title, work, owner=user.id, at_once=True)
            background.wait(key, SOON)
        if task.state == TaskState.FAILED:
            background.forget(key)  # the next look tries again
            raise RunError(f"{title} could not be read: {task.message}")
        held = _found.get(key, task)
    if isinstance(held, InputError):
        raise InputError(*held.args)
    return held


def _keep(key: str, result: Preview | InputError) -> None:
    with _lock:
        _found[key] = result
        while len(_found) > MOST_HELD:
            _found.popitem(last=False)
