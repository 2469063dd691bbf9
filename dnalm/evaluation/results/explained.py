"""What is kept of scanning, of how far explanations can be believed, and of speed, as tables of the results page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnalm.evaluation.results.speed import mutating, scanning
from dnalm.evaluation.results.starts import starts
from dnalm.interpret.faithfulness_result import Faithfulness, OfWay
from dnalm.metrics import Figure


def read_explained(data: Path) -> list[dict[str, Any]]:
    """The tables of a folder of results that holds such figures; see `render_services`."""
    found: list[dict[str, Any]] = []
    tables: dict[str, Callable[[Any], list[dict[str, Any]]]] = {
        "ecoli-starts.json": starts,
        "scanning-speed.json": lambda rows: [scanning(rows)],
        "faithfulness.json": lambda document: [_faithfulness(document)],
        "minus-ten.json": lambda document: [_minus_ten(document)],
        "mutating.json": lambda rows: [mutating(rows)],
    }
    for name, table in tables.items():
        if (data / name).is_file():
            found += table(json.loads((data / name).read_text(encoding="utf-8")))
    return found


def _faithfulness(document: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for one in (Faithfulness.from_dict(entry) for entry in document.values()):
        best, mutation = one.best, one.way("mutation")
        rows.append(
            [
                one.model,
                best.words,
                _times(best.deletion),
                _times(mutation.deletion) if mutation else "",
                _agreement(one, best, mutation),
                _short(best.all_redrawn) if best.all_redrawn else "",
                f"{one.n} {'held-out ' if one.split == 'test' else ''}sequences of {one.dataset}",
            ]
        )
    return {
        "title": "How far saliency can be believed",
        "note": "What replacing the bases that a method ranks highest takes from the log-odds, over what random ones "
        "take (area of the deletion curve; at least twice was aimed at): of the best method, and of mutation. Beside "
        "it the rank correlation of the two, and of the best method with itself after all weights were drawn anew, "
        "which should be low. Intervals are of 95 %, by bootstrap over sequences. `dnalm explain faithfulness MODEL "
        "SET` measures it again; [faithfulness](faithfulness.md) has every method.",
        "columns": ["model", "best method", "times random", "mutation", "agreement", "redrawn", "measured on"],
        "rows": rows,
    }


def _minus_ten(document: dict[str, Any]) -> dict[str, Any]:
    rows = [[way, _share(found["promoters"]), _share(found["shuffled"])] for way, found in document["ways"].items()]
    low, high = document["place"]
    calls = document["promoters"]
    return {
        "title": "The -10 element at its place",
        "note": f"Share of sigma-70 promoters called right whose strongest {document['width']}-base stretch overlaps "
        f"bases {low} to {high} from the start site, and of the same sequences with their dinucleotides shuffled; "
        f"{document['by_chance']:.2f} would by chance, {document['aim']:.2f} was aimed at. {document['model']}, "
        f"{calls['called_right']} of {calls['held_out']} held-out promoters, seed {document['seed']}. "
        "`python -m benchmarks.minus_ten` measures it again; [motifs](motifs.md) says more.",
        "columns": ["attribution", "promoters", "shuffled"],
        "rows": rows,
    }


def _times(figure: Figure) -> str:
    return "" if figure.value != figure.value else f"{figure.value:.1f} [{figure.low:.1f}, {figure.high:.1f}]"


def _short(figure: Figure) -> str:
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def _agreement(one: Faithfulness, best: OfWay, mutation: OfWay | None) -> str:
    found = one.between(best, mutation) if mutation is not None and mutation is not best else None
    return _short(found) if found else ""


def _share(figure: dict[str, float]) -> str:
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"
