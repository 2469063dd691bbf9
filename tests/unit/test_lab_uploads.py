"""Uploaded sequences: private until shared, kept once for all who brought them, never taken from one by another."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text
from toy_family import language_model
from toy_queue import enqueue, people
from typer.testing import CliRunner

from dnalm.cli import app
from dnalm.errors import InputError
from dnalm.lab import audit, index, jobs, upload_store, uploads
from dnalm.lab.database import Database, database
from dnalm.lab.job import JobState
from dnalm.lab.people import User, local_user
from dnalm.lab.schema import JobRow, UploadRow
from dnalm.lab.usage import usage
from dnalm.settings import settings
from dnalm.training.config import PretrainConfig

FASTA = b">one\n" + b"ACGTTGCA" * 2000 + b"\n"


def brought(user: User, name: str = "mine.fa", content: bytes = FASTA) -> uploads.IndexedUpload:
    """What a page hands over: a checked file."""
    settings().cache.mkdir(parents=True, exist_ok=True)
    file = settings().cache / "checked"
    file.write_bytes(content)
    return uploads.add_upload(user, file, hashlib.sha256(content).hexdigest(), name)


def seen(user: User) -> list[tuple[str, str, bool]]:
    return [(one.name, one.owner, one.shared) for one in uploads.uploads(user)]


def done(user: User) -> list[tuple[str, str]]:
    return [(one.actor, one.action) for one in audit.entries(user) if one.action.startswith("upload.")]


def reads(db: Database, job: str, owner: str, path: Path, within: str | None = None) -> None:
    """A queued job that is its row alone, and reads a file."""
    enqueue(db, job, owner)
    told = {"genomes": ["ecoli-k12", str(path)]}
    with db.session() as session:
        session.get_one(JobRow, job).config = {within: told} if within else told


def test_an_upload_is_its_owners_alone_until_it_is_shared(db: Database):
    ann, ben = people("ann", "ben")
    kept = brought(ann)
    assert kept.path.read_bytes() == FASTA
    assert kept.path == settings().cache / "uploads" / f"upload-{hashlib.sha256(FASTA).hexdigest()[:16]}" / "mine.fa"
    assert (kept.size_bytes, kept.owner_name, kept.shared) == (len(FASTA), "Ann", False)
    assert seen(ann) == seen(local_user()) == [("mine.fa", "ann", False)]
    assert seen(ben) == []
    for ask in (kept.id, kept.key, "mine.fa"):
        assert uploads.upload(ann, ask) == kept
        with pytest.raises(InputError, match="no upload"):
            uploads.upload(ben, ask)
    with pytest.raises(InputError, match="no upload"):
        uploads.share_upload(ben, kept.id, True)
    uploads.share_upload(ann, kept.id, True)
    assert seen(ben) == [("mine.fa", "ann", True)]
    # A colleague may use it now, and change nothing.
    changes = (
        lambda: uploads.share_upload(ben, kept.id, False),
        lambda: uploads.describe_upload(ben, kept.id, "mine"),
        lambda: uploads.delete_upload(ben, kept.id),
        lambda: uploads.check_upload_deletable(ben, kept.id),
    )
    for change in changes:
        with pytest.raises(InputError, match=r"mine.fa is Ann's; only they or an admin may"):
            change()
    uploads.describe_upload(ann, kept.id, " Our\nstrain ")
    assert uploads.upload(ben, kept.key).description == "Our strain"
    uploads.share_upload(ann, kept.id, False)
    assert seen(ben) == []
    assert [actor for actor, _ in done(local_user())] == ["ann"] * 4
    assert [action for _, action in reversed(done(ann))] == [
        "upload.add",
        "upload.share",
        "upload.describe",
        "upload.share",
    ]


def test_two_people_who_bring_the_same_file_each_have_it_and_it_is_kept_once(db: Database):
    ann, ben = people("ann", "ben")
    first, second = brought(ann, "anns.fa"), brought(ben, "bens.fa")
    assert (first.key, first.path) == (second.key, second.path)
    assert first.id != second.id
    assert seen(ann) == [("anns.fa", "ann", False)]
    assert seen(ben) == [("bens.fa", "ben", False)]
    assert len(seen(local_user())) == 2
    assert {one.name for one in first.folder.iterdir()} == {"anns.fa", "lab.json"}
    # Bringing it again is nothing new.
    assert brought(ann, "again.fa") == first
    assert done(ann) == [("ann", "upload.add")]
    # Each takes the room that it takes, for each of the two.
    assert usage(ann).bytes_of["uploads"] == usage(ben).bytes_of["uploads"] >= len(FASTA)
    assert str(usage(ann).largest[0]).startswith("the uploaded sequence anns.fa (16.")
    uploads.delete_upload(ann, first.id)
    assert seen(ann) == []
    assert seen(ben) == [("bens.fa", "ben", False)]
    assert second.path.read_bytes() == FASTA
    assert usage(ann).total == 0
    uploads.delete_upload(ben, second.id)
    assert not second.folder.exists()
    assert list(upload_store.root().iterdir()) == []
    with pytest.raises(InputError, match="no upload"):
        uploads.delete_upload(ben, second.id)


@pytest.mark.parametrize("within", [None, "pretrain"])
def test_what_a_waiting_or_running_job_reads_is_not_deleted_with_the_last_who_has_it(db: Database, within):
    ann, ben = people("ann", "ben")
    first, second = brought(ann), brought(ben)
    reads(db, "bens-job", "ben", first.path, within)
    uploads.check_upload_deletable(ann, first.id)
    uploads.delete_upload(ann, first.id)
    for state in (JobState.QUEUED, JobState.RUNNING):
        with db.session() as session:
            session.get_one(JobRow, "bens-job").state = state
        for ask in (uploads.check_upload_deletable, uploads.delete_upload):
            with pytest.raises(InputError, match=r"jobs that wait or run read it: bens-job$"):
                ask(ben, second.id)
    third = brought(ann)
    uploads.delete_upload(ben, second.id)
    with pytest.raises(InputError, match="read it: 1 of other people"):
        uploads.delete_upload(ann, third.id)
    assert third.path.exists()
    with db.session() as session:
        session.get_one(JobRow, "bens-job").state = JobState.SUCCEEDED
    uploads.delete_upload(ann, third.id)
    assert not third.path.exists()


def test_the_models_pre_trained_on_an_upload_are_named_as_far_as_one_may_see_them(home: Path, db: Database):
    ann, ben = people("ann", "ben")
    kept = brought(ann)
    assert uploads.models_made_from(ann, kept.id) == ""
    for name, seed in (("anns-lm", 1), ("other", 2)):
        path = kept.path if name == "anns-lm" else home / "another.fa"
        made = language_model(home / "elsewhere" / name, name, seed, genome=str(path))
        index.import_model(ann, made.folder)
    assert uploads.models_made_from(ann, kept.id) == "anns-lm"
    assert uploads.models_made_from(ben, kept.id) == "1 of other people"


def test_a_member_cannot_have_a_job_read_a_colleagues_private_upload(home: Path, db: Database):
    ann, ben = people("ann", "ben")
    kept = brought(ann)
    table = home / "cache" / "labelled" / "ann" / "upload-0" / "mine.fa"
    table.parent.mkdir(parents=True)
    table.write_bytes(FASTA)
    (home / "link.fa").symlink_to(kept.path)
    paths = [kept.path, home / "link.fa", kept.folder / ".." / kept.key / "mine.fa", table]

    def told(path: Path) -> PretrainConfig:
        return PretrainConfig(genomes=[str(path)], minutes=1)

    for path in [*paths, kept.folder.parent / "upload-0123456789abcdef" / "none.fa"]:
        with pytest.raises(InputError, match="no such file here, or none that is shared with you"):
            jobs.submit(ben, told(path))
    for path in paths:
        jobs.submit(ann, told(path))
        jobs.submit(local_user(), told(path))
    shared = jobs.submit(ann, told(kept.path), shared=True)
    with pytest.raises(InputError, match="none that is shared with you"):
        jobs.clone(ben, shared.id, {"seed": 1})
    uploads.share_upload(ann, kept.id, True)
    assert jobs.clone(ben, shared.id, {"seed": 1}).owner == "ben"
    uploads.share_upload(ann, kept.id, False)
    with pytest.raises(InputError, match="none that is shared with you"):
        jobs.submit(ben, told(kept.path))
    brought(ben)
    jobs.submit(ben, told(kept.path))


def test_what_was_uploaded_before_uploads_had_owners_is_the_local_users(home: Path, db: Database):
    ann, ben = people("ann", "ben")
    with db.session() as session:
        session.execute(text("DROP TABLE uploads"))
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    folder = home / "cache" / "uploads" / "upload-00112233445566ff"
    folder.mkdir(parents=True)
    (folder / "old.fa").write_bytes(FASTA)
    db.migrate()
    assert db.revision() == "0002"
    assert seen(ann) == []
    assert seen(local_user()) == [("old.fa", "local", False)]
    assert uploads.uploads(local_user())[0].key == folder.name
    assert ("dnalm", "upload.found") in done(local_user())
    # Looking again makes nothing more of it.
    assert len(seen(local_user())) == 1
    uploads.share_upload(local_user(), uploads.upload(local_user(), "old.fa").id, True)
    assert seen(ben) == [("old.fa", "local", True)]


def test_a_lost_database_gives_uploads_back_to_all_who_have_them(home: Path, db: Database):
    ann, ben = people("ann", "ben")
    kept = brought(ann, "anns.fa")
    brought(ben, "bens.fa")
    uploads.share_upload(ann, kept.id, True)
    uploads.describe_upload(ann, kept.id, "Our strain")
    alone = brought(ben, "more.fa", b">more\nACGTACGT\n")
    before = sorted(seen(local_user()))
    assert index.reindex(db).uploads == 2
    with db.session() as session:
        session.execute(text("DELETE FROM uploads"))
    # Someone brings one of the files before anybody looks: the others keep theirs.
    brought(local_user(), "mine.fa")
    assert index.reindex(db).uploads == 2
    assert sorted(seen(local_user())) == sorted([*before, ("mine.fa", "local", False)])
    assert uploads.upload(ben, "anns.fa").description == "Our strain"
    assert uploads.upload(ben, "more.fa").key == alone.key
    assert uploads.upload(ben, "more.fa").id != alone.id
    # The database is right where the two differ, and a note that was lost is written again.
    (kept.folder / "lab.json").write_text("{")
    index.reindex(db)
    told = json.loads((kept.folder / "lab.json").read_text())["holders"]
    assert sorted((one["owner"], one["name"], one["shared"]) for one in told) == [
        ("ann", "anns.fa", True),
        ("ben", "bens.fa", False),
        ("local", "mine.fa", False),
    ]


def test_an_upload_whose_file_has_gone_is_not_shown_and_comes_back_with_it(db: Database):
    (ann,) = people("ann")
    kept = brought(ann)
    away = kept.folder.rename(settings().home / "away")
    assert seen(ann) == []
    with pytest.raises(InputError, match="its file has gone; upload it again"):
        uploads.share_upload(ann, kept.id, True)
    shutil.move(away, kept.folder)
    assert seen(ann) == [("mine.fa", "ann", False)]
    with db.reading() as session:
        assert session.query(UploadRow).count() == 1


def test_a_cap_takes_a_persons_own_longest_unused_and_nobody_elses(db: Database):
    ann, ben = people("ann", "ben")
    old, needed, common, new = (brought(ann, f"{n}.fa", FASTA + b"A" * n + b"\n") for n in range(4))
    theirs = brought(ben, "bens.fa", b">ben\nACGTACGT\n")
    brought(ben, "bens-2.fa", FASTA + b"AA\n")
    for age, one in enumerate((new, common, needed, old)):
        os.utime(one.folder, (10**9 - age, 10**9 - age))
    reads(db, "job", "ann", needed.path)
    uploads.make_room(ann, 4 * len(FASTA) + 100, keep=new.key)
    assert len(seen(ann)) == 4
    uploads.make_room(ann, 1, keep=new.key)
    assert [name for name, _, _ in seen(ann)] == ["3.fa", "1.fa"]
    assert not old.path.exists()
    assert common.path.exists()  # it is Ben's too
    assert sorted(name for name, _, _ in seen(ben)) == ["bens-2.fa", "bens.fa"]
    assert theirs.path.exists()
    assert [action for _, action in done(ann)][:2] == ["upload.make_room"] * 2


def test_several_of_one_name_are_told_apart_by_their_keys(db: Database):
    (ann,) = people("ann")
    keys = sorted(brought(ann, "x.fa", FASTA + b"A" * n + b"\n").key for n in range(2))
    with pytest.raises(InputError, match=", ".join(keys)):
        uploads.upload(ann, "x.fa")


def test_the_shell_lists_describes_shares_and_deletes(db: Database):
    kept = brought(local_user())
    run = CliRunner().invoke
    assert f"upload\t{kept.key}\tmine.fa of local user" in run(app, ["data", "list"]).stdout
    (told,) = json.loads(run(app, ["data", "list", "--json"]).stdout)["uploads"]
    assert (told["key"], told["owner"], told["shared"], told["size_bytes"]) == (kept.key, "local", False, len(FASTA))
    said = json.loads(run(app, ["data", "share", kept.key, "--json"]).stdout)
    assert said == {"upload": kept.key, "shared": True}
    assert run(app, ["data", "describe", kept.key, "Our strain"]).exit_code == 0
    assert uploads.upload(local_user(), kept.key).description == "Our strain"
    reads(database(), "job", "local", kept.path)
    refused = run(app, ["data", "delete", kept.key])
    assert refused.exit_code == 2
    assert "while jobs that wait or run read it: job" in refused.stderr
    jobs.cancel(local_user(), "job")
    assert run(app, ["data", "delete", kept.key]).exit_code == 0
    assert seen(local_user()) == []
