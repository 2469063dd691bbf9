"""The first slice in a real browser: the picture, a click on a peak, links, downloads, uploads."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
import toy_house
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CHART = "[data-testid=stPlotlyChart] .main-svg"
REGION = f"{toy_house.RECORD}:8,001-10,000"


def opened(page, address, query=""):
    page.goto(f"{address}/long-sequences{query}")
    page.wait_for_selector(CHART)
    settled(page)
    return page


def settled(page):
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def test_the_health_route_answers(address):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{address}/healthz", timeout=30) as answer:
        assert json.load(answer) == {"status": "ok", "version": "0.1.0", "models": 1}


def test_home_leads_to_the_picture_with_the_model_in_the_address(page, address):
    page.goto(address)
    page.get_by_role("heading", name="What do you want to find in your DNA?").wait_for()
    assert page.locator("[data-testid=stException]").count() == 0
    page.get_by_role("link", name="See it scan").click()
    page.wait_for_selector(CHART)
    assert f"model={toy_house.MODEL}" in page.url


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_the_picture_is_drawn_without_errors_and_asks_no_other_server(page, address):
    foreign, errors = [], []
    page.on("request", lambda request: foreign.append(request.url) if address not in request.url else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page, address, "?stride=1")
    text = page.locator("[data-testid=stMain]").inner_text()
    assert "6 peaks at or over the threshold. 5 of 5 known starts" in text
    assert page.locator("[data-testid=stException]").count() == 0
    assert errors == []
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []


def test_an_image_stands_in_the_charts_place_until_its_library_has_come(page, address):
    held = []
    page.route("**/PlotlyChart.*.js", lambda route: held.append(route))
    with page.expect_request("**/PlotlyChart.*.js"):
        page.goto(f"{address}/long-sequences?stride=1")
    image = page.locator("img.drawn")
    image.wait_for()
    assert image.bounding_box()["height"] > 300
    held[0].continue_()
    page.wait_for_selector(CHART)
    image.wait_for(state="hidden")


def test_a_click_on_a_peak_shows_its_sequence_and_the_link_shows_it_again(page, address, chromium):
    opened(page, address, f"?stride=1&region={REGION.replace(',', '')}")
    peak = page.locator(".points path.point").last
    told = page.locator(".hoverlayer .hovertext").filter(has_text="click for its sequence")
    for _ in range(60):  # while the chart is still drawn anew, a hover is lost
        peak.hover(force=True)
        if told.count():
            break
        page.wait_for_timeout(500)
        page.mouse.move(0, 0)
    told.wait_for(timeout=1000)
    peak.click(force=True)
    page.wait_for_url(re.compile("peak=9001-forward"))
    settled(page)
    page.get_by_role("heading", name="The sequence at 9,001, forward strand").wait_for()
    with chromium.new_context() as other:
        fresh = other.new_page()
        fresh.goto(page.url)
        fresh.get_by_role("heading", name="The sequence at 9,001, forward strand").wait_for(timeout=60_000)
        # The field is there a moment before its text.
        expect(fresh.get_by_role("textbox", name="Region")).to_have_value(REGION.replace(",", ""), timeout=60_000)


def test_moving_the_threshold_changes_the_address_and_a_reload_keeps_it(page, address):
    opened(page, address, "?stride=1")
    slider = page.get_by_role("slider", name="Threshold (probability)")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    page.wait_for_url(re.compile("threshold=0.75"))
    page.reload()
    page.wait_for_selector(CHART)
    assert "threshold=0.75" in page.url
    assert page.get_by_role("slider", name="Threshold (probability)").input_value() == "0.75"


@pytest.mark.parametrize(
    ("button", "start"),
    [("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("bedGraph", b"track type=bedGraph"), ("TSV", b"record\tposition")],
)
def test_the_picture_and_its_data_can_be_downloaded(page, address, button, start):
    opened(page, address, f"?stride=1&region={REGION.replace(',', '')}")
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    file = waiting.value
    assert file.suggested_filename == f"{toy_house.MODEL}.{toy_house.RECORD}.8001-10000.{button.lower()}"
    with open(file.path(), "rb") as content:  # noqa: PTH123, playwright gives the path as text or Path
        assert content.read(100).startswith(start)


def test_an_upload_is_scanned_named_in_the_address_and_its_name_is_text(page, address):
    opened(page, address)
    page.get_by_text("Bring your own sequence").click()
    sequence = b">my<img/src=x/onerror=alert(1)> plasmid\n" + b"ACGGTTCAGTCCA" * 50 + b"\n"
    file = {"name": "mine.fa", "mimeType": "text/plain", "buffer": sequence}
    page.locator("input[type=file]").set_input_files(file)
    page.wait_for_url(re.compile("sequence=upload-[0-9a-f]{16}"))
    settled(page)
    expect(page.get_by_role("textbox", name="Region")).to_have_value(re.compile(r"^my<img"), timeout=60_000)
    assert page.locator("[data-testid=stMain] img:not(.drawn)").count() == 0
    page.get_by_text("Bring your own sequence").click()


def test_a_bad_upload_gets_a_sentence(page, address):
    opened(page, address)
    page.get_by_text("Bring your own sequence").click()
    file = {"name": "protein.fa", "mimeType": "text/plain", "buffer": b">p\nMKLVVEFPQILE\n"}
    page.locator("input[type=file]").set_input_files(file)
    page.locator("[data-testid=stAlert]").filter(has_text="protein.fa").wait_for()
    assert "upload-" not in page.url
