"""The command line's frame: exit codes, sentences, JSON, start-up time, the taken port."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
import typer
from typer.testing import CliRunner
from waiting import PATIENCE_S, wait_for

from dnalm.cli import app
from dnalm.cli.frame import SentenceGroup
from dnalm.cli.output import figure_text, format_of, plain, whole_file
from dnalm.errors import InputError, RunError
from dnalm.lab import queue
from dnalm.lab.database import Database

runner = CliRunner()
DNALM = [sys.executable, "-c", "from dnalm.cli import main; main()"]


def shell(*arguments: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DNALM, *arguments], capture_output=True, text=True, timeout=120, **more)


def failing(error: BaseException) -> typer.Typer:
    broken = typer.Typer(cls=SentenceGroup)

    @broken.callback()
    def _root() -> None:
        pass

    @broken.command()
    def fail() -> None:
        raise error

    return broken


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (InputError("x.fa, line 3: found a digit"), 2, "dnalm: x.fa, line 3: found a digit"),
        (RunError("the loss is not a number"), 1, "dnalm: the loss is not a number"),
        (KeyboardInterrupt(), 130, "dnalm: interrupted"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/full"),
            1,
            "dnalm: /full: no space left on device",
        ),
    ],
)
def test_an_error_is_one_sentence_and_its_exit_code(error, status, sentence):
    result = runner.invoke(failing(error), ["fail"])
    assert result.exit_code == status
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_bug_keeps_its_traceback():
    result = runner.invoke(failing(ZeroDivisionError("bug")), ["fail"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_wrong_usage_is_exit_2_on_stderr():
    result = shell("no-such-command")
    assert result.returncode == 2
    assert result.stdout == ""
    assert "no-such-command" in result.stderr


def test_version():
    result = shell("--version")
    assert (result.returncode, result.stdout) == (0, "dnalm 0.1.0\n")


def every_command() -> list[list[str]]:
    def walk(command, path: list[str]) -> list[list[str]]:
        below = getattr(command, "commands", {})
        return [path, *(line for name, sub in below.items() for line in walk(sub, [*path, name]))]

    return walk(typer.main.get_command(app), [])


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_command_has_help_with_examples(command: list[str]):
    result = runner.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Examples" in result.stdout
    assert "$ dnalm" in result.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom dnalm.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'pandas', 'streamlit', 'pydantic') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1] == "[]"


def test_json_holds_what_json_can_hold():
    class Figure:
        def as_dict(self):
            return {"value": 0.5, "low": float("nan"), "high": 1.0, "n": 3}

    assert plain({"mcc": Figure(), "path": Path("/a"), 1: (True, None)}) == {
        "mcc": {"value": 0.5, "low": None, "high": 1.0, "n": 3},
        "path": "/a",
        "1": [True, None],
    }


def test_a_figure_for_people():
    assert figure_text({"value": 0.5, "low": 0.25, "high": 0.75, "n": 1200}) == "0.5000 (0.2500 to 0.7500, n 1,200)"
    assert figure_text({"value": 0.5, "low": None, "high": None, "n": 3}) == "0.5000 (n 3)"
    assert figure_text({"value": None, "low": None, "high": None, "n": 0}) == "unknown (n 0)"


def test_a_file_is_whole_or_not_there(tmp_path: Path):
    target = tmp_path / "out.tsv"
    with pytest.raises(RuntimeError), whole_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with whole_file(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out.tsv"]


def test_a_missing_folder_is_wrong_input(tmp_path: Path):
    with pytest.raises(InputError, match="make it first"), whole_file(tmp_path / "no" / "out.tsv"):
        pass


def test_the_format_follows_the_choice_then_the_suffix():
    known = {".tsv": "tsv", ".jsonl": "jsonl"}
    assert format_of("-", None, known, "tsv") == "tsv"
    assert format_of("x.JSONL", None, known, "tsv") == "jsonl"
    assert format_of("x.tsv", "jsonl", known, "tsv") == "jsonl"
    with pytest.raises(InputError, match=r"\.doc"):
        format_of("x.doc", None, known, "tsv")
    with pytest.raises(InputError, match="--format doc"):
        format_of("x.tsv", "doc", known, "tsv")


@pytest.fixture
def small_dashboard(tmp_path: Path) -> Path:
    """A shipped folder whose dashboard is one line: what is under test is the starting and stopping."""
    folder = tmp_path / "dashboard"
    folder.mkdir()
    (folder / "page.py").write_text("import streamlit as st\nst.write('hello')\n")
    (folder / "app.py").write_text("import streamlit as st\napp = st.App('page.py')\n")
    return tmp_path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_taken_port_is_one_clear_sentence(small_dashboard: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = shell("serve", "--port", str(port), env={**os.environ, "DNALM_SHIPPED": str(small_dashboard)})
    assert result.returncode == 2
    assert f"port {port} on 127.0.0.1" in result.stderr
    assert "--port" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_dashboard_is_wrong_input(tmp_path: Path):
    result = shell("serve", env={**os.environ, "DNALM_SHIPPED": str(tmp_path)})
    assert result.returncode == 2
    assert "app.py" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_where_and_stops_the_dashboard_and_the_worker(small_dashboard: Path, tmp_path: Path, number: int):
    pytest.importorskip("streamlit")
    port = free_port()
    database = Database(f"sqlite:///{tmp_path / 'lab.db'}")
    database.migrate()
    environment = {**os.environ, "DNALM_SHIPPED": str(small_dashboard), "PYTHONUNBUFFERED": "1"}
    environment |= {"DNALM_HOME": str(tmp_path), "CUDA_VISIBLE_DEVICES": "", "DNALM_DATABASE_URL": str(database.url)}
    with subprocess.Popen(
        [*DNALM, "serve", "--port", str(port)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            while line and "http://" not in line:
                line = process.stdout.readline()
            assert f"http://127.0.0.1:{port}" in line
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S) as answer:
                assert answer.status == 200
            wait_for(lambda: queue.workers(db=database), "a worker")
            workers = queue.workers(db=database)
            process.send_signal(number)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
    assert not psutil.pid_exists(workers[0].pid)
    assert queue.workers(db=database) == []
    database.dispose()
    wait_for(lambda: can_be_bound(port), "the server to let go of its port")


def can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_doctor_reports_what_is_here(tmp_path: Path):
    environment = {**os.environ, "DNALM_HOME": str(tmp_path / "none"), "DNALM_CHROMIUM": sys.executable}
    result = shell("doctor", "--json", env=environment)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["dnalm"] == "0.1.0"
    assert report["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert report["device"].split(":")[0].split()[0] in ("cpu", "cuda", "mps")
    assert report["cores"] >= 1
    assert report["chromium"] == sys.executable
    assert report["home"] == str(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_doctor_says_what_is_missing(tmp_path: Path):
    environment = {
        **os.environ,
        "DNALM_CHROMIUM": str(tmp_path / "no-browser"),
        "DNALM_DATA_MIRROR": str(tmp_path / "x"),
    }
    result = shell("doctor", env=environment)
    rows = dict(line.split("\t") for line in result.stdout.splitlines())
    assert rows["chromium"] == "not found"
    assert rows["data_mirror"] == "not found"
