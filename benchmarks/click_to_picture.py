"""`python -m benchmarks.click_to_picture`: how long from a click on a cell of the mutation map to the new picture.

In a real browser on the model of 150 bp: a change is clicked, and the clock stops when the chart's title is that of the
changed sequence, its logo and map with it. Every click is another change, so nothing is in a cache. The dashboard has
started and is otherwise idle. Wants Chromium and Playwright (extra `test`).
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

from benchmarks.first_picture import LIMIT_MS, NAMES
from benchmarks.jobs_page import dashboard, wait_until_idle
from benchmarks.machine import describe

PAGE = "mutation?model={model}&example=recA+gene+start"
_WHERE = """([place, base]) => {
  const chart = document.querySelector('.js-plotly-plot');
  const map = chart.data.find(trace => trace.type === 'heatmap');
  const of = name => chart._fullLayout[name[0] + 'axis' + name.slice(1)];
  const box = chart.getBoundingClientRect(), x = of(map.xaxis), y = of(map.yaxis);
  return [box.x + x._offset + x.d2p(place), box.y + y._offset + y.d2p(base)];
}"""
# The chart of the changed sequence has drawn its cells: history has one step more, and a new chart stands there.
_DRAWN = """(count) => {
  const chart = document.querySelector('.js-plotly-plot');
  const steps = document.querySelectorAll('[class*=st-key-mutation_history_]').length;
  return steps === count && chart && chart._dnalm !== true && chart.querySelectorAll('.heatmaplayer image').length > 0;
}"""
_MARK = "() => { document.querySelector('.js-plotly-plot')._dnalm = true; }"
_OWN = """(place) => {
  const cells = document.querySelector('.js-plotly-plot')._fullData.find(trace => trace.customdata);
  const at = [...cells.x.keys()].find(n => cells.x[n] === place && cells.marker.symbol[n] === 'circle');
  return cells.y[at];
}"""


def main() -> int:
    """Measure and print median, shortest and longest seconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.click_to_picture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--model", default="ecoli-promoters-150")
    told = parser.parse_args()
    chromium = os.environ.get("DNALM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        print("no Chromium: install one, or name it with DNALM_CHROMIUM", file=sys.stderr)
        return 2
    print(describe())
    seconds = []
    with (
        tempfile.TemporaryDirectory(prefix="dnalm-click-") as folder,
        dashboard(Path(folder)) as (address, server),
        sync_playwright() as playwright,
    ):
        wait_until_idle(server)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 1600})
        page.goto(f"http://{address}/{PAGE.format(model=told.model)}")
        page.wait_for_selector(".js-plotly-plot .heatmaplayer image", timeout=LIMIT_MS)
        for number in range(told.rounds):
            page.wait_for_timeout(2000)
            place = -40 + 3 * number
            other = "C" if page.evaluate(_OWN, place) != "C" else "A"
            there = page.evaluate(_WHERE, [place, other])
            page.mouse.move(*there)
            page.evaluate(_MARK)
            began = time.perf_counter()
            page.mouse.click(*there)
            page.wait_for_function(_DRAWN, arg=number + 2, timeout=LIMIT_MS)
            seconds.append(time.perf_counter() - began)
        browser.close()
    print(
        f"click to picture, {told.model}: {statistics.median(seconds):.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}, {len(seconds)} clicks)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
