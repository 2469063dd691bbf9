"""The lab's database: SQLite in one file, or PostgreSQL by its address; the same code on both."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from dnalm.errors import InputError, RunError
from dnalm.settings import settings

MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE_S = 60
"""How long a writer waits for another: seconds."""
CONNECT_S = 10
"""How long a PostgreSQL server may take to answer at all: seconds."""
# A server, or a network, that dies while a connection is open is noticed within a minute instead of hours.
_LIVELY = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 50_000}
BEGIN = "dnalm_begin"
MIGRATION_LOCK = 0x646E616C6D  # "dnalm", a number that no other program on that server takes


class DatabaseError(RunError):
    """The database cannot be reached or cannot write: it may be tried again later."""


class Database:
    """Sessions on the lab's database.

    Args:
        url: a SQLAlchemy address; None takes `DNALM_DATABASE_URL`, else the file `lab.db` in `DNALM_HOME`.

    Raises:
        InputError: the address is none, or of a database other than SQLite and PostgreSQL.
    """

    def __init__(self, url: str | None = None) -> None:
        given = url or settings().database_url or f"sqlite:///{settings().home.resolve() / 'lab.db'}"
        self.url = _address(given)
        self.name = self.url.render_as_string(hide_password=True)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgresql_engine(self.url)
        # Two writers that both begin by reading could each block the other: a writing transaction locks first.
        self._writing = self.engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction that writes: committed at the end, undone when the block fails.

        Raises:
            DatabaseError: the database cannot be reached, stays locked, or has no room.
        """
        with self._session(self._writing) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads, and neither waits for writers nor makes them wait.

        Raises:
            DatabaseError: the database cannot be reached.
        """
        with self._session(self.engine) as session:
            yield session

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except (OperationalError, InterfaceError) as error:
            raise DatabaseError(f"the lab's database {self.name}: {_first_line(error)}") from error

    def migrate(self) -> None:
        """Bring the tables to this version of dnalm. Many processes may do so at once: one works, the others wait.

        Raises:
            DatabaseError: the database cannot be reached.
            RunError: a newer dnalm made it.
        """
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        head = ScriptDirectory.from_config(config).get_current_head()
        try:
            with self._alone() as connection:
                if MigrationContext.configure(connection).get_current_revision() != head:
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
        except CommandError as error:
            raise RunError(
                f"the lab's database {self.name} was made by a newer dnalm ({error}); update dnalm"
            ) from None
        except (OperationalError, InterfaceError) as error:
            raise DatabaseError(f"the lab's database {self.name}: {_first_line(error)}") from error

    def revision(self) -> str | None:
        """The step of the migrations that the tables are at; None where there are none.

        Raises:
            DatabaseError: the database cannot be reached.
        """
        with self.reading() as session:
            return MigrationContext.configure(session.connection()).get_current_revision()

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction that no other migration runs beside."""
        if self.is_sqlite and (file := self.url.database) and file != ":memory:":
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            with Path(f"{file}.lock").open("w") as lock:
                # Switching to the write-ahead log does not wait for other connections as all else does.
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._use_write_ahead_log()
                with self._writing.begin() as connection:
                    yield connection
            return
        with self._writing.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            yield connection

    def _use_write_ahead_log(self) -> None:
        raw = self.engine.raw_connection()
        try:
            raw.execute("PRAGMA journal_mode = WAL")  # type: ignore[attr-defined]
        finally:
            raw.close()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@cache
def database() -> Database:
    """The database of this process's settings, its tables up to date. Tests clear the cache."""
    found = Database()
    found.migrate()
    return found


def _address(given: str) -> URL:
    try:
        url = make_url(given)
    except ArgumentError:
        raise InputError("DNALM_DATABASE_URL: not an address; wanted one as postgresql://user@host/lab") from None
    kind = url.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise InputError(f"DNALM_DATABASE_URL: {kind} is no database that dnalm knows; wanted sqlite or postgresql")
    return url


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": PATIENCE_S})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # Python's own habit of beginning late is off: see `begin`
        for pragma in ("foreign_keys = ON", f"busy_timeout = {PATIENCE_S * 1000}", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))

    return engine


def _postgresql_engine(url: URL) -> Engine:
    """An engine whose connections give up on a server that does not answer; what the address says goes before."""
    wanted = {"connect_timeout": CONNECT_S, **_LIVELY}
    arguments = {name: value for name, value in wanted.items() if name not in url.query}
    return create_engine(url, pool_pre_ping=True, connect_args=arguments)


def _first_line(error: OperationalError | InterfaceError) -> str:
    line = str(error.orig).strip().split("\n", maxsplit=1)[0]
    late = "connection timeout expired" in line
    return "the server does not answer; is it up, and is the address right?" if late else line
