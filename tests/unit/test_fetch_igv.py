"""igv.js is kept only when it is a known one; where it cannot be had, that is said and nothing is broken."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from dashboard import igv_copy

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = b"window.igv = {}"


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """The script as a module, an environment of the test's own, and a file of igv.js that counts as known."""
    spec = importlib.util.spec_from_file_location("fetch_igv", ROOT / "scripts" / "fetch_igv.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(igv_copy, "folder", lambda: tmp_path / "share" / "igv")
    monkeypatch.setattr(igv_copy, "KNOWN", {hashlib.sha256(SCRIPT).hexdigest(): ("9.9", "a test")})
    return module


def npm_package(path: Path, script: bytes = SCRIPT) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {
            "package/dist/igv.min.js": script,
            "package/LICENSE": b"MIT",
            "../../evil": b"x",
            "package/package.json": b"{}",
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def wheel(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("igv_notebook/js/igv.min.js", SCRIPT)
        archive.writestr(f"igv_notebook-{igv_copy.WHEEL_VERSION}.dist-info/LICENSE.md", "MIT")
    return path


def kept(tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "share" / "igv"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


@pytest.mark.parametrize("make", [npm_package, wheel])
def test_script_and_licence_are_taken_out_of_either_package(fetch, tmp_path, make, capsys):
    source = make(tmp_path / ("p.whl" if make is wheel else "p.tgz"))
    assert fetch.main([str(source)]) == 0
    assert kept(tmp_path) == {"igv.min.js": SCRIPT, "LICENSE": b"MIT"}
    assert "igv.js 9.9 from a test" in capsys.readouterr().err
    assert not (tmp_path / "evil").exists()
    assert fetch.main([]) == 0  # nothing to do, and nothing is asked


@pytest.mark.parametrize("content", [b"window.igv = evil", b""])
def test_what_is_not_known_is_not_kept_and_the_old_one_stays(fetch, tmp_path, content, capsys):
    fetch.main([str(npm_package(tmp_path / "good.tgz"))])
    assert fetch.main([str(npm_package(tmp_path / "bad.tgz", content))]) == 1
    assert "it is not kept" in capsys.readouterr().err
    assert kept(tmp_path)["igv.min.js"] == SCRIPT
    assert [path.name for path in (tmp_path / "share").iterdir()] == ["igv"]


def test_files_that_are_no_packages_get_a_sentence(fetch, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.whl").write_text("x")
    for name in ("notes.txt", "broken.whl", "absent.tgz"):
        assert fetch.main([str(tmp_path / name)]) == 1
    assert "neither an igv.min.js, nor npm's package" in capsys.readouterr().err
    assert kept(tmp_path) == {}


def test_without_npm_the_wheel_is_fetched_and_without_either_the_failure_is_said(fetch, tmp_path, monkeypatch, capsys):
    asked = []

    def run(command, **options):
        asked.append(Path(command[0]).name)
        if "pip" not in command:
            return subprocess.CompletedProcess(command, 1, "", "npm error\nnpm error network away")
        wheel(Path(command[command.index("--dest") + 1]) / "igv.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch.subprocess, "run", run)
    monkeypatch.setattr(fetch.shutil, "which", lambda _: None)
    assert fetch.main([]) == 0
    assert len(asked) == 1
    fetch.shutil.rmtree(tmp_path / "share")
    monkeypatch.setattr(fetch.shutil, "which", lambda _: "/usr/bin/npm")
    assert fetch.main([]) == 0
    assert asked[1:] == ["npm", asked[0]]
    fetch.shutil.rmtree(tmp_path / "share")
    monkeypatch.setattr(
        fetch.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", "network away")
    )
    capsys.readouterr()
    assert fetch.main([]) == 1
    said = capsys.readouterr().err
    assert said.count("network away") == 2
    assert "without its genome browser until this works" in said


def test_igv_js_is_never_committed():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no git repository")
    assert not [
        name for name in done.stdout.splitlines() if Path(name).name.startswith("igv.") and name.endswith(".js")
    ]
    assert "igv.js" in (ROOT / "NOTICE").read_text()
