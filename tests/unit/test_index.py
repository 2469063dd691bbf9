"""The index over folders: it may be lost and comes again, keeps owners, and lets nobody take what is another's."""

from __future__ import annotations

import errno
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from toy_family import classifier, family, finished_run, language_model
from toy_models import toy_dataset
from toy_queue import genome

import dnalm
from dnalm.errors import InputError, RunError
from dnalm.lab import audit, index, jobs
from dnalm.lab.database import Database
from dnalm.lab.job import Job, JobState
from dnalm.lab.people import User, add_user, local_user, users
from dnalm.lab.schema import JobRow
from dnalm.model.shelf import rename_model
from dnalm.settings import PACKAGE_ROOT, settings
from dnalm.training.config import PretrainConfig


@pytest.fixture(autouse=True)
def installation(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DNALM_SHIPPED", str(tmp_path / "shipped"))
    settings.cache_clear()
    return home


def opened(home: Path) -> Database:
    home.mkdir(parents=True, exist_ok=True)
    db = Database(f"sqlite:///{home / 'lab.db'}")
    db.migrate()
    return db


@pytest.fixture
def admin(db: Database) -> User:
    return local_user(db)


@pytest.fixture
def ada(db: Database, admin: User) -> User:
    return add_user(admin, "ada", "Ada", db=db)


@pytest.fixture
def bob(db: Database, admin: User) -> User:
    return add_user(admin, "bob", "Bob", db=db)


def queued(db: Database, owner: User, run: str, *, state: str = "queued", shared: bool = False, **config) -> None:
    with db.session() as session:
        values = {"number": hash(run) % 10**9, "ticket": 1, "owner_id": owner.id, "name": run, "phase": "train"}
        session.add(JobRow(id=run, state=state, run=run, config=config, shared=shared, backend="local", **values))


def names(found) -> list[str]:
    return sorted(one.name for one in found)


def facts(db: Database, user: User) -> list:
    """Everything that the index answers, but ids."""
    said = [
        (one.name, one.kind, one.folder, one.owner, one.shared, one.description, one.parents, one.created)
        for one in index.models(user, db=db)
    ]
    said += [(one.name, one.folder, one.owner, one.rows, one.labels) for one in index.datasets(user, db=db)]
    said += [(one.name, one.folder, one.owner, one.phase, one.created) for one in index.runs(user, db=db)]
    drawn = index.lineage(user, db=db)
    edges = [(drawn.node(above).name, drawn.node(below).name) for above, below in drawn.edges]
    return [sorted(map(str, said)), sorted(edges)]


def test_a_lost_database_comes_back_from_the_folders(home: Path):
    db = opened(home)
    admin = local_user(db)
    family(home / "models")
    finished_run(home, "pretrain-1", name="from-a-run", seed=9)
    toy_dataset(home / "datasets" / "mine", title="Our promoters")
    first = index.reindex(db)
    assert (first.models, first.datasets, first.runs, first.came) == (5, 1, 1, ("from-a-run",))
    assert first.added == 7
    assert first.unreadable == ()
    before = facts(db, admin)
    db.dispose()
    for file in home.glob("lab.db*"):
        file.unlink()
    fresh = opened(home)
    again = index.reindex(fresh)
    assert again.added == 7
    assert again.came == ()
    assert facts(fresh, local_user(fresh)) == before
    assert index.reindex(fresh).added == 0
    assert facts(fresh, local_user(fresh)) == before
    fresh.dispose()


def test_a_lost_database_gives_back_owners_shares_and_descriptions(home: Path):
    db = opened(home)
    admin = local_user(db)
    ada, bob = (add_user(admin, name, name.capitalize(), db=db) for name in ("ada", "bob"))
    language_model(home / "elsewhere", "lm", 1)
    lm = index.import_model(ada, home / "elsewhere", name="adas-lm", shared=True, db=db)
    index.describe_model(ada, lm.id, "Reads our strain", db=db)
    index.rename_model(ada, lm.id, "strain-7", db=db)
    for name in ("mine", "private", "plain"):
        toy_dataset(home / "datasets" / name, title="As made")
    mine = index.add_dataset(bob, home / "datasets" / "mine", db=db)
    index.describe_dataset(bob, mine.id, "Boxes of our strain", db=db)
    index.share_dataset(bob, mine.id, True, db=db)
    index.add_dataset(bob, home / "datasets" / "private", description="Not yet published", db=db)
    (home.parent / "shipped" / "data").mkdir(parents=True)
    shutil.copy(PACKAGE_ROOT / "data" / "catalog.yaml", home.parent / "shipped" / "data")
    told = PretrainConfig(genomes=[str(genome(home))], minutes=1, name="adas-run")
    job = jobs.submit(ada, told, db=db)
    jobs.share(ada, job.id, True, db=db)
    jobs.rename(ada, job.id, "The night run", db=db)
    other = jobs.submit(bob, told, db=db)
    finished_run(home, "pretrain-1", name="bobs-lm", seed=9)
    queued(db, bob, "pretrain-1", state="succeeded", shared=True)
    index.reindex(db)
    before = facts(db, admin), seen(db, ada), seen(db, bob)
    assert {"strain-7", "bobs-lm", "mine", job.run.name} <= seen(db, ada)
    assert not {"private", "plain", other.run.name} & seen(db, ada)
    db.dispose()
    for file in home.glob("lab.db*"):
        file.unlink()
    fresh = opened(home)
    index.reindex(fresh)
    assert (facts(fresh, local_user(fresh)), seen(fresh, ada), seen(fresh, bob)) == before
    assert index.dataset(bob, "mine", db=fresh).description == "Boxes of our strain"
    assert [(one.id, one.name, one.role) for one in users(ada, db=fresh)] == [
        ("ada", "Ada", "member"),
        ("bob", "Bob", "member"),
        ("local", "local user", "admin"),
    ]
    (run,) = [one for one in index.runs(ada, db=fresh) if one.name == job.run.name]
    assert (run.owner_name, run.shared, run.description) == ("Ada", True, "The night run")
    fresh.dispose()


def seen(db: Database, user: User) -> set[str]:
    """Names of what a person may see."""
    return {one.name for look in (index.models, index.datasets, index.runs) for one in look(user, db=db)}


def test_what_was_there_before_there_were_notes_gets_them(home: Path, db: Database, ada: User):
    toy_dataset(home / "datasets" / "mine")
    index.add_dataset(ada, home / "datasets" / "mine", shared=True, db=db)
    note = home / "datasets" / "mine" / "lab.json"
    note.unlink()
    index.reindex(db)
    assert json.loads(note.read_text()) == {"owner": "ada", "owner_name": "Ada", "shared": True, "description": None}
    # Where both are there, the database is right.
    note.write_text(json.dumps({"owner": "mallory", "owner_name": "M", "shared": False, "description": None}))
    index.reindex(db)
    assert json.loads(note.read_text())["owner"] == "ada"
    assert index.dataset(ada, "mine", db=db).shared


@pytest.mark.parametrize("text", ["", "[", "[]", '{"owner": 3, "shared": true}', '{"owner": "ada"}', "x" * 100_000])
def test_a_damaged_note_says_nothing(home: Path, text: str):
    toy_dataset(home / "datasets" / "mine")
    (home / "datasets" / "mine" / "lab.json").write_text(text)
    fresh = opened(home)
    (found,) = index.datasets(local_user(fresh), db=fresh)
    assert (found.owner, found.shared) == ("local", False)
    fresh.dispose()


def test_what_cannot_be_written_beside_the_folder_is_not_done(home: Path, db: Database, ada: User, monkeypatch):
    toy_dataset(home / "datasets" / "mine")
    mine = index.add_dataset(ada, home / "datasets" / "mine", db=db)

    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dnalm.lab.notes.write_whole", full)
    with pytest.raises(RunError, match=r"lab\.json: cannot be written \(no space left on device\)"):
        index.share_dataset(ada, mine.id, True, db=db)
    assert not index.dataset(ada, "mine", db=db).shared


@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(["rename", "describe", "delete", "new", "remove", "run"]), st.integers(0, 5)),
        max_size=6,
    )
)
def test_whatever_was_done_a_lost_database_gives_the_same_answers(home: Path, changes):
    shutil.rmtree(home, ignore_errors=True)
    db = opened(home)
    user = local_user(db)
    family(home / "models")
    for number, (what, which) in enumerate(changes):
        found = index.models(user, db=db)
        if what == "new":
            language_model(home / "models" / f"made-{number}", f"made-{number}", which)
        elif what == "run":
            finished_run(home, f"run-{number}", name="lm", seed=which)
        elif found:
            chosen = found[which % len(found)]
            try:
                if what == "rename":
                    index.rename_model(user, chosen.id, f"renamed-{number}", db=db)
                elif what == "describe":
                    index.describe_model(user, chosen.id, f"described {number}", db=db)
                elif what == "delete":
                    index.delete_model(user, chosen.id, db=db)
                else:
                    shutil.rmtree(chosen.folder)
            except InputError as error:
                assert "cannot be deleted" in str(error)
    index.reindex(db)
    before = facts(db, user)
    assert index.reindex(db).added == 0
    assert facts(db, user) == before
    db.dispose()
    for file in home.glob("lab.db*"):
        file.unlink()
    fresh = opened(home)
    index.reindex(fresh)
    assert facts(fresh, local_user(fresh)) == before
    fresh.dispose()


def test_the_index_keeps_up_without_being_told(home: Path, db: Database, admin: User):
    made = family(home / "models")
    assert names(index.models(admin, db=db)) == ["caller", "lm", "other-caller", "tuned"]
    shutil.rmtree(made["caller"].folder)
    language_model(home / "models" / "more", "more", 7)
    assert names(index.models(admin, db=db)) == ["lm", "more", "other-caller", "tuned"]


def test_a_disk_that_comes_back_has_its_owners_again(home: Path, db: Database, admin: User, ada: User):
    family(home / "models")
    lm = index.import_model(ada, home / "models" / "lm", name="adas", shared=True, db=db)
    known = len(index.models(admin, db=db))
    (home / "models").rename(home / "unplugged")
    assert index.models(ada, db=db) == []
    assert index.reindex(db).missing == known == 5  # the family of four, and hers
    (home / "unplugged").rename(home / "models")
    (again,) = [one for one in index.models(ada, db=db) if one.name == "adas"]
    assert (again.id, again.owner_name, again.shared) == (lm.id, "Ada", True)


def test_a_model_that_was_renamed_by_a_command_keeps_its_owner(home: Path, db: Database, ada: User, bob: User):
    language_model(home / "elsewhere", "lm", 1)
    lm = index.import_model(ada, home / "elsewhere", db=db)
    rename_model("lm", "other")
    (found,) = index.models(ada, db=db)
    assert (found.id, found.name, found.owner) == (lm.id, "other", "ada")
    assert index.models(bob, db=db) == []


def test_what_is_private_is_seen_by_its_owner_and_admins_alone(
    home: Path, db: Database, admin: User, ada: User, bob: User
):
    language_model(home / "elsewhere", "lm", 1)
    lm = index.import_model(ada, home / "elsewhere", db=db)
    assert names(index.models(ada, db=db)) == names(index.models(admin, db=db)) == ["lm"]
    assert index.models(bob, db=db) == []
    for act in (index.model, index.lineage):
        with pytest.raises(InputError, match="none that is shared with you"):
            act(bob, lm.id, db=db)
    with pytest.raises(InputError, match="none that is shared"):
        index.export_model(bob, lm.id, home / "x.zip", db=db)
    index.share_model(ada, lm.id, True, db=db)
    assert names(index.models(bob, db=db)) == ["lm"]


@pytest.mark.parametrize("shared", [False, True])
def test_nobody_changes_what_is_anothers(home: Path, db: Database, ada: User, bob: User, shared: bool):
    language_model(home / "elsewhere", "lm", 1)
    lm = index.import_model(ada, home / "elsewhere", shared=shared, db=db)
    sentence = "it is Ada's|is Ada's; only they" if shared else "none that is shared"
    for act in (
        lambda: index.rename_model(bob, lm.id, "mine", db=db),
        lambda: index.describe_model(bob, lm.id, "mine", db=db),
        lambda: index.share_model(bob, lm.id, True, db=db),
        lambda: index.delete_model(bob, lm.id, db=db),
    ):
        with pytest.raises(InputError, match=sentence):
            act()
    assert index.model(ada, "lm", db=db) == lm


def test_every_change_is_in_the_audit(home: Path, db: Database, admin: User):
    language_model(home / "elsewhere", "lm", 1)
    lm = index.import_model(admin, home / "elsewhere", db=db)
    index.rename_model(admin, lm.id, "new", db=db)
    index.describe_model(admin, lm.id, "What it is", db=db)
    index.share_model(admin, lm.id, True, db=db)
    index.delete_model(admin, lm.id, db=db)
    done = [entry.action for entry in audit.entries(admin, subject=f"model:{lm.id}", db=db)]
    assert done == ["model.delete", "model.share", "model.describe", "model.rename", "model.import", "model.found"]


def test_a_rename_keeps_the_id_and_the_lineage_and_is_what_load_finds(home: Path, db: Database, admin: User):
    family(home / "models")
    lm = index.model(admin, "lm", db=db)
    renamed = index.rename_model(admin, lm.id, "strain-7", db=db)
    assert (renamed.id, renamed.folder) == (lm.id, home / "models" / "strain-7")
    assert dnalm.load("strain-7").config.name == "strain-7"
    drawn = index.lineage(admin, lm.id, db=db)
    assert {drawn.node(child).name for parent, child in drawn.edges if parent == lm.id} == {"tuned", "other-caller"}
    with pytest.raises(InputError, match="no model"):
        dnalm.load("lm")


def test_a_taken_name_leaves_row_and_folder_as_they_were(home: Path, db: Database, admin: User):
    family(home / "models")
    before = facts(db, admin)
    for name in ("tuned", "../out", ""):
        with pytest.raises(InputError, match="name"):
            index.rename_model(admin, index.model(admin, "lm", db=db).id, name, db=db)
    assert facts(db, admin) == before


def test_the_name_of_a_model_that_vanished_can_be_given_again(home: Path, db: Database, admin: User):
    made = family(home / "models")
    index.models(admin, db=db)
    shutil.rmtree(made["caller"].folder)
    renamed = index.rename_model(admin, index.model(admin, "other-caller", db=db).id, "caller", db=db)
    assert renamed.name == "caller"
    assert names(index.models(admin, db=db)) == ["caller", "lm", "tuned"]


def test_a_description_stands_in_the_models_own_file(home: Path, db: Database, admin: User):
    family(home / "models")
    found = index.describe_model(admin, index.model(admin, "lm", db=db).id, "Of our\nstrain", db=db)
    assert found.description == "Of our strain"
    assert json.loads((home / "models" / "lm" / "config.json").read_text())["description"] == "Of our strain"


def test_what_others_came_from_is_not_deleted_and_says_which(home: Path, db: Database, admin: User):
    family(home / "models")
    lm, tuned, caller = (index.model(admin, name, db=db) for name in ("lm", "tuned", "caller"))
    with pytest.raises(InputError, match="lm cannot be deleted: made from it: caller, other-caller, tuned"):
        index.delete_model(admin, lm.id, db=db)
    with pytest.raises(InputError, match=r"made from it: caller$"):
        index.delete_model(admin, tuned.id, db=db)
    index.delete_model(admin, caller.id, db=db)
    index.delete_model(admin, tuned.id, db=db)
    assert names(index.models(admin, db=db)) == ["lm", "other-caller"]
    assert not (home / "models" / "tuned").exists()


def test_other_peoples_children_are_counted_and_not_named(home: Path, db: Database, admin: User, ada: User):
    made = family(home / "elsewhere")
    index.import_model(admin, made["tuned"].folder, name="secret-project", db=db)
    lm = index.import_model(ada, made["lm"].folder, db=db)
    with pytest.raises(InputError, match=r"made from it: 1 of other people$"):
        index.delete_model(ada, lm.id, db=db)


@pytest.mark.parametrize("state", list(JobState))
def test_a_model_that_a_job_is_about_to_read_stays(home: Path, db: Database, admin: User, ada: User, state: JobState):
    language_model(home / "elsewhere", "lm", 1)
    lm = index.import_model(ada, home / "elsewhere", db=db)
    queued(db, ada, "train-1", state=state, model="lm")
    if state in (JobState.QUEUED, JobState.RUNNING):
        with pytest.raises(InputError, match=r"lm cannot be deleted while jobs .* start from it: train-1"):
            index.delete_model(ada, lm.id, db=db)
        with pytest.raises(InputError, match="cannot be renamed"):
            index.rename_model(ada, lm.id, "other", db=db)
        assert (home / "models" / "lm").is_dir()
    else:
        index.delete_model(ada, lm.id, db=db)


def test_what_ships_is_everyones_and_cannot_be_changed(
    home: Path, tmp_path: Path, db: Database, bob: User, admin: User
):
    language_model(tmp_path / "shipped" / "models" / "ecoli-lm", "ecoli-lm", 1)
    (shipped,) = index.models(bob, db=db)
    assert (shipped.name, shipped.shipped, shipped.shared) == ("ecoli-lm", True, True)
    with pytest.raises(InputError, match="ecoli-lm comes with dnalm"):
        index.delete_model(admin, shipped.id, db=db)


def job_of(home: Path, owner: User, run: str, *, shared: bool) -> Job:
    nothing = dict.fromkeys(("limit_minutes", "worker", "handle", "started", "ended", "exit_code"))
    return Job(
        id=run,
        owner=owner.id,
        owner_name=owner.name,
        name=run,
        phase="pretrain",
        state=JobState.SUCCEEDED,
        run=home / "runs" / run,
        config={},
        devices=1,
        priority=0,
        shared=shared,
        backend="local",
        slots=(),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        attempts=1,
        reason="",
        cancel_requested=False,
        **nothing,
    )


@pytest.mark.parametrize("shared", [False, True])
def test_a_finished_jobs_model_is_its_owners_and_shared_as_the_job_is(
    home: Path, db: Database, ada: User, bob: User, shared: bool
):
    finished_run(home, "pretrain-1", name="adas-lm")
    queued(db, ada, "pretrain-1", state="succeeded", shared=shared)
    job = job_of(home, ada, "pretrain-1", shared=shared)
    assert index.run_finished(job, db) == ["adas-lm"]
    assert index.run_finished(job, db) == []
    (found,) = index.models(ada, db=db)
    assert (found.name, found.owner, found.shared, found.run) == ("adas-lm", "ada", shared, "pretrain-1")
    assert names(index.models(bob, db=db)) == (["adas-lm"] if shared else [])
    (run,) = index.runs(ada, db=db)
    assert (run.name, run.phase, run.job) == ("pretrain-1", "pretrain", "pretrain-1")
    assert names(index.runs(bob, db=db)) == (["pretrain-1"] if shared else [])


def test_a_damaged_folder_is_told_and_the_others_are_there(home: Path, db: Database, admin: User):
    family(home / "models")
    (home / "models" / "lm" / "config.json").write_text("{")
    (home / "datasets" / "bad").mkdir(parents=True)
    (home / "datasets" / "bad" / "dataset.json").write_text("[")
    (home / "runs" / "bad").mkdir(parents=True)
    (home / "runs" / "bad" / "config.yaml").write_text("[")
    counts = index.reindex(db)
    assert (counts.models, counts.datasets, counts.runs) == (3, 0, 0)
    assert len(counts.unreadable) == 3
    assert names(index.models(admin, db=db)) == ["caller", "other-caller", "tuned"]
    assert "lm/config.json: not JSON" in index.unreadable(admin, db=db)[0]


def test_what_cannot_be_read_is_told_to_whom_it_concerns(home: Path, db: Database, admin: User, ada: User, bob: User):
    language_model(home / "elsewhere", "lm", 1)
    index.import_model(ada, home / "elsewhere", db=db)
    (home / "models" / "lm" / "config.json").write_text("{")
    assert [len(index.unreadable(user, db=db)) for user in (admin, ada, bob)] == [1, 1, 0]


def test_datasets_have_owners_too(home: Path, db: Database, ada: User, bob: User):
    toy_dataset(home / "datasets" / "mine", title="Our promoters")
    added = index.add_dataset(ada, home / "datasets" / "mine", db=db)
    assert (added.name, added.owner, added.rows, added.description) == ("mine", "ada", 96, "Our promoters")
    assert (added.labels, added.positive) == (("background", "promoter"), "promoter")
    assert index.datasets(bob, db=db) == []
    index.share_dataset(ada, added.id, True, db=db)
    assert names(index.datasets(bob, db=db)) == ["mine"]
    with pytest.raises(InputError, match="Ada's"):
        index.share_dataset(bob, added.id, False, db=db)
    with pytest.raises(InputError, match="a folder in"):
        index.add_dataset(ada, home, db=db)


def test_a_datasets_description_is_kept_and_can_be_taken_back(home: Path, db: Database, ada: User, bob: User):
    toy_dataset(home / "datasets" / "mine", title="Our promoters")
    added = index.add_dataset(ada, home / "datasets" / "mine", shared=True, db=db)
    found = index.describe_dataset(ada, added.id, "Boxes of\nour strain", db=db)
    assert found.description == "Boxes of our strain"
    # It outlives a change of the set's own files, which keep what they said.
    toy_dataset(home / "datasets" / "mine", seed=1, title="Our promoters, again")
    assert index.dataset(bob, "mine", db=db).description == "Boxes of our strain"
    assert index.describe_dataset(ada, added.id, " ", db=db).description == "Our promoters, again"
    with pytest.raises(InputError, match="Ada's"):
        index.describe_dataset(bob, added.id, "mine", db=db)
    with pytest.raises(InputError, match="at most 2,000 letters; this one has 2,001"):
        index.describe_dataset(ada, added.id, "x" * 2001, db=db)
    done = [entry.action for entry in audit.entries(local_user(db), subject=f"dataset:{added.id}", db=db)]
    assert done == ["dataset.describe", "dataset.describe", "dataset.add", "dataset.found"]


def test_a_deleted_dataset_is_gone_with_its_row(home: Path, db: Database, ada: User, bob: User):
    toy_dataset(home / "datasets" / "mine")
    added = index.add_dataset(ada, home / "datasets" / "mine", shared=True, db=db)
    with pytest.raises(InputError, match="Ada's"):
        index.delete_dataset(bob, added.id, db=db)
    index.delete_dataset(ada, added.id, db=db)
    assert index.datasets(ada, db=db) == []
    assert list((home / "datasets").iterdir()) == []
    with pytest.raises(InputError, match="no dataset"):
        index.delete_dataset(ada, added.id, db=db)
    assert audit.entries(ada, limit=1, db=db)[0].action == "dataset.delete"


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("config", [{"dataset": "mine"}, {"pretrain": {"exclude_matches": "mine"}}])
def test_a_dataset_that_a_job_is_about_to_read_stays(home: Path, db: Database, ada: User, bob: User, state, config):
    toy_dataset(home / "datasets" / "mine")
    added = index.add_dataset(ada, home / "datasets" / "mine", shared=True, db=db)
    queued(db, ada, "train-1", state=state, **config)
    queued(db, bob, "train-2", state=state, dataset=str(home / "datasets" / "mine"))
    queued(db, bob, "train-3", dataset="another")
    if state in (JobState.QUEUED, JobState.RUNNING):
        for act in (index.check_dataset_deletable, index.delete_dataset):
            with pytest.raises(InputError, match=r"mine cannot .* wait or run read it: train-1, 1 of other people$"):
                act(ada, added.id, db=db)
        assert (home / "datasets" / "mine").is_dir()
    else:
        index.delete_dataset(ada, added.id, db=db)


def test_a_dataset_that_a_model_learnt_from_stays_and_says_which(home: Path, db: Database, admin: User):
    made = toy_dataset(home / "datasets" / "mine")
    mine = index.dataset(admin, "mine", db=db)
    classifier(home / "models" / "other", "other", 1, data="e" * 64)
    index.check_dataset_deletable(admin, mine.id, db=db)
    classifier(home / "models" / "caller", "caller", 2, data=made.sha256())
    index.models(admin, db=db)
    with pytest.raises(InputError, match=r"mine cannot be deleted: trained on it: caller; delete those first$"):
        index.delete_dataset(admin, mine.id, db=db)
    # A copy of the set holds the same sequences: then this one may go.
    toy_dataset(home / "datasets" / "copy")
    index.delete_dataset(admin, mine.id, db=db)
    copy = index.dataset(admin, "copy", db=db)
    with pytest.raises(InputError, match="caller"):
        index.delete_dataset(admin, copy.id, db=db)
    index.delete_model(admin, index.model(admin, "caller", db=db).id, db=db)
    index.delete_dataset(admin, copy.id, db=db)


def test_what_a_recipe_makes_is_not_kept_for_its_models(home: Path, db: Database, admin: User):
    made = toy_dataset(home / "datasets" / "ecoli-sigma70-81")
    classifier(home / "models" / "caller", "caller", 2, data=made.sha256())
    index.models(admin, db=db)
    index.delete_dataset(admin, index.dataset(admin, "ecoli-sigma70-81", db=db).id, db=db)
    assert index.datasets(admin, db=db) == []


def test_what_a_kill_left_of_a_delete_is_cleared(home: Path, db: Database):
    toy_dataset(home / "datasets" / ".gone-x" / "mine")
    assert index.reindex(db).datasets == 0
    assert list((home / "datasets").iterdir()) == []
