"""The address is the state, in a real browser: what was opened, a reload, Back and other browsers show again."""

from __future__ import annotations

import re

import pytest
import toy_house

pytestmark = pytest.mark.browser

SETS = "Which sequences will the model learn from?"
ONE_SET = "What does this set teach, and what could mislead?"
BENCHMARKS = "Which model is worth believing, and for what?"
COMPARED = "Is the difference more than chance?"
MODELS = "Which models are here, and where did they come from?"
ONE_MODEL = f"What is {toy_house.MODEL}, and how good is it?"
# The box before a table's row, in pixels from the table's corner; a row is 35 pixels high, as the heading is.
BOX_X, ROW_HEIGHT = 15, 35


def settled(page):
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    assert page.locator("[data-testid=stException]").count() == 0


def see(page, heading):
    page.get_by_role("heading", name=heading).wait_for()
    settled(page)


def choose_row(page, row):
    table = page.locator("[data-testid=stDataFrame]").first
    table.locator("canvas").first.wait_for()
    table.click(position={"x": BOX_X, "y": ROW_HEIGHT * (row + 1) + ROW_HEIGHT // 2})


def reopened(page, elsewhere, heading):
    """A reload, and another browser with the same address, show the same."""
    page.reload()
    see(page, heading)
    elsewhere.goto(page.url)
    see(elsewhere, heading)
    assert elsewhere.url == page.url


def test_a_set_is_opened_from_its_row_and_back_shows_all_of_them(page, address, elsewhere):
    page.goto(f"{address}/data")
    see(page, SETS)
    choose_row(page, 0)
    page.wait_for_url(re.compile(r"/data\?dataset=ecoli-promoters-150$"))
    see(page, ONE_SET)
    reopened(page, elsewhere, ONE_SET)
    # The other split is another set: chosen in place, it is in the address, and Back gives the first one again.
    page.get_by_role("radio", name="Random (as published)").click()
    page.wait_for_url(re.compile(r"dataset=ecoli-promoters-150-random"))
    page.go_back()
    page.wait_for_url(re.compile(r"dataset=ecoli-promoters-150$"))
    page.get_by_role("radio", name="Grouped (honest)", checked=True).wait_for()
    # A link from the page to itself is in the address, too.
    page.get_by_role("link", name="All sets").click()
    see(page, SETS)
    page.wait_for_url(f"{address}/data")
    page.go_back()
    see(page, ONE_SET)
    assert page.url.endswith("?dataset=ecoli-promoters-150")


def test_a_public_file_is_opened_and_closed_with_its_row(page, address, elsewhere):
    page.goto(f"{address}/data?show=files")
    see(page, SETS)
    choose_row(page, 0)
    page.wait_for_url(re.compile(r"file=ecoli-k12"))
    first = page.get_by_role("heading", name="Escherichia coli K-12 MG1655, genome")
    first.wait_for()
    reopened(page, elsewhere, "Escherichia coli K-12 MG1655, genome")
    page.go_back()
    page.wait_for_url(f"{address}/data?show=files")
    first.wait_for(state="detached")
    # Back has taken the mark from the row: one click marks it again.
    settled(page)
    choose_row(page, 0)
    first.wait_for()
    assert "file=ecoli-k12" in page.url


def test_a_model_is_opened_from_its_row_and_back_shows_all_of_them(page, address, elsewhere):
    page.goto(f"{address}/models")
    see(page, MODELS)
    page.get_by_role("button", name=toy_house.MODEL, exact=True).click()
    see(page, ONE_MODEL)
    page.wait_for_url(re.compile(rf"/models\?model={toy_house.MODEL}$"))
    reopened(page, elsewhere, ONE_MODEL)
    page.go_back()
    see(page, MODELS)
    assert page.url == f"{address}/models"
    page.go_forward()
    see(page, ONE_MODEL)
    page.get_by_role("button", name="All models").click()
    see(page, MODELS)
    page.wait_for_url(f"{address}/models")


def test_ticked_rows_of_a_benchmark_are_in_the_address_and_compared(page, address, elsewhere):
    page.goto(f"{address}/benchmarks?task=bsubtilis-promoters-81&split=grouped")
    see(page, BENCHMARKS)
    choose_row(page, 0)
    page.wait_for_url(re.compile(r"rows=bsubtilis-promoters-81%2Fgrouped%2F"))
    settled(page)
    choose_row(page, 1)
    page.wait_for_url(re.compile(r"rows=.+%2C.+"))
    see(page, COMPARED)
    page.get_by_role("heading", name="On which sequences do they disagree?").wait_for()
    reopened(page, elsewhere, COMPARED)
    page.get_by_role("combobox", name="What is to be told apart?").fill("Dog")
    page.get_by_role("option", name=re.compile("Dog enhancers")).click()
    page.wait_for_url(re.compile(r"/benchmarks\?task=dog-enhancers$"))
    page.get_by_text("The dog sequences of Cohn et al. are not to be had here").first.wait_for()
