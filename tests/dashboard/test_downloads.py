"""The run folder as an archive: who gets it, what is in it, and that it is made a piece at a time."""

from __future__ import annotations

import io
import re
import tracemalloc
import zipfile

import pytest
from asgi_client import Client
from starlette.applications import Starlette
from starlette.routing import Route
from toy_jobs import ToyJobs

from dashboard import downloads, person
from dashboard.downloads import download_run, run_files, zip_pieces
from dnalm.lab import jobs
from dnalm.lab.database import database
from dnalm.lab.people import add_user, local_user


@pytest.fixture
def lab(home):
    database.cache_clear()
    yield ToyJobs(home)
    database().dispose()
    database.cache_clear()


@pytest.fixture
def client():
    return Client(Starlette(routes=[Route("/runs/{job_id}.zip", download_run)]))


def unpacked(answer):
    assert answer.status_code == 200
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_everything_but_the_checkpoint(lab, client):
    job = jobs.rename(lab.user, lab.done("mine").id, "my run: 1/2\r\n")
    (job.run / "checkpoint").mkdir()
    (job.run / "checkpoint" / "state.json").write_text("{}")
    (job.run / "pretrain" / "checkpoint").mkdir(parents=True)
    (job.run / "pretrain" / "checkpoint" / "state.json").write_text("{}")
    (job.run / "pretrain" / "metrics.jsonl").write_text("{}\n")
    (job.run / ".log.txt.123").write_text("half")
    answer = client.get(f"/runs/{job.id}.zip")
    archive = unpacked(answer)
    assert archive.testzip() is None
    names = {name.removeprefix(f"{job.run.name}/") for name in archive.namelist()}
    assert {"config.yaml", "metrics.jsonl", "log.txt", "result.json", "bundle/model.safetensors"} <= names
    assert "pretrain/metrics.jsonl" in names
    assert not [name for name in names if "checkpoint" in name or name.startswith(".")]
    for name in ("metrics.jsonl", "bundle/model.safetensors"):
        assert archive.read(f"{job.run.name}/{name}") == (job.run / name).read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="my_run_1_2.zip"'
    whole = unpacked(client.get(f"/runs/{job.id}.zip?checkpoint=1"))
    assert f"{job.run.name}/pretrain/checkpoint/state.json" in whole.namelist()


def test_who_may_not_see_a_job_gets_what_an_unknown_one_gives(lab, client, monkeypatch):
    private, shared = lab.done("secret"), lab.done("open", shared=True)
    ann = add_user(local_user(), "ann", "Ann")
    monkeypatch.setattr(downloads, "acting_user", lambda: ann)
    refused, unknown = client.get(f"/runs/{private.id}.zip"), client.get("/runs/0123456789abcdef.zip")
    assert refused.status_code == unknown.status_code == 404
    assert refused.text.replace(private.id, "ID") == unknown.text.replace("0123456789abcdef", "ID")
    assert client.get(f"/runs/{shared.id}.zip").status_code == 200
    assert person.acting_user().id == "local"


@pytest.mark.parametrize("job_id", ["..", "%2e%2e%2fx", "a b", "x" * 65, "'; drop table jobs"])
def test_an_id_that_is_none_is_refused(lab, client, job_id):
    assert client.get(f"/runs/{job_id}.zip").status_code == 404


def test_a_folder_outside_the_runs_is_never_sent(lab, client, tmp_path):
    job = lab.done("moved")
    elsewhere = tmp_path / "elsewhere"
    job.run.rename(elsewhere)
    job.run.symlink_to(elsewhere)
    answer = client.get(f"/runs/{job.id}.zip")
    assert (answer.status_code, "has gone" in answer.text) == (404, True)


def test_links_inside_are_not_followed(lab, tmp_path):
    job = lab.done("linked")
    (tmp_path / "secret.txt").write_text("secret")
    (job.run / "link.txt").symlink_to(tmp_path / "secret.txt")
    (job.run / "folder").symlink_to(tmp_path)
    assert not [path for path in run_files(job.run) if re.search("link|folder", str(path.relative_to(job.run)))]


def test_large_files_pass_through_in_pieces(tmp_path):
    size = 48 << 20
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(size)
    (tmp_path / "gone.txt").write_text("x")
    files = run_files(tmp_path)
    (tmp_path / "gone.txt").unlink()
    tracemalloc.start()
    total = largest = 0
    for piece in zip_pieces(tmp_path, "run", files):
        total, largest = total + len(piece), max(largest, len(piece))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > size
    assert largest < 1 << 20
    assert peak < 8 << 20
