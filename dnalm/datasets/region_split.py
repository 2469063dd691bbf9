"""Splits of a genome by region: what a scanning model is trained on, chosen on and tested on.

Windows drawn at random from one genome overlap and share operons; a stretch of genome kept apart as a whole does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dnalm.sequences import Region

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class RegionSplit:
    """Regions to train on, to choose on and to test on.

    Attributes:
        name: of the split.
        genome: the catalogue's name of the sequence.
        genes: of its annotation.
        truth: of its table of known sites.
        train: what a model learns from.
        valid: what its length of training, threshold and calibration are chosen on.
        test: what it is judged on, once.
        distance: bases of non-maximum suppression with which it is judged.
        tolerances: greatest distances in bases, from the site to its call, with which it is judged.
    """

    name: str
    genome: str
    genes: str
    truth: str
    train: tuple[Region, ...]
    valid: tuple[Region, ...]
    test: tuple[Region, ...]
    distance: int
    tolerances: tuple[int, ...]

    @property
    def seen(self) -> tuple[Region, ...]:
        """Regions whose truth a model has seen, in training or in choosing."""
        return self.train + self.valid

    def as_texts(self) -> dict[str, list[str]]:
        """The regions as a model's configuration keeps them: `{"train": ["RECORD:FIRST-LAST", ...], ...}`, 1-based."""
        return {part: [region_text(region) for region in getattr(self, part)] for part in PARTS}


def region_text(region: Region) -> str:
    """A region as `RECORD:FIRST-LAST`, 1-based, without thousands commas."""
    return f"{region.record}:{region.start + 1}-{region.end}"


def seen_regions(texts: Mapping[str, Sequence[str]]) -> list[Region]:
    """Regions whose truth a model has seen, from what its configuration keeps under `trained["regions"]`."""
    return [Region.parse(text) for part in ("train", "valid") for text in texts.get(part, ())]


_CHROMOSOME = "NC_000913.3"

ECOLI_STARTS = RegionSplit(
    name="ecoli-sigma70-by-region",
    genome="ecoli-k12",
    genes="ecoli-k12-genes",
    truth="ecoli-sigma70-tss",
    # The 40 kb of the classic picture lie in the middle of the training region and are left out of it.
    train=(Region(_CHROMOSOME, 0, 800_000), Region(_CHROMOSOME, 840_000, 3_200_000)),
    valid=(Region(_CHROMOSOME, 3_200_000, 3_700_000),),
    test=(Region(_CHROMOSOME, 3_700_000, 4_640_000),),
    distance=50,
    tolerances=(100, 20),
)
"""E. coli K-12's sigma-70 starts, held out by region: the split on which this project's scanning models are judged."""
