"""The demo region's files in `data/demo`: its bases, its gene starts, its known sigma-70 start sites.

`python -m dnalm.datasets.demo` writes them again. They are small and ship, so that the first picture needs
no download.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable
from pathlib import Path

from dnalm.alphabet import decode
from dnalm.annotation import Site, read_genes
from dnalm.datasets import catalog
from dnalm.datasets.building import one_chromosome
from dnalm.datasets.place import likeliest, place
from dnalm.datasets.windows import DEMO_REGION
from dnalm.files import replacing
from dnalm.sequences import Record, read_records
from dnalm.settings import settings

TSS_AT = 60
"""0-based index of the transcription start in the 81 bp promoters (-60 to +20, with no position 0)."""


def sigma70_sites(promoters: Iterable[Record], genome: Record) -> list[Site]:
    """Transcription start sites of published promoters, by exact match of their sequence on the genome.

    Args:
        promoters: records of 81 bp with the start at index 60, ids as `ECK120010997__bioAp__reverse__808368`.
        genome: the chromosome.

    Returns:
        A site for each promoter that matches, in order of position. Its name is the
        promoter's name and RegulonDB identifier, `bioAp ECK120010997`.
    """
    promoters = list(promoters)
    sites = []
    for record, regions in zip(promoters, place([record.codes for record in promoters], genome), strict=True):
        if not regions:
            continue
        identifier, name, *_ = [*record.id.split("__"), ""]
        region = likeliest(regions, record.id)
        position = region.start + TSS_AT if region.strand == "+" else region.end - 1 - TSS_AT
        sites.append(Site(genome.id, position % len(genome), region.strand, f"{name} {identifier}"))
    return sorted(sites, key=lambda site: (site.position, site.strand, site.name))


def _write_text(path: Path, lines: Iterable[str]) -> None:
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_sequence(path: Path, genome: Record) -> None:
    first, last = DEMO_REGION.start, DEMO_REGION.end
    text = decode(genome.fetch(first, last))
    lines = [f">{genome.id}:{first + 1}-{last} Escherichia coli K-12 MG1655, bases {first + 1:,} to {last:,} (1-based)"]
    lines += [text[start : start + 80] for start in range(0, len(text), 80)]
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
        stream.write("".join(f"{line}\n" for line in lines).encode())
    with replacing(path) as temporary:
        temporary.write_bytes(packed.getvalue())


def write_demo(folder: Path) -> None:
    """Write the three files of the demo region into `folder`; positions in them are 1-based."""
    genome = one_chromosome(catalog.fetch("ecoli-k12"))
    inside = range(DEMO_REGION.start, DEMO_REGION.end)
    genes = [gene for gene in read_genes(catalog.fetch("ecoli-k12-genes")) if gene.start_site in inside]
    genes.sort(key=lambda gene: gene.start_site)
    promoters = read_records(catalog.fetch("ecoli-sigma70-promoters"), allow_duplicates=True)
    sites = [site for site in sigma70_sites(promoters, genome) if site.position in inside]
    _write_sequence(folder / "ecoli_k12_800k_840k.fna.gz", genome)
    _write_text(
        folder / "gene_starts.tsv",
        [
            "record\tposition\tstrand\tname\tgene_start\tgene_end",
            *(
                f"{gene.record}\t{gene.start_site + 1}\t{gene.strand}\t{gene.name}\t{gene.start + 1}\t{gene.end}"
                for gene in genes
            ),
        ],
    )
    _write_text(
        folder / "sigma70_tss.tsv",
        [
            "record\ttss\tstrand\tname\tpromoter_id",
            *("\t".join((site.record, str(site.position + 1), site.strand, *site.name.split(" "))) for site in sites),
        ],
    )


if __name__ == "__main__":
    write_demo(settings().shipped_data / "demo")
