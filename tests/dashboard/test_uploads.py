"""Uploads: checked, kept under the hash of their content, bad ones leave nothing behind."""

from __future__ import annotations

import gzip
from io import BytesIO

import pytest
from toy_queue import enqueue, people

from dashboard import choices, labelled_uploads, resources, uploads
from dnalm.errors import InputError
from dnalm.lab import jobs
from dnalm.lab.database import DatabaseError, database
from dnalm.lab.job import JobState, folder_of
from dnalm.lab.people import local_user
from dnalm.lab.schema import JobRow
from dnalm.lab.uploads import share_upload, upload
from dnalm.lab.usage import folder_size, uploads_folder
from dnalm.settings import settings

FASTA = b">one\nACGTACGTAC\n>two\nGGGG\n"


@pytest.fixture(autouse=True)
def lab(home, monkeypatch):
    monkeypatch.setenv("DNALM_DATABASE_URL", f"sqlite:///{home / 'lab.db'}")
    settings.cache_clear()
    database.cache_clear()
    yield home
    database().dispose()
    database.cache_clear()


def keep(content: bytes, name: str) -> uploads.Upload:
    return uploads.keep(local_user(), content, name)


def test_the_same_content_is_one_upload_whatever_its_name(home):
    first = keep(FASTA, "../../etc/My <b>genome</b>.fa")
    assert first.path.read_bytes() == FASTA
    assert first.path.parent.parent == home / "cache" / "uploads"
    assert first.name == "b_.fa"
    assert keep(FASTA, "other.fa").key == first.key
    assert [upload.key for upload in uploads.known(local_user())] == [first.key]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"ACGT\n", "mine.fa"),
        (b">p\nMKLVVEFPQ\n", "mine.fa"),
        (gzip.compress(FASTA * 1000, mtime=0)[:60], "mine.fa"),
    ],
)
def test_a_bad_file_gets_a_sentence_with_its_own_name_and_leaves_nothing(home, content, words):
    with pytest.raises(InputError, match=words) as caught:
        keep(content, "mine.fa")
    assert str(home) not in str(caught.value)
    assert uploads.known(local_user()) == []
    assert list((home / "cache").iterdir()) == []


def test_what_unpacks_to_too_much_or_holds_too_many_records_is_refused(home, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST_TEXT", 2 << 20)
    bomb = gzip.compress(b">a\n" + b"A" * (3 << 20), mtime=0)
    with pytest.raises(InputError, match=r"bomb\.gz unpacks to more than 2 MB"):
        keep(bomb, "bomb.gz")
    monkeypatch.setattr(uploads, "MOST_RECORDS", 1)
    with pytest.raises(InputError, match="more than 1 records"):
        keep(FASTA, "many.fa")


def test_the_longest_unused_go_when_the_store_is_full(lab, monkeypatch):
    first = keep(FASTA, "first.fa")
    monkeypatch.setattr(uploads, "LARGEST_STORE", len(FASTA) + 4)
    second = keep(b">three\nACGTTTTTT\n", "second.fa")
    assert [upload.key for upload in uploads.known(local_user())] == [second.key]
    assert not first.path.exists()


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("within", [None, "pretrain"])
def test_what_a_job_that_waits_or_runs_reads_outlives_the_cap(lab, monkeypatch, state, within):
    wanted = keep(FASTA, "wanted.fa")
    other = keep(b">other\nACGTACGTGG\n", "other.fa")
    people("ada")
    enqueue(database(), "job", "ada")
    told = {"genomes": ["ecoli-k12", str(wanted.path)]}
    with database().session() as session:
        row = session.get_one(JobRow, "job")
        row.state, row.config = state, {within: told} if within else told
    monkeypatch.setattr(uploads, "LARGEST_STORE", 1)
    last = keep(b">three\nACGTTTTTT\n", "last.fa")
    assert not other.path.exists()
    # One that failed or was cancelled could be resumed, but this one has no run folder to go on in.
    assert wanted.path.exists() == (state in (JobState.QUEUED, JobState.RUNNING))
    # When the job has ended, the next upload makes room.
    with database().session() as session:
        session.get_one(JobRow, "job").state = JobState.SUCCEEDED
    newest = keep(b">four\nACGTTTTCC\n", "newest.fa")
    assert not wanted.path.exists()
    assert not last.path.exists()
    assert [upload.key for upload in uploads.known(local_user())] == [newest.key]


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_what_a_job_reads_that_can_be_resumed_outlives_the_cap_until_it_is_deleted(lab, monkeypatch, state):
    wanted = keep(FASTA, "wanted.fa")
    (ada,) = people("ada")
    enqueue(database(), "job", "ada")
    with database().session() as session:
        row = session.get_one(JobRow, "job")
        row.state, row.config = state, {"genomes": [str(wanted.path)]}
        folder = folder_of(row)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("config: {phase: pretrain}\n")
    monkeypatch.setattr(uploads, "LARGEST_STORE", 1)
    keep(b">three\nACGTTTTTT\n", "three.fa")
    assert wanted.path.exists()
    assert jobs.resume(ada, "job").state == JobState.QUEUED
    jobs.cancel(ada, "job")
    jobs.delete(ada, "job")
    keep(b">four\nACGTTTTCC\n", "four.fa")
    assert not wanted.path.exists()


def test_a_sequence_is_listed_once_as_ones_own_and_a_colleagues_with_their_name(lab, monkeypatch):
    ann, ben = people("ann", "ben")
    kept = uploads.keep(ann, FASTA, "anns.fa")
    assert uploads.known(ben) == []
    share_upload(ann, upload(ann, kept.key).id, True)
    assert [(one.key, one.title) for one in uploads.known(ann)] == [(kept.key, "anns.fa (uploaded)")]
    assert [(one.key, one.title) for one in uploads.known(ben)] == [(kept.key, "anns.fa (uploaded by Ann)")]
    uploads.keep(ben, FASTA, "bens.fa")
    assert [(one.key, one.title) for one in uploads.known(ben)] == [(kept.key, "bens.fa (uploaded)")]
    # What can be chosen is what this person may see, whatever their earlier runs read.
    other = uploads.keep(ann, b">other\nACGTACGTGG\n", "other.fa")
    enqueue(database(), "job", "ben")
    with database().session() as session:
        session.get_one(JobRow, "job").config = {"genomes": [str(kept.path), str(other.path)]}
    titles, files = choices.genomes(ben)
    assert files == {kept.key: str(kept.path)}
    assert titles[kept.key] == "bens.fa (uploaded)"
    assert not [title for title in titles.values() if "other" in title]
    monkeypatch.setattr("dashboard.resources.acting_user", lambda: ben)
    assert [one.title for one in resources.sequences() if one.key.startswith("upload")] == ["bens.fa (uploaded)"]


def test_where_the_database_is_away_what_ships_can_still_be_looked_at(house, monkeypatch):
    def away(user):
        raise DatabaseError("the lab's database does not answer")

    monkeypatch.setattr(uploads, "known", away)
    assert [one.key for one in resources.sequences()] == [path.name.split(".")[0] for path in genomes(house)]


def genomes(house):
    return [path for path in sorted((house / "data" / "genomes").iterdir()) if ".gff" not in path.name]


def test_a_persons_tables_are_where_their_use_of_the_disk_is_counted(home):
    table = b"id,sequence,label\na,ACGTACGTACGT,x\nb,ACGTTTTTACGT,y\n"
    kept = labelled_uploads.keep(BytesIO(table), "t.csv", "ann")
    assert folder_size(uploads_folder("ann"), set()) == kept.path.stat().st_size == len(table)


def test_where_the_jobs_cannot_be_asked_for_nothing_goes(home, monkeypatch):
    def away(db):
        raise DatabaseError("the lab's database does not answer")

    first = keep(FASTA, "first.fa")
    monkeypatch.setattr(uploads, "LARGEST_STORE", 1)
    monkeypatch.setattr("dnalm.lab.uploads.files_in_use", away)
    keep(b">three\nACGTTTTTT\n", "second.fa")
    assert first.path.exists()
