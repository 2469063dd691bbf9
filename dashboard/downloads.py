"""A run folder as a zip archive, made while it is sent: nothing is built in memory or on disk."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from dashboard.links import server_path
from dashboard.person import acting_user
from dnalm.errors import InputError
from dnalm.lab import jobs
from dnalm.locks import RUN_LOCK
from dnalm.settings import settings

# What only going on with the run needs: a training's checkpoint, the pieces of a scan.
CHECKPOINTS = ("checkpoint", "scan")
_PIECE = 256 << 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
# What is compressed already, or does not get smaller: weights are noise.
_STORED = (".safetensors", ".parquet", ".png", ".gz", ".bw")


def run_address(job_id: str, *, checkpoint: bool = False) -> str:
    """Where a job's run folder is downloaded from."""
    return server_path(f"/runs/{job_id}.zip") + ("?checkpoint=1" if checkpoint else "")


async def download_run(request: Request) -> Response:
    """Send the run folder of a job that the acting person may see: configuration, metrics, logs, bundle.

    The checkpoint, which only resuming needs and is several times the model, comes with `?checkpoint=1`.
    """
    job_id = request.path_params["job_id"]
    whole = request.query_params.get("checkpoint") == "1"
    try:
        folder, name = await run_in_threadpool(_folder, job_id)
    except InputError as error:
        return PlainTextResponse(f"{error}\n", status_code=404)
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "X-Content-Type-Options": "nosniff"}
    pieces = zip_pieces(folder, folder.name, run_files(folder, checkpoint=whole))
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


def _folder(job_id: str) -> tuple[Path, str]:
    """The run folder and a harmless name for the archive.

    Raises:
        InputError: there is no such job, or none that this person may see, or its folder has gone.
    """
    if not _ID.fullmatch(job_id):
        raise InputError("no such job")
    job = jobs.find(acting_user(), job_id)
    root, folder = settings().runs.resolve(), job.run.resolve()
    if not folder.is_relative_to(root) or folder == root or not folder.is_dir():
        raise InputError(f"job {job_id}: its run folder has gone")
    return folder, _UNFIT.sub("_", job.name)[:80].strip("._") or "run"


def run_files(folder: Path, *, checkpoint: bool = False) -> list[Path]:
    """The files of a run folder in order of name; no links, nothing half-written, no checkpoint unless asked."""
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        linked = any((folder / Path(*parts[:depth])).is_symlink() for depth in range(1, len(parts) + 1))
        wanted = path.name != RUN_LOCK and (checkpoint or not set(CHECKPOINTS) & set(parts[:-1]))
        if wanted and path.is_file() and not hidden and not linked:
            found.append(path)
    return found


class _Outlet:
    """A file that cannot be sought in: what is written waits here until it is sent."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, data: bytes) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing to do: it is sent when the next piece is asked for."""

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self.waiting)
        self.waiting.clear()
        return data


def zip_pieces(folder: Path, name: str, files: list[Path]) -> Iterator[bytes]:
    """A zip archive of `files`, below `name/`, a piece at a time; a file that goes meanwhile is left out."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w") as archive:  # type: ignore[arg-type]  # it writes and flushes, nothing else
        for path in files:
            try:
                source = path.open("rb")
            except FileNotFoundError:  # the run goes on, and replaces its files
                continue
            with source:
                entry = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}", _changed(path))
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_STORED if path.suffix in _STORED else zipfile.ZIP_DEFLATED
                # Its size is not known beforehand: a log grows while it is read.
                with archive.open(entry, "w", force_zip64=True) as target:
                    while piece := source.read(_PIECE):
                        target.write(piece)
                        yield outlet.take()
    yield outlet.take()


def _changed(path: Path) -> tuple[int, int, int, int, int, int]:
    try:
        when = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        when = datetime.now(UTC)
    # Before 1980 there were no zip archives.
    return max(when.year, 1980), when.month, when.day, when.hour, when.minute, when.second
