"""The queue from the shell: what scripts can rely on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from toy_family import language_model
from toy_models import toy_dataset
from toy_queue import done, genome, people, worker
from typer.testing import CliRunner

from dnalm.cli import app
from dnalm.errors import InputError
from dnalm.lab import index, jobs, queue
from dnalm.lab.database import database
from dnalm.lab.job import JobState
from dnalm.lab.people import add_user, local_user
from dnalm.settings import settings
from dnalm.training.config import TrainConfig

runner = CliRunner()


@pytest.fixture(autouse=True)
def lab(home: Path) -> Iterator[None]:
    database.cache_clear()
    yield
    database().dispose()
    database.cache_clear()


@pytest.fixture
def source(home: Path) -> Path:
    return genome(home)


def run(*arguments: object):
    return runner.invoke(app, [str(argument) for argument in arguments])


def submitted(source: Path, *more: object) -> str:
    result = run("jobs", "submit", "pretrain", "--set", f"genomes=[{source}]", "--set", "minutes=2", *more)
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def test_a_job_goes_through_the_queue(source: Path):
    job = submitted(source, "--name", "toy-lm")
    waits = json.loads(run("jobs", "list", "--json").stdout)["jobs"]
    assert [(one["id"], one["state"], one["waiting"]["position"]) for one in waits] == [(job, "queued", 1)]
    worker()
    begun = queue.claim("w")
    (begun.run / "progress.json").write_text(
        json.dumps({"phase": "pretrain", "step": 50, "total": 2000, "eta_s": 75, "state": "running"})
    )
    table = run("jobs", "list").stdout.splitlines()
    assert table[0].split("\t") == ["job", "name", "owner", "phase", "state", "slots", "progress"]
    assert table[1].split("\t")[-3:] == ["running", "cpu:0", "pretrain 50/2,000, 0:01:15 left"]
    assert run("jobs", "wait", job, "--minutes", "0").exit_code == 1
    done(begun)
    waited = run("jobs", "wait", job, "--json")
    assert waited.exit_code == 0
    assert json.loads(waited.stdout)["state"] == "succeeded"


def test_what_cannot_run_is_refused_before_it_waits(source: Path):
    source.write_text(">toy\nACGTACGT\n")
    result = run("jobs", "submit", "pretrain", "--set", f"genomes=[{source}]", "--set", "minutes=2")
    assert result.exit_code == 2
    assert "too short" in result.stderr
    assert not jobs.visible(local_user())


def test_a_jobs_page_has_its_configuration_and_history(source: Path):
    job = submitted(source, "--share", "--limit-minutes", "90")
    shown = json.loads(run("jobs", "show", job, "--json").stdout)
    assert (shown["shared"], shown["limit_minutes"], shown["config"]["minutes"]) == (True, 90, 2)
    assert [step["action"] for step in shown["history"]] == ["job.submit"]
    by_folder = run("jobs", "show", Path(shown["run"]).name)
    assert f"job\t{job}" in by_folder.stdout.splitlines()
    assert "genomes:" in by_folder.stdout


def test_cancel_resume_clone_and_share(source: Path):
    job = submitted(source)
    assert json.loads(run("jobs", "cancel", job, "--json").stdout)["state"] == "cancelled"
    assert run("jobs", "wait", job).exit_code == 1
    assert run("jobs", "resume", job).stdout.strip() == job
    assert jobs.find(local_user(), job).state == JobState.QUEUED
    twin = run("jobs", "clone", job, "--set", "optimizer.clip=0.5", "--set", "seed=9").stdout.strip()
    config = jobs.find(local_user(), twin).config
    assert (config["optimizer"]["clip"], config["seed"], config["minutes"]) == (0.5, 9, 2)
    run("jobs", "share", job)
    assert jobs.find(local_user(), job).shared
    run("jobs", "share", job, "--off")
    assert not jobs.find(local_user(), job).shared
    assert run("jobs", "list", "--state", "queued").stdout.count("queued") == 2


def test_priority_and_name(source: Path):
    job = submitted(source)
    assert run("jobs", "priority", job, "10").exit_code == 0
    assert run("jobs", "rename", job, "The  night run").exit_code == 0
    found = jobs.find(local_user(), job)
    assert (found.priority, found.name) == (10, "The night run")
    result = run("jobs", "priority", job, "1000")
    assert result.exit_code == 2
    assert "wanted -100 to 100" in result.stderr


def test_a_runs_own_configuration_can_be_submitted_again(source: Path):
    first = jobs.find(local_user(), submitted(source, "--name", "toy-lm"))
    second = run("jobs", "submit", first.run / "config.yaml", "--devices", "1", "--set", "seed=4").stdout.strip()
    assert jobs.find(local_user(), second).config == {**first.config, "seed": 4}


def test_waiting_ends_when_the_job_does(source: Path):
    job = submitted(source)
    worker()
    begun = queue.claim("w")
    looked = threading.Event()
    find = jobs.find

    def watched(*arguments, **choices):
        looked.set()
        return find(*arguments, **choices)

    def fail_after_the_first_look() -> None:
        assert looked.wait(30)
        queue.finish(begun.id, "w", JobState.FAILED, "out of memory", 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "find", watched)
        thread = threading.Thread(target=fail_after_the_first_look)
        thread.start()
        result = run("jobs", "wait", job)
        thread.join()
    assert result.exit_code == 1
    assert "failed: out of memory" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["submit", "nothing"], "neither a phase (pretrain, finetune, train, track, bench, scan) nor a file"),
        (["submit", "pretrain"], "field genomes"),
        (["submit", "pretrain", "--set", "genomes=[nowhere.fa]"], "nowhere.fa: no such file"),
        (["submit", "pretrain", "--set", "genomes"], "wanted FIELD=VALUE"),
        (["show", "nothing"], "no job 'nothing'"),
        (["cancel", "nothing"], "no job 'nothing'"),
        (["list", "--state", "odd"], "--state odd: wanted queued"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_exit_2(arguments: list[str], sentence: str):
    result = run("jobs", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_file_without_a_phase_is_refused(tmp_path: Path):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"genomes": ["a.fa"]}))
    result = run("jobs", "submit", tmp_path / "c.yaml")
    assert (result.exit_code, "the field phase is None" in result.stderr) == (2, True)


def test_an_empty_queue_says_what_to_do():
    result = run("jobs", "list")
    assert result.exit_code == 0
    assert "dnalm jobs submit" in result.stderr


def test_the_database_is_made_and_its_index_rebuilt(source: Path):
    made = json.loads(run("lab", "migrate", "--json").stdout)
    assert made["database"].endswith("lab.db")
    assert made["revision"] == database().revision()
    submitted(source)
    counts = json.loads(run("lab", "reindex", "--json").stdout)
    assert (counts["runs"], counts["models"], counts["datasets"]) == (1, 0, 0)


def test_an_admins_role_is_given_and_taken_at_the_shell():
    add_user(local_user(), "ann", "Ann")
    said = run("lab", "role", "ann", "admin", "--json")
    assert json.loads(said.stdout) == {"user": "ann", "name": "Ann", "role": "admin"}
    assert "Ann (ann): member" in run("lab", "role", "ann", "member").stderr
    refused = run("lab", "role", "nobody", "admin")
    assert refused.exit_code == 2
    assert "no person 'nobody'" in refused.stderr


def test_a_database_that_is_not_there_is_exit_1(monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setenv("DNALM_DATABASE_URL", "postgresql://lab:secret@127.0.0.1:1/lab")
        settings.cache_clear()
        result = run("jobs", "list")
    settings.cache_clear()
    assert result.exit_code == 1
    assert "secret" not in result.stderr


def test_a_job_cannot_read_what_its_owner_may_not_see(home: Path):
    ann, ben = people("ann", "ben")
    language_model(home / "elsewhere", "anns-lm")
    lm = index.import_model(ann, home / "elsewhere")
    toy_dataset(home / "datasets" / "anns-set")
    sequences = index.add_dataset(ann, home / "datasets" / "anns-set")
    config = TrainConfig(model=lm.name, dataset="anns-set")
    job = jobs.submit(ann, config, shared=True)
    for attempt in (lambda: jobs.submit(ben, config), lambda: jobs.clone(ben, job.id, {"seed": 1})):
        with pytest.raises(InputError, match="no model 'anns-lm' here, or none that is shared with you"):
            attempt()
    index.share_model(ann, lm.id, True)
    with pytest.raises(InputError, match="no dataset 'anns-set' here, or none that is shared with you"):
        jobs.submit(ben, config)
    index.share_dataset(ann, sequences.id, True)
    assert jobs.submit(ben, config).owner == "ben"
    assert jobs.submit(local_user(), config).owner == "local"
