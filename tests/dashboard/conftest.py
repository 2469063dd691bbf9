"""Pages run in this process by Streamlit's AppTest, over a small installation of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import streamlit as st
import torch
import toy_house

from dnalm.lab.database import database
from dnalm.settings import settings

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Have a page wait for the preview of an upload, however busy the machine is; nothing is known from before."""
    from dashboard import upload_reading

    monkeypatch.setattr(upload_reading, "SOON", 120.0)
    upload_reading._found.clear()


@pytest.fixture(autouse=True)
def own_main(monkeypatch):
    """Put this process's own main module back: AppTest leaves its page there, and a spawned process would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The installation's folder: a genome with six promoters and a model that knows them."""
    torch.set_num_threads(1)
    return toy_house.build(tmp_path_factory.mktemp("shipped"))


@pytest.fixture
def house(built, tmp_path, monkeypatch):
    """Make this process use the small installation and a home of the test's own."""
    monkeypatch.setenv("DNALM_SHIPPED", str(built))
    monkeypatch.setenv("DNALM_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    database.cache_clear()
    st.cache_data.clear()
    yield built
    settings.cache_clear()
    database.cache_clear()


@pytest.fixture
def empty_house(tmp_path, monkeypatch):
    """An installation with a genome and no model."""
    folder = toy_house.build(tmp_path / "shipped", models=False)
    monkeypatch.setenv("DNALM_SHIPPED", str(folder))
    monkeypatch.setenv("DNALM_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    database.cache_clear()
    yield folder
    settings.cache_clear()
    database.cache_clear()
