"""`python -m benchmarks.minus_ten`: whether the shipped sigma-70 model reads the -10 element at its place.

Of the held-out promoters that the model calls promoters: the share whose strongest six-base stretch, of what the bases
add to the call, overlaps bases -14 to -5 from the start site; and the same share of the same promoters with their
dinucleotides shuffled. Then what other widths, absolute values, and other ways of attribution make of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import dnalm
from dnalm.datasets.recipes import load_or_make
from dnalm.datasets.stretches import stretch_groups
from dnalm.files import write_whole
from dnalm.interpret.attribution import attribute
from dnalm.interpret.mutation import Mutations
from dnalm.interpret.place import MINUS_10_PLACE, WIDTH, share_at_place, share_by_chance, strongest_stretch
from dnalm.metrics import Figure
from dnalm.sequences.shuffle import dinucleotide_shuffles
from dnalm.settings import PACKAGE_ROOT

MODEL = DATASET = "ecoli-sigma70-81"
AIM = 0.6
RESULT = PACKAGE_ROOT / "data" / "results" / "minus-ten.json"
WAYS = {
    "integrated gradients from dinucleotide shuffles": ("integrated-gradients", "shuffled"),
    "integrated gradients from even bases": ("integrated-gradients", "uniform"),
    "integrated gradients from the sequence's own composition": ("integrated-gradients", "background"),
    "input x gradient": ("input-x-gradient", "uniform"),
    "occlusion, three bases at a time, from even bases": ("occlusion", "uniform"),
}
"""The first is the headline: the default of `attribute`."""
MUTATION = "saturation mutation"
WIDTHS = (4, 6, 8, 10)


def main() -> int:
    """Measure, print, and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.minus_ten", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULT, metavar="FILE")
    told = parser.parse_args()
    torch.set_num_threads(1)
    result = measure(told.seed)
    write_whole(told.output, json.dumps(result, indent=1) + "\n")
    print(table(result))
    return 0


def measure(seed: int) -> dict[str, Any]:
    """All shares, as JSON."""
    model, dataset = dnalm.load(MODEL), load_or_make(DATASET)
    rows = dataset.part("test")
    rows = rows[rows["label"] == dataset.positive]
    given = dataset.codes(rows)
    called = [one.label == model.config.positive for one in model.predict(given)]
    codes = [one for one, right in zip(given, called, strict=True) if right]
    groups = stretch_groups(codes)
    draws = np.random.default_rng(seed)
    shuffled = [dinucleotide_shuffles(one, 1, draws)[0] for one in codes]
    anchor = model.config.anchor
    found = {}
    for name, (method, baseline) in WAYS.items():
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        pair = [
            [
                one.bases
                for one in attribute(
                    model,
                    some,
                    method=method,
                    baseline=baseline,
                    label=dataset.positive,
                    generator=np.random.default_rng(seed),
                )
            ]
            for some in (codes, shuffled)
        ]
        found[name] = shares(*pair, anchor, groups, seed)
    print(f"measuring {MUTATION} ...", file=sys.stderr, flush=True)
    worth = (
        [Mutations(model, one, label=dataset.positive).saturation().bases for one in some] for some in (codes, shuffled)
    )
    found[MUTATION] = shares(*worth, anchor, groups, seed)
    return {
        "what": "share of promoters called right whose strongest stretch overlaps the place of the -10 element",
        "model": MODEL,
        "dataset": {"name": DATASET, "split": "test", "sha256": dataset.sha256()},
        "promoters": {"held_out": len(given), "called_right": len(codes)},
        "place": MINUS_10_PLACE,
        "width": WIDTH,
        "aim": AIM,
        "by_chance": share_by_chance(len(codes[0]), anchor),
        "seed": seed,
        "headline": next(iter(WAYS)),
        "ways": found,
    }


def shares(
    real: Sequence[NDArray[np.floating]],
    shuffled: Sequence[NDArray[np.floating]],
    anchor: int,
    groups: NDArray[np.integer],
    seed: int,
) -> dict[str, Any]:
    """The share by the issue's own measure, real and shuffled; by other widths and weighings; where stretches begin."""

    def share(scores: Sequence[NDArray[np.floating]], **options: Any) -> dict[str, float | int | None]:
        figure: Figure = share_at_place(scores, anchor, generator=np.random.default_rng(seed), groups=groups, **options)
        return figure.as_dict()

    starts = np.array([strongest_stretch(one) for one in real]) - anchor
    return {
        "promoters": share(real),
        "shuffled": share(shuffled),
        "other_definitions": {
            **{f"width {width}": share(real, width=width) for width in WIDTHS if width != WIDTH},
            "absolute values": share(real, weigh="absolute"),
        },
        # From +1 without a 0, as places are given; how often a strongest stretch begins at each.
        "starts": {str(start + (start >= 0)): int((starts == start).sum()) for start in np.unique(starts)},
    }


def table(result: dict[str, Any]) -> str:
    """The shares as a Markdown table."""
    lines = [
        f"{result['promoters']['called_right']} of {result['promoters']['held_out']} held-out promoters are called "
        f"right; a stretch put anywhere overlaps the place in a share of {result['by_chance']:.2f}.",
        "",
        "| attribution | promoters | shuffled promoters | absolute values | width 4 | 8 | 10 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in result["ways"].items():
        other = found["other_definitions"]
        cells = [_words(found["promoters"]), _words(found["shuffled"])]
        cells += [f"{other[key]['value']:.2f}" for key in ("absolute values", "width 4", "width 8", "width 10")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(figure: dict[str, Any]) -> str:
    return f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"


if __name__ == "__main__":
    sys.exit(main())
