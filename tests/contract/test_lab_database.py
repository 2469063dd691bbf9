"""The lab's database keeps its promises, as SQLite and as PostgreSQL."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import delete, inspect, make_url, select, text, update
from sqlalchemy.exc import DBAPIError
from toy_queue import enqueue, people

from dnalm.errors import InputError, RunError
from dnalm.lab import audit
from dnalm.lab import database as database_module
from dnalm.lab.database import Database, DatabaseError
from dnalm.lab.people import add_user, local_user, set_role, users
from dnalm.lab.schema import AuditRow, Base, JobRow, UserRow

MIGRATE = "from dnalm.lab.database import database; database()"
FIRST_USE = "from dnalm.lab.people import local_user; print(local_user().id)"


def in_processes(code: str, number: int) -> list[str]:
    """Run the same Python in several processes at once; what each printed."""
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(number)
    ]
    outputs = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0] * number, outputs
    return [out.strip() for out, _ in outputs]


def test_the_migrations_make_the_tables_of_the_models(db: Database):
    with db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_many_processes_may_make_the_tables_at_once(database_url: str):
    in_processes(MIGRATE, 3)
    found = Database(database_url)
    assert set(Base.metadata.tables) <= set(inspect(found.engine).get_table_names())
    with found.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    found.dispose()


def test_many_processes_may_be_the_first_to_act(db: Database):
    assert in_processes(FIRST_USE, 3) == ["local"] * 3
    assert [(user.id, user.role) for user in users(local_user())] == [("local", "admin")]
    assert [entry.action for entry in audit.entries(local_user())] == ["user.add"]


def test_a_migration_that_is_done_changes_nothing(db: Database):
    local_user()
    db.migrate()
    assert [user.id for user in users(local_user())] == ["local"]


def test_a_database_of_a_newer_dnalm_is_left_alone(db: Database):
    with db.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RunError, match="made by a newer dnalm"):
        db.migrate()


@pytest.mark.parametrize(
    "change", [update(AuditRow).values(actor="nobody"), delete(AuditRow)], ids=["update", "delete"]
)
def test_the_audit_cannot_be_changed(db: Database, change):
    local_user()
    with pytest.raises(DBAPIError, match="only ever added to"), db.session() as session:
        session.execute(change)
    assert [entry.actor for entry in audit.entries(local_user())] == ["dnalm"]


def test_the_audit_cannot_be_emptied(db: Database):
    local_user()
    emptying = "DELETE FROM audit" if db.is_sqlite else "TRUNCATE audit"  # SQLite has no TRUNCATE
    with pytest.raises(DBAPIError, match="only ever added to"), db.session() as session:
        session.execute(text(emptying))


def test_a_change_that_fails_leaves_neither_itself_nor_its_audit(db: Database):
    local_user()
    with pytest.raises(ZeroDivisionError), db.session() as session:
        session.add(UserRow(id="ann", name="Ann", role="member"))
        audit.record(session, "local", "user.add", "user:ann")
        session.flush()
        raise ZeroDivisionError
    assert [user.id for user in users(local_user())] == ["local"]
    assert len(audit.entries(local_user())) == 1


def test_times_come_back_in_utc_whatever_zone_they_were_given_in(db: Database):
    people("ann")
    enqueue(db, "a", "ann")
    noon_in_tokyo = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    with db.session() as session:
        session.get_one(JobRow, "a").started = noon_in_tokyo
    with db.reading() as session:
        found = session.get_one(JobRow, "a").started
    assert found == datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert found.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(db: Database):
    with pytest.raises(Exception, match="a time needs its zone"), db.session() as session:
        session.add(UserRow(id="ann", name="Ann", role="member", created=datetime(2026, 3, 1)))
        session.flush()


def test_a_job_needs_an_owner_who_is_known(db: Database):
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"):
        enqueue(db, "a", "nobody")


def test_a_reader_sees_the_last_committed_state_and_does_not_wait(db: Database):
    people("ann")
    with db.session() as writing:
        writing.add(UserRow(id="ben", name="Ben", role="member"))
        writing.flush()
        with db.reading() as session:
            assert session.scalars(select(UserRow.id).order_by(UserRow.id)).all() == ["ann", "local"]
    with db.reading() as session:
        assert session.scalars(select(UserRow.id).order_by(UserRow.id)).all() == ["ann", "ben", "local"]


def test_sqlite_keeps_a_log_and_checks_what_rows_point_to(home, monkeypatch):
    db = Database()
    db.migrate()
    with db.reading() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA busy_timeout")) == 60_000
    assert db.url.database == str(home / "lab.db")
    db.dispose()


def test_a_server_that_is_not_there_is_one_sentence_without_the_password(home):
    db = Database("postgresql://lab:secret@127.0.0.1:1/lab")
    with pytest.raises(DatabaseError, match="refused") as caught:
        db.migrate()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_never_answers_is_one_sentence_within_seconds(home, monkeypatch):
    monkeypatch.setattr("dnalm.lab.database.CONNECT_S", 2)
    with socket.socket() as listening:  # the system takes the connection, and nobody ever speaks
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        db = Database(f"postgresql://lab:secret@127.0.0.1:{listening.getsockname()[1]}/lab")
        begun = time.monotonic()
        for ask in (db.migrate, db.revision):
            with pytest.raises(DatabaseError, match=r"^the lab's database .*: the server does not answer; ") as caught:
                ask()
            assert "secret" not in str(caught.value)
        assert time.monotonic() - begun < 30
    db.dispose()


def test_what_the_address_says_of_timeouts_goes_before(home, monkeypatch):
    given = []
    monkeypatch.setattr("dnalm.lab.database.create_engine", lambda url, **options: given.append(options))
    database_module._postgresql_engine(make_url("postgresql+psycopg://lab@host/lab?connect_timeout=30"))
    database_module._postgresql_engine(make_url("postgresql+psycopg://lab@host/lab"))
    assert ["connect_timeout" in options["connect_args"] for options in given] == [False, True]
    assert given[1]["connect_args"]["connect_timeout"] == 10


@pytest.mark.parametrize("url", ["mysql://lab", "not an address"])
def test_an_address_of_no_known_database_is_refused(home, url: str):
    with pytest.raises(InputError, match="DNALM_DATABASE_URL"):
        Database(url)


def test_only_an_admin_lets_people_in(db: Database):
    (ann,) = people("ann")
    with pytest.raises(InputError, match="only an admin"):
        add_user(ann, "ben", "Ben")
    with pytest.raises(InputError, match="one already"):
        add_user(local_user(), "ann", "Another Ann")
    assert [user.id for user in users(ann)] == ["ann", "local"]


def test_an_admin_says_who_is_one_and_the_audit_says_so(db: Database):
    ann, _ = people("ann", "ben")
    with pytest.raises(InputError, match="only an admin"):
        set_role(ann, "ann", "admin")
    promoted = set_role(local_user(), "ann", "admin")
    assert promoted.is_admin
    set_role(local_user(), "ann", "admin")  # again: nothing to note
    assert not set_role(promoted, "ben", "member").is_admin  # what he is
    set_role(promoted, "ann", "member")
    assert {user.id: user.role for user in users(ann)} == {"ann": "member", "ben": "member", "local": "admin"}
    changes = [entry for entry in audit.entries(local_user()) if entry.action == "user.role"]
    assert [(entry.actor, entry.subject, entry.detail) for entry in changes] == [
        ("ann", "user:ann", {"was": "admin", "now": "member"}),
        ("local", "user:ann", {"was": "member", "now": "admin"}),
    ]


@pytest.mark.parametrize(
    ("person", "role", "sentence"),
    [
        ("nobody", "admin", "no person 'nobody'; known are ann, local"),
        ("ann", "owner", "wanted admin or member"),
        ("local", "member", "stays an admin"),
    ],
)
def test_a_role_that_cannot_be_given_is_refused(db: Database, person: str, role, sentence: str):
    people("ann")
    with pytest.raises(InputError, match=sentence):
        set_role(local_user(), person, role)
    assert {user.id: user.role for user in users(local_user())} == {"ann": "member", "local": "admin"}


def test_a_member_reads_in_the_audit_what_is_theirs(db: Database):
    ann, _ = people("ann", "ben")
    with db.session() as session:
        audit.record(session, "ann", "job.look", "job:of-ben")
        audit.record(session, "ben", "job.look", "job:of-ben")
    assert [entry.actor for entry in audit.entries(ann)] == ["ann"]
    assert [entry.actor for entry in audit.entries(local_user(), subject="job:of-ben")] == ["ben", "ann"]
