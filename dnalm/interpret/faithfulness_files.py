"""Where figures of faithfulness are kept: of a lab's own model in its `metrics.json`, of those that ship together."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from dnalm.errors import InputError
from dnalm.files import write_whole
from dnalm.interpret.faithfulness_result import KEY, Faithfulness
from dnalm.model.bundle import METRICS, Bundle, read_bundle, weights_hash
from dnalm.model.shelf import changing_models
from dnalm.settings import settings


def shipped_file() -> Path:
    """The file of the shipped models' figures, one entry a model."""
    return settings().shipped_data / "results" / "faithfulness.json"


def faithfulness_of(bundle: Bundle) -> Faithfulness | None:
    """What was measured of a model; None where nothing was, or of other weights than it has now.

    A shipped model is known by its weights, so that a copy under another name has its figures too.
    """
    weights = weights_hash(bundle.folder)
    for found in (bundle.metrics.get(KEY), *_shipped().values()):
        if isinstance(found, dict) and found.get("weights") == weights:
            try:
                return Faithfulness.from_dict(found)
            except InputError:  # of another version of dnalm: as if nothing had been measured
                continue
    return None


def keep(bundle: Bundle, found: Faithfulness) -> Path:
    """Keep figures with their model; what was kept before of the same model is replaced, all else stays.

    Returns:
        The file.

    Raises:
        InputError: they are of other weights.
    """
    if found.weights != weights_hash(bundle.folder):
        raise InputError(f"the figures are of other weights than {bundle.folder} has")
    if bundle.folder.parent.resolve() == settings().shipped_models.resolve():
        path = shipped_file()
        every = sorted({**_shipped(), bundle.name: found.as_dict()}.items())
        lines = [f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}" for name, entry in every]
        write_whole(path, "{\n" + ",\n".join(lines) + "\n}\n")  # a line a model
        return path
    path = bundle.folder / METRICS
    ours = bundle.folder.parent.resolve() == settings().models.resolve()
    with changing_models() if ours else nullcontext():
        # Renamed into place: a run's own metrics.json, which may be the same file by a hard link, stays as it is.
        document = {**read_bundle(bundle.folder).metrics, KEY: found.as_dict()}
        write_whole(path, json.dumps(document, indent=1) + "\n")
    return path


def _shipped() -> dict[str, Any]:
    try:
        found = json.loads(shipped_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}
