"""What a person's things take, and that a launch is held to it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from toy_family import finished_run, language_model
from toy_models import toy_dataset
from toy_queue import genome, people
from typer.testing import CliRunner

from dnalm.cli import app
from dnalm.errors import InputError
from dnalm.lab import index, jobs
from dnalm.lab.database import Database
from dnalm.lab.job import JobState
from dnalm.lab.people import local_user
from dnalm.lab.schema import JobRow
from dnalm.lab.usage import folder_size, refuse_over_quota, uploads_folder, usage, usages
from dnalm.settings import settings
from dnalm.training.config import PretrainConfig


def allow(gb: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNALM_QUOTA_GB", str(gb))
    settings.cache_clear()


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_each_person_has_is_counted_once_and_by_kind(home: Path, db: Database):
    ann, ben = people("ann", "ben")
    toy_dataset(home / "datasets" / "anns-set")
    index.add_dataset(ann, home / "datasets" / "anns-set")
    language_model(home / "elsewhere", "bens-lm", 1)
    index.import_model(ben, home / "elsewhere")
    told = PretrainConfig(genomes=[str(genome(home))], minutes=1, name="anns-run")
    job = jobs.submit(ann, told)
    (job.run / "checkpoint").mkdir()
    (job.run / "checkpoint" / "much").write_bytes(bytes(300_000))
    upload = uploads_folder("ann") / "upload-0" / "t.csv"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(bytes(200))
    found = usage(ann)
    assert found.bytes_of == {
        "run": size(job.run),
        "model": 0,
        "set": size(home / "datasets" / "anns-set"),
        "uploads": 200,
    }
    assert found.total == sum(found.bytes_of.values())
    assert (found.largest[0].kind, found.largest[0].name) == ("run", job.run.name)
    assert usage(ben).bytes_of["model"] == size(home / "models" / "bens-lm")
    assert [one.owner for one in usages(local_user())] == ["ann", "ben", "local"]
    assert [one.owner for one in usages(ben)] == ["ben"]


def test_a_model_that_is_the_runs_own_files_takes_no_room_twice(home: Path, db: Database):
    run = finished_run(home, "pretrain-1", name="lm")
    index.reindex()
    found = usage(local_user())
    assert found.bytes_of["run"] == size(run)
    # All but config.json, which was written anew under the model's name, are the same files.
    assert found.bytes_of["model"] < size(home / "models" / "lm") / 2
    os.link(run / "result.json", home / "again")
    assert folder_size(run, set()) == size(run)


def test_a_launch_over_quota_is_refused_and_says_what_to_do(home: Path, db: Database, monkeypatch):
    ann, ben = people("ann", "ben")
    told = PretrainConfig(genomes=[str(genome(home))], minutes=1, name="big")
    allow(0.001, monkeypatch)
    job = jobs.submit(ann, told)
    (job.run / "much").write_bytes(bytes(1_100_000))
    for launch in (lambda: jobs.submit(ann, told), lambda: jobs.clone(ann, job.id, {"seed": 1})):
        with pytest.raises(InputError) as caught:
            launch()
        sentence = str(caught.value)
        assert "take 1.1 MB of the 1.0 MB that a person may have" in sentence
        assert f"most is the run {job.run.name} (1.1 MB)" in sentence
        assert "dnalm jobs delete" in sentence
    assert len(list(settings().runs.iterdir())) == 1
    jobs.submit(ben, told)
    # Done as the sentence says, it can be launched again.
    jobs.cancel(ann, job.id)
    jobs.delete(ann, job.id)
    jobs.submit(ann, told)


def test_without_a_quota_nothing_is_measured(home: Path, db: Database, monkeypatch):
    monkeypatch.setattr("dnalm.lab.usage.usage", lambda *a, **k: pytest.fail("measured"))
    refuse_over_quota(local_user())


@pytest.mark.parametrize("state", list(JobState))
def test_a_job_that_has_ended_can_be_deleted_with_its_run(home: Path, db: Database, state: JobState):
    ann, ben = people("ann", "ben")
    job = jobs.submit(ann, PretrainConfig(genomes=[str(genome(home))], minutes=1, name="lm"), shared=True)
    with db.session() as session:
        session.get_one(JobRow, job.id).state = state
    with pytest.raises(InputError, match=r"it is Ann's"):
        jobs.delete(ben, job.id)
    if state in (JobState.QUEUED, JobState.RUNNING):
        with pytest.raises(InputError, match="cancel it first"):
            jobs.delete(ann, job.id)
        assert job.run.is_dir()
        return
    language_model(job.run / "bundle", "lm", 1)
    (job.run / "result.json").write_text("{}")
    jobs.delete(ann, job.id)
    assert list(settings().runs.iterdir()) == []
    with pytest.raises(InputError, match="no job"):
        jobs.find(ann, job.id)
    assert index.runs(ann) == []
    # What came of it has its own place.
    assert [(one.name, one.owner) for one in index.models(ann) if not one.shipped] == [("lm", "ann")]


def test_a_run_that_a_waiting_job_starts_from_stays(home: Path, db: Database):
    (ann,) = people("ann")
    job = jobs.submit(ann, PretrainConfig(genomes=[str(genome(home))], minutes=1, name="lm"))
    jobs.cancel(ann, job.id)
    language_model(job.run / "bundle", "lm", 1)
    with db.session() as session:
        values = {"number": 99, "ticket": 99, "owner_id": "ann", "phase": "finetune", "backend": "local"}
        told = {"model": str(job.run)}
        session.add(JobRow(id="next", name="next", state="queued", run="next", config=told, **values))
    with pytest.raises(InputError, match="start from it: next"):
        jobs.delete(ann, job.id)


def test_the_shell_shows_use_and_deletes(home: Path, db: Database):
    job = jobs.submit(local_user(), PretrainConfig(genomes=[str(genome(home))], minutes=1, name="lm"))
    jobs.cancel(local_user(), job.id)
    said = json.loads(CliRunner().invoke(app, ["lab", "usage", "--json"]).stdout)
    assert said["quota_bytes"] is None
    assert said["people"][0]["user"] == "local"
    assert said["people"][0]["run"] == size(job.run)
    result = CliRunner().invoke(app, ["lab", "usage"])
    assert "local user" in result.stdout
    assert "DNALM_QUOTA_GB" in result.stderr
    assert CliRunner().invoke(app, ["jobs", "delete", job.id]).exit_code == 0
    assert not job.run.exists()
