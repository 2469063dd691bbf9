"""The copy of igv.js that this installation has: `make install` fetches it, and only known files are shown to browsers.

igv.js (MIT licence, the IGV team at UC San Diego and the Broad Institute) is no part of dnalm's repository. It lies in
the Python environment, and is served from here alone: a lab's server may have no internet.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FILE = "igv.min.js"
NPM_VERSION = "3.8.10"
WHEEL_VERSION = "0.6.2"
# SHA-256 of the files that are known to be what they say: version and where it comes from.
KNOWN = {
    "87b991ae2a720978172e269dd5127c495e56df5af31144dff19c83124e2f5744": (NPM_VERSION, "npm's igv"),
    "9ea9be2807d414601801f3b572f4948eec8131761b356f47861debf336d5a5e1": ("3.1.4", f"igv-notebook {WHEEL_VERSION}"),
}
HOW_TO = "python scripts/fetch_igv.py"


@dataclass(frozen=True)
class IgvCopy:
    """A file of igv.js whose content is known.

    Attributes:
        path: where it is.
        version: of igv.js.
        source: what it was taken from.
        digest: SHA-256 of the file.
    """

    path: Path
    version: str
    source: str
    digest: str


def folder() -> Path:
    """Where igv.js lies: in the environment of this Python, out of the repository."""
    return Path(sys.prefix) / "share" / "dnalm" / "igv"


def find_copy() -> tuple[IgvCopy | None, str]:
    """The copy of igv.js, or None and one sentence that says why there is none to show."""
    path = folder() / FILE
    try:
        known = _known(path, path.stat().st_mtime_ns)
    except OSError:
        return None, "igv.js, which draws the genome browser, is not installed here."
    if known is None:
        return None, "The file of igv.js that is installed here is none of the known ones: it was changed or damaged."
    return known, ""


def known_copy(path: Path) -> IgvCopy | None:
    """What a file of igv.js is, by its content; None where that is not known.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return IgvCopy(path, *KNOWN[digest], digest) if digest in KNOWN else None


@lru_cache(maxsize=4)
def _known(path: Path, stamp: int) -> IgvCopy | None:
    return known_copy(path)
