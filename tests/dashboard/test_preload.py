"""What is written into pages so that the first picture need not wait for its library."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit
from asgi_client import Client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from dashboard.preload import PreloadCharts

PAGE = "<html><head><title>x</title></head><body>" + "é" * 2000 + "</body></html>"


def client() -> Client:
    routes = [
        Route("/long-sequences", lambda request: HTMLResponse(PAGE)),
        Route("/jobs", lambda request: HTMLResponse(PAGE)),
        Route("/plain", lambda request: PlainTextResponse("</head>")),
        Route("/moved", lambda request: RedirectResponse("/jobs")),
    ]
    # Streamlit compresses inside of what is added to its application.
    return Client(Starlette(routes=routes, middleware=[Middleware(PreloadCharts), Middleware(GZipMiddleware)]))


BROWSER = {"accept": "text/html,application/xhtml+xml", "accept-encoding": "gzip"}


def test_the_page_that_begins_with_a_picture_evaluates_the_chart_library_at_once():
    page = client().get("/long-sequences", headers=BROWSER).text
    (name,) = re.findall(r'<script type="module" crossorigin src="\./static/js/([^"]+)"></script></head>', page)
    assert (Path(streamlit.__file__).parent / "static" / "static" / "js" / name).stat().st_size > 1_000_000
    assert page.replace(re.search(r"<script.*?</script>", page)[0], "") == PAGE


def test_other_pages_only_fetch_it():
    page = client().get("/jobs", headers=BROWSER).text
    assert '<link rel="modulepreload"' in page
    assert "<script" not in page


def test_the_length_is_that_of_what_is_sent():
    answer = client().get("/jobs", headers=BROWSER)
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_all_else_passes_as_it_is():
    assert client().get("/jobs", headers={"accept": "*/*"}).text == PAGE
    assert client().get("/plain", headers=BROWSER).text == "</head>"
    moved = client().get("/moved", headers=BROWSER)
    assert (moved.status_code, moved.headers["location"]) == (307, "/jobs")
