"""Find the likeliest sigma-70 start before each of some genes of the shipped genome, for the page Motifs.

A fresh installation has five known start sites, too few to see motifs in. These are predicted ones: of genes with room
before them, drawn at random with a fixed seed, the site 20 to 220 bases before the gene that the shipped sigma-70 model
scores highest on the gene's strand, where it calls it a promoter. They say what the model looks for, not what is true.
Run this again after the model was trained again. Usage: `python scripts/demo_starts.py`.
"""

from __future__ import annotations

import csv
import itertools

import numpy as np

import dnalm
from dnalm.annotation import Gene, read_genes
from dnalm.files import replacing
from dnalm.sequences import read_records
from dnalm.settings import settings
from dnalm.tracks.windows import site_window

MODEL = "ecoli-sigma70-81"
GENES = 400
NEAREST, FURTHEST = 20, 220
ROOM = 150
"""Bases between a gene and the one before it, on either strand: with fewer it is likely read along with that one."""
COLUMNS = ("record", "tss", "strand", "name", "probability")


def main() -> None:
    """Score the sites before the genes and write the best of each."""
    data = settings().shipped_data
    record = next(read_records(data / "genomes" / "ecoli_k12_mg1655.fna.gz"))
    genes = sorted(read_genes(data / "genomes" / "ecoli_k12_mg1655.gff.gz"), key=lambda gene: gene.start)
    free = _with_room([gene for gene in genes if gene.record == record.id])
    drawn = np.sort(np.random.default_rng(0).choice(len(free), min(GENES, len(free)), replace=False))
    model = dnalm.load(MODEL)
    window, anchor = model.config.window, model.config.anchor
    column = model.config.labels.index(model.config.positive)
    rows = []
    for gene in (free[row] for row in drawn):
        step = -1 if gene.strand == "+" else 1
        sites = [gene.start_site + step * distance for distance in range(NEAREST, FURTHEST + 1)]
        windows = [site_window(record, site, gene.strand, window=window, anchor=anchor)[2] for site in sites]
        scores = model.probabilities(np.stack(windows))[:, column]
        best = int(scores.argmax())
        if scores[best] >= model.config.threshold:
            rows.append((record.id, sites[best] + 1, gene.strand, gene.name, f"{scores[best]:.4f}"))
    with replacing(data / "demo" / "predicted_starts.tsv") as path, path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerows([COLUMNS, *rows])
    print(f"{len(rows)} of {len(drawn)} genes, of {len(free)} with room before them")


def _with_room(genes: list[Gene]) -> list[Gene]:
    """Genes, in order of their starts, with no other gene in the bases before them on either strand."""
    found = []
    ends = itertools.accumulate((gene.end for gene in genes), max)
    for (before, gene), end in zip(itertools.pairwise(genes), ends, strict=False):
        if gene.strand == "+" and gene.start - end >= ROOM:
            found.append(gene)
        if before.strand == "-" and gene.start - end >= ROOM and before.end == end:
            found.append(before)
    return [gene for gene in found if gene.start_known]


if __name__ == "__main__":
    main()
