"""Published rows on the results page, apart from what was measured here."""

from __future__ import annotations

from collections.abc import Collection

from dnalm.evaluation import published
from dnalm.evaluation.results.cells import NOT_RUN, table


def published_alone(held_against: Collection[str | None]) -> list[str]:
    """The published tables that no task here is held against: why not, and their rows."""
    parts = []
    for name, told in published.load().tasks.items():
        if name not in held_against:
            parts += [f"## {told.title}, published figures", published_rows(name)]
    return parts


def published_rows(name: str) -> str:
    """The rows of a published table, apart from the measured ones."""
    found = published.load()
    told = found.tasks[name]
    names = list(dict.fromkeys(name for row in told.rows for name in row.figures))
    body = [
        [
            row.model + ("" if row.kmer is None else f", {row.kmer}-mers"),
            "" if row.stride is None else str(row.stride),
            "" if row.labels is None else f"{row.labels:,}",
            *(row.printed(name).removeprefix("0") for name in names),
            f"[{row.source}]({found.sources[row.source].address})",
            row.told,
        ]
        for row in told.rows
    ]
    text = (
        "Published, from other splits or sequences, so not to be ranked with what is measured here. "
        f"{told.protocol.strip()} {told.apart.strip()}"
    )
    unrun = f"{NOT_RUN.capitalize()}: {told.not_run.strip()}" if told.not_run else ""
    head = ("model", "stride", "labels", *names, "source", "note")
    return "\n\n".join(part for part in (unrun, text.strip(), table(head, body)) if part)
