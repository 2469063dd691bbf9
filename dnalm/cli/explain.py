"""`dnalm explain`: which bases a model reads, what changing them does, which motifs they make, what lies near what."""

from __future__ import annotations

import typer

from dnalm.cli import frame
from dnalm.cli.explain_embed import embed
from dnalm.cli.explain_motifs import motifs

app = typer.Typer(
    help="See why a sequence was called: saliency, mutations, motifs, embeddings.",
    no_args_is_help=True,
    epilog=frame.examples(
        "dnalm explain saliency ecoli-sigma70-81 promoters.fa -o saliency.tsv",
        "dnalm explain mutate ecoli-sigma70-81 promoters.fa -o mutations.tsv",
    ),
)
app.command(
    "embed",
    epilog=frame.examples(
        "dnalm explain embed ecoli-lm -o kmers.png",
        "dnalm explain embed ecoli-lm --neighbours-of TATA --json",
        "dnalm explain embed ecoli-sigma70-81 ecoli-sigma70-81 --split test --method tsne -o promoters.tsv",
    ),
)(embed)
app.command(
    "motifs",
    epilog=frame.examples(
        "dnalm explain motifs ecoli-sigma70-81 ecoli-sigma70-81 --split test",
        "dnalm explain motifs ecoli-sigma70-81 promoters.fa --method input-x-gradient -o motifs.png",
        "dnalm explain motifs ecoli-promoters-150 promoters.fa --jaspar regulators.jaspar -o motifs/",
    ),
)(motifs)
