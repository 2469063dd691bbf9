"""Which stretches of a sequence a model was trained on: figures there flatter it, so pictures tell them apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dnalm.errors import InputError
from dnalm.model.bundle import Bundle
from dnalm.sequences import Record, Region

_KEPT_OUT = re.compile(r"touch (?P<region>\S+:[\d,]+-[\d,]+) were kept out")


@dataclass(frozen=True)
class Trained:
    """What a bundle says of where it learned.

    Attributes:
        name: the model's.
        stretches: stretches of this record that it was trained or chosen on.
        recorded: whether it says so for this record; where it does not, nothing can be shaded.
        sampled: whether it saw windows from there, not all of it.
    """

    name: str
    stretches: tuple[Region, ...]
    recorded: bool
    sampled: bool = False

    def share(self, region: Region) -> float:
        """Share of a region that lies in those stretches, 0 to 1."""
        inside = sum(max(0, min(one.end, region.end) - max(one.start, region.start)) for one in self.stretches)
        return inside / len(region)

    def words(self, region: Region) -> str:
        """A sentence for people."""
        if not self.recorded:
            return f"Where {self.name} was trained is not recorded by place, so it may have seen this stretch."
        share = self.share(region)
        seen = "saw labelled sequences from" if self.sampled else "was trained or chosen on"
        if share == 0:
            return f"{self.name} was neither trained nor chosen on this stretch."
        part = "this stretch" if share > 0.999 else f"{100 * share:.0f} % of this stretch (shaded)"
        return f"{self.name} {seen} {part}: figures here flatter it."


def trained_on(bundle: Bundle, record: Record) -> Trained:
    """The stretches of a record that a model learned from, as far as its bundle says.

    A track model names its regions. The shipped classifiers name the region that was kept out: the rest of that
    record is where their sequences came from.
    """
    told = bundle.config.trained
    regions = told.get("regions")
    if isinstance(regions, Mapping):
        used = [region for part in ("train", "valid") for region in _read(regions.get(part))]
        named = {region.record for part in regions.values() for region in _read(part)}
        stretches = tuple(region for region in used if region.record == record.id)
        return Trained(bundle.name, stretches, record.id in named)
    data = told.get("data")
    notes = data.get("notes", []) if isinstance(data, Mapping) else []
    for note in notes if isinstance(notes, list) else []:
        match = _KEPT_OUT.search(str(note))
        kept = next(iter(_read(match["region"])), None) if match else None
        if kept is not None and kept.record == record.id:
            return Trained(bundle.name, _rest(kept, len(record)), True, sampled=True)
    return Trained(bundle.name, (), False)


def _rest(kept: Region, length: int) -> tuple[Region, ...]:
    ends = [(0, min(kept.start, length)), (kept.end, length)]
    return tuple(Region(kept.record, low, high) for low, high in ends if low < high)


def _read(told: object) -> list[Region]:
    """Regions as a bundle writes them: one text or several; what is none is passed over."""
    texts: Iterable[object] = [told] if isinstance(told, str) else told if isinstance(told, list | tuple) else []
    found = []
    for one in texts:
        try:
            found.append(Region.parse(str(one)))
        except InputError:
            continue
    return found
