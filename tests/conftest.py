"""What every test may ask for: the real data's folder, a home of its own, a lab's database of either kind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest

from dnalm.lab.database import Database, database
from dnalm.settings import settings

# The package `dashboard` is found in the checkout, before the folder of its tests, which has its name.
ROOT = str(Path(__file__).resolve().parents[1])
if ROOT in sys.path:
    sys.path.remove(ROOT)
sys.path.insert(0, ROOT)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real data named by DNALM_DATA_MIRROR; skips where it is absent."""
    folder = settings().data_mirror
    if folder is None or not folder.is_dir():
        pytest.skip("needs the real data: set DNALM_DATA_MIRROR to its folder")
    return folder.resolve()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A DNALM_HOME of the test's own."""
    monkeypatch.setenv("DNALM_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL that the tests may fill; skips where there is none."""
    with postgres.server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty database that dnalm will use: once of each kind, with a home of its own."""
    if request.param == "sqlite":
        url = f"sqlite:///{home / 'lab.db'}"
        monkeypatch.setenv("DNALM_DATABASE_URL", url)
        settings.cache_clear()
        yield url
        return
    with postgres.empty_database(request.getfixturevalue("postgres_server")) as url:
        monkeypatch.setenv("DNALM_DATABASE_URL", url)
        settings.cache_clear()
        yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """The lab's database of the test's home, its tables made: once of each kind."""
    database.cache_clear()
    found = database()
    yield found
    found.dispose()
    database.cache_clear()
