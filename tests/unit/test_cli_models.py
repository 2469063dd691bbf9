"""`dnalm models` at the shell: names, deleting, and what refuses to go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy_family import family, finished_run, language_model
from toy_models import toy_dataset
from toy_queue import people
from typer.testing import CliRunner

from dnalm.cli import app
from dnalm.errors import InputError
from dnalm.lab import audit, index
from dnalm.lab.database import database
from dnalm.lab.people import local_user


@pytest.fixture(autouse=True)
def own_database(home: Path):
    database.cache_clear()
    yield
    if database.cache_info().currsize:
        database().dispose()
    database.cache_clear()


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def names() -> set[str]:
    return {one["name"] for one in json.loads(run("models", "list", "--json").stdout)["models"]}


def test_a_model_is_renamed_and_deleted(home: Path):
    family(home / "models")
    result = run("models", "rename", "caller", "promoters-v2", "--json")
    assert json.loads(result.stdout) == {"model": "promoters-v2", "folder": str(home / "models" / "promoters-v2")}
    assert {"promoters-v2", "lm", "tuned"} <= names()
    assert run("models", "delete", "promoters-v2").exit_code == 0
    assert "promoters-v2" not in names()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lm", "made from it: caller, other-caller, tuned"),
        ("ecoli-lm", "ecoli-lm comes with dnalm"),
        ("nowhere", "no model 'nowhere'"),
        ("call", "no model 'call'"),
    ],
)
def test_what_cannot_be_deleted_is_said_and_stays(home: Path, name: str, sentence: str):
    family(home / "models")
    before = names()
    result = run("models", "delete", name)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert names() == before


def test_reindex_counts_and_gives_finished_runs_models_their_names(home: Path):
    finished_run(home, "pretrain-1", name="from-a-run")
    counted = json.loads(run("lab", "reindex", "--json").stdout)
    assert (counted["models"], counted["runs"], counted["came"]) == (1, 1, ["from-a-run"])
    assert "from-a-run" in names()


def test_an_import_is_the_local_users_and_the_audit_says_import(home: Path):
    language_model(home / "elsewhere", "lm")
    folder = home / "models" / "mine"
    assert json.loads(run("models", "import", home / "elsewhere", "--name", "mine", "--json").stdout) == {
        "model": "mine",
        "folder": str(folder),
    }
    assert run("models", "import", home / "elsewhere", "--name", "mine").exit_code == 2
    (ann,) = people("ann")
    language_model(home / "another", "anns", seed=7)
    theirs = index.import_model(ann, home / "another", shared=True)
    with pytest.raises(InputError, match="mine: another's model has this name"):
        index.import_model(ann, home / "another", name="mine", replace=True)
    # Who looks after the server puts a better one in its place: it is hers as before.
    assert run("models", "import", home / "elsewhere", "--name", "anns", "--replace").stdout.strip().endswith("anns")
    now = index.model(local_user(), "anns")
    assert (now.id, now.owner, now.shared) == (theirs.id, "ann", True)
    assert now.weights == index.model(local_user(), "mine").weights != theirs.weights
    mine = index.model(local_user(), "mine")
    assert (mine.owner, mine.shared) == ("local", False)
    done = [
        (entry.actor, entry.subject, entry.detail)
        for entry in audit.entries(local_user())
        if entry.action == "model.import"
    ]
    assert done == [
        ("local", f"model:{theirs.id}", {"name": "anns", "replaced": True}),
        ("ann", f"model:{theirs.id}", {"name": "anns", "replaced": False}),
        ("local", f"model:{mine.id}", {"name": "mine", "replaced": False}),
    ]


def test_a_model_is_described_and_shared(home: Path):
    family(home / "models")
    result = run("models", "describe", "lm", "Reads  our strain", "--json")
    assert json.loads(result.stdout) == {"model": "lm", "description": "Reads our strain"}
    for words, shared in (((), True), (("--off",), False)):
        result = run("models", "share", "lm", *words, "--json")
        assert json.loads(result.stdout) == {"model": "lm", "shared": shared}


def test_a_dataset_is_described_shared_and_deleted(home: Path):
    toy_dataset(home / "datasets" / "mine")
    result = run("data", "describe", "mine", "Our  promoters", "--json")
    assert json.loads(result.stdout) == {"dataset": "mine", "description": "Our promoters"}
    for words, shared in (((), True), (("--off",), False)):
        result = run("data", "share", "mine", *words, "--json")
        assert json.loads(result.stdout) == {"dataset": "mine", "shared": shared}
    assert run("data", "delete", "mine").exit_code == 0
    assert not (home / "datasets" / "mine").exists()
    result = run("data", "delete", "mine")
    assert result.exit_code == 2
    assert "no dataset 'mine'" in result.stderr
