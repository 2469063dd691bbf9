"""Who may see and do what with jobs, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_queue import begin, done, genome, people, worker

from dnalm.errors import InputError
from dnalm.lab import audit, jobs, queue
from dnalm.lab.database import Database
from dnalm.lab.job import JobState
from dnalm.lab.people import User, local_user
from dnalm.lab.schema import JobRow
from dnalm.settings import settings
from dnalm.training.config import PretrainConfig, TrainConfig
from dnalm.training.run import RunFolder


@pytest.fixture
def config(home: Path) -> PretrainConfig:
    return PretrainConfig(genomes=[str(genome(home))], minutes=1, name="toy-lm")


@pytest.fixture
def lab(db: Database) -> tuple[User, User, User]:
    """An admin and two members."""
    return (local_user(), *people("ann", "ben"))


def refused(call, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return str(caught.value)


def test_submitting_makes_a_run_folder_and_a_row(lab, config):
    _, ann, _ = lab
    job = jobs.submit(ann, config, limit_minutes=30)
    assert (job.owner, job.owner_name, job.name, job.phase, job.state) == ("ann", "Ann", "toy-lm", "pretrain", "queued")
    assert (job.devices, job.priority, job.shared, job.limit_minutes, job.attempts) == (1, 0, False, 30, 0)
    assert (job.worker, job.slots, job.handle, job.started, job.ended, job.reason) == (None, (), None, None, None, "")
    assert job.created.utcoffset().total_seconds() == 0
    assert job.run.parent == settings().runs
    assert RunFolder(job.run).document()["config"] == job.config == config.model_dump(mode="json")
    assert jobs.find(ann, job.id) == job
    assert jobs.of_run(ann, job.run.name) == job
    (entry,) = audit.entries(ann, subject=f"job:{job.id}")
    assert (entry.actor, entry.action) == ("ann", "job.submit")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"genomes": ["no-such-genome"]}, "no-such-genome: no such file"),
        ({"genomes": [], "compute": {"devices": 3}}, "compute.devices 3: the largest worker has 2 slots"),
    ],
)
def test_what_cannot_run_is_refused_and_leaves_nothing(lab, config, home, changes, sentence):
    _, ann, _ = lab
    worker("w", slots=2)
    if not changes["genomes"]:
        changes = {**changes, "genomes": config.genomes}
    wrong = PretrainConfig.model_validate({**config.model_dump(), **changes})
    assert sentence in refused(jobs.submit, ann, wrong)
    assert not settings().runs.exists()
    assert jobs.visible(ann) == []


def test_a_dataset_or_model_that_is_not_there_is_refused(lab, home):
    _, ann, _ = lab
    assert "no-set" in refused(jobs.submit, ann, TrainConfig(dataset="no-set", from_scratch=True))
    assert "no-model" in refused(jobs.submit, ann, TrainConfig(dataset="ecoli-promoters-150", model="no-model"))


def test_a_limit_of_nothing_is_refused(lab, config):
    with pytest.raises(InputError, match="limit_minutes 0"):
        jobs.submit(lab[1], config, limit_minutes=0)


def test_a_row_that_cannot_be_written_leaves_no_folder(lab, config):
    stranger = User("stranger", "Stranger", "member")  # whom the database does not know
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        jobs.submit(stranger, config)
    assert list(settings().runs.iterdir()) == []


def test_a_job_is_private_until_it_is_shared(lab, config):
    admin, ann, ben = lab
    job = jobs.submit(ann, config)
    assert [found.id for found in jobs.visible(admin)] == [job.id]
    assert [found.id for found in jobs.visible(ann)] == [job.id]
    assert jobs.visible(ben) == []
    assert jobs.visible(admin, mine=True) == []
    jobs.share(ann, job.id, True)
    assert [found.id for found in jobs.visible(ben)] == [job.id]
    assert jobs.visible(ben, mine=True) == []
    jobs.share(ann, job.id, False)
    assert jobs.visible(ben) == []


def test_a_job_that_one_may_not_see_is_as_one_that_is_not_there(lab, config):
    _, ann, ben = lab
    job = jobs.submit(ann, config)
    calls = [
        lambda job_id: jobs.find(ben, job_id),
        lambda job_id: jobs.cancel(ben, job_id),
        lambda job_id: jobs.resume(ben, job_id),
        lambda job_id: jobs.clone(ben, job_id, {}),
        lambda job_id: jobs.share(ben, job_id, True),
        lambda job_id: jobs.rename(ben, job_id, "mine"),
        lambda job_id: jobs.prioritise(ben, job_id, 1),
    ]
    for call in calls:
        assert refused(call, job.id).replace(job.id, "ID") == refused(call, "nothing").replace("nothing", "ID")
    assert jobs.of_run(ben, job.run.name) is None
    assert jobs.find(ann, job.id) == job


def test_a_shared_job_may_be_looked_at_and_cloned_but_not_changed(lab, config):
    _, ann, ben = lab
    job = jobs.submit(ann, config, shared=True)
    for call, *arguments in [
        (jobs.cancel,),
        (jobs.resume,),
        (jobs.share, False),
        (jobs.rename, "mine"),
    ]:
        assert "it is Ann's" in refused(call, ben, job.id, *arguments)
    twin = jobs.clone(ben, job.id, {"optimizer.clip": 0.5, "seed": 7})
    assert (twin.owner, twin.shared, twin.state) == ("ben", False, "queued")
    assert twin.run != job.run
    assert (twin.config["optimizer"]["clip"], twin.config["seed"]) == (0.5, 7)
    assert twin.config["optimizer"]["learning_rate"] == job.config["optimizer"]["learning_rate"]
    assert RunFolder(twin.run).document()["config"] == twin.config
    assert "optimizer.clap" in refused(jobs.clone, ben, job.id, {"optimizer.clap": 1})


def test_only_an_admin_changes_a_priority(lab, config):
    admin, ann, _ = lab
    job = jobs.submit(ann, config)
    assert "only an admin" in refused(jobs.prioritise, ann, job.id, 1)
    assert "-100 to 100" in refused(jobs.prioritise, admin, job.id, 101)
    assert jobs.prioritise(admin, job.id, 3).priority == 3
    assert audit.entries(admin, limit=1)[0].detail == {"was": 0, "now": 3}


def test_a_queued_job_is_cancelled_at_once_and_never_begins(lab, config):
    _, ann, _ = lab
    job = jobs.cancel(ann, jobs.submit(ann, config).id)
    assert (job.state, job.reason) == ("cancelled", "cancelled by Ann before it began")
    assert job.ended is not None
    worker()
    assert begin() is None
    assert "it was cancelled already" in refused(jobs.cancel, ann, job.id)


def test_a_running_job_is_asked_to_stop_and_resumed_at_the_end_of_the_queue(lab, config):
    admin, ann, _ = lab
    first, second = jobs.submit(ann, config), jobs.submit(ann, config)
    worker()
    assert begin() == first.id
    asked = jobs.cancel(admin, first.id)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert "it runs; only" in refused(jobs.resume, ann, first.id)
    assert queue.finish(first.id, "w", JobState.CANCELLED, "cancelled by local user", 130)
    again = jobs.resume(ann, first.id)
    assert (again.state, again.run, again.reason, again.cancel_requested) == ("queued", first.run, "", False)
    assert (again.ended, again.exit_code, again.worker) == (None, None, None)
    assert [begin(), again.attempts] == [second.id, 1]
    done(jobs.find(ann, second.id))
    assert queue.claim("w").attempts == 2


def test_a_job_that_is_done_is_neither_cancelled_nor_resumed(lab, config):
    _, ann, _ = lab
    job = jobs.submit(ann, config)
    worker()
    done(queue.claim("w"))
    assert "nothing to cancel" in refused(jobs.cancel, ann, job.id)
    assert "it has succeeded; only" in refused(jobs.resume, ann, job.id)


def test_a_job_whose_folder_has_gone_is_not_resumed(lab, config):
    _, ann, _ = lab
    job = jobs.cancel(ann, jobs.submit(ann, config).id)
    (job.run / "config.yaml").unlink()
    assert "has gone" in refused(jobs.resume, ann, job.id)


def test_jobs_are_listed_newest_first_by_state(lab, config, db):
    _, ann, _ = lab
    made = [jobs.submit(ann, config).id for _ in range(3)]
    with db.session() as session:  # the clock went backwards meanwhile
        session.get_one(JobRow, made[2]).created = jobs.find(ann, made[0]).created.replace(year=1999)
    assert [job.id for job in jobs.visible(ann)] == made[::-1]
    assert [job.id for job in jobs.visible(ann, limit=1)] == [made[2]]
    jobs.cancel(ann, made[1])
    assert [job.id for job in jobs.visible(ann, states=[JobState.CANCELLED])] == [made[1]]
    assert [job.id for job in jobs.visible(ann, states=[JobState.QUEUED, JobState.RUNNING])] == [made[2], made[0]]


def test_a_new_name_is_kept_and_its_folder_keeps_its_own(lab, config):
    _, ann, _ = lab
    job = jobs.submit(ann, config)
    renamed = jobs.rename(ann, job.id, "  E. coli,\n longer ")
    assert (renamed.name, renamed.run) == ("E. coli, longer", job.run)
    for wrong in ("  ", "x" * 201, "a\0b"):
        assert "1 to 200 printable characters" in refused(jobs.rename, ann, job.id, wrong)
