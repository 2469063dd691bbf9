"""`python -m benchmarks.first_picture`: how long from opening Long sequences to its picture, in a real browser.

Each round is a browser context of its own, so nothing is cached. The dashboard has started and is otherwise idle; what
is drawn is what a newcomer sees, the stored 40 kb of the shipped model: first as an image, then as a chart that can be
zoomed and clicked. Wants Chromium and Playwright (extra `test`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.jobs_page import dashboard, wait_until_idle
from benchmarks.machine import describe

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHART = ".st-key-scan_picture .js-plotly-plot .scatterlayer .trace"
SIGNS = {"title": "h1", "picture": f"img.drawn:visible, {CHART}", "chart": CHART}
"""What is waited for, in this order. The image gives way to the chart, which may be the quicker of the two."""
LIMIT_MS = 120_000


def main() -> int:
    """Measure and print one line for each sign: median, shortest and longest seconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_picture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--width", type=int, default=1440)
    told = parser.parse_args()
    chromium = os.environ.get("DNALM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        print("no Chromium: install one, or name it with DNALM_CHROMIUM", file=sys.stderr)
        return 2
    print(describe())
    seconds: dict[str, list[float]] = {sign: [] for sign in SIGNS}
    with (
        tempfile.TemporaryDirectory(prefix="dnalm-first-") as folder,
        dashboard(Path(folder)) as (address, server),
        sync_playwright() as playwright,
    ):
        wait_until_idle(server)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(told.rounds):
            context = browser.new_context(viewport={"width": told.width, "height": 900})
            page, began = context.new_page(), time.perf_counter()
            page.goto(f"http://{address}/long-sequences", wait_until="commit")
            for sign, selector in SIGNS.items():
                page.wait_for_selector(selector, timeout=LIMIT_MS)
                seconds[sign].append(time.perf_counter() - began)
            context.close()
        browser.close()
    for sign, some in seconds.items():
        print(f"{sign}: {statistics.median(some):.2f} s ({min(some):.2f} to {max(some):.2f}, {len(some)} rounds)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
