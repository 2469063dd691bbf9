"""Fetch igv.js, which draws the dashboard's genome browser, into this Python's environment.

    python scripts/fetch_igv.py            from npm where there is one, else out of PyPI's igv-notebook
    python scripts/fetch_igv.py FILE       from a file: an igv.min.js, npm's igv-*.tgz, or the wheel of igv-notebook

Only files whose SHA-256 is known are kept; see `dashboard/igv_copy.py`. What it does is said on standard error; the
exit status is 0 when igv.js is there, else 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dashboard import igv_copy  # found by the path above

# Where igv.min.js and its licence lie in each kind of package.
MEMBERS = {
    "package/dist/igv.min.js": igv_copy.FILE,
    "package/LICENSE": "LICENSE",
    "igv_notebook/js/igv.min.js": igv_copy.FILE,
    f"igv_notebook-{igv_copy.WHEEL_VERSION}.dist-info/LICENSE.md": "LICENSE",
}
LIMIT = 120  # seconds for a download


def main(arguments: list[str]) -> int:
    """Fetch and keep igv.js; returns the exit status."""
    found, _ = igv_copy.find_copy()
    if found and not arguments:
        say(f"igv.js {found.version} from {found.source} is in {found.path.parent}")
        return 0
    ways: list[Callable[[Path], Path]] = [from_npm, from_pypi]
    if arguments:
        ways = [lambda _: Path(arguments[0])]
    for way in ways:
        with tempfile.TemporaryDirectory() as name:
            try:
                kept = keep(way(Path(name)))
            except (OSError, subprocess.SubprocessError, tarfile.TarError, zipfile.BadZipFile, LookupError) as error:
                say(f"{error}")
                continue
        say(f"igv.js {kept.version} from {kept.source}, SHA-256 {kept.digest[:16]}..., is in {kept.path.parent}")
        return 0
    say("the page Long sequences is without its genome browser until this works; everything else does")
    return 1


def from_npm(folder: Path) -> Path:
    """The package from the npm registry, packed; nothing in it is run."""
    npm = shutil.which("npm")
    if npm is None:
        raise LookupError("npm is not here; trying the copy in PyPI's igv-notebook")
    package = f"igv@{igv_copy.NPM_VERSION}"
    run([npm, "pack", package, "--ignore-scripts", "--silent", "--pack-destination", str(folder)])
    return only(folder, "*.tgz", package)


def from_pypi(folder: Path) -> Path:
    """The wheel of igv-notebook, without what it depends on; it is not installed."""
    package = f"igv-notebook=={igv_copy.WHEEL_VERSION}"
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    run([sys.executable, "-m", "pip", "download", *quiet, "--dest", str(folder), package])
    return only(folder, "*.whl", package)


def keep(source: Path) -> igv_copy.IgvCopy:
    """Take igv.js and its licence out of a package, and put them in place where the content is known.

    Raises:
        LookupError: it holds no igv.js, or one that is not known.
        OSError: it cannot be read or kept.
    """
    target = igv_copy.folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        building = Path(name) / "igv"
        building.mkdir()
        for file, content in members(source).items():
            (building / file).write_bytes(content)
        if not (building / igv_copy.FILE).is_file():
            raise LookupError(f"{source.name}: there is no igv.min.js in it")
        if igv_copy.known_copy(building / igv_copy.FILE) is None:
            raise LookupError(f"{source.name}: its igv.min.js is none that dashboard/igv_copy.py knows; it is not kept")
        shutil.rmtree(target, ignore_errors=True)
        building.rename(target)
    found, why = igv_copy.find_copy()
    if found is None:
        raise LookupError(why)
    return found


def members(source: Path) -> dict[str, bytes]:
    """The files that are wanted of a package, by their names here; of a script the script itself."""
    if source.suffix == ".js":
        return {igv_copy.FILE: source.read_bytes()}
    if source.suffix == ".whl":
        with zipfile.ZipFile(source) as wheel:
            return {MEMBERS[name]: wheel.read(name) for name in wheel.namelist() if name in MEMBERS}
    if not tarfile.is_tarfile(source):
        raise LookupError(f"{source.name}: neither an igv.min.js, nor npm's package of igv, nor igv-notebook's wheel")
    found = {}
    with tarfile.open(source) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() and member.name in MEMBERS else None
            if content is not None:
                found[MEMBERS[member.name]] = content.read()
    return found


def run(command: list[str]) -> None:
    """Run a program quietly; what it says is told when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise LookupError(f"{Path(command[0]).name}: {last}")


def only(folder: Path, pattern: str, package: str) -> Path:
    """The one file that was fetched."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise LookupError(f"{package}: nothing was fetched")
    return found[0]


def say(words: str) -> None:
    """A line on standard error."""
    print(f"igv: {words}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
