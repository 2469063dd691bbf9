"""Routes of the genome browser: its page, igv.js, and the ranged files that igv.js reads, for whoever may read them.

The page is one of its own, so that it can stand in a frame of the page Long sequences or alone in a window. It asks no
other server, and runs no script but the two that it is served with: names in a person's files cannot become code.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from dashboard import igv_copy, resources, track_cache
from dashboard.links import server_path

PAGE = "/genome-browser/"
_ASSETS = {"page.js": "text/javascript", "page.css": "text/css"}
_HERE = Path(__file__).with_name("igv")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TYPES = {".json": "application/json", ".fai": "text/plain", ".fa": "text/plain", ".bed": "text/plain"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


def page_address(sequence_key: str, view: str, *, dark: bool, page_query: str = "") -> str:
    """Where a view is shown.

    Args:
        sequence_key: as in the address of Long sequences.
        view: from `track_cache.prepare`.
        dark: whether it stands on a dark page.
        page_query: the query of the page Long sequences that shows the same, for the way back.
    """
    query = {"sequence": sequence_key, "view": view, "look": "dark" if dark else "light", "page": page_query}
    return server_path(f"{PAGE}?{urlencode(query)}")


async def answer(request: Request) -> Response:
    """Whatever is asked for below `PAGE`."""
    if "sequence" in request.path_params:
        return await browser_file(request)
    return await (browser_asset if "name" in request.path_params else browser_page)(request)


async def browser_page(request: Request) -> Response:
    """The page; what it shows stands in its query, and is fetched by its script."""
    return FileResponse(
        _HERE / "page.html", media_type="text/html", headers=_SAFE | {"Content-Security-Policy": _POLICY}
    )


async def browser_asset(request: Request) -> Response:
    """The page's own script and style, and igv.js."""
    name = request.path_params["name"]
    if name in _ASSETS:
        return FileResponse(_HERE / name, media_type=_ASSETS[name], headers=_SAFE | {"Cache-Control": "no-cache"})
    if name == igv_copy.FILE:
        copy, why = await run_in_threadpool(igv_copy.find_copy)
        if copy is not None:
            return FileResponse(copy.path, media_type="text/javascript", headers=_SAFE | {"Cache-Control": "no-cache"})
        return PlainTextResponse(f"{why}\n", status_code=404, headers=_SAFE)
    return _nothing()


async def browser_file(request: Request) -> Response:
    """A file of a view, or a range of one, for a person who may read the sequence that it is made of."""
    path = await run_in_threadpool(_file, request.path_params["sequence"], request.path_params["name"])
    if path is None:
        return _nothing()
    kept = {"Cache-Control": "private, max-age=3600"}
    return FileResponse(path, media_type=_TYPES.get(path.suffix, "application/octet-stream"), headers=_SAFE | kept)


def _file(sequence_key: str, name: str) -> Path | None:
    """The file, if there is one and this person may read the sequence."""
    if not _KEY.fullmatch(sequence_key) or not track_cache.FILE_NAME.fullmatch(name):
        return None
    if all(sequence.key != sequence_key for sequence in resources.sequences()):
        return None
    path = track_cache.store() / sequence_key / name
    if path.is_symlink() or not path.is_file():
        return None
    track_cache.touch(path)
    return path


def _nothing() -> Response:
    # One answer to what is not there and what one may not see.
    return PlainTextResponse("no such file\n", status_code=404, headers=_SAFE)
