"""A real Chromium looking at a real server over a small installation."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import toy_house

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
START_LIMIT = 300.0
PATIENCE_MS = 60_000


def find_chromium() -> str | None:
    named = os.environ.get("DNALM_CHROMIUM")
    if named and Path(named).is_file():
        return named
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium():
    """A browser; skips where there is none, and fails where one has to be: with CI=true."""
    path = find_chromium()
    if path is None:
        reason = "no Chromium: install one, or name it with DNALM_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)  # else five seconds, which a busy machine does not always keep
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, as in containers.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address of a running dashboard that has the toy model and genome, the catalogue, and a home of its own."""
    folder = tmp_path_factory.mktemp("browser")
    shipped = toy_house.build(folder / "shipped")
    shutil.copy(ROOT / "data" / "catalog.yaml", shipped / "data")
    with _serving(folder, {"DNALM_SHIPPED": str(shipped)}) as found:
        yield found


@pytest.fixture(scope="session")
def real_address(tmp_path_factory):
    """The same with everything that ships."""
    with _serving(tmp_path_factory.mktemp("real"), {}) as found:
        yield found


@pytest.fixture(scope="session")
def address_below(tmp_path_factory):
    """The small installation below a path of its server, as behind a lab's reverse proxy."""
    folder = tmp_path_factory.mktemp("below")
    shipped = toy_house.build(folder / "shipped")
    with _serving(folder, {"DNALM_SHIPPED": str(shipped), "STREAMLIT_SERVER_BASE_URL_PATH": "lab/dna"}) as found:
        yield f"{found}/lab/dna"


@contextmanager
def _serving(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    known = {name: value for name, value in os.environ.items() if not name.startswith("DNALM_")}
    environment = {**known, **variables, "DNALM_HOME": str(folder / "home")}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py")]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    log = (folder / "log.txt").open("wb")
    with subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT) as process:
        try:
            _wait(process, f"http://127.0.0.1:{port}/healthz", folder / "log.txt")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)
            log.close()


def _wait(process: subprocess.Popen, url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end and process.poll() is None:
        try:
            with opener.open(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the dashboard did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def _opened(chromium, **options) -> Iterator:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True, **options)
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(chromium, request):
    """A fresh page of 1,280 by 900 pixels, light or as the test's parameter says."""
    with _opened(chromium, **getattr(request, "param", {})) as found:
        yield found


@pytest.fixture
def elsewhere(chromium):
    """A page of another browser, which knows nothing of what the first one saw."""
    with _opened(chromium) as found:
        yield found
