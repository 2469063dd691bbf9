"""The form that trains a model that scans: what it shows at first, with a person's own files, and what it launches."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from toy_jobs import language_model_bundle, write_genome  # which finds toy_models

from dashboard import site_uploads, uploads
from dashboard.person import acting_user
from dnalm.errors import InputError
from dnalm.lab import jobs
from dnalm.lab.database import database
from dnalm.lab.people import add_user, local_user
from dnalm.lab.uploads import may_read
from dnalm.settings import settings
from dnalm.training import estimate as estimating
from dnalm.training.config import TrackTrainConfig
from dnalm.training.timing import Timing

ROOT = Path(__file__).resolve().parents[2]
TABLE = b"record\ttss\tstrand\n" + b"".join(
    f"toy\t{position}\t{'+-'[position % 2]}\n".encode() for position in range(101, 6_000, 150)
)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """The shipped installation with a home that has a small language model; a step takes 50 ms."""
    monkeypatch.setenv("DNALM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DNALM_DATA_MIRROR", raising=False)
    settings.cache_clear()
    database.cache_clear()
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(estimating, "timing", lambda work, measure=True: Timing(step=0.05, forward=0.01, gigaflops=50))
    language_model_bundle(tmp_path / "home" / "models" / "toy-lm")
    yield tmp_path
    database().dispose()
    database.cache_clear()
    settings.cache_clear()


@pytest.fixture
def brought(lab):
    """Keys of a genome of 6,000 bases, of a table with 40 starts on it, and of one gene."""
    genome = uploads.keep(acting_user(), write_genome(lab / "toy.fna", 6_000).read_bytes(), "mine.fna")
    starts = site_uploads.keep(acting_user(), io.BytesIO(TABLE), "starts.tsv", "starts")
    gene = b"##gff-version 3\ntoy\tx\tCDS\t301\t900\t.\t+\t0\tID=a\n"
    annotation = site_uploads.keep(acting_user(), io.BytesIO(gene), "genes.gff3", "annotation")
    return {"genome": genome.key, "starts": starts.key, "annotation": annotation.key}


def opened(**query):
    page = AppTest.from_file(str(ROOT / "dashboard" / "views" / "fine_tune.py"), default_timeout=60)
    page.query_params["phases"] = "track"
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def said(page) -> str:
    shown = [*page.markdown, *page.caption, *page.info, *page.warning, *page.error]
    return "\n".join(str(one.value) for one in shown).replace("\\", "")


def launch(page):
    (button,) = [one for one in page.button if one.label == "Launch"]
    return button


def test_a_fresh_installation_says_what_is_missing(lab):
    page = opened()
    assert page.radio(key="finetune:phases").value == "track"
    assert page.selectbox(key="track:genome").value == "ecoli-k12"
    assert "No table of known starts is here yet" in said(page)
    assert launch(page).disabled


def test_ones_own_files_are_counted_estimated_and_launched_by_their_paths(brought):
    page = opened(**brought, model="toy-lm", steps="40")
    assert page.selectbox(key="track:starts").value == brought["starts"]
    words = said(page)
    assert "**28** in training regions (toy:1-4200)" in words
    assert "**4** in validation regions" in words
    assert "**8** in test regions (toy:4801-6000)" in words
    assert {metric.label: metric.value for metric in page.metric}["Time"].startswith("about")
    assert "dnalm train --task track" in page.code[-1].value
    assert "--steps 40" in page.code[-1].value
    launch(page).click().run()
    assert not page.exception
    (job,) = jobs.visible(local_user())
    assert (job.phase, job.config["steps"], job.config["model"]) == ("track", 40, "toy-lm")
    for field in ("genome", "starts", "annotation"):
        assert Path(job.config[field]).is_file()
        assert job.config[field].endswith({"genome": "mine.fna", "starts": "starts.tsv"}.get(field, "genes.gff3"))


def test_regions_of_an_address_and_what_is_wrong_with_them(brought):
    page = opened(**brought, train=["toy:1-3000"], valid=["toy:3001-3500"], test=["toy:2501-6000"])
    assert "overlaps" in said(page)
    assert launch(page).disabled
    page = opened(**brought, train=["toy:1-3000"], test=["toy:3001-6000"])
    words = said(page)
    assert "**20** in training regions (toy:1-3000)" in words
    assert "No known start lies in validation regions: the threshold is left at 0.5." in words
    assert not launch(page).disabled


def test_without_genes_and_without_an_encoder(brought):
    del brought["annotation"]
    assert "has no annotation" in said(opened(**brought))
    page = opened(**brought, weight_genes="0", weight_frames="0", model="")
    assert not page.error
    assert page.selectbox(key="track:model").value is None
    page.text_input(key="track:network.dilations").set_value("1, 2, 4").run()
    assert page.query_params["network.dilations"] == ["1, 2, 4"] or page.query_params["network.dilations"] == "1, 2, 4"
    launch(page).click().run()
    (job,) = jobs.visible(local_user())
    assert job.config["network"]["dilations"] == [1, 2, 4]
    assert job.config["model"] is None


def test_what_the_address_asks_for_and_is_not_here_is_said(brought):
    page = opened(**{**brought, "starts": "upload-0000000000000000"})
    assert "The address asks for the table of starts upload-0000000000000000, which is not here." in said(page)


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        (b"a\tb\n1\t2\n", "starts", "mine.tsv: a table of sites needs the columns tss and strand"),
        (b"record\ttss\tstrand\n", "starts", "there is no start site"),
        (b"nonsense", "annotation", "mine.tsv"),
    ],
)
def test_a_bad_file_is_one_sentence_and_leaves_nothing(lab, content, kind, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        site_uploads.keep(acting_user(), io.BytesIO(content), "mine.tsv", kind)
    assert str(lab) not in str(caught.value)
    assert site_uploads.listed(acting_user(), kind) == []
    assert list((settings().cache / "labelled" / acting_user().id / kind).iterdir()) == []


def test_a_table_is_its_owners_alone_and_stays_while_a_job_reads_it(brought, lab, monkeypatch):
    user = acting_user()
    (kept,) = site_uploads.listed(user, "starts")
    assert (kept.name, kept.count) == ("starts.tsv", 40)
    ben = add_user(local_user(), "ben", "Ben")
    assert site_uploads.listed(ben, "starts") == []
    assert not may_read(ben, kept.path)
    config = TrackTrainConfig(genome="ecoli-k12", starts=str(kept.path))
    with pytest.raises(InputError, match="none that is shared with you"):
        jobs.submit(ben, config)
    jobs.submit(user, config)
    monkeypatch.setattr(site_uploads, "LARGEST_STORE", 0)
    other = site_uploads.keep(user, io.BytesIO(TABLE.replace(b"101\t", b"102\t")), "other.tsv", "starts")
    third = site_uploads.keep(user, io.BytesIO(TABLE.replace(b"101\t", b"103\t")), "third.tsv", "starts")
    assert {one.key for one in site_uploads.listed(user, "starts")} == {kept.key, third.key}
    assert other.key != third.key


def test_the_same_content_is_kept_once(lab):
    first, second = (site_uploads.keep(acting_user(), io.BytesIO(TABLE), name, "starts") for name in ("a.tsv", "b.tsv"))
    assert first.key == second.key
    assert second.name == "a.tsv"
