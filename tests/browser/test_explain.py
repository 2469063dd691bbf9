"""Explain in a real browser, on the models that ship: a known promoter, a click that spoils it, undo, a copied link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CHART = "[data-testid=stPlotlyChart] .main-svg"
# -60 to +21 of known promoters of E. coli K-12; in each the T that a G shall take the place of.
PROMOTERS = {
    "lacUV5": ("GCTCACTCATTAGGCACCCCAGGCTTTACACTTTATGCTTCCGGCTCGTATAATGTGTGGAATTGTGAGCGGATAACAATT", -12),
    "rrnB P1": ("CAGAAAATTATTTTAAATTTCCTCTTGTCAGGCCGGAATAACTCCCTATAATGCGCCACCACTGACACGGAACAACGGCAA", -14),
    "recA": ("CTTGTGGCAACAATTTCTACAAAACACTTGATACTGTATGAGCATACAGTATAATTGCTTCAACAGAACATATTGACTATC", -11),
}
# Of a cell of the map, in pixels of the page.
CELL = """([place, base]) => {
  const chart = document.querySelector('[data-testid=stPlotlyChart] .js-plotly-plot');
  const map = chart.data.find(trace => trace.type === 'heatmap');
  const number = map.xaxis.slice(1);
  const x = chart._fullLayout['xaxis' + number], y = chart._fullLayout['yaxis' + number];
  const box = chart.getBoundingClientRect();
  return [box.x + x._offset + x.d2p(place), box.y + y._offset + y.d2p(base)];
}"""


def settled(page):
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def shown(page):
    """The probability on the page."""
    return float(page.locator("[data-testid=stMetricValue]").inner_text())


def opened(page, url):
    page.goto(url)
    page.wait_for_selector(CHART)
    settled(page)
    assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.parametrize("name", PROMOTERS)
def test_a_pasted_promoter_is_spoilt_by_a_click_mended_by_undo_and_passed_on_by_its_link(
    page, elsewhere, real_address, name
):
    sequence, position = PROMOTERS[name]
    page.set_viewport_size({"width": 1280, "height": 1500})  # the map must lie on the screen to be clicked
    page.goto(f"{real_address}/mutation?source=paste")
    box = page.get_by_role("textbox", name=re.compile("letters or one FASTA"))
    box.fill(f">{name}\n{sequence}")
    box.press("Control+Enter")
    page.wait_for_selector(CHART)
    settled(page)
    before = shown(page)
    assert before > 0.7
    # The title says which change takes most: it is one of the -10 element, TATAAT.
    at = int(re.match(r".*?−(\d+) ", page.locator(".gtitle").text_content())[1])
    assert -position - 5 <= at <= -position
    page.mouse.click(*page.evaluate(CELL, [position, "G"]))
    page.get_by_role("button", name="as it was ·").wait_for()
    settled(page)
    spoilt = shown(page)
    assert spoilt < before
    assert f"edits={position}T%3EG" in page.url
    titles = page.locator(".gtitle").text_content()
    elsewhere.goto(page.url)
    elsewhere.wait_for_selector(CHART)
    settled(elsewhere)
    assert shown(elsewhere) == spoilt
    assert elsewhere.locator(".gtitle").text_content() == titles
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-testid=stMetricValue]")).to_have_text(f"{before:.3f}")
    assert "edits" not in page.url


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_saliency_shows_the_minus_10_element_and_asks_no_other_server(page, real_address):
    foreign, errors = [], []
    page.on("request", lambda request: foreign.append(request.url) if real_address not in request.url else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page, f"{real_address}/saliency?example=lacUV5")
    assert page.locator(".gtitle").text_content().startswith("TATAAT at −12 to −7, in the −10 element")
    assert errors == []
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []


def test_a_picture_and_its_data_are_downloaded(page, real_address):
    opened(page, f"{real_address}/saliency?example=rrnB+P1&method=mutation,input-x-gradient")
    with page.expect_download() as download:
        page.get_by_role("button", name="TSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].split("\t") == ["picture", "position", "from_site", "base", "score"]
    assert len(lines) == 1 + 2 * 81
    with page.expect_download() as download:
        page.get_by_role("button", name="SVG").click()
    assert "<svg" in download.value.path().read_text()[:2000]


def test_at_800_pixels_nothing_lies_beyond_the_edge(page, real_address):
    page.set_viewport_size({"width": 800, "height": 900})
    for name in ("saliency", "mutation"):
        opened(page, f"{real_address}/{name}?with=ecoli-starts-150")
        assert page.evaluate("document.documentElement.scrollWidth") <= 800
