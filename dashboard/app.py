"""The dashboard as one web application: Streamlit's pages beside routes of our own.

`dnalm serve` starts it with `streamlit run`; any ASGI server does too: `uvicorn dashboard.app:app`.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# Torch's threads wait for each other by spinning unless they are told not to; on a server that others use too, that
# makes scoring up to 25 times slower. Read when torch is first imported, which is after this.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

HERE = Path(__file__).resolve().parent
# Streamlit puts the script's own folder on the path; the package `dashboard` is found from the one above.
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))

from dashboard.links import server_path  # noqa: E402, it is found by the path above


async def health(request: Request) -> JSONResponse:
    """Say that the server answers, which dnalm it is, and how many models it can offer."""
    from dnalm.model.bundle import list_bundles

    return JSONResponse({"status": "ok", "version": version("dnalm"), "models": len(list_bundles())})


async def run_archive(request: Request) -> Response:
    """Send a job's run folder; see `dashboard.downloads`."""
    from dashboard.downloads import download_run

    return await download_run(request)


async def genome_browser(request: Request) -> Response:
    """Show tracks in igv.js: its page, its script, and the files that it reads; see `dashboard.track_files`."""
    from dashboard.track_files import answer

    return await answer(request)


@asynccontextmanager
async def warmed(app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Load what the first page needs while nobody is waiting: torch alone takes seconds to import."""
    from dashboard.resources import warm_up

    def prepare() -> None:
        warm_up()
        # Streamlit collects garbage after every run of a page or a part of one, and looks at every object for it: with
        # PyTorch loaded that takes a hundred times as long as the part. What is loaded now stays, and is left out.
        gc.collect()
        gc.freeze()

    # The thread fills caches and draws nothing; Streamlit's remark that it has no page to draw on is no news.
    remarks = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    remarks.addFilter(lambda record: "'warm-up'" not in record.getMessage())
    threading.Thread(target=prepare, name="warm-up", daemon=True).start()
    yield {}


_OWN = {
    "/healthz": health,
    "/runs/{job_id}.zip": run_archive,
    "/genome-browser/": genome_browser,
    "/genome-browser/{name}": genome_browser,
    "/genome-browser/files/{sequence}/{name}": genome_browser,
}
# A dashboard below a path (`server.baseUrlPath`) has them there, and at the root for what runs on the machine itself.
_PATHS = {path: endpoint for own, endpoint in _OWN.items() for path in (own, server_path(own))}
ROUTES = [Route(path, endpoint) for path, endpoint in _PATHS.items()]

app = st.App(HERE / "main.py", routes=ROUTES, lifespan=warmed)
