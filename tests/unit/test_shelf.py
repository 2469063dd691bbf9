"""The models of this installation: runs' models come once and whole, and renaming or deleting leaves no halves."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from toy_family import finished_run, language_model

from dnalm.errors import InputError
from dnalm.model import shelf
from dnalm.model.bundle import find_bundle, list_bundles, read_bundle, weights_hash
from dnalm.model.shelf import clear_leftovers, delete_model, describe_model, rename_model, shelve_run
from dnalm.settings import settings


@pytest.fixture(autouse=True)
def installation(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DNALM_SHIPPED", str(tmp_path / "shipped"))
    settings.cache_clear()
    return home


def names() -> list[str]:
    return sorted(path.name for path in list_bundles())


def on_disk() -> list[str]:
    return sorted(path.name for path in settings().models.iterdir())


def test_a_finished_run_is_found_by_its_models_name_and_costs_no_space(home: Path):
    run = finished_run(home, "pretrain-1", name="my-lm")
    (model,) = shelve_run(run)
    assert find_bundle("my-lm") == model == home / "models" / "my-lm"
    assert (model / "model.safetensors").samefile(run / "bundle" / "model.safetensors")
    assert read_bundle(model).config == read_bundle(run / "bundle").config


def test_a_run_comes_once(home: Path):
    run = finished_run(home, "one", name="my-lm")
    assert len(shelve_run(run)) == 1
    assert shelve_run(run) == []
    rename_model("my-lm", "better")
    assert shelve_run(run) == []
    delete_model("better")
    assert shelve_run(run) == []
    assert names() == []
    assert (run / "bundle" / "model.safetensors").is_file()


def test_a_run_that_is_not_done_is_passed_over(home: Path):
    run = finished_run(home, "one")
    (run / "result.json").unlink()
    assert shelve_run(run) == []
    assert names() == []


def test_two_runs_of_one_name_get_two_names_and_configurations_that_say_so(home: Path):
    shelve_run(finished_run(home, "one", name="lm", seed=1))
    shelve_run(finished_run(home, "two", name="lm", seed=2))
    assert names() == ["lm", "lm-2"]
    assert read_bundle(find_bundle("lm-2")).config.name == "lm-2"
    assert read_bundle(home / "runs" / "two" / "bundle").config.name == "lm"


def test_a_shipped_models_name_is_not_taken(home: Path, tmp_path: Path):
    language_model(tmp_path / "shipped" / "models" / "ecoli-lm", "ecoli-lm", 9)
    shelve_run(finished_run(home, "one", name="ecoli-lm"))
    assert names() == ["ecoli-lm", "ecoli-lm-2"]
    with pytest.raises(InputError, match="comes with dnalm"):
        delete_model("ecoli-lm")


def test_the_earlier_phases_of_one_run_come_under_its_name(home: Path):
    run = finished_run(home, "three", name="promoters", seed=3)
    for seed, phase in enumerate(("pretrain", "finetune")):
        finished_run(home, f"three/{phase}", name=phase, seed=seed)
    assert [path.name for path in shelve_run(run)] == ["promoters-pretrain", "promoters-finetune", "promoters"]


def test_a_kill_between_the_folder_and_its_note_makes_no_second_one(home: Path):
    run = finished_run(home, "one", name="lm")
    shelve_run(run)
    (home / "models" / ".came" / "one.json").unlink()
    assert shelve_run(run) == [home / "models" / "lm"]
    assert names() == ["lm"]


@pytest.mark.parametrize("broken", ["rename", "link", "write"])
def test_what_fails_on_the_way_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch, broken: str):
    run = finished_run(home, "one", name="lm")

    def fail(*arguments, **named):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if broken == "rename":
            patch.setattr(Path, "rename", fail)
        elif broken == "link":
            patch.setattr(os, "link", fail)
            patch.setattr(shelf.shutil, "copyfile", fail)
        else:
            patch.setattr(shelf, "write_config", fail)
        with pytest.raises(OSError, match="No space"):
            shelve_run(run)
    assert on_disk() == []
    assert len(shelve_run(run)) == 1


def test_without_hard_links_it_is_a_copy(home: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments):
        raise OSError(18, "Invalid cross-device link")

    run = finished_run(home, "one", name="lm")
    monkeypatch.setattr(os, "link", fail)
    (model,) = shelve_run(run)
    assert weights_hash(model) == weights_hash(run / "bundle")
    assert not (model / "model.safetensors").samefile(run / "bundle" / "model.safetensors")


def test_many_at_once_come_once_each(home: Path):
    runs = [finished_run(home, f"run-{n}", name="lm", seed=n % 2) for n in range(4)]
    threads = [threading.Thread(target=shelve_run, args=(run,)) for run in runs * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names() == ["lm", "lm-2", "lm-3", "lm-4"]


def test_a_renamed_model_is_the_same_model_and_says_its_name(home: Path):
    shelve_run(finished_run(home, "one", name="lm"))
    before = weights_hash(find_bundle("lm"))
    rename_model("lm", "ecoli.v2")
    assert names() == ["ecoli.v2"]
    assert weights_hash(find_bundle("ecoli.v2")) == before
    assert read_bundle(find_bundle("ecoli.v2")).config.name == "ecoli.v2"
    assert read_bundle(home / "runs" / "one" / "bundle").config.name == "lm"


@pytest.mark.parametrize("new", ["../out", "", ".hidden", "a/b", "x" * 121, "ä", "a b", "other"])
def test_a_name_that_cannot_be_or_is_taken_is_refused(home: Path, new: str):
    shelve_run(finished_run(home, "one", name="lm"))
    shelve_run(finished_run(home, "two", name="other", seed=1))
    with pytest.raises(InputError, match="name"):
        rename_model("lm", new)
    assert names() == ["lm", "other"]


def test_a_description_is_one_line_in_the_models_own_file(home: Path):
    run = finished_run(home, "one", name="lm")
    shelve_run(run)
    describe_model("lm", "  Of our\n strain ")
    assert read_bundle(find_bundle("lm")).config.description == "Of our strain"
    assert read_bundle(run / "bundle").config.description != "Of our strain"
    with pytest.raises(InputError, match="at most 2,000"):
        describe_model("lm", "x" * 2001)


@pytest.mark.parametrize("name", ["../runs/one", "nowhere", ".came"])
def test_only_models_can_be_deleted(home: Path, name: str):
    shelve_run(finished_run(home, "one", name="lm"))
    with pytest.raises(InputError):
        delete_model(name)
    assert (home / "runs" / "one").is_dir()
    assert names() == ["lm"]


def test_what_a_kill_left_is_neither_listed_nor_kept(home: Path):
    shelve_run(finished_run(home, "one", name="lm"))
    language_model(home / "models" / ".gone-x", "lm", 0)
    assert names() == ["lm"]
    assert clear_leftovers() == 1
    assert on_disk() == [".came", "lm"]
