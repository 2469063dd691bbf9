"""A small installation: a genome with promoters planted in it, and a real bundle that knows the consensus by heart.

The model is a linear one over the bases of an 81 bp window (+1 at base 60) that counts bases equal to TTGACA at -35
and TATAAT at -10, 17 bases apart: all twelve give probability .98, eleven .73, ten .27.
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import torch

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.model.bundle import write_bundle
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import BundleConfig, EncoderConfig, MemberConfig, WideHeadConfig
from dnalm.settings import PACKAGE_ROOT

WINDOW, ANCHOR = 81, 60
BOX_35, BOX_10 = ANCHOR - 35, ANCHOR - 12
LENGTH = 30_000
RECORD = "NC_TOY.1"
MODEL = "toy-sigma70-81"
# 1-based start sites of the planted promoters, and their strands.
STARTS = [(2_001, "+"), (6_500, "-"), (9_001, "+"), (15_000, "+"), (21_000, "-"), (27_500, "+")]


def promoter_window(rng: np.random.Generator) -> np.ndarray:
    window = rng.integers(0, 4, WINDOW).astype(np.uint8)
    window[BOX_35 : BOX_35 + 6] = encode("TTGACA")
    window[BOX_10 : BOX_10 + 6] = encode("TATAAT")
    return window


def genome() -> np.ndarray:
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 4, LENGTH).astype(np.uint8)
    for position, strand in STARTS:
        window = promoter_window(rng)
        if strand == "+":
            start = position - 1 - ANCHOR
            codes[start : start + WINDOW] = window
        else:
            start = position - 1 - (WINDOW - 1 - ANCHOR)
            codes[start : start + WINDOW] = reverse_complement(window)
    return codes


def toy_bundle(folder: Path, name: str = MODEL) -> Path:
    member = MemberConfig(
        encoder=EncoderConfig(k=3, stride=3, embedding=2, hidden=2, layers=1),
        head=WideHeadConfig(length=WINDOW, components=1, kmer=0, window_kmers=()),
        both_strands=True,
    )
    config = BundleConfig(
        kind="classifier",
        name=name,
        description="Counts the bases of the sigma-70 consensus before a transcription start.",
        members=[member],
        labels=["background", "promoter"],
        positive="promoter",
        window=WINDOW,
        anchor=ANCHOR,
        threshold=0.7,
    )
    module = SequenceClassifier(config.members, 2)
    (head,) = [part for part in module.modules() if type(part).__name__ == "WideHead"]
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.tensor([0.0, 4 - 3 * 12]))
        bases = head.linear.weight[1, -4 * WINDOW :].view(WINDOW, 4)
        for start, box in ((BOX_35, "TTGACA"), (BOX_10, "TATAAT")):
            for offset, code in enumerate(encode(box)):
                bases[start + offset, code] = 3.0
    metrics = {
        "test": {
            "split": "grouped",
            "mcc": {"value": 0.812, "low": 0.764, "high": 0.858, "n": 400},
            "auroc": {"value": 0.96, "low": 0.94, "high": 0.98, "n": 400},
        }
    }
    card = f"# {name}\n\nA toy for tests. It knows <b>two boxes</b>.\n"
    write_bundle(folder / name, config, module, metrics, card)
    return folder / name


def build(folder: Path, *, models: bool = True) -> Path:
    """Make the installation: what `DNALM_SHIPPED` may point to."""
    genomes = folder / "data" / "genomes"
    genomes.mkdir(parents=True)
    (folder / "models").mkdir()
    text = f">{RECORD} a made-up chromosome <i>with</i> a tag\n{decode(genome())}\n"
    with gzip.open(genomes / "toy.fna.gz", "wt") as file:
        file.write(text)
    rows = [
        "\t".join((RECORD, "test", "CDS", *map(str, span), ".", strand, "0", f"ID=cds-{n};gene=gen{n}"))
        for n, (position, strand) in enumerate(STARTS)
        for span in [(position + 30, position + 930) if strand == "+" else (position - 930, position - 30)]
    ]
    with gzip.open(genomes / "toy.gff.gz", "wt") as file:
        file.write("##gff-version 3\n" + "\n".join(rows) + "\n")
    demo = folder / "data" / "demo"
    demo.mkdir()
    known = "\n".join(f"{RECORD}\t{position}\t{strand}\tp{position}" for position, strand in STARTS[:-1])
    (demo / "sigma70_tss.tsv").write_text(f"record\ttss\tstrand\tname\n{known}\n")
    examples = [
        f"first\t{RECORD}\t{STARTS[0][0]}\t+\ttss\t\ta promoter on the forward strand",
        f"second\t{RECORD}\t{STARTS[1][0]}\t-\ttss\t\tone on the reverse strand",
        f"broken\t{RECORD}\t{STARTS[0][0]}\t+\ttss\t-12T>G\tthe first without a base of its -10 element",
    ]
    header = "name\trecord\tsite\tstrand\tkind\tedits\tnote"
    (demo / "promoters.tsv").write_text("\n".join([header, *examples]) + "\n")
    _benchmarks(folder / "data")
    if models:
        toy_bundle(folder / "models")
    return folder


def _benchmarks(data: Path) -> None:
    """The published tables, and one task's rows and predictions, as they ship."""
    name = "bsubtilis-promoters-81"
    (data / "results" / "predictions").mkdir(parents=True)
    files = ("published.yaml", f"results/{name}.json", f"results/predictions/{name}.parquet")
    for file in files:
        shutil.copy(PACKAGE_ROOT / "data" / file, data / file)
