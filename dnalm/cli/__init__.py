"""The command line: one typer application, each command a short file that calls the library.

Results go to `-o` or standard output, everything else to standard error. Exit 0 done, 1 failed, 2 wrong
input, 130 interrupted. `--json` prints one JSON object. Nothing heavy is imported before a command needs it,
so that `dnalm --help` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from dnalm.cli import bench, data, explain, frame, jobs, lab, models, runs, tracks, training
from dnalm.cli.doctor import doctor
from dnalm.cli.evaluate import evaluate
from dnalm.cli.peaks import peaks
from dnalm.cli.predict import predict
from dnalm.cli.running import run
from dnalm.cli.scan import scan
from dnalm.cli.serve import serve
from dnalm.cli.worker import worker

app = typer.Typer(
    name="dnalm",
    cls=frame.SentenceGroup,
    help="DNA language models for a biology lab: train, compare, explain, scan.",
    epilog=frame.examples(
        "dnalm models list",
        "dnalm predict ecoli-promoters-150 sequences.fasta -o calls.tsv",
        "dnalm scan ecoli-sigma70-81 genome.gbk --region NC_000913.3:800,001-840,000 -o promoters.bedgraph",
        "dnalm train --preset small --dataset ecoli-promoters-150",
        "dnalm serve",
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"dnalm {version('dnalm')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


app.command(
    "predict",
    epilog=frame.examples(
        "dnalm predict ecoli-promoters-150 sequences.fasta",
        "dnalm predict ecoli-sigma70-81 windows.csv.gz --strand both -o calls.parquet",
        "zcat windows.fa.gz | dnalm predict ecoli-sigma70-81 - --format jsonl",
    ),
)(predict)
app.command(
    "evaluate",
    epilog=frame.examples(
        "dnalm evaluate ecoli-promoters-150 ecoli-promoters-150 --split test",
        "dnalm evaluate ecoli-sigma70-81 promoters.fa --negatives others.fa --json",
        "dnalm evaluate my-model labelled.tsv --rename 1=promoter --rename 0=other",
        "dnalm evaluate ecoli-lm genome.fna.gz --region NC_000913.3:4,177,488-4,641,652",
    ),
)(evaluate)
app.command(
    "scan",
    epilog=frame.examples(
        "dnalm scan ecoli-sigma70-81 genome.gbk --region NC_000913.3:800,001-840,000 -o promoters.bedgraph",
        "dnalm scan ecoli-sigma70-81 genome.fna.gz --stride 10 -o promoters.bw",
        "dnalm scan ecoli-sigma70-81 genome.fna.gz --region chr:1-40,000 --truth tss.tsv -o promoters.png",
    ),
)(scan)
app.command(
    "peaks",
    epilog=frame.examples(
        "dnalm peaks scan.bw --threshold 0.5 -o calls.bed",
        "dnalm peaks ecoli-tss genome.fna.gz --truth tss.tsv -o calls.tsv",
        "dnalm peaks ecoli-tss genome.fna.gz --background shuffled --q 0.05 -o calls.gff3",
    ),
)(peaks)
app.add_typer(tracks.app, name="tracks")
app.command(
    "pretrain",
    epilog=frame.examples(
        "dnalm pretrain ecoli-k12 --minutes 20",
        "dnalm pretrain genome.fna.gz plasmids.fna --preset small --held-out 0.1 --name my-lm",
        "dnalm pretrain ecoli-k12 --preset seed --devices 2 --set optimizer.learning_rate=find",
    ),
)(training.pretrain)
app.command(
    "finetune",
    epilog=frame.examples("dnalm finetune --model ecoli-lm --dataset ecoli-promoters-150 --epochs 3"),
)(training.finetune)
app.command(
    "train",
    epilog=frame.examples(
        "dnalm train --preset small --dataset ecoli-promoters-150",
        "dnalm train --model ecoli-lm --dataset ecoli-sigma70-81 --head wide",
        "dnalm train --config RUN_DIR/config.yaml --seed 1",
    ),
)(training.train)
app.command("run", epilog=frame.examples("dnalm run RUN_DIR"))(run)
app.add_typer(explain.app, name="explain")
app.add_typer(runs.app, name="runs")
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")
app.add_typer(jobs.app, name="jobs")
app.add_typer(lab.app, name="lab")
app.command("serve", epilog=frame.examples("dnalm serve", "dnalm serve --port 8502"))(serve)
app.command("worker", epilog=frame.examples("dnalm worker", "DNALM_SLOTS=4 dnalm worker --grace 60"))(worker)
app.command("doctor", epilog=frame.examples("dnalm doctor", "dnalm doctor --json"))(doctor)


def main() -> None:
    """Run the command line (the console command `dnalm`)."""
    app()
