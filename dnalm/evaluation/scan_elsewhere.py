"""Models on a genome that none was trained on, without a map of its starts: calls beside the starts of its genes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

import dnalm
from dnalm.annotation import Gene, predict_genes
from dnalm.datasets.named_files import named_file
from dnalm.evaluation.scan_bench import Document, Material, Progress
from dnalm.sequences import read_records
from dnalm.tracks import Track, gather, scan
from dnalm.tracks.baselines import baseline_track, fit_baselines
from dnalm.tracks.calls import calls_of
from dnalm.tracks.upstream import upstream_of_genes


def elsewhere(
    models: Mapping[str, str],
    genome: str,
    material: Material,
    *,
    seed: int = 0,
    progress: Callable[[str], Progress] | None = None,
) -> Document:
    """How many of the highest calls lie upstream of a gene on their strand, on another genome and on the split's test.

    The baselines are those that read the sequence alone, trained on the split's training regions. What the same models'
    calls do on the test region, whose starts are known, stands beside it.

    Args:
        models: model by the row's name.
        genome: a bacterial genome, its records circles: a file, or its name in the catalogue. Its genes are predicted.
        material: the split's genome, truth and genes.
        seed: of the resamples.
        progress: gives, for a model's name, what is called with sites done and in all.

    Raises:
        InputError: the genome is not there, a model cannot scan, or pyrodigal is not installed.
    """
    records = list(read_records(named_file(genome), circular=True))
    genes = [gene for record in records for gene in predict_genes(record)]
    split, rows = material.split, []
    for baseline in fit_baselines(material.record, material.truth, split.train):
        there = [baseline_track(baseline, record) for record in records]
        here = [baseline_track(baseline, material.record, region) for region in split.test]
        rows.append(_row(baseline.name, "baseline", there, genes, here, material, seed))
    for name, model in models.items():
        loaded = dnalm.load(model)
        tell = progress(loaded.name) if progress else None
        there = [gather(scan(loaded, record, progress=tell)) for record in records]
        here = [gather(scan(loaded, material.record, region=region, progress=tell)) for region in split.test]
        rows.append(_row(name, "model", there, genes, here, material, seed))
    return {
        "genome": genome,
        "records": {record.id: len(record) for record in records},
        "genes": f"{len(genes):,} predicted with pyrodigal",
        "seed": seed,
        "rows": rows,
    }


def _row(
    name: str,
    kind: str,
    there: Sequence[Track],
    genes: Sequence[Gene],
    here: Sequence[Track],
    material: Material,
    seed: int,
) -> Document:
    distance = material.split.distance
    found = {}
    for place, tracks, annotated in (("there", there, genes), ("here", here, material.genes)):
        calls = [calls_of(track, distance=distance, circular=True) for track in tracks]
        generator = np.random.default_rng(seed)
        found[place] = upstream_of_genes(calls, annotated, generator=generator).as_dict()
    return {"name": name, "kind": kind, **found}
