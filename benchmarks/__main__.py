"""`python -m benchmarks`: speed beside peers, as ratios measured in one run on one core, with what was aimed at.

Long measurements have commands of their own: `time-to-bits` and `large-genome`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

for _threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before torch and numpy start theirs
    os.environ[_threads] = "1"

import torch  # noqa: E402

from benchmarks import (  # noqa: E402
    fastai_peer,
    inference,
    large_genome,
    machine,
    mutating,
    scanning,
    streaming,
    time_to_bits,
    tokenizing,
    training,
)
from benchmarks.table import Row, render  # noqa: E402
from dnalm.errors import DnalmError, InputError  # noqa: E402

SUBJECTS: dict[str, Callable[[], list[Row]]] = {
    "tokenizing": tokenizing.measure,
    "inference": inference.measure,
    "mutating": mutating.measure,
    "scanning": scanning.measure,
    "streaming": streaming.measure,
    "training-small": lambda: training.measure("small"),
    "training-seed": lambda: training.measure("seed"),
}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="SUBJECT", help=f"one, or several: {', '.join(SUBJECTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    time_to_bits.add_arguments(commands)
    large_genome.add_arguments(commands)
    return parser


def main() -> int:
    told = arguments().parse_args()
    torch.set_num_threads(1)
    try:
        fastai_peer.fastai()  # puts its folder on the path, where one is named
        print(machine.describe(), file=sys.stderr)
        rows = _measure(told)
    except DnalmError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return error.exit_code
    print(render(rows))
    if told.json:
        told.json.write_text(json.dumps([row.as_dict() for row in rows], indent=1) + "\n")
    return 0


def _measure(told: argparse.Namespace) -> list[Row]:
    if told.command:
        return told.measure(told)
    unknown = set(told.only or ()) - set(SUBJECTS)
    if unknown:
        raise InputError(f"there is no subject {', '.join(sorted(unknown))}: take one of {', '.join(SUBJECTS)}")
    if fastai_peer.fastai() is None:
        print(fastai_peer.HOW_TO_GET_IT, file=sys.stderr)
    rows: list[Row] = []
    for name in told.only or SUBJECTS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += SUBJECTS[name]()
    return rows


if __name__ == "__main__":
    sys.exit(main())
