"""Benchmarks in a real browser, on what ships: reads of a hundred genera, from two rows to a model that learnt them."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

TASK = "16s-amplicon"
ROWS = f"{TASK}/grouped/bacteria-lm%2Bwide,{TASK}/grouped/naive_bayes_8"


def settled(page):
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def test_two_rows_of_a_task_of_many_classes_are_compared_taken_away_and_looked_into(page, real_address):
    page.goto(f"{real_address}/benchmarks?task={TASK}&figure=f1&rows={ROWS}")
    for heading in ("Is the difference more than chance?", "On which sequences do they disagree?"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    settled(page)
    assert page.locator("[data-testid=stException]").count() == 0
    # The second of them is the calibration.
    expect(page.locator("[data-testid=stPlotlyChart]").nth(1).locator(".main-svg").first).to_be_visible()
    expect(page.get_by_text(re.compile("naive Bayes on 8-mers is right on [0-9,]+ of them"))).to_be_visible()
    with page.expect_download() as taken:
        page.get_by_role("button", name="CSV", exact=True).click()
    text = Path(taken.value.path()).read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO("".join(line for line in text.splitlines(True) if line[0] != "#"))))
    assert {"bacteria-lm+wide", "naive Bayes on 8-mers"} <= {row["model"] for row in rows}
    page.get_by_role("link", name="Which bases does it read?").click()
    page.wait_for_url(re.compile(rf"/saliency\?.*model={TASK}"))
    expect(page.locator("[data-testid=stPlotlyChart] .main-svg").first).to_be_visible()
    settled(page)
    assert page.locator("[data-testid=stException]").count() == 0
