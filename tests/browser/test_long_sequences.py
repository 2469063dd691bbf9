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


def test_a_click_on_a_peak_shows_its_sequence_and_the_link_shows_it_again(page, address, elsewhere):
    opened(page, address, f"?stride=1&region={REGION.replace(',', '')}")
    peak = page.locator(".points path.point").last
    told = page.locator(".hoverlayer .hovertext").filter(has_text="click for its sequence")
    for _ in range(60):  # while the chart is still drawn anew, a hover is lost
        peak.hover(force=True)
        if told.count():
            break
        page.wait_for_timeout(500)
        page.mouse.move(0, 0)
    told.wait_for()
    peak.click(force=True)
    page.wait_for_url(re.compile("peak=9001-forward"))
    settled(page)
    page.get_by_role("heading", name="The sequence at 9,001, forward strand").wait_for()
    elsewhere.goto(page.url)
    elsewhere.get_by_role("heading", name="The sequence at 9,001, forward strand").wait_for()
    # The field is there a moment before its text.
    expect(elsewhere.get_by_role("textbox", name="Region")).to_have_value(REGION.replace(",", ""))


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


def dragged(page, container: str, first: float, last: float) -> None:
    """Drag over a chart, from one part of its width to another."""
    box = page.locator(f".st-key-{container} .nsewdrag").first.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + first * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + (first + last) / 2 * box["width"], middle, steps=5)
    page.mouse.move(box["x"] + last * box["width"], middle, steps=5)
    page.mouse.up()


def shown_region(page) -> tuple[int, int]:
    """First and last base of the region in the address, from 1."""
    first, last = re.search(r"region=[^&]*?(?::|%3A)([\d,%C]+)-([\d,%C]+)", page.url).groups()
    return tuple(int(text.replace("%2C", "").replace(",", "")) for text in (first, last))


@pytest.mark.parametrize(
    ("container", "wanted"),
    [("scan_overview", (0.25 * toy_house.LENGTH, 0.5 * toy_house.LENGTH)), ("scan_picture", (8_500, 9_000))],
)
def test_a_drag_over_the_strip_goes_there_and_one_over_the_picture_looks_closer(page, address, container, wanted):
    page.set_viewport_size({"width": 1280, "height": 1400})
    opened(page, address, f"?stride=1&region={REGION.replace(',', '')}")
    page.wait_for_timeout(1000)  # the chart is drawn anew once its fonts are there, which ends a drag
    before = page.url
    dragged(page, container, 0.25, 0.5)
    page.wait_for_url(lambda url: url != before)
    settled(page)
    found = shown_region(page)
    assert found == pytest.approx(wanted, rel=0.02)
    expect(page.get_by_role("textbox", name="Region")).to_have_value(re.compile(re.escape(f"{found[0]:,}")))
    page.reload()
    page.wait_for_selector(CHART)
    assert shown_region(page) == found


def test_the_buttons_zoom_to_the_letters_and_back(page, address):
    opened(page, address, f"?stride=1&region={REGION.replace(',', '')}")
    page.get_by_role("button", name="Bases").click()
    page.wait_for_url(lambda url: "region" in url and REGION.replace(",", "") not in url.replace("%3A", ":"))
    settled(page)
    first, last = shown_region(page)
    assert last - first + 1 <= 300
    page.locator(CHART).filter(has_text="log-odds").first.wait_for()  # what each base adds
    near = page.url
    page.get_by_role("button").filter(has_text="Zoom out").click()
    page.wait_for_url(lambda url: url != near)
    settled(page)
    wider_first, wider_last = shown_region(page)
    assert wider_last - wider_first > last - first


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
    expect(page.get_by_role("textbox", name="Region")).to_have_value(re.compile(r"^my<img"))
    assert page.locator("[data-testid=stMain] img:not(.drawn)").count() == 0
    page.get_by_text("Bring your own sequence").click()


def test_a_bad_upload_gets_a_sentence(page, address):
    opened(page, address)
    page.get_by_text("Bring your own sequence").click()
    file = {"name": "protein.fa", "mimeType": "text/plain", "buffer": b">p\nMKLVVEFPQILE\n"}
    page.locator("input[type=file]").set_input_files(file)
    page.locator("[data-testid=stAlert]").filter(has_text="protein.fa").wait_for()
    assert "upload-" not in page.url
