"""Where models come from: the graph of a made-up family, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_family import family

from dnalm.lab.lineage import MOST_GENOMES, Lineage, Origin, Parent, Stage, dependents, draw_lineage, origin
from dnalm.model.bundle import weights_hash
from dnalm.model.config import BundleConfig


@pytest.fixture
def origins(tmp_path: Path) -> dict[str, Origin]:
    found = family(tmp_path)
    return {
        name: origin(f"id-{name}", name, bundle.config, weights_hash(bundle.folder)) for name, bundle in found.items()
    }


def arrows(drawn: Lineage) -> set[str]:
    return {f"{drawn.node(parent).name} > {drawn.node(child).name}" for parent, child in drawn.edges}


def test_the_whole_family_from_genome_to_classifier(origins):
    drawn = draw_lineage(origins.values())
    assert arrows(drawn) == {"ecoli-k12 > lm", "lm > tuned", "tuned > caller", "lm > other-caller"}
    assert {node.name: node.stage for node in drawn.nodes} == {
        "ecoli-k12": Stage.GENOME,
        "lm": Stage.LANGUAGE_MODEL,
        "tuned": Stage.FINE_TUNED,
        "caller": Stage.CLASSIFIER,
        "other-caller": Stage.CLASSIFIER,
    }


def test_the_part_around_a_model_is_what_it_came_from_and_what_came_from_it(origins):
    around = draw_lineage(origins.values()).around("id-tuned")
    assert arrows(around) == {"ecoli-k12 > lm", "lm > tuned", "tuned > caller"}


def test_a_renamed_parent_is_still_the_parent(origins):
    lm = origins["lm"]
    renamed = Origin(lm.model, "new-name", lm.weights, lm.stage, lm.parents, lm.genomes)
    assert "new-name > tuned" in arrows(draw_lineage([renamed, origins["tuned"]]))


def test_parents_that_are_not_here_are_drawn_by_the_name_they_had(origins):
    drawn = draw_lineage([origins["caller"]])
    assert arrows(drawn) == {"lm > tuned", "tuned > caller"}
    assert {node.name: (node.stage, node.model) for node in drawn.nodes} == {
        "caller": (Stage.CLASSIFIER, "id-caller"),
        "tuned": (Stage.FINE_TUNED, None),
        "lm": (Stage.LANGUAGE_MODEL, None),
    }


def test_a_parent_that_is_gone_between_two_that_are_here_is_bridged(origins):
    drawn = draw_lineage([origins["lm"], origins["caller"]])
    assert arrows(drawn) == {"ecoli-k12 > lm", "lm > tuned", "tuned > caller"}


def test_a_copy_under_another_name_takes_no_children_from_the_model_of_the_parents_name(origins):
    lm = origins["lm"]
    copy = Origin("id-copy", "a-copy", lm.weights, lm.stage, (), ())
    assert "lm > tuned" in arrows(draw_lineage([copy, *origins.values()]))


def test_dependents_are_children_at_any_remove(origins):
    found = list(origins.values())
    assert {one.name for one in dependents(found, "id-lm")} == {"tuned", "caller", "other-caller"}
    assert [one.name for one in dependents(found, "id-tuned")] == ["caller"]
    assert dependents(found, "id-caller") == []


def test_what_has_a_twin_with_the_same_weights_is_needed_by_nobody(origins):
    lm = origins["lm"]
    twin = Origin("id-twin", "twin", lm.weights, lm.stage, (), ())
    assert dependents([*origins.values(), twin], "id-lm") == []


def test_bundles_that_name_each_other_as_parent_end_and_keep_nobody():
    a, b = "a" * 64, "b" * 64
    one = Origin("1", "one", a, Stage.FINE_TUNED, (Parent("two", b),), ())
    two = Origin("2", "two", b, Stage.FINE_TUNED, (Parent("one", a), Parent("two", b)), ())
    drawn = draw_lineage([one, two])
    assert arrows(drawn.around("1")) == {"one > two", "two > one"}
    assert dependents([one, two], "1") == []


@pytest.mark.parametrize("parents", [["none: a random encoder"], [""], ["x" * 5000], ["lm " + "g" * 64], ["lm"]])
def test_what_is_no_parent_is_passed_over(origins, tmp_path: Path, parents: list[str]):
    config = family(tmp_path / "again")["caller"].config.model_copy(update={"parents": parents})
    assert origin("1", "x", config, "f" * 64).parents == ()


@pytest.mark.parametrize("told", [None, 3, {"genomes": 5}, {"genomes": None}, {}])
def test_genomes_that_are_not_said_are_none(tmp_path: Path, told):
    config = family(tmp_path)["lm"].config.model_copy(update={"trained": {"config": told}})
    assert origin("1", "x", config, "f" * 64).genomes == ()


def test_many_genomes_are_drawn_as_a_few_and_how_many_more(tmp_path: Path):
    told = {"config": {"genomes": [f"/data/g{n}.fna" for n in range(100)]}}
    config: BundleConfig = family(tmp_path)["lm"].config.model_copy(update={"trained": told})
    drawn = draw_lineage([origin("1", "x", config, "f" * 64)])
    names = [node.name for node in drawn.nodes if node.stage is Stage.GENOME]
    assert len(names) == MOST_GENOMES
    assert names[0] == "g0.fna"
    assert names[-1] == f"{100 - MOST_GENOMES + 1} more genomes"
