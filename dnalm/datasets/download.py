"""Bring a catalogued file from its official address: with progress, resumed, checked, whole or not at all."""

from __future__ import annotations

import gzip
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pooch
import requests

from dnalm.datasets.checksums import checksum
from dnalm.errors import RunError

if TYPE_CHECKING:
    from dnalm.datasets.catalog import Entry

Progress = Callable[[int, int], None]
PIECE = 1 << 16  # what a break can cost: a piece that has not come whole is asked for again
TIMEOUT = (15, 60)  # seconds to connect, seconds without a byte


class ResumingDownloader:
    """A pooch downloader that keeps what it has got and asks for the rest next time.

    The part lies beside the final file as `.NAME.part`, with the server's mark of the version (ETag or
    Last-Modified) in `.NAME.part.mark`: a file that has changed since is fetched from its start.
    """

    def __init__(self, part: Path, progress: Progress | None = None) -> None:
        self.part = part
        self.mark = part.with_name(part.name + ".mark")
        self.progress = progress

    def __call__(self, url: str, output_file: str | IO[bytes], _pooch: Any) -> None:
        """Download `url` into `output_file`; raises requests' exceptions."""
        have = self.part.stat().st_size if self.part.is_file() and self.mark.is_file() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": self.mark.read_text(encoding="utf-8")}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if not (have and answer.status_code == 416):  # 416: the part is already all there is
                answer.raise_for_status()
                self._receive(answer, have if answer.status_code == 206 else 0)
        if isinstance(output_file, str | Path):
            shutil.copyfile(self.part, output_file)
        else:
            with self.part.open("rb") as stream:
                shutil.copyfileobj(stream, output_file)

    def _receive(self, answer: requests.Response, have: int) -> None:
        mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if not have:
            self.mark.unlink(missing_ok=True)
            if mark and not mark.startswith("W/"):
                self.mark.write_text(mark, encoding="utf-8")
        total = have + int(answer.headers.get("Content-Length") or 0)
        total = total if total > have else 0
        with self.part.open("ab" if have else "wb") as stream:
            for chunk in answer.iter_content(PIECE):
                stream.write(chunk)
                have += len(chunk)
                if self.progress:
                    self.progress(have, total)
        if total and have < total:
            raise requests.ConnectionError(f"the connection ended after {have} of {total} bytes")

    def forget(self) -> None:
        """Remove the part and its mark."""
        self.part.unlink(missing_ok=True)
        self.mark.unlink(missing_ok=True)


def _as_catalogued(path: Path, name: str) -> None:
    """Compress a plain file in place when its catalogued name ends in .gz; the same bytes each time."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    if packed or not name.endswith(".gz"):
        return
    temporary = path.with_name(path.name + ".gz")
    with (
        path.open("rb") as plain,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream,
    ):
        shutil.copyfileobj(plain, stream)
    temporary.replace(path)


def download(entry: Entry, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch one entry's file into `folder`, from the first of its addresses that works.

    Args:
        entry: the catalogue's entry.
        folder: the cache's folder; the file takes the entry's `path` under it.
        progress: called with (bytes so far, bytes in all, 0 where unknown).

    Returns:
        The file, checked against the entry.

    Raises:
        RunError: there is no address, none answers, or what came does not match the checksum.
    """
    target = folder / entry.path
    mirror = f"or set DNALM_DATA_MIRROR to a folder that has {entry.path}"
    if not entry.addresses:
        raise RunError(f"no address gives {entry.name} as it is ({entry.note}): make it from {entry.source}, {mirror}")
    target.parent.mkdir(parents=True, exist_ok=True)
    # pooch announces each file at INFO; here the caller's progress does.
    pooch.get_logger().setLevel(logging.WARNING)
    failures = []
    for number, address in enumerate(entry.addresses):
        part = target.with_name(f".{target.name}.{number}.part")
        downloader = ResumingDownloader(part, progress)
        incoming = f".{target.name}.incoming"
        try:
            got = Path(pooch.retrieve(address, None, fname=incoming, path=target.parent, downloader=downloader))
        except (requests.RequestException, OSError) as error:
            failures.append(f"{address}: {_reason(error)}")
            continue
        downloader.forget()
        if entry.matches(got) is None:
            failures.append(f"{address}: what came has sha256 {checksum(got)}, wanted {entry.sha256}")
            got.unlink()
            continue
        _as_catalogued(got, entry.path)
        return got.replace(target)
    raise RunError(f"{entry.name} could not be fetched from {'; '.join(failures)}. Try again later, {mirror}")


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.ConnectionError):
        return "no connection" if "ended after" not in str(error) else str(error)
    return str(error)
