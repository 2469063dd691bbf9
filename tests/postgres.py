"""A throw-away PostgreSQL: on a socket in a folder of its own, gone when the tests end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

OPTIONS = "-c listen_addresses= -c fsync=off -c shared_buffers=16MB -c max_connections=60"


def programs() -> Path:
    """The folder of PostgreSQL's programs; skips where there is none."""
    given = os.environ.get("DNALM_POSTGRES_BIN")
    folders = [Path(given)] if given else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists():
            return folder
    pytest.skip("needs PostgreSQL: install Debian's postgresql, or set DNALM_TEST_DATABASE_URL")


@contextmanager
def server() -> Iterator[str]:
    """The address of a server: the one that DNALM_TEST_DATABASE_URL names, else one that lives while the block does."""
    given = os.environ.get("DNALM_TEST_DATABASE_URL")
    if given:
        yield given
        return
    bin_folder = programs()
    folder = Path(tempfile.mkdtemp(prefix="dnalm-postgres-"))
    person: dict[str, object] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to be root's
        name = "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"
        account = pwd.getpwnam(name)
        os.chown(folder, account.pw_uid, account.pw_gid)
        person = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def call(program: str, *arguments: str) -> None:
        command = [str(bin_folder / program), *arguments]
        with (folder / "said.txt").open("a") as said:
            done = subprocess.run(command, **person, cwd=folder, stdout=said, stderr=said, timeout=120)
        assert done.returncode == 0, (folder / "said.txt").read_text()

    data = str(folder / "data")
    try:
        call("initdb", "-D", data, "-U", "dnalm", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        call("pg_ctl", "start", "-w", "-D", data, "-l", str(folder / "log.txt"), "-o", f"{OPTIONS} -k {folder}")
        try:
            yield f"postgresql://dnalm@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-w", "-D", data, "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def empty_database(address: str) -> Iterator[str]:
    """A new database on a server, dropped at the end."""
    url = make_url(address).set(drivername="postgresql+psycopg")
    name = f"dnalm_test_{uuid4().hex[:12]}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()
