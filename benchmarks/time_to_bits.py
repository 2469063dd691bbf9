"""Time to a given quality: how long each way of training takes to reach 1.90 bits per base on held-out E. coli.

Both ways have 256 hidden units in one layer, read the first 90 % of the genome, on one core, and are measured on the
same 200,000 held-out bases.

- `dnalm`: the preset `small` as it is trained: 4-mers at stride 3, continuation head, both strands, 32 lanes of 64
  k-mers, AdamW with one cycle, no dropout, gradients clipped.
- `ancestor`: Genomic-ULMFiT's E. coli language model at this size: 5-mers at stride 2, softmax over all k-mers tied to
  the embedding (so 256 wide, too), the forward strand, fastai's one cycle to 5e-3 with 30 % warm-up, dropout 0.3 times
  its configuration (output .25, input .2, hidden .1, embedding .02, weights .15), activation penalties 2 and 1, bptt
  70. Its batch is fastai's default of 64, not the 428 of its GPU, since that would take seven times fewer steps in the
  same time. Its cycled momentum (.8 to .7) is not reproduced: ours stays at .9.

A cycle must end to be worth anything, so each way is run with budgets of 1, 2, 4, ... minutes until one reaches the
target; the time is interpolated between the last that missed and the first that hit (linear in the logarithm).
Every run is a run folder: finished ones are not repeated, and one that was stopped goes on.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from dnalm.model.config import EncoderConfig
from dnalm.settings import settings
from dnalm.training.config import ComputeConfig, OptimizerConfig, PretrainConfig
from dnalm.training.pretrain import pretrain
from dnalm.training.run import RunFolder

WAYS = ("dnalm", "ancestor")
_ONE_CORE = ComputeConfig(accelerator="cpu", threads=1)
_NEVER = 10**9
_FACTOR = 0.3  # the ancestor's drop_mult


def add_arguments(commands: Any) -> None:
    """The command `time-to-bits`."""
    parser = commands.add_parser(
        "time-to-bits",
        help="time to 1.90 bits per base, beside the ancestor's head and schedule (hours; resumable; an idle machine)",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--target", type=float, default=1.90, help="bits per base (1.90)")
    parser.add_argument("--max-minutes", type=float, default=64, help="longest single budget tried (64)")
    parser.add_argument("--genome", default="ecoli-k12", help="file, or name in the catalogue")
    parser.add_argument("--home", type=Path, help="where the runs are kept ($DNALM_HOME/benchmarks/time-to-bits)")
    parser.set_defaults(measure=lambda told: measure(told.target, told.max_minutes, told.genome, told.home))


def configuration(way: str, genome: str, minutes: float) -> PretrainConfig:
    """What one run is told; see the module's text."""
    common = {"genomes": [genome], "minutes": minutes, "compute": _ONE_CORE, "validate_every": _NEVER}
    if way == "dnalm":
        return PretrainConfig(preset="small", **common)
    encoder = EncoderConfig(
        k=5,
        stride=2,
        embedding=256,
        hidden=256,
        layers=1,
        tied=True,
        embedding_dropout=0.02 * _FACTOR,
        input_dropout=0.2 * _FACTOR,
        hidden_dropout=0.1 * _FACTOR,
        weight_dropout=0.15 * _FACTOR,
        output_dropout=0.25 * _FACTOR,
    )
    return PretrainConfig(
        encoder=encoder,
        head="vocabulary",
        both_strands=False,
        lanes=64,
        tokens=70,
        activation_penalty=2,
        temporal_penalty=1,
        optimizer=OptimizerConfig(learning_rate=5e-3, warmup=0.3, clip=1e9),  # a clip so large is none
        **common,
    )


def measure(target: float, max_minutes: float, genome: str, home: Path | None) -> list[Row]:
    """Climb the budgets of both ways."""
    home = home or settings().home / "benchmarks" / "time-to-bits"
    times: dict[str, float | None] = {}
    rows = []
    for way in WAYS:
        tried: list[tuple[float, float]] = []
        minutes = 1.0
        while minutes <= max_minutes and not (tried and tried[-1][1] <= target):
            tried.append(_run(way, genome, minutes, home))
            rows.append(
                Row(f"{way}, {minutes:g} min", f"bits per base after {tried[-1][0]:.0f} s", tried[-1][1], "bits")
            )
            minutes *= 2
        times[way] = time_to(target, tried)
    return rows + conclusion(target, times, max_minutes)


def time_to(target: float, tried: Sequence[tuple[float, float]]) -> float | None:
    """Seconds to the target from (seconds, bits) of growing budgets; none where it was not reached."""
    for index, (seconds, bits) in enumerate(tried):
        if bits <= target:
            if index == 0:
                return seconds
            before, missed = tried[index - 1]
            share = (missed - target) / (missed - bits)
            return math.exp(math.log(before) + share * (math.log(seconds) - math.log(before)))
    return None


def conclusion(target: float, times: dict[str, float | None], max_minutes: float) -> list[Row]:
    """Rows that say how long each way took, and how many times less ours."""
    subject = f"time to {target:g} bits/base"
    rows = [Row(subject, way, seconds, "s") for way, seconds in times.items() if seconds is not None]
    ours, theirs = times["dnalm"], times["ancestor"]
    if ours is not None and theirs is not None:
        rows.append(Row(subject, "ancestor's time over ours", theirs / ours, "x", aim=5))
    elif ours is not None:
        # A bound from below can meet the aim but not fall short of it: longer budgets may still show more.
        bound = max_minutes * 60 / ours
        compared = "ancestor's time over ours, at least (it did not arrive)"
        rows.append(Row(subject, compared, bound, "x", aim=5 if bound >= 5 else None))
    return rows


def _run(way: str, genome: str, minutes: float, home: Path) -> tuple[float, float]:
    """Seconds and bits per base of one run, done now or before."""
    path = home / f"{way}-{minutes:g}-minutes"
    run = RunFolder(path)
    if not run.result():
        print(f"training {way} for {minutes:g} minutes in {path} ...", file=sys.stderr, flush=True)
        pretrain(configuration(way, genome, minutes), path)
    last, progress = run.metrics()[-1], run.read_progress()
    per_second = progress["rate"] / _bases_a_step(configuration(way, genome, minutes))
    return last["step"] / per_second, last["bits_per_base"]


def _bases_a_step(config: PretrainConfig) -> int:
    return config.lanes * config.tokens * config.resolved_encoder().stride
