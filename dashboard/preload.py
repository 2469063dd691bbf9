"""Has the browser load the chart library while the page is being made, not after.

Streamlit loads a widget's script when the first such widget arrives. The chart library is several megabytes, which take
a second to fetch and evaluate, so a page that begins with a picture would wait for it although all else was there.
"""

from __future__ import annotations

from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHART = "PlotlyChart.*.js"
PICTURE_FIRST = "/long-sequences"
"""End of the path of the page on which the library is evaluated at once; on the others it is only fetched."""
_HEAD = b"</head>"


def elements(*, at_once: bool) -> bytes:
    """What is written into a page's head; nothing where this Streamlit keeps its scripts elsewhere."""
    folder = Path(streamlit.__file__).parent / "static" / "static" / "js"
    form = '<script type="module" crossorigin src="{}"></script>'
    if not at_once:
        form = '<link rel="modulepreload" crossorigin href="{}">'
    return "".join(form.format(f"./static/js/{file.name}") for file in sorted(folder.glob(CHART))).encode()


class PreloadCharts:
    """ASGI middleware that writes into HTML pages; all else passes through as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.elements = {at_once: elements(at_once=at_once) for at_once in (False, True)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self.app(scope, receive, send)
            return
        added = self.elements[scope["path"].rstrip("/").endswith(PICTURE_FIRST)]
        # Uncompressed, since it is written into.
        kept = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        start: Message | None = None
        body = bytearray()

        async def write(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_page(message):
                start = message  # its length changes: it waits for the body
            elif start is not None and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                page = bytes(body).replace(_HEAD, added + _HEAD, 1)
                MutableHeaders(scope=start)["content-length"] = str(len(page))
                await send(start)
                await send({"type": "http.response.body", "body": page})
            else:
                await send(message)

        await self.app({**scope, "headers": kept}, receive, write)


def _is_page(start: Message) -> bool:
    return start["status"] == 200 and MutableHeaders(scope=start).get("content-type", "").startswith("text/html")
