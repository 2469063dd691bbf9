"""`dnalm tracks`: how good a scan is: scored against known sites, calibrated, measured on the standard split."""

from __future__ import annotations

import typer

from dnalm.cli.frame import examples
from dnalm.cli.tracks_benchmark import benchmark
from dnalm.cli.tracks_calibrate import calibrate
from dnalm.cli.tracks_evaluate import evaluate

app = typer.Typer(
    help="Score tracks against known sites, learn what a score is worth, measure on the standard split.",
    no_args_is_help=True,
    epilog=examples("dnalm tracks evaluate scan.bw --truth tss.tsv", "dnalm tracks benchmark ecoli-tss"),
)
app.command(
    "evaluate",
    epilog=examples(
        "dnalm tracks evaluate scan.bw --truth tss.tsv --tolerance 100 --tolerance 20",
        "dnalm tracks evaluate ecoli-tss other.bw --genome genome.fna.gz --truth tss.tsv --region chr:1-900,000",
        "dnalm tracks evaluate ecoli-tss --genome ecoli-k12 --truth ecoli-sigma70-tss --baselines "
        "--genes ecoli-k12-genes --train-region NC_000913.3:1-3,200,000 --region NC_000913.3:3,700,001-4,640,000",
    ),
)(evaluate)
app.command(
    "calibrate",
    epilog=examples(
        "dnalm tracks calibrate ecoli-tss --genome ecoli-k12 --truth ecoli-sigma70-tss "
        "--region NC_000913.3:3,200,001-3,700,000 -o calibration.json",
        "dnalm peaks ecoli-tss genome.fna.gz --calibration calibration.json -o calls.tsv",
    ),
)(calibrate)
app.command(
    "benchmark",
    epilog=examples(
        "dnalm tracks benchmark",
        "dnalm tracks benchmark ecoli-tss -o data/results/ecoli-tss-scan.json",
        "dnalm tracks benchmark recipe=run-a,run-b,run-c cnn=run-d,run-e,run-f --against cnn",
    ),
)(benchmark)
