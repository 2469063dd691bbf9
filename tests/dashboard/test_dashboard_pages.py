"""Each page over a small installation: what it shows at first, from a deep link, and when something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

DASHBOARD = Path(__file__).resolve().parents[2] / "dashboard"
PAGES = {"home": "main.py", "long sequences": "views/long_sequences.py"}


def opened(name, **query):
    page = AppTest.from_file(str(DASHBOARD / PAGES[name]), default_timeout=120)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def words(page):
    parts = [*page.title, *page.header, *page.subheader, *page.markdown, *page.text, *page.caption]
    parts += [*page.warning, *page.error, *page.info, *page.code]
    return "\n".join(str(part.value) for part in parts)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_and_its_title_asks(name, house):
    page = opened(name)
    assert page.title[0].value.endswith("?")
    assert not page.error
    assert not page.warning


@pytest.mark.parametrize("name", PAGES)
def test_without_a_model_a_page_says_what_to_do(name, empty_house):
    page = opened(name)
    assert not page.error
    assert "dnalm train --preset small" in words(page)
    assert "here yet" in page.info[0].value


def test_home_counts_what_is_here_and_leads_there(house):
    page = opened("home")
    shown = words(page)
    assert "1 model\n0 labelled sets\n0 jobs running" in shown
    assert "0 language models, 1 classifier; 1 of them came with dnalm" in shown
    assert [link.proto.label for link in page.get("page_link")] == [
        *("See it scan", "See why", "Bring yours", "Teach a model", "Pre-train"),
        *("All models", "All data", "All jobs"),
    ]


def test_a_damaged_model_is_named_and_the_others_are_shown(house, tmp_path):
    broken = tmp_path / "home" / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "config.json").write_text('{"schema_version": 99}')
    (broken / "model.safetensors").write_bytes(b"")
    page = opened("home")
    assert "schema version 99" in page.warning[0].value
    assert "1 model\n" in words(page)
