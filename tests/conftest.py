"""What every test may ask for: the real data's folder, and a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dnalm.settings import settings


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
