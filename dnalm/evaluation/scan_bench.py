"""Models that scan and plain baselines on the standard split, on the same genome and truth: one document to keep.

A document holds a row a model (of several seeds: their mean) and comparisons of pairs. Measured again, a row takes the
place of the one of its name, and all others stay, as long as split, truth and choices are the same.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import dnalm
from dnalm.annotation import Gene, Site, read_genes, read_sites
from dnalm.datasets.building import one_chromosome
from dnalm.datasets.catalog import fetch
from dnalm.datasets.checksums import checksum
from dnalm.datasets.region_split import ECOLI_STARTS, RegionSplit, region_text, seen_regions
from dnalm.errors import InputError
from dnalm.evaluation.results.units import machine_kind
from dnalm.files import write_whole
from dnalm.locks import held
from dnalm.model.bundle import weights_hash
from dnalm.sequences import Record, Region
from dnalm.tracks import Track, gather, scan
from dnalm.tracks.baselines import baseline_track, fit_baselines
from dnalm.tracks.calls import calls_of
from dnalm.tracks.evaluate import compare, evaluate
from dnalm.tracks.scored import Scored, score
from dnalm.training.run import versions

SCHEMA = 1
KIND = "scan-by-region"
COMPARED = (
    "auprc",
    "auprc_once",
    "recall_at_500_calls",
    "false_per_kb_at_50_recall",
)
Report = Callable[[str], None]
Progress = Callable[[int, int], None]
Document = dict[str, Any]


@dataclass(frozen=True)
class Material:
    """The genome, its truth and its genes, read once."""

    split: RegionSplit
    record: Record
    truth: list[Site]
    genes: list[Gene]
    sums: dict[str, str]

    @classmethod
    def read(cls, split: RegionSplit = ECOLI_STARTS) -> Material:
        """From the catalogue.

        Raises:
            InputError: a file is not there and cannot be fetched.
        """
        paths = {"genome": fetch(split.genome), "truth": fetch(split.truth), "genes": fetch(split.genes)}
        record = one_chromosome(paths["genome"])
        # FASTA does not say that a chromosome is a circle; regions of this one end before its origin all the same.
        record = Record(record.id, record.codes, record.description, True, record.composition)
        truth = read_sites(paths["truth"], record=record.id)
        sums = {name: checksum(path) for name, path in paths.items()}
        return cls(split, record, truth, read_genes(paths["genes"]), sums)


@dataclass(frozen=True)
class Entry:
    """One row to be: calls of one or several runs, scored.

    Attributes:
        name: of the row.
        kind: "model" or "baseline".
        reads_annotation: whether it is told where genes lie.
        runs: scored, one a seed.
        facts: what each run is, by its name.
    """

    name: str
    kind: str
    reads_annotation: bool
    runs: tuple[Scored, ...]
    facts: dict[str, dict[str, Any]]


def baseline_entries(material: Material, report: Report | None = None) -> list[Entry]:
    """The plain baselines, trained on the training regions alone."""
    split, found = material.split, []
    started = time.monotonic()
    fitted = fit_baselines(material.record, material.truth, split.train, material.genes)
    seconds = time.monotonic() - started
    for one in fitted:
        if report:
            report(one.name)
        begun = time.monotonic()
        tracks = [baseline_track(one, material.record, region) for region in split.test]
        scored = _scored(one.name, tracks, material, None)
        facts = {"seconds_to_scan": round(time.monotonic() - begun, 1), "seconds_to_fit_all": round(seconds, 1)}
        found.append(Entry(one.name, "baseline", one.reads_annotation, (scored,), {one.name: facts}))
    return found


def model_entry(
    name: str, models: Sequence[str], material: Material, progress: Callable[[str], Progress] | None = None
) -> Entry:
    """Scan the test regions with one or several runs of a recipe.

    Args:
        name: of the row.
        models: names or folders; several are seeds, whose figures are averaged.
        material: what is scanned.
        progress: gives, for a model's name, what is called with sites done and in all.

    Raises:
        InputError: a model cannot scan, or says that it was trained on the test regions.
    """
    runs, facts = [], {}
    for one in models:
        loaded = dnalm.load(one)
        if loaded.config.kind not in ("classifier", "track"):
            raise InputError(f"{one} does not scan: it is a {loaded.config.kind}")
        texts = loaded.config.trained.get("regions") or {}
        _refuse_trained_on_test(loaded.name, seen_regions(texts), material.split)
        begun = time.monotonic()
        tell = progress(loaded.name) if progress else None
        tracks = [gather(scan(loaded, material.record, region=region, progress=tell)) for region in material.split.test]
        label = loaded.name if loaded.name not in facts else f"{loaded.name}-{len(facts) + 1}"
        runs.append(_scored(label, tracks, material, loaded.config.threshold))
        config = loaded.config.trained.get("config") or {}
        facts[label] = {
            "weights_sha256": weights_hash(loaded.bundle.folder),
            "seconds_to_scan": round(time.monotonic() - begun, 1),
            "mode": tracks[0].mode,
            "regions": texts or None,
            "parents": list(loaded.config.parents),
            **{key: config[key] for key in ("seed", "from_scratch", "steps", "members", "model") if key in config},
        }
    return Entry(name, "model", False, tuple(runs), facts)


def _refuse_trained_on_test(name: str, seen: Sequence[Region], split: RegionSplit) -> None:
    for one in seen:
        for other in split.test:
            if one.record == other.record and one.start < other.end and other.start < one.end:
                raise InputError(
                    f"{name} was trained or chosen on {region_text(one)}, which holds some of the test region"
                )


def _scored(name: str, tracks: Sequence[Track], material: Material, threshold: float | None) -> Scored:
    split = material.split
    calls = [calls_of(track, distance=split.distance, circular=True) for track in tracks]
    return score(name, calls, material.truth, tolerances=split.tolerances, threshold=threshold)


def document_of(
    entries: Sequence[Entry], material: Material, *, seed: int = 0, resamples: int = 1000, command: str = ""
) -> Document:
    """Figures of every entry and comparisons of every pair, ready for JSON."""
    measured = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_kind(),
        "versions": versions(),
        "command": command,
    }
    rows = []
    for one in entries:
        found = evaluate(one.runs, generator=np.random.default_rng(seed), resamples=resamples, name=one.name)
        row = {"name": one.name, "kind": one.kind, "reads_annotation": one.reads_annotation, "runs": one.facts}
        rows.append({**row, **measured, "evaluation": found.as_dict()})
    comparisons = []
    for first in entries:
        for second in entries:
            if first is not second:
                pair = compare(
                    first.runs,
                    second.runs,
                    generator=np.random.default_rng(seed),
                    resamples=resamples,
                    names=(first.name, second.name),
                    figures=COMPARED,
                )
                comparisons.append(_both_strands(pair.as_dict()))
    split = material.split
    settings = {
        "split": split.name,
        "regions": split.as_texts(),
        "genome": split.genome,
        "truth": split.truth,
        "sha256": material.sums,
        "distance": split.distance,
        "tolerances": list(split.tolerances),
        "seed": seed,
        "resamples": resamples,
    }
    return {"schema": SCHEMA, "kind": KIND, "settings": settings, "rows": rows, "comparisons": comparisons}


def _both_strands(pair: Document) -> Document:
    """Of a comparison the rows of both strands; those of each strand would make the file three times as long."""
    return {**pair, "rows": [row for row in pair["rows"] if row["strand"] == "both"]}


def read_document(path: Path) -> Document | None:
    """What was kept, or None.

    Raises:
        InputError: the file is something else.
    """
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    if found.get("kind") != KIND or found.get("schema") != SCHEMA:
        raise InputError(f"{path}: is no kept measurement of scans")
    return found


def merged(kept: Document | None, new: Document) -> Document:
    """What was kept with what was measured now in its place.

    Rows of other names stay, and comparisons between rows that did not change; where split, files or choices differ,
    nothing stays.
    """
    if kept is None or kept["settings"] != new["settings"]:
        return new
    before = {row["name"]: row["evaluation"] for row in kept["rows"]}
    now = {row["name"]: json.loads(json.dumps(row["evaluation"])) for row in new["rows"]}
    changed = {name for name, found in now.items() if before.get(name) != found}
    again = {(one["first"], one["second"]) for one in new["comparisons"]}
    rows = {row["name"]: row for row in [*kept["rows"], *new["rows"]]}
    comparisons = [
        one
        for one in kept["comparisons"]
        if not changed & {one["first"], one["second"]} and (one["first"], one["second"]) not in again
    ]
    found = {**new, "rows": list(rows.values()), "comparisons": [*comparisons, *new["comparisons"]]}
    return {**found, **_elsewhere(kept, new)}


def _elsewhere(kept: Document, new: Document) -> Document:
    """What was measured on other genomes; see `dnalm.evaluation.scan_elsewhere`."""
    both = [one["elsewhere"] for one in (kept, new) if "elsewhere" in one]
    if not both:
        return {}
    if len({(one["genome"], one["seed"]) for one in both}) > 1:
        both = both[-1:]
    rows = {row["name"]: row for one in both for row in one["rows"]}
    return {"elsewhere": {**both[-1], "rows": list(rows.values())}}


def keep(path: Path, new: Document) -> Document:
    """Merge a document into a file, which is whole at any time; gives back what the file then holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with held(path.with_name(f".{path.name}.lock"), patience=math.inf):
        found = merged(read_document(path), new)
        write_whole(path, json.dumps(found, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
    return found
