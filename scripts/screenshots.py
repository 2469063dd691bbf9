"""Take the pictures of the dashboard that README and docs show: `make screenshots`.

Starts the dashboard on a free port, opens each page in Chromium, waits until the page has drawn itself, and writes
`docs/images/NAME.png` at 1440 pixels and `NAME-800.png` at 800, each whole or not at all.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "images"
PAGES = {
    "home": "/",
    "data": "/data",
    "pre-train": "/pre-train",
    "fine-tune": "/fine-tune",
    "jobs": "/jobs",
    "models": "/models",
    "benchmarks": "/benchmarks",
    "saliency": "/saliency",
    "mutation": "/mutation?edits=-12T%3EG",
    "motifs": "/motifs",
    "embedding": "/embedding",
    "long-sequences": "/long-sequences",
}
SIZES = {"": {"width": 1440, "height": 900}, "-800": {"width": 800, "height": 900}}
LIMIT_MS = 120_000


def main() -> None:
    """Take all pictures, or those named."""
    parser = argparse.ArgumentParser(description="Take the pictures of the dashboard that README and docs show.")
    parser.add_argument("names", nargs="*", choices=[[], *PAGES], help=f"of {', '.join(PAGES)}; all without one")
    chosen = parser.parse_args().names or list(PAGES)
    chromium = os.environ.get("DNALM_CHROMIUM")
    if not chromium:
        sys.exit("screenshots: no Chromium; install one, or name it with DNALM_CHROMIUM")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with dashboard() as address, sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, as in containers.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for suffix, size in SIZES.items():
            page = browser.new_page(viewport=size)
            for name in chosen:
                print(take(page, address + PAGES[name], FOLDER / f"{name}{suffix}.png"))
            page.close()
        browser.close()


@contextmanager
def dashboard() -> Iterator[str]:
    """Run the dashboard on a free port; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-u", "-m", "dnalm", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            if not process.stdout or not process.stdout.readline():
                sys.exit("screenshots: the dashboard did not start; what it said stands above")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def take(page: Page, address: str, target: Path) -> Path:
    """Open a page, wait until it is at rest, write its picture."""
    page.goto(address, timeout=LIMIT_MS)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=LIMIT_MS)
    page.wait_for_selector("[data-testid='stHeading'] h1, h1", timeout=LIMIT_MS)
    page.wait_for_function(
        '!document.querySelector(\'[data-testid="stSpinner"], [data-stale="true"]\')', timeout=LIMIT_MS
    )
    page.wait_for_timeout(1500)  # plotly's own drawing and the last transition
    temporary = target.with_name(f".{target.name}.part.png")
    page.screenshot(path=temporary)
    temporary.replace(target)
    return target


if __name__ == "__main__":
    main()
