"""Saliency and Mutation sensitivity over a small installation: a model that counts the bases of two boxes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import toy_house
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))

from toy_models import toy_dataset

DASHBOARD = Path(__file__).resolve().parents[2] / "dashboard"
PAGES = ("saliency", "mutation")
WHOLE, BUT_ONE, BUT_TWO = "0.982", "0.731", "0.119"  # probability with all twelve bases of the boxes, and with fewer


def opened(name, **query):
    page = AppTest.from_file(str(DASHBOARD / f"views/{name}.py"), default_timeout=120)
    for key, value in query.items():
        page.query_params["with" if key == "other" else "class" if key == "of_class" else key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def words(page):
    parts = [*page.title, *page.subheader, *page.markdown, *page.caption, *page.warning, *page.error, *page.info]
    return "\n".join(str(part.value) for part in parts)


def charts(page):
    return page.get("plotly_chart")


def spec(page, number=0):
    import json

    return json.loads(charts(page)[number].proto.spec)


def heading(page):
    return spec(page)["layout"]["title"]["text"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_a_question_and_shows_something_real_at_once(house, name):
    page = opened(name)
    assert page.title[0].value.endswith("?")
    assert len(charts(page)) == 1
    assert not page.error
    assert "first" in words(page)


@pytest.mark.parametrize("name", PAGES)
def test_without_a_model_it_says_what_to_do(empty_house, name):
    page = opened(name)
    assert not page.error
    assert "dnalm train --preset small" in "\n".join(block.value for block in page.code)


@pytest.mark.parametrize("example", ["first", "second"])
def test_the_title_of_saliency_names_the_element_on_either_strand(house, example):
    page = opened("saliency", example=example)
    title = heading(page)
    assert ("TATAAT at −12 to −7" in title) or ("TTGACA at −35 to −30" in title)
    assert "element" in title
    assert WHOLE in words(page)


def test_all_methods_side_by_side_with_every_baseline(house):
    methods = "mutation,integrated-gradients,gradient-shap,input-x-gradient,saliency,occlusion,embedding-gradients"
    for baseline in ("uniform", "background", "shuffled"):
        page = opened("saliency", method=methods, baseline=baseline)
        titles = [one["text"] for one in spec(page)["layout"]["annotations"]]
        assert len([title for title in titles if not title.startswith("−")]) == 7
    assert "convergence delta" in words(page)


def test_a_change_takes_from_the_call_and_undo_gives_it_back(house):
    page = opened("mutation", edits="-12T>G")
    assert page.metric[0].value == BUT_ONE
    page = opened("mutation", edits="-12T>G,-7T>C")
    assert page.metric[0].value == BUT_TWO
    [undo] = [button for button in page.button if button.label == "Undo"]
    undo.click().run()
    assert page.metric[0].value == BUT_ONE
    assert page.query_params["edits"] in ("-12T>G", ["-12T>G"])
    [back] = [button for button in page.button if button.label == "As it was"]
    back.click().run()
    assert page.metric[0].value == WHOLE
    assert "edits" not in page.query_params


def test_a_typed_change_is_made_and_a_wrong_one_is_refused(house):
    page = opened("mutation")
    box = next(one for one in page.text_input if one.label == "Change bases")
    box.set_value("-12T>G").run()
    assert page.metric[0].value == BUT_ONE
    next(one for one in page.text_input if one.label == "Change bases").set_value("twelve").run()
    assert "no change" in words(page)
    page = opened("mutation", edits="-12G>A")
    assert "is T, not G" in words(page)
    assert page.metric[0].value == WHOLE


def test_every_cell_of_the_map_brings_its_change_when_it_is_clicked(house):
    page = opened("mutation")
    cells = [trace for trace in spec(page)["data"] if trace.get("customdata")]
    assert len(cells) == 1
    assert len(cells[0]["customdata"]) == 4 * toy_house.WINDOW


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        ("scramble", "replaced at"),
        ("pairs", "interact most"),
        ("deletions", "loses most"),
    ],
)
def test_each_view_says_in_its_title_what_to_see(house, view, sentence):
    page = opened("mutation", view=view)
    assert not page.error
    assert sentence in heading(page)


def test_given_k_mers_are_put_in(house):
    page = opened("mutation", view="scramble", way="given", insert="GGGGGG")
    assert "GGGGGG put at" in heading(page)
    assert "wanted" in words(opened("mutation", view="scramble", way="given", insert="GGNGG"))


def test_a_list_of_variants_is_scored_one_by_one(house):
    page = opened("mutation", view="variants", example="first")
    page.text_area(key="mutation_variants").set_value("-12T>G\n-7T>C\n-7A>C").run()
    table = page.dataframe[0].value
    assert sorted(table["change"]) == ["-12T>G", "-7T>C"]
    assert table["probability"].tolist() == pytest.approx([0.731, 0.731], abs=1e-3)
    assert "is T, not A" in words(page)


def test_vcf_positions_are_the_genomes_and_are_complemented_on_the_reverse_strand(house):
    position, strand = toy_house.STARTS[1]
    assert strand == "-"
    page = opened("mutation", view="variants", example="second")
    vcf = f"##fileformat=VCFv4.2\n{toy_house.RECORD}\t{position + 12}\trs7\tA\tC\t.\t.\t."  # -12 T>G on its strand
    page.text_area(key="mutation_variants").set_value(vcf).run()
    table = page.dataframe[0].value
    assert table["change"].tolist() == ["-12T>G"]
    assert table["probability"].tolist() == pytest.approx([0.731], abs=1e-3)


def test_two_models_stand_beside_each_other_with_their_difference(house):
    from dnalm.settings import settings

    settings().models.mkdir(parents=True)
    toy_house.toy_bundle(settings().models, "second-model")
    page = opened("saliency", model=toy_house.MODEL, other="second-model", method="mutation")
    assert not page.warning, words(page)
    titles = [one["text"] for one in spec(page)["layout"]["annotations"]]
    assert any("less second-model" in title for title in titles)
    page = opened("mutation", model=toy_house.MODEL, other="second-model", edits="-12T>G")
    titles = [one["text"] for one in spec(page)["layout"]["annotations"]]
    assert any("less second-model" in title for title in titles)


@pytest.mark.parametrize("name", PAGES)
def test_a_sequence_of_a_set_is_taken_by_its_id(house, name):
    from dnalm.settings import settings

    dataset = toy_dataset(settings().datasets / "mine", length=toy_house.WINDOW, n=24)
    page = opened(name, source="set", set="mine", split="all", id="s3")
    assert not page.error, words(page)
    assert "s3 of mine" in words(page)
    listed = page.dataframe[0].value
    assert len(listed) == len(dataset.table)
    page = opened(name, source="set", set="mine", split="all", id="s3", of_class="background", outcome="right")
    assert set(page.dataframe[0].value["label"]) == {"background"}


def test_the_average_over_a_class_wants_a_set_and_shows_its_interval(house):
    from dnalm.settings import settings

    assert "wants a labelled set" in words(opened("saliency", view="class"))
    toy_dataset(settings().datasets / "mine", length=toy_house.WINDOW, n=24)
    page = opened("saliency", view="class", set="mine", split="all", method="input-x-gradient")
    assert not page.error, words(page)
    assert "have in common" in heading(page)


def test_a_site_of_a_genome_by_place_region_or_gene(house):
    record, (position, strand) = toy_house.RECORD, toy_house.STARTS[1]
    by_place = opened("mutation", source="genome", genome="toy", region=f"{record}:{position:,}({strand})")
    assert by_place.metric[0].value == WHOLE
    start = position - (toy_house.WINDOW - 1 - toy_house.ANCHOR)
    region = f"{record}:{start}-{start + toy_house.WINDOW - 1}({strand})"
    assert opened("mutation", source="genome", genome="toy", region=region).metric[0].value == WHOLE
    assert not opened("mutation", source="genome", genome="toy", region="gen2").error
    assert "no gene" in words(opened("mutation", source="genome", genome="toy", region="nothing"))


def test_the_best_window_of_a_longer_sequence_is_found_and_one_too_short_is_refused(house):
    record, (position, _) = toy_house.RECORD, toy_house.STARTS[2]
    page = opened("saliency", source="genome", genome="toy", region=f"{record}:{position - 150}-{position + 150}")
    assert WHOLE in words(page)
    assert "the one it scores highest" in words(page)
    assert "reads exactly 81" in words(opened("saliency", source="paste", seq="ACGT" * 10))
    assert "letters A, C, G, T" in words(opened("saliency", source="paste", seq="ACGTX" * 20))
    assert "at most" in words(opened("saliency", source="paste", seq="ACGT" * 1500))


def test_a_typed_change_that_cannot_be_made_is_not_kept(house):
    page = opened("mutation", edits="-12T>G")
    next(one for one in page.text_input if one.label == "Change bases").set_value("-7A>C").run()
    assert "is T, not A" in words(page)
    assert page.query_params["edits"] in ("-12T>G", ["-12T>G"])
    page = opened("mutation", edits="-12T>G;-7A>C")  # from a link: it can be taken back
    assert "could not be made" in words(page)
    next(button for button in page.button if button.label == "Undo").click().run()
    assert page.metric[0].value == BUT_ONE


def test_variants_of_elsewhere_and_lines_that_are_none_are_left_out_one_by_one(house):
    position, _ = toy_house.STARTS[0]
    page = opened("mutation", view="variants", example="first")
    annotated = f"{toy_house.RECORD}\t{position - 12}\t.\tT\tG\t.\t.\tANN=x|c.12A>G"
    page.text_area(key="mutation_variants").set_value(f"{annotated}\nchr7\t30\t.\tA\tG").run()
    assert page.dataframe[0].value["change"].tolist() == ["-12T>G"]
    assert "chr7:30 A>G does not lie in the sequence" in words(page).replace("\\", "")
    page.text_area(key="mutation_variants").set_value("-12T>G\nhello").run()
    assert page.dataframe[0].value["change"].tolist() == ["-12T>G"]
    assert "hello" in words(page)
    moved = opened("mutation", view="variants", example="first", edits="-20->GATT")
    moved.text_area(key="mutation_variants").set_value(annotated).run()
    assert "take back insertions and deletions" in words(moved)


@pytest.mark.parametrize(
    "query",
    [
        {"view": "scramble", "k": "²"},
        {"view": "pairs", "window": "9" * 5000},
        {"view": "deletions", "size": "1,1"},
        {"source": "genome", "genome": "toy", "region": f"{toy_house.RECORD}:²"},
        {"source": "genome", "genome": "toy", "region": f"{toy_house.RECORD}:1-{'9' * 5000}"},
        {"edits": ",".join(["-12T>G"] * 100)},
        {"source": "set"},
        {"view": "scramble", "way": "given", "insert": ",".join(f"{'ACGT' * 3}{n}" for n in range(300))},
    ],
)
def test_no_address_ends_in_a_traceback(house, query):
    assert opened("mutation", **query).title


def test_where_the_start_site_is_not_known_that_is_said(house):
    sequence = "ACGT" * 20 + "A"
    assert "that one is there is not known" in words(opened("saliency", source="paste", seq=sequence))
    assert "not known" not in words(opened("saliency", example="first"))


def test_after_a_deletion_the_numbers_go_on_from_where_the_site_is(house):
    from toy_models import classifier, classifier_bundle

    from dnalm.settings import settings

    settings().models.mkdir(parents=True)
    classifier_bundle(settings().models / "any-length", classifier())
    record, (position, strand) = toy_house.RECORD, toy_house.STARTS[0]
    place = {"source": "genome", "genome": "toy", "region": f"{record}:{position}({strand})"}
    # TATAAT stands at -12: without its first base, its second is still the base 11 before the site.
    page = opened("mutation", model="any-length", **place, edits="-12T>-,-11A>G")
    assert not page.error, words(page)
    assert "by 2 changes" in page.metric[0].delta
