"""What the project promises about itself: pinned versions, make targets, layers, licence, short modules."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# From the top floor down, as docs/index.md has it: a module imports only from floors below its own.
FLOORS = [
    {"cli"},
    {"lab"},
    {"evaluation"},
    {"training", "tracks", "interpret"},
    {"datasets"},
    {"model"},
    {"annotation"},
    {"features"},
    {"tokenizer"},
    {"sequences"},
    {"metrics"},
    {"alphabet"},
    {"pages"},
    {"settings"},
    {"files", "locks", "side_by_side"},
    {"errors"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
TARGETS = ["install", "run", "test", "lint", "bench", "results", "screenshots", "clean", "help"]


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    matches = [re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)", line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    return {canonicalize_name(match[1]): match[2] for match in matches}


def test_every_version_is_pinned_and_within_its_range():
    pinned = pins()
    extras = PROJECT["optional-dependencies"]
    for line in [
        *PROJECT["dependencies"],
        *extras["dashboard"],
        *extras["genes"],
        *extras["umap"],
        *extras["onnx"],
        *extras["dev"],
    ]:
        wanted = Requirement(line)
        assert canonicalize_name(wanted.name) in pinned, f"{wanted.name} is not in requirements.txt"
        assert Version(pinned[canonicalize_name(wanted.name)]) in wanted.specifier


def test_torch_is_pinned_without_a_build():
    assert pins()["torch"] == "2.13.0"


def test_dnalm_itself_is_not_a_requirement():
    assert "dnalm" not in pins()


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.update({node.module} | {f"{node.module}.{alias.name}" for alias in node.names})
    return names


def test_the_library_never_imports_the_dashboard():
    for path in python_files("dnalm"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"streamlit", "plotly", "dashboard"}, path


def test_imports_run_downwards():
    wrong = []
    for path in python_files("dnalm"):
        room = path.relative_to(ROOT / "dnalm").parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue  # the doors: they lead to everything
        assert room in FLOOR_OF, f"{room} is not a room of the house"
        for name in imported(path):
            parts = name.split(".")
            if parts[0] != "dnalm" or len(parts) < 2 or parts[1] in ("load", room):
                continue
            below = FLOOR_OF.get(parts[1])
            if below is None or below <= FLOOR_OF[room]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_modules_stay_readable():
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in python_files("dnalm", "dashboard")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 350
    ]
    assert not long, "\n".join(long)


def test_no_pickle_and_no_eval_in_what_reads_files():
    for path in python_files("dnalm", "dashboard"):
        names = imported(path)
        assert not names & {"pickle", "dill", "cloudpickle", "joblib"}, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert called not in ("torch.load", "yaml.load", "yaml.unsafe_load", "os.system"), path
            if isinstance(node, ast.keyword) and node.arg == "shell":
                assert ast.unparse(node.value) == "False", path


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_its_targets(target: str):
    result = subprocess.run(["make", "-n", "-C", str(ROOT), target], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_make_alone_lists_the_targets():
    result = subprocess.run(["make", "-s", "-C", str(ROOT)], capture_output=True, text=True, timeout=60)
    listed = re.findall(r"^ +make (\w+)", result.stdout, flags=re.MULTILINE)
    assert sorted(listed) == sorted(TARGETS)


@pytest.mark.parametrize(
    "script",
    [
        "scripts/install.sh",
        "scripts/chromium.sh",
        "scripts/postgres.sh",
        "scripts/slurm.sh",
        "deploy/slurm/start.sh",
        "deploy/slurm/stop.sh",
        "scripts/test.sh",
        ".ci/run",
    ],
)
def test_scripts_are_sound_bash(script: str):
    assert subprocess.run(["bash", "-n", str(ROOT / script)], timeout=60).returncode == 0


def test_an_old_python_is_refused_with_a_sentence(tmp_path: Path):
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    result = subprocess.run(
        ["bash", str(ROOT / "scripts" / "install.sh"), str(tmp_path / "venv"), str(old)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "Python 3.9.2" in result.stderr
    assert "3.11 or newer" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_a_machine_without_a_new_enough_python_is_told_so(tmp_path: Path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    (tmp_path / "bash").symlink_to("/bin/bash")
    result = subprocess.run(
        ["/bin/bash", str(ROOT / "scripts" / "install.sh"), str(tmp_path / "venv")],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": str(tmp_path)},
    )
    assert result.returncode == 1
    assert "Python 3.9.2" in result.stderr
    assert "make PYTHON=" in result.stderr


def test_the_licence_is_the_one_named():
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert len(text) > 10_000


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text) if "://" not in link and link != ""]


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda p: p.name,
)
def test_every_link_between_pages_leads_somewhere(page: Path):
    missing = [link for link in links(page) if not (page.parent / link).exists()]
    assert not missing, f"{page.name}: {missing}"


def test_the_index_leads_to_every_page():
    listed = set(links(ROOT / "docs" / "index.md"))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= listed


def test_no_two_files_of_tests_share_a_name() -> None:
    """Collected together, as `make test` does, the second of two files of one name could not be imported."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
