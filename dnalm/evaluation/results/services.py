"""What was measured of the lab's services, kept beside the models' figures: one table a file, drawn as it stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dnalm.files import write_whole

PATTERN = "lab-*.json"


def write_service(
    data: Path, name: str, *, title: str, note: str, columns: Sequence[str], rows: Iterable[Sequence[str]], **facts: Any
) -> Path:
    """Keep a table as `lab-NAME.json`.

    Args:
        data: the folder of results.
        name: of the file.
        title: heading on the page.
        note: what was done, said above the table.
        columns: the table's head.
        rows: its cells, as they are to be shown.
        facts: whatever else says how it was measured: machine, versions, seed, counts.
    """
    path = data / f"lab-{name}.json"
    document = {"title": title, "note": note, "columns": list(columns), "rows": [list(row) for row in rows], **facts}
    write_whole(path, json.dumps(document, indent=1) + "\n")
    return path


def read_services(data: Path) -> list[dict[str, Any]]:
    """All tables that were kept, by the name of their file."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(data.glob(PATTERN))]


def render_services(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """The tables as parts of a Markdown page."""
    parts = []
    for document in documents:
        lines = ["| " + " | ".join(row) + " |" for row in [document["columns"], *document["rows"]]]
        lines.insert(1, "|" + "---|" * len(document["columns"]))
        parts += [f"## {document['title']}", document["note"], "\n".join(lines)]
    return parts
