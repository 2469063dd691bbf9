"""A biologist's day in a real browser: upload, pre-train, follow, reload, cancel, resume, classify, find the model."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from toy_models import toy_dataset

from dnalm.alphabet import decode

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 120_000
# The last step that is drawn; 0 before there is a picture.
LAST_STEP = "(chart => Math.max(0, ...((chart && chart._fullData) || []).map(t => t.x[t.x.length - 1])))"
CHART = "document.querySelector('[data-testid=stPlotlyChart] .js-plotly-plot')"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """`dnalm serve` over a home of its own that has one small labelled set; gives its address."""
    folder = tmp_path_factory.mktemp("journey")
    home = folder / "home"
    toy_dataset(home / "datasets" / "boxes", n=240)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    known = {name: value for name, value in os.environ.items() if not name.startswith("DNALM_")}
    environment = {**known, "DNALM_HOME": str(home), "DNALM_SLOTS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-u", "-m", "dnalm", "serve", "--port", str(port)]
    log = (folder / "log.txt").open("wb")
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, start_new_session=True
    ) as server:
        try:
            said = server.stdout.readline().decode()
            assert f"127.0.0.1:{port}" in said, (folder / "log.txt").read_text()[-2000:]
            yield f"http://127.0.0.1:{port}"
            family = psutil.Process(server.pid).children(recursive=True)
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
            # The dashboard, the worker, and whatever it ran: nothing is left.
            assert [process for process in family if process.is_running() and process.status() != "zombie"] == []
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
            log.close()


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def genome(length: int = 60_000) -> bytes:
    """Bases with an order to learn: after each, one of four is likelier than chance."""
    rng = np.random.default_rng(5)
    follows = rng.permutation(4)
    codes = np.zeros(length, dtype=np.uint8)
    likely, others = rng.random(length) < 0.5, rng.integers(0, 4, length)
    for place in range(1, length):
        codes[place] = follows[codes[place - 1]] if likely[place] else others[place]
    return f">chromosome\n{decode(codes)}\n".encode()


def settled(page):
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    assert page.locator("[data-testid=stException]").count() == 0


def launch(page, name):
    """Fill in the name, launch, follow the job; gives its id."""
    page.get_by_role("textbox", name="Name of the model").fill(name)
    page.get_by_role("button", name="Launch", exact=True).click()
    page.get_by_role("link", name="Follow it").click()
    page.get_by_role("heading", name=re.compile(f"(How is|What came of) {name}")).wait_for()
    return re.search(r"job=([\w-]+)", page.url)[1]


def wait_for_badge(page, word):
    page.locator(".stMarkdownBadge").filter(has_text=word).wait_for()


def cancel(page):
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Yes, stop it").click()
    wait_for_badge(page, "cancelled")


def last_step(page):
    return page.evaluate(f"{LAST_STEP}({CHART})")


def wait_for_steps_beyond(page, step):
    page.wait_for_function(f"{LAST_STEP}({CHART}) > {step}")
    return last_step(page)


def test_from_a_fasta_file_to_a_classifier(lab, page, chromium):
    # Upload a genome, and pre-train on it: with time enough to be looked at on the slowest machine.
    page.goto(f"{lab}/data?show=upload")
    file = {"name": "mygenome.fa", "mimeType": "text/plain", "buffer": genome()}
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Keep it as a sequence").click()
    page.get_by_role("link", name="Pre-train on it").click()
    page.wait_for_url(re.compile(r"pre-train\?.*genomes=upload-"))
    page.goto(page.url + "&minutes=15&lanes=8&checkpoint_seconds=1&compute.threads=1")
    job = launch(page, "mylanguage")

    # The curve moves, without a reload.
    wait_for_badge(page, "running")
    seen = wait_for_steps_beyond(page, 0)
    seen = wait_for_steps_beyond(page, seen)

    # A reload in the middle of the run, and a second browser, show the same run going on.
    page.reload()
    seen = wait_for_steps_beyond(page, seen)
    with chromium.new_context() as other:
        second = other.new_page()
        second.set_default_timeout(PATIENCE_MS)
        second.goto(page.url)
        seen = wait_for_steps_beyond(second, seen)

    # Cancel asks first; then the job ends with a checkpoint, and the page says so by itself.
    cancel(page)
    settled(page)
    stopped = last_step(page)
    assert page.get_by_role("button", name="Cancel").count() == 0

    # Nothing runs: the page asks the server for nothing any more.
    sent = []
    page.on("websocket", lambda line: line.on("framesent", lambda frame: sent.append(frame)))
    page.reload()
    page.get_by_role("button", name="Resume").wait_for()
    settled(page)
    sent.clear()
    page.wait_for_timeout(5000)  # two ticks and a half of the clock, if it ran
    assert sent == []

    # Resume: it goes on from where it was stopped.
    page.get_by_role("button", name="Resume").click()
    wait_for_badge(page, "running")
    assert wait_for_steps_beyond(page, stopped) > stopped
    cancel(page)

    # The same with a quarter of a minute, by a clone; that one comes to its end.
    page.get_by_role("button", name="Clone with changes").click()
    minutes = page.get_by_role("spinbutton", name="Minutes")
    minutes.fill("0.25")
    minutes.press("Tab")
    page.get_by_text("Changed: minutes.").wait_for()
    page.get_by_role("button", name="Queue the clone").click()
    page.wait_for_url(lambda url: job not in url)
    wait_for_badge(page, "done")
    page.get_by_text(re.compile(r"Bits per base: [01]\.\d+ \(95 %")).wait_for()
    settled(page)
    address = page.get_by_role("link", name="Download the run").get_attribute("href")
    archive = zipfile.ZipFile(io.BytesIO(page.request.get(f"{lab}{address}").body()))
    assert archive.testzip() is None
    assert {"config.yaml", "metrics.jsonl", "process.txt", "result.json"} <= {
        Path(name).name for name in archive.namelist()
    }

    # Teach the new language model to classify, and find the classifier among the models.
    page.get_by_role("link", name="Teach it to classify").click()
    page.wait_for_url(re.compile(r"fine-tune\?model=mylanguage"))
    page.goto(page.url + "&phases=classify&dataset=boxes&head=wide&compute.threads=1")
    assert launch(page, "myclassifier") != job
    wait_for_badge(page, "done")
    page.get_by_text(re.compile(r"MCC: 0\.\d+ \(95 %|MCC: 1\.0+")).first.wait_for()
    page.get_by_role("link", name="Model myclassifier").click()
    page.wait_for_url(re.compile("models.*model=myclassifier"))
    settled(page)
    page.get_by_text("mylanguage").first.wait_for()  # its lineage
    page.goto(f"{lab}/models")
    page.get_by_text("myclassifier").first.wait_for()


def test_jobs_are_ticked_compared_and_zoomed(lab, page):
    """Over the jobs that the journey left."""
    page.goto(f"{lab}/jobs?q=my")
    page.get_by_role("heading", name="All jobs").wait_for()
    settled(page)
    table = page.locator("[data-testid=stDataFrame]").last
    for row in (1, 2):
        settled(page)
        table.scroll_into_view_if_needed()
        page.wait_for_timeout(500)  # the table is drawn on a canvas: nothing in the page tells that it stands still
        box = table.bounding_box()
        page.mouse.click(box["x"] + 18, box["y"] + 36 * row + 16)
        page.get_by_role("link", name=re.compile("Open my")).nth(row - 1).wait_for()
    page.get_by_role("link", name="Compare the curves of these 2").click()
    page.wait_for_url(re.compile("compare="))
    page.reload()  # the address holds all of it
    page.wait_for_function(f"{LAST_STEP}({CHART}) > 0")
    settled(page)
    smoothing = page.get_by_role("slider", name="Smoothing")
    smoothing.wait_for()
    assert smoothing.count() == 1
