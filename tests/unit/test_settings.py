"""Where things live: the environment decides, once a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnalm.settings import PACKAGE_ROOT, Settings, settings


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch):
    for name in ("HOME", "DATA_MIRROR", "SHIPPED"):
        monkeypatch.delenv(f"DNALM_{name}", raising=False)
    return monkeypatch


def test_defaults(bare):
    found = Settings()
    assert found.home == Path.home() / ".dnalm"
    assert found.data_mirror is None
    assert found.shipped == PACKAGE_ROOT


def test_the_shipped_folder_is_the_checkout(bare):
    assert (Settings().shipped / "pyproject.toml").is_file()


def test_the_environment_moves_every_folder(bare, tmp_path: Path):
    bare.setenv("DNALM_HOME", str(tmp_path / "h"))
    bare.setenv("DNALM_SHIPPED", str(tmp_path / "s"))
    bare.setenv("DNALM_DATA_MIRROR", str(tmp_path))
    found = Settings()
    assert found.runs == tmp_path / "h" / "runs"
    assert found.datasets == tmp_path / "h" / "datasets"
    assert found.models == tmp_path / "h" / "models"
    assert found.cache == tmp_path / "h" / "cache"
    assert found.shipped_models == tmp_path / "s" / "models"
    assert found.shipped_data == tmp_path / "s" / "data"
    assert found.data_mirror == tmp_path


def test_settings_are_read_once(home: Path):
    assert settings() is settings()
    assert settings().home == home
