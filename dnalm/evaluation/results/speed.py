"""What `python -m benchmarks` kept of speed, as tables of the results page: ratios, quartiles, aims."""

from __future__ import annotations

from typing import Any

COLUMNS = ["subject", "compared", "value", "quartiles", "aim", ""]


def speed_table(rows: list[dict[str, Any]], title: str, note: str) -> dict[str, Any]:
    """One table; see `render_services`.

    Args:
        rows: as `--json` writes them.
        title: heading on the page.
        note: what was done, said above the table.
    """
    cells = []
    for row in rows:
        aim = "" if row["aim"] is None else f"{'at most' if row['at_most'] else 'at least'} {row['aim']:g}"
        spread = "" if row["low"] is None else f"{row['low']:.3g} to {row['high']:.3g}"
        value = f"{row['value']:.3g} {row['unit']}".strip()
        cells.append([row["subject"], row["compared"], value, spread, aim, row["verdict"]])
    return {"title": title, "note": note, "columns": COLUMNS, "rows": cells}


def mutating(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Saturation mutagenesis."""
    return speed_table(
        rows,
        "Every change of one base, beside other ways",
        "Saturation mutagenesis of shipped models on the shipped genome: how many times as fast, quartiles "
        "over windows, one core, all ways in one run, and the largest difference in probability from reading every "
        "variant anew. `python -m benchmarks --only mutating --json data/results/mutating.json` measures it again; "
        "[speed](benchmarks.md) says more.",
    )


def scanning(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Long sequences."""
    return speed_table(
        rows,
        "The speed of scanning",
        "How many times as fast as other ways, in the processor time of one core, all ways taking turns in one run; "
        "quartiles over rounds. Window mode with an untrained classifier like the ancestor's, from record to track; "
        "fastai's modules were given the token ids. Stream mode with the shipped track model. "
        "`python -m benchmarks --only scanning --only streaming --only tokenizing --json "
        "data/results/scanning-speed.json` measures it again; [speed](benchmarks.md) says more.",
    )
