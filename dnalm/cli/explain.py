"""`dnalm explain`: which bases a model reads, what changing them does, which motifs they make, what lies near what."""

from __future__ import annotations

import typer

from dnalm.cli import frame

app = typer.Typer(
    help="See why a sequence was called: saliency, mutations, motifs, embeddings.",
    no_args_is_help=True,
    epilog=frame.examples(
        "dnalm explain saliency ecoli-sigma70-81 promoters.fa -o saliency.tsv",
        "dnalm explain mutate ecoli-sigma70-81 promoters.fa -o mutations.tsv",
    ),
)
