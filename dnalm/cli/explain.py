"""`dnalm explain`: which bases a model reads, what changing them does, which motifs they make, what lies near what."""

from __future__ import annotations

import typer

from dnalm.cli import frame
from dnalm.cli.explain_embed import embed
from dnalm.cli.explain_faithfulness import faithfulness
from dnalm.cli.explain_motifs import motifs
from dnalm.cli.explain_mutate import mutate
from dnalm.cli.explain_saliency import saliency
from dnalm.cli.explain_scramble import scramble

app = typer.Typer(
    help="See why a sequence was called: saliency, mutations, motifs, embeddings.",
    no_args_is_help=True,
    epilog=frame.examples(
        "dnalm explain saliency ecoli-sigma70-81 promoters.fa -o saliency.tsv",
        "dnalm explain mutate ecoli-sigma70-81 promoters.fa -o mutations.tsv",
    ),
)
app.command(
    "saliency",
    epilog=frame.examples(
        "dnalm explain saliency ecoli-sigma70-81 promoters.fa -o saliency.tsv --processes 4",
        "dnalm explain saliency ecoli-sigma70-81 genome.fna.gz --region NC_000913.3:4,166,307-4,166,387 -o rrnB.png",
        "dnalm explain saliency mrna-lncrna transcript.fa --method input-x-gradient --json",
    ),
)(saliency)
app.command(
    "mutate",
    epilog=frame.examples(
        "dnalm explain mutate ecoli-sigma70-81 promoter.fa -o heat-map.png",
        'dnalm explain mutate ecoli-sigma70-81 promoter.fa --edits "-12T>A,+3A>G"',
        "dnalm explain mutate ecoli-sigma70-81 genome.fna.gz --region NC_000913.3:101-181(-) --vcf strains.vcf",
        "dnalm explain mutate ecoli-sigma70-81 promoter.fa --pairs=-14:-5 -o pairs.png",
    ),
)(mutate)
app.command(
    "scramble",
    epilog=frame.examples(
        "dnalm explain scramble ecoli-sigma70-81 promoter.fa -o scramble.png",
        "dnalm explain scramble ecoli-sigma70-81 promoters.fa --k 1,3,6,10 --draws 32 -o scramble.tsv",
        "dnalm explain scramble ecoli-sigma70-81 other.fa --insert TATAAT,TTGACA",
    ),
)(scramble)
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
app.command(
    "faithfulness",
    epilog=frame.examples(
        "dnalm explain faithfulness ecoli-sigma70-81 ecoli-sigma70-81",
        "dnalm explain faithfulness my-model my-promoters --split test --n 60 --keep",
        "dnalm explain faithfulness ecoli-starts-150 starts.fa --n 20 --json",
    ),
)(faithfulness)
