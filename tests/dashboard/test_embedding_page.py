"""The page Embedding: k-mers and sequences, its address, what it refuses, what it draws."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import toy_house
from streamlit.testing.v1 import AppTest

from dashboard import embedding_reading as reading
from dashboard.charts.embedding import scatter
from dashboard.charts.theme import DARK, LIGHT
from dashboard.views.embedding_inputs import as_fasta
from dnalm.errors import InputError, RunError
from dnalm.interpret.colouring import choices, colouring
from dnalm.interpret.embedding import neighbours
from dnalm.lab.database import database
from dnalm.lab.people import local_user
from dnalm.model.bundle import read_bundle

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from toy_models import language_model_bundle, toy_dataset

PAGE = Path(__file__).resolve().parents[2] / "dashboard" / "views" / "embedding.py"


@pytest.fixture(autouse=True)
def own_database(tmp_path, monkeypatch):
    monkeypatch.setenv("DNALM_DATABASE_URL", f"sqlite:///{tmp_path / 'lab.db'}")
    database.cache_clear()
    yield
    if database.cache_info().currsize:
        database().dispose()
    database.cache_clear()


@pytest.fixture
def homely(house, tmp_path):
    """A language model and a labelled set beside the toy that ships."""
    language_model_bundle(tmp_path / "home" / "models" / "lm")
    toy_dataset(tmp_path / "home" / "datasets" / "toy-set")
    return tmp_path / "home"


def opened(**query):
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def words(page):
    parts = [*page.title, *page.subheader, *page.markdown, *page.text, *page.caption]
    parts += [*page.warning, *page.error, *page.info, *page.code]
    return "\n".join(re.sub(r"\\([^\w\s])", r"\1", str(part.value)) for part in parts)


def drawn(page):
    return page.get("plotly_chart")[0]


def test_without_a_model_it_says_what_to_do(empty_house):
    assert "No model is here yet" in words(opened())


def test_a_fresh_home_shows_the_k_mers_of_what_ships(house):
    page = opened()
    said = words(page)
    assert not page.error
    assert page.title[0].value == "What does the model take for alike?"
    assert "% of the variance" in drawn(page).proto.spec
    assert "Trustworthiness" in said
    assert "What is a k-mer's nearest neighbour?" in said
    assert f"dnalm explain embed {toy_house.MODEL} --method pca" in said


def test_a_chosen_k_mer_has_its_neighbours_and_its_reverse_complement(homely):
    page = opened(model="lm", pick="gat")
    said = words(page)
    assert "What is nearest to GAT?" in said
    assert "Not by distance in the picture" in said
    assert re.search(r"Its reverse complement, ATC, is neighbour \d+ of 63", said)
    table = page.dataframe[0].value
    assert list(table["Rank"]) == list(range(1, 11))
    assert table["Similarity"].is_monotonic_decreasing
    assert "--neighbours-of gat" in said


def test_a_search_stays_in_the_address_and_what_is_not_there_is_said(homely):
    page = opened(model="lm")
    page.text_input(key="embed_pick").set_value("TTT").run()
    assert page.query_params["pick"] == "TTT"
    page.text_input(key="embed_pick").set_value("TTTT").run()
    assert "'TTTT' is no k-mer of lm" in words(page)
    assert drawn(page)


def test_known_starts_and_random_places_need_no_data_set(house):
    page = opened(what="sequences", most="250")
    said = words(page)
    assert not page.error
    spec = drawn(page).proto.spec
    assert "promoter (5)" in spec
    assert "gene start (6)" in spec
    assert "background (239)" in spec
    assert "The model may have learned from these very sequences" in said
    assert "sequences.tsv" in said


def test_right_and_wrong_and_the_sequence_that_was_picked(house):
    page = opened(what="sequences", most="250", colour="error", pick="p2001")
    spec = drawn(page).proto.spec
    assert "right (" in spec
    assert "class not known to the model (6)" in spec
    said = words(page)
    assert "81 bases, class promoter, probability of promoter 0.98" in said
    assert "TTGACA" in said
    assert {"Class", "Called", "Probability"} <= set(page.dataframe[0].value.columns)


def test_a_labelled_set_its_parts_and_a_language_model(homely):
    page = opened(model="lm", what="sequences", set="toy-set", split="all", method="tsne", seed="5")
    assert not page.error
    spec = drawn(page).proto.spec
    assert "t-SNE axis 1" in spec
    assert "promoter (48)" in spec
    assert "toy-set --split all --at-most 1000 --method tsne --seed 5 --colour class" in words(page)
    page.selectbox(key="embed_split").set_value("test").run()
    assert "split" not in page.query_params
    assert "promoter (8)" in drawn(page).proto.spec


def test_sequences_of_another_length_have_no_probability(homely):
    page = opened(model=toy_house.MODEL, what="sequences", set="toy-set", colour="probability")
    assert not page.error
    assert "not known (16)" in drawn(page).proto.spec


def test_pasted_sequences_are_kept_and_named_by_the_address(homely):
    page = opened(model="lm", what="sequences")
    page.text_area(key="embed_paste").set_value("ACGTACGTAC\nTTTTACGTAA\nGGGGACGTAA")
    page.button(key="embed_paste_show").click().run()
    assert not page.exception
    assert page.query_params["set"].startswith("upload-")
    assert "3 sequences as lm places them" in drawn(page).proto.spec
    again = opened(model="lm", what="sequences", set=page.query_params["set"], pick="sequence_2")
    assert "TTTTACGTAA" in words(again)
    page.text_area(key="embed_paste").set_value("MKVLAAGIVGLLL")
    page.button(key="embed_paste_show").click().run()
    assert page.error


def test_what_the_address_asks_for_and_is_not_here_is_said(homely):
    said = words(opened(model="nobody"))
    assert "the model nobody, which is not here" in said
    assert "the set gone, which is not here" in words(opened(what="sequences", set="gone"))


def test_without_umap_it_says_so_plainly(homely, monkeypatch):
    monkeypatch.setattr("dnalm.interpret.projection.find_spec", lambda name: None)
    page = opened(model="lm", method="umap")
    assert "UMAP is not installed here" in words(page)
    assert not page.get("plotly_chart")


def test_what_takes_too_long_is_stopped_and_said(homely, monkeypatch):
    def late(what):
        raise RunError(f"{what} was stopped after 10 s, when 1 of 2 were done.")

    monkeypatch.setattr(reading, "_deadline", lambda what, end: lambda done, total: late(what))
    page = opened(model="lm", what="sequences", set="toy-set")
    assert "Reading the sequences was stopped after 10 s" in page.error[0].value


def test_a_sequence_outside_the_sample_is_drawn_when_it_is_searched(homely):
    lm = read_bundle(homely / "models" / "lm")
    source = reading.sources(local_user())["toy-set"]
    usual = reading.sequences(lm, 0, source, "all", 20, 0)
    missing = next(f"s{number}" for number in range(96) if f"s{number}" not in usual.embedding.ids)
    found = reading.sequences(lm, 0, source, "all", 20, 0, missing)
    assert (len(found.embedding), found.total) == (20, 96)
    assert missing in found.embedding.ids
    assert reading.sequences(lm, 0, source, "all", 20, 0, usual.embedding.ids[3]).key == usual.key


def test_of_long_sequences_fewer_are_drawn_and_the_picture_of_many_is_a_sample(homely, monkeypatch):
    lm = read_bundle(homely / "models" / "lm")
    source = reading.sources(local_user())["toy-set"]
    monkeypatch.setattr(reading, "MOST_BASES", 300)
    few = reading.sequences(lm, 0, source, "all", 50, 1)
    assert len(few.embedding) == 15
    assert few.total == 96
    monkeypatch.setattr(reading, "MOST_DRAWN", {"pca": 10})
    picture = reading.drawn(few, "pca", 0, None)
    assert len(picture.embedding) == 10
    outside = next(row for row, name in enumerate(few.embedding.ids) if name not in picture.embedding.ids)
    assert few.embedding.ids[outside] in reading.drawn(few, "pca", 0, outside).embedding.ids


@pytest.mark.parametrize("look", [LIGHT, DARK])
def test_names_of_others_making_are_text_in_the_picture(homely, look):
    lm = read_bundle(homely / "models" / "lm")
    source = reading.sources(local_user())["toy-set"]
    points = reading.sequences(lm, 0, source, "all", 50, 0)
    picture = reading.drawn(points, "pca", 0, None)
    object.__setattr__(picture.embedding, "ids", tuple(f"<b>{name}</b>" for name in picture.embedding.ids))
    for by in choices(picture.embedding, None):
        colours = colouring(picture.embedding, by)
        near = neighbours(picture.embedding, 0)
        figure = scatter(picture.embedding, picture.projection, colours, look, title="<i>x</i>", chosen=0, near=near)
        shown = figure.to_json()
        assert "<b>s" not in shown.replace("\\u003c", "<")
        assert figure.layout.title.text == "&lt;i&gt;x&lt;/i&gt;"
        rows = [row[0] for trace in figure.data if trace.customdata is not None for row in trace.customdata]
        assert sorted(rows) == list(range(50))
        assert np.isfinite(np.concatenate([np.asarray(trace.x, float) for trace in figure.data])).all()


def test_pasted_text_becomes_fasta():
    assert as_fasta(" ACGT \n\nTTT\n") == ">sequence_1\nACGT\n>sequence_2\nTTT\n"
    assert as_fasta(">a\nACGT") == ">a\nACGT\n"
    with pytest.raises(InputError, match="Nothing was pasted"):
        as_fasta(" \n")
