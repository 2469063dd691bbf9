"""`python -m benchmarks.faithfulness`: the tables of docs/faithfulness.md, from what is kept of the shipped models.

With `--measure` each model's kept command is run again first, which takes hours on one core; `--only MODEL` chooses.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import subprocess
import sys
from collections.abc import Sequence

from dnalm.interpret.faithfulness_files import shipped_file
from dnalm.interpret.faithfulness_result import BASELINE_NAMES, NAMES, Faithfulness, OfWay
from dnalm.metrics import Figure

AIM = 2.0


def main() -> int:
    """Measure where that is asked for, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faithfulness", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="run the kept commands again")
    parser.add_argument("--only", action="append", metavar="MODEL")
    told = parser.parse_args()
    if told.measure:
        for found in kept():
            if not told.only or found.model in told.only:
                words = shlex.split(found.command)[1:]
                subprocess.run([sys.executable, "-m", "dnalm", *words, "--keep"], check=True)
    print(tables(kept()))
    return 0


def kept() -> list[Faithfulness]:
    """Of each shipped model that was measured, by name."""
    entries = json.loads(shipped_file().read_text(encoding="utf-8"))
    return [Faithfulness.from_dict(entries[name]) for name in sorted(entries)]


def tables(found: Sequence[Faithfulness]) -> str:
    """Markdown: what each model's best way reaches, what each way reaches on each, and the other three tests."""
    return "\n\n".join([_models(found), _ways(found), _others(found)])


def _models(found: Sequence[Faithfulness]) -> str:
    head = [
        *("model", "sequences", "random order takes (nats)", "best way", "times random", "twice?", "at once"),
        *("of the first fifth", "insertion", "against shuffles"),
    ]
    rows = []
    for one in found:
        best = one.best
        figures = [_text(figure) for figure in (best.early, best.insertion, best.deletion_shuffled)]
        cells = [
            one.model,
            str(one.n),
            _text(one.random_fall, 2),
            best.words,
            _text(best.deletion),
            _verdict(best),
            _at_once(one),
        ]
        rows.append([*cells, *figures])
    return _table(head, rows)


def _verdict(way: OfWay) -> str:
    if math.isnan(way.deletion.value):
        return "no multiple"
    return "met" if way.deletion.value >= AIM else "short"


def _at_once(one: Faithfulness) -> str:
    """Times random of an order that fell with its first base to the lowest point that any way's mean curve has."""
    if math.isnan(one.best.deletion.value):
        return ""
    lowest = min(min(way.curves.deletion) for way in one.ways)
    return f"{(one.random.deletion[0] - lowest) / one.random_fall.value:.1f}"


def _ways(found: Sequence[Faithfulness]) -> str:
    rows = []
    for way in found[0].ways:
        mine = [one.way(way.method, way.baseline) for one in found]
        rows.append([way.words, *(_short(each.deletion) if each else "" for each in mine)])
    return _table(["way", *(one.model for one in found)], rows)


def _others(found: Sequence[Faithfulness]) -> str:
    rows = []
    for one in found:
        way, mutation = one.way("integrated-gradients", "shuffled"), one.way("mutation")
        assert way is not None and mutation is not None
        baselines = one.between(way, one.way("integrated-gradients", "uniform") or way)
        slope = one.between(one.way("input-x-gradient") or way, mutation)
        figures = [one.between(way, mutation), slope, baselines, way.stability, way.head_redrawn, way.all_redrawn]
        rows.append([one.model, *(_text(figure, 2) for figure in figures)])
    ours = f"{NAMES['integrated-gradients']}, {BASELINE_NAMES['shuffled']}"
    head = ["model", f"{ours}: with mutation", f"{NAMES['input-x-gradient']}: with mutation", "with even bases"]
    return _table([*head, "other draws", "head drawn anew", "all weights drawn anew"], rows)


def _text(figure: Figure | None, digits: int = 1) -> str:
    if figure is None or math.isnan(figure.value):
        return ""
    interval = "" if math.isnan(figure.low) else f" ({figure.low:.{digits}f} to {figure.high:.{digits}f})"
    return f"{figure.value:.{digits}f}{interval}"


def _short(figure: Figure) -> str:
    return "" if math.isnan(figure.value) else f"{figure.value:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
