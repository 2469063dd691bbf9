"""What a track model learns from: a genome, and on every base of both strands what is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.annotation import Gene, Site, read_genes, read_sites
from dnalm.datasets import catalog
from dnalm.datasets.region_split import PARTS, region_text
from dnalm.errors import InputError
from dnalm.sequences import Record, Region, read_records
from dnalm.training.genomes import file_hash, genome_file
from dnalm.training.track_config import TrackTrainConfig

TRAIN, VALID = 0.7, 0.8
"""Where, of each record's length, training and validation end when no regions are given."""
EDGE = 50
"""Bases on either side of a segment that the convolutions see and that are not asked about."""
_TRIES = 1000

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Codes `(batch, length)`; of the inner bases along both strands: starts, frames, genes, each `(batch, 2, segment)`."""


@dataclass(frozen=True)
class TrackText:
    """A genome's records one behind the other, unknown bases between them, and what is known of each base.

    Attributes:
        records: as they were read.
        offsets: where each record begins, by its id.
        codes: base codes, shape `(length,)`.
        starts: how near a known start of the strand is, 1 at the start itself, float32, shape `(2, length)`.
        frames: codon position of each base read along each strand, see `track_model.FRAMES`, uint8, `(2, length)`.
        genes: whether a gene's first base is here, bool, shape `(2, length)`.
        sites: the known starts.
        regions: those of each part.
        data: what was read, with checksums and counts, for the run folder.
    """

    records: list[Record]
    offsets: dict[str, int]
    codes: Codes
    starts: NDArray[np.float32]
    frames: NDArray[np.uint8]
    genes: NDArray[np.bool_]
    sites: list[Site]
    regions: dict[str, list[Region]]
    data: dict[str, Any]

    @classmethod
    def read(cls, config: TrackTrainConfig) -> TrackText:
        """Read what a configuration names.

        Raises:
            InputError: a file is missing or wrong, a region does not lie in the genome, regions of two parts overlap,
                or a part that is learned from or measured on holds no known start.
        """
        files = {"genome": genome_file(config.genome), "starts": _file(config.starts)}
        records = list(read_records(files["genome"]))
        sites = read_sites(files["starts"], record=records[0].id)
        annotation = config.annotation or _own_annotation(config.genome)
        genes: list[Gene] = []
        if annotation is not None:
            files["annotation"] = _file(annotation)
            genes = read_genes(files["annotation"])
        elif config.weight_genes or config.weight_frames:
            raise InputError(
                f"{config.genome}: has no annotation; give `annotation`, or set weight_genes and weight_frames to 0"
            )
        gap = config.segment + 2 * EDGE
        offsets, length = {}, gap
        for record in records:
            offsets[record.id] = length
            length += len(record) + gap
        codes = np.full(length, UNKNOWN, dtype=np.uint8)
        for record in records:
            codes[offsets[record.id] :][: len(record)] = record.codes
        here = [site for site in sites if site.record in offsets]
        if not here:
            raise InputError(f"{config.starts}: none of its {len(sites)} sites is on a record of {config.genome}")
        regions = _regions(config, records)
        text = cls(
            records,
            offsets,
            codes,
            _bells(here, offsets, length, config.spread),
            *_coding(genes, records, offsets, length),
            here,
            regions,
            {
                "files": {name: {"name": path.name, "sha256": file_hash(path)} for name, path in files.items()},
                "regions": {part: [region_text(region) for region in regions[part]] for part in PARTS},
            },
        )
        text.data["sites"] = {part: len(text.sites_in(part)) for part in PARTS}
        if not text.data["sites"]["train"]:
            raise InputError(f"{config.starts}: no known start lies in the training regions")
        return text

    def spans(self, part: str) -> list[tuple[int, int]]:
        """The regions of a part as positions in `codes`, 0-based, half-open."""
        return [
            (self.offsets[one.record] + one.start, self.offsets[one.record] + one.end) for one in self.regions[part]
        ]

    def sites_in(self, part: str) -> list[Site]:
        """The known starts of a part, each once."""
        inside = {
            (site.record, site.position, site.strand): site
            for site in self.sites
            if any(one.record == site.record and one.start <= site.position < one.end for one in self.regions[part])
        }
        return list(inside.values())

    def record(self, name: str) -> Record:
        """One of the records by its id."""
        return next(record for record in self.records if record.id == name)


@dataclass(frozen=True)
class Segments:
    """Batches of segments of one part: a function of the seed, the part and the step.

    Attributes:
        text: what they are cut from.
        part: whose regions.
        segment: bases that are asked about.
        batch_size: segments of all processes together.
        around_starts: share of them that hold a known start.
        context: bases on either side that are read and not asked about.
        seed: of the drawing.
    """

    text: TrackText
    part: str
    segment: int
    batch_size: int
    around_starts: float
    context: int
    seed: int

    def __call__(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """The batch of a step: the share of one of several processes."""
        generator = np.random.default_rng([self.seed, 20 + PARTS.index(self.part), step])
        firsts = [self._draw(generator) for _ in range(self.batch_size)][rank::world]
        text, inner = self.text, [slice(first, first + self.segment) for first in firsts]
        marks = [np.stack([of[:, one] for one in inner]) for of in (text.starts, text.frames, text.genes)]
        starts, frames, genes = (torch.from_numpy(one) for one in marks)
        codes = np.stack([self._read(one.start - self.context, one.stop + self.context) for one in inner])
        return torch.from_numpy(codes), starts, frames.long(), genes.float()

    def _draw(self, generator: np.random.Generator) -> int:
        """First base of a segment that lies whole in one of the regions."""
        holds_start = generator.random() < self.around_starts and len(self._sites)
        for _ in range(_TRIES):
            if holds_start:
                first = int(generator.choice(self._sites)) - int(generator.integers(0, self.segment))
            else:
                low, high = self._roomy[generator.choice(len(self._roomy), p=self._shares)]
                first = int(generator.integers(low, high - self.segment + 1))
            if any(low <= first and first + self.segment <= high for low, high in self._roomy):
                return first
        raise InputError(f"no {self.part} region has room for a segment of {self.segment} bases around a known start")

    def _read(self, low: int, high: int) -> Codes:
        """Codes of `[low, high)`, unknown beyond the ends."""
        codes = self.text.codes
        piece = codes[max(low, 0) : min(high, len(codes))]
        return np.pad(piece, (max(-low, 0), max(high - len(codes), 0)), constant_values=UNKNOWN)

    @cached_property
    def _roomy(self) -> list[tuple[int, int]]:
        wide = [(low, high) for low, high in self.text.spans(self.part) if high - low >= self.segment]
        if not wide:
            raise InputError(f"no {self.part} region has {self.segment} bases, the length of a segment")
        return wide

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        lengths = np.array([high - low - self.segment + 1 for low, high in self._roomy], dtype=float)
        return lengths / lengths.sum()

    @cached_property
    def _sites(self) -> NDArray[np.int64]:
        sites = self.text.sites_in(self.part)
        return np.array([self.text.offsets[site.record] + site.position for site in sites], dtype=np.int64)


def _file(name: str) -> Any:
    return genome_file(name) if name not in catalog.load() else catalog.fetch(name)


def _own_annotation(genome: str) -> str | None:
    """The annotation that the catalogue has beside a genome; a GenBank file's own."""
    beside = f"{genome}-genes"
    if beside in catalog.load():
        return beside
    name = genome.lower().removesuffix(".gz")
    return genome if name.endswith((".gb", ".gbk", ".gbff")) else None


def _regions(config: TrackTrainConfig, records: list[Record]) -> dict[str, list[Region]]:
    given = {part: [Region.parse(text) for text in getattr(config, part)] for part in PARTS}
    if not any(given.values()):
        for record in records:
            bounds = (0, int(TRAIN * len(record)), int(VALID * len(record)), len(record))
            for part, low, high in zip(PARTS, bounds, bounds[1:], strict=False):
                if high > low:
                    given[part].append(Region(record.id, low, high))
    if not given["train"]:
        raise InputError("train: no training region; give at least one, or none of train, valid and test")
    lengths = {record.id: len(record) for record in records}
    placed = [(part, region) for part in PARTS for region in given[part]]
    for part, region in placed:
        if region.end > lengths.get(region.record, 0):
            raise InputError(f"{part}: {region} does not lie in {config.genome}")
    for number, (part, region) in enumerate(placed):
        for other, second in placed[:number]:
            if (
                part != other
                and region.record == second.record
                and max(region.start, second.start) < min(region.end, second.end)
            ):
                raise InputError(f"{region} of {part} overlaps {second} of {other}: each base belongs to one part")
    return given


def _bells(sites: Iterable[Site], offsets: dict[str, int], length: int, spread: float) -> NDArray[np.float32]:
    """A bell of height 1 around each start, the highest where several overlap."""
    marks = np.zeros((2, length), dtype=np.float32)
    reach = int(4 * spread)
    away = np.arange(-reach, reach + 1)
    bell = np.exp(-(away**2) / (2 * spread**2)) if spread else np.ones(1)
    for site in sites:
        at = offsets[site.record] + site.position + away
        row = marks[int(site.strand == "-")]
        inside = (at >= 0) & (at < length)
        row[at[inside]] = np.maximum(row[at[inside]], bell[inside])
    return marks


def _coding(
    genes: Iterable[Gene], records: list[Record], offsets: dict[str, int], length: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Codon positions and first bases, as `TrackText` has them; of genes that overlap the later one's position."""
    frames, first = np.zeros((2, length), dtype=np.uint8), np.zeros((2, length), dtype=np.bool_)
    ends = {record.id: len(record) for record in records}
    for gene in genes:
        if gene.record not in offsets:
            continue
        own, other = (0, 1) if gene.strand == "+" else (1, 0)
        at = np.arange(gene.start, min(gene.end, ends[gene.record]))
        codon = (at - gene.start) % 3 if own == 0 else (gene.end - 1 - at) % 3
        at = at + offsets[gene.record]
        frames[own, at] = 1 + codon
        beyond = frames[other, at] == 0
        frames[other, at[beyond]] = 4 + codon[beyond]
        if gene.start_known:
            first[own, offsets[gene.record] + gene.start_site] = True
    return frames, first
