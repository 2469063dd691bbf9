"""Runs that no job made are described, shared and deleted as models and sets are; a job's run as its job is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from toy_family import finished_run
from toy_queue import genome, people
from typer.testing import CliRunner

from dnalm.cli import app
from dnalm.errors import InputError
from dnalm.lab import audit, index, jobs, runs
from dnalm.lab.database import Database
from dnalm.lab.job import JobState
from dnalm.lab.notes import Note, write_note
from dnalm.lab.people import User, local_user
from dnalm.lab.schema import JobRow
from dnalm.locks import RUN_LOCK, held
from dnalm.settings import settings
from dnalm.training.config import PretrainConfig


def made_by(home: Path, owner: User, name: str = "pretrain-1") -> Path:
    """A finished run of this person, that no job made."""
    folder = finished_run(home, name, name="shell-lm")
    write_note(folder, Note(owner.id, owner.name, False))
    return folder


def test_a_run_is_its_owners_alone_until_it_is_shared(home: Path, db: Database):
    ann, ben = people("ann", "ben")
    made_by(home, ann)
    (run,) = runs.runs(ann)
    assert (run.owner_name, run.shared, run.job, run.description) == ("Ann", False, None, "shell-lm")
    for change in (
        lambda: runs.describe_run(ben, run.id, "mine"),
        lambda: runs.share_run(ben, run.name, True),
        lambda: runs.delete_run(ben, run.name),
    ):
        with pytest.raises(InputError, match=r"no run .* here, or none that is shared with you"):
            change()
    assert runs.share_run(ann, run.name, True).shared
    assert [one.name for one in runs.runs(ben)] == ["pretrain-1"]
    for change in (
        lambda: runs.describe_run(ben, run.id, "mine"),
        lambda: runs.share_run(ben, run.name, False),
        lambda: runs.check_run_deletable(ben, run.name),
        lambda: runs.delete_run(ben, run.name),
    ):
        with pytest.raises(InputError, match="pretrain-1 is Ann's; only they or an admin may"):
            change()
    assert runs.describe_run(ann, run.name, " Half\nthe data ").description == "Half the data"
    assert runs.run(ben, run.name).description == "Half the data"
    done = [one.action for one in audit.entries(ann) if one.subject == f"run:{run.id}" and one.actor == "ann"]
    assert done == ["run.describe", "run.share"]
    # A lost database gives it all back.
    with db.session() as session:
        session.execute(text("DELETE FROM runs"))
    index.reindex(db)
    (again,) = runs.runs(ann)
    assert (again.owner, again.shared, again.description) == ("ann", True, "Half the data")
    assert runs.describe_run(ann, run.name, "").description == "shell-lm"
    assert not runs.share_run(ann, run.name, False).shared
    assert runs.runs(ben) == []


def test_a_run_is_deleted_and_its_model_stays(home: Path, db: Database):
    (ann,) = people("ann")
    folder = made_by(home, ann)
    with held(folder / RUN_LOCK), pytest.raises(InputError, match="a process still writes its run folder"):
        runs.delete_run(ann, "pretrain-1")
    with db.session() as session:
        values = {"number": 9, "ticket": 9, "owner_id": "ann", "phase": "finetune", "backend": "local"}
        told = {"model": str(folder)}
        session.add(JobRow(id="next", name="next", state="queued", run="next", config=told, **values))
    for ask in (runs.check_run_deletable, runs.delete_run):
        with pytest.raises(InputError, match="start from it: next"):
            ask(ann, "pretrain-1")
    jobs.cancel(ann, "next")
    runs.check_run_deletable(ann, "pretrain-1")
    runs.delete_run(ann, "pretrain-1")
    assert list(settings().runs.iterdir()) == []
    assert runs.runs(local_user()) == []
    assert [(one.name, one.owner) for one in index.models(ann) if not one.shipped] == [("shell-lm", "ann")]
    assert "run.delete" in [one.action for one in audit.entries(ann)]


def test_a_jobs_run_is_shared_named_and_deleted_as_the_job_is(home: Path, db: Database):
    ann, ben = people("ann", "ben")
    job = jobs.submit(ann, PretrainConfig(genomes=[str(genome(home))], minutes=1, name="lm"))
    assert runs.share_run(ann, job.run.name, True).shared
    assert jobs.find(ben, job.id).shared
    runs.describe_run(ann, job.run.name, "The night run")
    assert jobs.find(ann, job.id).name == "The night run"
    with pytest.raises(InputError, match=r"it is Ann's"):
        runs.share_run(ben, job.run.name, False)
    with pytest.raises(InputError, match="cancel it first"):
        runs.delete_run(ann, job.run.name)
    assert jobs.cancel(ann, job.id).state == JobState.CANCELLED
    runs.delete_run(ann, job.run.name)
    assert not job.run.exists()
    assert jobs.visible(ann) == []


def test_the_shell_describes_shares_and_deletes(home: Path, db: Database):
    folder = finished_run(home, "pretrain-1", name="shell-lm")
    run = CliRunner().invoke
    said = json.loads(run(app, ["runs", "share", "pretrain-1", "--json"]).stdout)
    assert said == {"run": "pretrain-1", "shared": True}
    assert "private" in run(app, ["runs", "share", "pretrain-1", "--off"]).stderr
    said = json.loads(run(app, ["runs", "describe", "pretrain-1", "Half the data", "--json"]).stdout)
    assert said == {"run": "pretrain-1", "description": "Half the data"}
    refused = run(app, ["runs", "delete", "pretrain"])
    assert refused.exit_code == 2
    assert "no run 'pretrain' here" in refused.stderr
    assert run(app, ["runs", "delete", "pretrain-1"]).exit_code == 0
    assert not folder.exists()
