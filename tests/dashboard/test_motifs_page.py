"""The page Motifs over a small installation: planted boxes found, deep links, what is refused and what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy_house
from streamlit.testing.v1 import AppTest

from dnalm.alphabet import decode
from dnalm.datasets.dataset import Dataset, table_of
from dnalm.lab import index
from dnalm.lab.people import local_user
from dnalm.settings import settings

PAGE = Path(__file__).resolve().parents[2] / "dashboard" / "views" / "motifs.py"
SET = "planted"


@pytest.fixture
def planted(house):
    """A labelled set of 60 promoters with both boxes, and as many others."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(120):
        label = "promoter" if number < 60 else "background"
        bases = toy_house.promoter_window(rng) if number < 60 else rng.integers(0, 4, 81).astype(np.uint8)
        row = {"id": f"s{number}", "sequence": decode(bases), "label": label, "split": "test", "source": "made up"}
        rows.append(row | {"in_demo_region": False})
    info = {"name": SET, "labels": ["background", "promoter"], "positive": "promoter", "anchor": 60}
    folder = Dataset(table_of(rows), info).save(settings().datasets / SET)
    index.add_dataset(local_user(), folder)
    return SET


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """Nothing is refused because this machine is slow at the moment."""
    from dashboard import motif_reading, resources

    motif_reading._given.clear()
    motif_reading._report.clear()
    monkeypatch.setattr(motif_reading, "seconds", lambda *asked: 0.0)
    monkeypatch.setattr(resources, "TIME_LIMIT", 600.0)


def opened(**query):
    page = AppTest.from_file(str(PAGE), default_timeout=120)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def words(page):
    parts = [*page.title, *page.subheader, *page.markdown, *page.caption]
    parts += [*page.warning, *page.error, *page.info, *page.code]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def test_planted_boxes_are_motifs_at_their_place_and_distance(planted):
    page = opened(set=planted)
    shown = words(page)
    assert page.title[0].value.endswith("?")
    assert "**60** of 60 sequences are called promoter" in shown
    table = page.dataframe[0].value
    assert set(table["Consensus"]) == {"TTGACA", "TATAAT"}
    assert set(table["Like"]) == {"-35", "-10"}
    assert dict(zip(table["Consensus"], table["First base (median)"], strict=True)) == {"TTGACA": -35, "TATAAT": -12}
    assert "Most often **17** bases lie between them; 16 to 18 do in **100%**" in shown
    assert "overlap -14 to -5, the place of the -10 box" in shown
    assert "dnalm explain motifs toy-sigma70-81 planted --split test" in shown
    assert not page.error
    assert not page.warning


def test_the_first_sight_is_the_shipped_genomes_starts(house):
    page = opened()
    shown = words(page)
    assert "**5** of 5 sequences are called promoter" in shown
    assert "too little for a motif" in shown
    assert not page.error


def test_likely_starts_that_ship_are_looked_through_too(house, monkeypatch):
    from dashboard import motif_reading
    from dnalm.annotation import Site

    likely = [Site(toy_house.RECORD, position - 1, strand) for position, strand in toy_house.STARTS]
    monkeypatch.setattr(motif_reading, "_likely", lambda: likely)
    assert "**6** of 6 sequences are called promoter" in words(opened())


def test_inputs_stand_in_the_address(planted):
    page = opened(set=planted, most="50", method="integrated-gradients")
    assert page.selectbox(key="motifs_most").value == "50"
    assert "50 of 60 sequences of the class were drawn" in words(page)
    page.selectbox(key="motifs_method").set_value("input-x-gradient").run()
    assert "method" not in page.query_params
    page.selectbox(key="motifs_most").set_value("100").run()
    assert page.query_params["most"] == "100"
    assert page.query_params["set"] == planted


def test_the_other_class_can_be_asked_for_by_the_address(planted):
    shown = words(opened(set=planted, label="background"))
    assert "are called background" in shown
    assert "--label background" in shown


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"model": "gone"}, "asks for the model gone, which is not here"),
        ({"set": "gone"}, "asks for the set gone, which is not here"),
    ],
)
def test_a_bad_address_gets_a_sentence(house, query, sentence):
    assert sentence in words(opened(**query))


def test_a_split_without_sequences_is_said(planted):
    assert "has no sequence in its split train" in opened(set=planted, split="train").error[0].value


def test_what_would_take_too_long_is_offered_as_less_and_as_a_command(planted, monkeypatch):
    from dashboard import motif_reading

    monkeypatch.setattr(motif_reading, "seconds", lambda bundle, given, method: 1000.0)
    page = opened(set=planted, method="integrated-gradients")
    shown = words(page)
    assert "would take about 1000 s" in shown
    assert "dnalm explain motifs toy-sigma70-81" in shown
    assert not page.dataframe
    page.button[0].click().run()
    assert page.query_params["method"] == "input-x-gradient"


def test_without_a_model_it_says_what_to_do(empty_house):
    assert "dnalm train --preset small" in words(opened())
