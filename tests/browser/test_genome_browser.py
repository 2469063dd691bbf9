"""The genome browser in a real browser: painted, asking nobody else, for the region that the page shows."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest
import toy_house
from playwright.sync_api import expect

from dashboard import igv_copy

pytestmark = pytest.mark.browser

REGION = f"{toy_house.RECORD}:8,001-10,000"
QUERY = "?view=browser&stride=1&region=" + REGION.replace(",", "")
ROWS = ["Forward strand", "Reverse strand", "Peaks", "Known σ70 transcription starts", "Genes"]
DRAWN = "body[data-state=drawn]"
# Of each row with a name: whether its canvas holds anything, and the colours that it holds most of.
PAINTED = """() => Object.fromEntries(genomeBrowser.trackViews.filter(view => view.track.name).map(view => {
    const canvas = view.viewports[0].canvas;
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const counts = {};
    for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at + 3] < 255) continue;
        const colour = `${pixels[at]},${pixels[at + 1]},${pixels[at + 2]}`;
        counts[colour] = (counts[colour] || 0) + 1;
    }
    return [view.track.name, counts];
}))"""


@pytest.fixture(autouse=True)
def igv():
    """Skips where igv.js is not installed, and fails where it has to be: with CI=true."""
    copy, why = igv_copy.find_copy()
    if copy is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    return copy


def framed(page, address: str, query: str = QUERY):
    """The frame of the tab, drawn."""
    page.goto(f"{address}/long-sequences{query}")
    frame = page.frame_locator("iframe")
    frame.locator(DRAWN).wait_for()
    return next(one for one in page.frames if "/genome-browser/" in one.url)


def until(frame, script: str, holds: Callable[[Any], bool]):
    """What a script gives when it is as wanted. Not playwright's own waiting: the page's policy has no `eval`."""
    for _ in range(120):
        if holds(found := frame.evaluate(script)):
            return found
        frame.page.wait_for_timeout(500)
    pytest.fail(f"after a minute it is still {found}")


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_the_tab_paints_every_row_without_asking_another_server(page, address, igv):
    foreign, errors, ranges = [], [], []
    page.on("request", lambda request: foreign.append(request.url) if address not in request.url else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", lambda answer: ranges.append(answer.status) if answer.url.endswith(".bw") else None)
    # A start on each strand: at 6,500 and at 9,001.
    page.goto(f"{address}/long-sequences?stride=1&region={toy_house.RECORD}:6001-10000")
    page.get_by_text("Genome browser", exact=True).click()
    page.wait_for_url("**view=browser**")
    page.frame_locator("iframe").locator(DRAWN).wait_for()
    frame = next(one for one in page.frames if "/genome-browser/" in one.url)
    painted = until(frame, PAINTED, lambda rows: all(rows.values()))
    assert list(painted) == ROWS
    assert "0,114,178" in painted["Forward strand"]
    assert "140,91,181" in painted["Reverse strand"]
    assert "215,38,61" in painted["Known σ70 transcription starts"]
    assert set(ranges) == {206}
    assert errors == []
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []
    expect(page.get_by_text(f"igv.js {igv.version}")).to_be_visible()


def test_the_place_is_the_pages_and_a_gene_is_found_by_name(page, address):
    frame = framed(page, address)
    where = "() => { const one = genomeBrowser.referenceFrameList[0]; return [one.chr, one.start, one.end]; }"
    record, start, end = frame.evaluate(where)
    assert (record, round(start)) == (toy_house.RECORD, 8000)
    assert round(end) == pytest.approx(10_000, abs=2)
    # The gene of the third start, at 9,001: 30 bases downstream of it.
    frame.evaluate("genomeBrowser.search('gen2')")
    _, start, end = until(frame, where, lambda place: place[1] > 8000)
    assert start < 9030 < 9931 < end


def test_markup_in_a_name_cannot_run(page, address):
    frame = framed(page, address)
    frame.evaluate(
        """() => new Promise((resolve) => {
            const text = '<img src="data:,x" onerror="window.ran = 1"><script>window.ran = 1</script>';
            document.body.insertAdjacentHTML("beforeend", text);
            setTimeout(resolve, 500);
        })"""
    )
    assert frame.evaluate("window.ran") is None


def test_alone_in_a_window_it_leads_back_to_the_page(page, address):
    framed(page, address)
    with page.context.expect_page() as opening:
        page.get_by_role("link", name="Open alone in a window").click()
    alone = opening.value
    alone.locator(DRAWN).wait_for()
    assert alone.title().startswith(f"{toy_house.RECORD}:8001-10000")
    alone.get_by_role("link", name="Open this on the page Long sequences").click()
    alone.frame_locator("iframe").locator(DRAWN).wait_for()
    assert "view=browser" in alone.url
    assert "/long-sequences" in alone.url


def test_below_a_path_everything_is_found(page, address_below):
    wrong = []
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    frame = framed(page, address_below)
    assert frame.url.startswith(f"{address_below}/genome-browser/?")
    assert "0,114,178" in frame.evaluate(PAINTED)["Forward strand"]
    assert [url for url in wrong if "genome-browser" in url] == []


def test_files_that_are_gone_are_said_to_be(page, address):
    page.goto(f"{address}/genome-browser/?sequence=toy&view={'0' * 32}.json&page=region%3Da")
    page.locator("body[data-state=failed]").wait_for()
    expect(page.get_by_role("status")).to_contain_text("These files were cleared away")
    assert page.get_by_role("link").get_attribute("href") == f"{address}/long-sequences?region=a"


def test_a_bigwig_and_a_session_can_be_downloaded_and_read(page, address, tmp_path):
    page.goto(f"{address}/long-sequences{QUERY.replace('view=browser&', '')}")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="bigWig +").click()
    waiting.value.save_as(tmp_path / "plus.bw")
    assert waiting.value.suggested_filename == f"{toy_house.MODEL}.{toy_house.RECORD}.8001-10000.plus.bw"
    with pyBigWig.open(str(tmp_path / "plus.bw")) as file:
        assert file.chroms() == {toy_house.RECORD: toy_house.LENGTH}
        values = file.values(toy_house.RECORD, 8000, 10_000, numpy=True)
    assert np.nanargmax(values) == 1000  # the start at 9,001
    framed(page, address)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="IGV session").click()
    waiting.value.save_as(tmp_path / "session.zip")
    with zipfile.ZipFile(tmp_path / "session.zip") as archive:
        archive.extractall(tmp_path / "session")
    (session,) = (tmp_path / "session").glob("*/session.xml")
    assert opened_session(page, session.parent) == ROWS


def opened_session(page, folder: Path) -> list[str]:
    """The rows that igv.js's own reader of IGV's sessions makes of a folder, every one of them loaded."""

    def serve(route):
        name = route.request.url.rsplit("/", 1)[1]
        if not name:
            route.fulfill(content_type="text/html", body="<div id=place></div><script src=igv.min.js></script>")
            return
        path = igv_copy.folder() / name if name == igv_copy.FILE else folder / name
        if not path.is_file():
            route.fulfill(status=404)
            return
        content = path.read_bytes()
        asked = route.request.headers.get("range", "")
        if not asked:
            route.fulfill(body=content)
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        end = min(int(last or len(content)), len(content) - 1)
        told = {"Content-Range": f"bytes {first}-{end}/{len(content)}"}
        route.fulfill(status=206, body=content[int(first) : end + 1], headers=told)

    page.route("http://igv.test/**", serve)
    page.goto("http://igv.test/")
    return page.evaluate(
        """async () => {
            const options = {sessionURL: "session.xml", loadDefaultGenomes: false};
            const browser = await igv.createBrowser(document.getElementById("place"), options);
            return browser.trackViews.map(view => view.track.name).filter(Boolean);
        }"""
    )
