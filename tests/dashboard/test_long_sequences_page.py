"""The page Long sequences over a genome with planted promoters: its picture, its address, what it refuses."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import toy_house
from streamlit.testing.v1 import AppTest

PAGE = Path(__file__).resolve().parents[2] / "dashboard" / "views" / "long_sequences.py"
REGION = f"{toy_house.RECORD}:1,501-2,500"


def opened(**query):
    page = AppTest.from_file(str(PAGE), default_timeout=240)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


@pytest.fixture
def unhurried(house, monkeypatch):
    """Scans are made however slow this machine is at the moment: its real speed decides what a page refuses."""
    from dashboard import resources, scans

    monkeypatch.setattr(scans, "rate", lambda *_: 1e9)
    monkeypatch.setattr(resources, "TIME_LIMIT", 600.0)


def words(page):
    parts = [*page.title, *page.header, *page.subheader, *page.markdown, *page.text, *page.caption]
    parts += [*page.warning, *page.error, *page.info, *page.code]
    return "\n".join(str(part.value) for part in parts)


def peaks(page):
    """The table of peaks."""
    return page.dataframe(key="scan_table").value


def test_the_first_picture_needs_no_choice_and_finds_the_planted_promoters(unhurried):
    page = opened(stride="1")
    shown = words(page)
    assert "**6** peaks at or over the threshold. **5 of 5** known starts have a peak within 50 bases" in shown
    table = peaks(page)
    assert list(zip(table["Position"], table["Strand"], strict=True)) == toy_house.STARTS
    assert table["Distance (bases)"].tolist()[:5] == [0] * 5


def test_an_image_stands_in_the_charts_place_until_the_chart_is_there(unhurried):
    page = opened(stride="1")

    def images() -> list[str]:
        return [part.proto.body for part in page.get("html") if "img" in part.proto.body and "drawn" in part.proto.body]

    (image,) = images()
    png = base64.b64decode(re.search(r"data:image/png;base64,([^\"]+)", image).group(1))
    assert png.startswith(b"\x89PNG")
    page.run()  # the browser holds the chart now
    assert not images()


def test_a_deep_link_shows_its_region_threshold_strand_and_site(unhurried):
    page = opened(region=REGION, stride="1", threshold="0.9", strand="forward", peak="2001-forward")
    shown = words(page)
    assert page.text_input(key="scan_region").value == REGION
    assert page.slider(key="scan_threshold").value == 0.9
    assert page.selectbox(key="scan_strand").value == "forward"
    assert "The sequence at 2,001, forward strand" in shown
    assert "probability 0.982; the model read bases 1,941 to 2,021" in shown
    assert "TTGACA (6 of 6 bases)" in shown
    assert len(peaks(page)) == 1
    # The letters shown are the planted window's.
    (letters,) = [code.value for code in page.code if code.value.startswith(">")]
    assert re.search(r"TTGACA[ACGT]{17}TATAAT", letters)


def test_the_reverse_strands_site_is_read_along_its_own_strand(house):
    shown = words(opened(region=f"{toy_house.RECORD}:6,001-7,000", peak="6500-reverse"))
    assert "The sequence at 6,500, reverse strand" in shown
    assert re.search(r"\(-\)\n[ACGT]{25}TTGACA[ACGT]{17}TATAAT", shown)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"region": "nonsense"}, "is not a region, a gene or a known start here"),
        ({"region": "chr9:1-100"}, "there is no record chr9 in this sequence"),
        ({"region": f"{toy_house.RECORD}:29,000-31,000"}, "which has 30,000 bases"),
        ({"model": "gone"}, "asks for the model gone, which is not here"),
        ({"sequence": "gone"}, "asks for the sequence gone, which is not here"),
        ({"threshold": "2"}, "a probability, 0 to 1"),
        ({"peak": "here"}, "1-based position"),
    ],
)
def test_a_bad_address_gets_a_sentence_and_the_default_picture(house, query, sentence):
    page = opened(**query)
    assert sentence in page.warning[0].value
    assert len(peaks(page)) >= 1


def test_a_region_too_short_for_the_model_is_still_scored_from_around_it(house):
    page = opened(region=f"{toy_house.RECORD}:2,001-2,001")
    assert "**1** peak at or over" in words(page)


def test_inputs_are_written_into_the_address(house):
    page = opened(region=REGION)
    page.slider(key="scan_threshold").set_value(0.35).run()
    page.selectbox(key="scan_strand").set_value("reverse").run()
    page.selectbox(key="scan_stride").set_value("2").run()
    assert page.query_params["threshold"] == "0.35"
    assert page.query_params["strand"] == "reverse"
    assert page.query_params["stride"] == "2"
    assert page.query_params["region"] == REGION
    page.selectbox(key="scan_strand").set_value("both").run()
    assert "strand" not in page.query_params
    page.text_input(key="scan_region").set_value("bad").run()
    assert page.query_params["region"] == "bad"
    assert "is not a region" in page.warning[0].value
    assert page.text_input(key="scan_region").value == "bad"


def test_the_buttons_move_the_region(house):
    page = opened(region=REGION)
    page.button(key="scan_go_Right").click().run()
    assert page.query_params["region"] == f"{toy_house.RECORD}:2,001-3,000"
    page.button(key="scan_go_Zoom in").click().run()
    assert page.query_params["region"] == f"{toy_house.RECORD}:2,251-2,750"


def test_what_would_take_too_long_is_refused_with_the_command(house, monkeypatch):
    from dashboard import scans

    monkeypatch.setattr(scans, "rate", lambda *_: 100.0)
    page = opened(stride="1")
    assert "Scoring 60,000 sites would take about 10 min" in page.info[0].value
    command = page.code[0].value
    assert command.startswith(f"dnalm scan {toy_house.MODEL} ")
    assert f"--region {toy_house.RECORD}:1-30000 --stride 1 --strand both" in command
    assert not page.dataframe


def test_a_scan_that_overruns_is_stopped(house, monkeypatch):
    from dashboard import resources, scans

    monkeypatch.setattr(resources, "TIME_LIMIT", 1e-6)
    monkeypatch.setattr(scans, "rate", lambda *_: 1e12)
    page = opened(stride="50")
    assert "The scan was stopped" in page.error[0].value


def test_a_scan_of_every_base_is_kept_and_serves_the_next_visit(unhurried, monkeypatch):
    from dashboard import scans

    opened(stride="1")
    monkeypatch.setattr(scans, "rate", lambda *_: pytest.fail("nothing is to be scored"))
    page = opened(region=REGION)
    assert "every base of each strand scored" in words(page)


def test_an_uploaded_genbank_file_is_scanned_by_its_key(house):
    from dashboard import uploads
    from dnalm.lab.people import local_user

    kept = uploads.keep(local_user(), b">mine one\n" + b"ACGGTTCAGT" * 60 + b"\n", "mine.fa")
    page = opened(sequence=kept.key)
    assert page.text_input(key="scan_region").value == "mine:1-600"
    assert "dnalm scan toy-sigma70-81 mine.fa" in words(page)
    assert not page.warning
