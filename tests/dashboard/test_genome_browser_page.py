"""The tab Genome browser, and what can be taken away, over the toy installation."""

from __future__ import annotations

import io
import json
import zipfile
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyBigWig
import pytest
import toy_house
from streamlit.testing.v1 import AppTest

from dashboard import igv_copy, track_cache
from dashboard.views.scan_downloads import scan_downloads
from dnalm.annotation import Gene, Site
from dnalm.sequences import Record, Region
from dnalm.tracks import Peak, Track
from dnalm.tracks.igv_session import Scanned, View


def view(*, reverse: bool = True, name: str = "toy") -> View:
    record = Record(toy_house.RECORD, toy_house.genome())
    scores = np.random.default_rng(0).random((2, 500), dtype=np.float32)
    positions = np.arange(1000, 1500)
    second = scores[1] if reverse else None
    track = Track(record.id, 1000, 1500, 1, 81, positions, scores[0], second, name, "start", len(record))
    return View(
        record,
        Region(record.id, 1000, 1500),
        [Scanned(track, [Peak(record.id, 1200, "+", 0.9)])],
        [Site(record.id, 1201, "+", "p1")],
        "Known starts",
        [Gene(record.id, 1250, 1400, "+", "abcA", "CDS")],
    )


def tab() -> None:
    """A page of the tab alone."""
    from pathlib import Path

    from test_genome_browser_page import view

    from dashboard.resources import Sequence
    from dashboard.views.genome_browser import genome_browser

    genome_browser(Sequence("toy", "Toy", Path("toy.fna.gz")), view())


@pytest.fixture
def known_igv(tmp_path, monkeypatch):
    """An installation that has igv.js."""
    copy = igv_copy.IgvCopy(tmp_path / "igv.min.js", "9.9", "a test", "0" * 64)
    monkeypatch.setattr(igv_copy, "find_copy", lambda: (copy, ""))


def opened(**query: str) -> AppTest:
    page = AppTest.from_function(tab, default_timeout=120)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def test_the_tab_frames_a_page_of_this_server_at_the_region(house, known_igv):
    page = opened(view="browser", region="NC_TOY.1:1,001-1,500")
    (frame,) = page.get("iframe")
    address = urlsplit(frame.proto.src)
    assert (address.scheme, address.netloc, address.path) == ("", "", "/genome-browser/")
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert (asked["sequence"], asked["look"]) == ("toy", "light")
    assert parse_qs(asked["page"]) == {"view": ["browser"], "region": ["NC_TOY.1:1,001-1,500"]}
    told = json.loads((track_cache.store() / "toy" / asked["view"]).read_text())
    assert told["locus"] == "NC_TOY.1:1001-1500"
    assert len(told["tracks"]) == 5
    assert "igv.js 9.9, from a test" in page.caption[0].value
    assert page.get("download_button")[0].proto.label == "IGV session"


def test_without_igv_js_the_tab_says_what_to_do(house, tmp_path, monkeypatch):
    monkeypatch.setattr(igv_copy, "folder", lambda: tmp_path / "nothing")
    page = opened()
    assert not page.get("iframe")
    assert page.info[0].value.startswith("igv.js, which draws the genome browser, is not installed here.")
    assert "python scripts/fetch_igv.py" in page.code[0].value
    assert page.get("download_button")[0].proto.label == "IGV session"
    assert not track_cache.store().exists()


def test_what_cannot_be_shown_is_said(house, known_igv, monkeypatch):
    monkeypatch.setattr(track_cache, "LONGEST_RECORD", 10)
    page = opened()
    assert "has 30,000 bases, more than the 10 that are shown here" in page.error[0].value
    assert not page.get("iframe")


def read_bigwig(content: bytes, tmp_path) -> np.ndarray:
    (tmp_path / "x.bw").write_bytes(content)
    with pyBigWig.open(str(tmp_path / "x.bw")) as file:
        return file.values(toy_house.RECORD, 1000, 1500, numpy=True)


def test_every_file_that_is_offered_can_be_read_back(tmp_path):
    shown = view(name="a model/with <odd> name")
    track = shown.scans[0].track
    offered = scan_downloads(shown, threshold=0.5)
    assert list(offered) == [
        *("png", "svg", "bedgraph", "bigwig_plus", "bigwig_minus", "tsv", "parquet"),
        *("bed", "narrowpeak", "gff3", "igv"),
    ]
    assert {one.file.split("NC_TOY")[0] for one in offered.values()} == {"a_model_with_odd_name."}
    made = {key: one.make() for key, one in offered.items()}
    assert made["png"].startswith(b"\x89PNG")
    assert ElementTree.fromstring(made["svg"]).tag.endswith("svg")
    assert made["bedgraph"].startswith("track type=bedGraph")
    np.testing.assert_array_equal(read_bigwig(made["bigwig_plus"], tmp_path), track.forward)
    np.testing.assert_array_equal(read_bigwig(made["bigwig_minus"], tmp_path), track.reverse)
    table = pd.read_csv(io.StringIO(made["tsv"]), sep="\t")
    assert len(table) == len(pd.read_parquet(io.BytesIO(made["parquet"]))) == 1000
    assert table["position"].min() == 1000
    assert made["bed"].splitlines()[1].split("\t")[:3] == [toy_house.RECORD, "1200", "1201"]
    assert made["narrowpeak"].split("\t")[6] == "0.9"
    assert "\t1201\t1201\t0.9\t+" in made["gff3"]
    archive = zipfile.ZipFile(io.BytesIO(made["igv"]))
    folder = offered["igv"].file.removesuffix(".igv.zip")
    assert ElementTree.fromstring(archive.read(f"{folder}/session.xml")).get("genome") == "genome.fa"


def test_one_strand_has_one_bigwig_and_no_peaks_no_files_of_them():
    shown = view(reverse=False)
    bare = View(shown.record, shown.region, [Scanned(shown.scans[0].track)])
    offered = scan_downloads(bare)
    assert not {"bigwig_minus", "bed", "gff3", "narrowpeak"} & set(offered)
    assert offered["bigwig_plus"].label == "bigWig +"
