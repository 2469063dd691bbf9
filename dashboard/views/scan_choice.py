"""What the page Long sequences shows: its address, with every default filled in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboard import features, resources, scans
from dashboard.features import Known
from dashboard.resources import Sequence
from dashboard.scans import Wanted
from dashboard.state import STRAND_SIGNS, ScanState, read_state
from dashboard.trained_on import Trained, trained_on
from dnalm.annotation import Gene
from dnalm.errors import InputError
from dnalm.model.bundle import Bundle
from dnalm.sequences import Record, Region
from dnalm.tracks.places import Named, find_place

DEFAULT_LENGTH = 40_000
BASES = 300
"""Bases of a region whose letters are shown."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What is shown.

    Attributes:
        state: the address.
        models: all that can scan.
        bundle: the one whose calls are shown.
        also: those drawn beside it.
        sequence: the file.
        records: its records, by name.
        record: the one that is looked at.
        region: the stretch of it.
        found: what else the address's name of a place fits; empty where it fits one place.
        genes: of the record.
        known: the kinds of known starts of the sequence.
        known_kind: the one that is drawn.
        trained: where the model learned.
        problems: a sentence for each thing in the address that could not be used.
    """

    state: ScanState
    models: list[Bundle]
    bundle: Bundle
    also: list[Bundle]
    sequence: Sequence
    records: dict[str, Record]
    record: Record
    region: Region
    found: list[Named]
    genes: list[Gene]
    known: dict[str, Known]
    known_kind: str
    trained: Trained
    problems: list[str] = field(default_factory=list)

    @property
    def kind(self) -> Known:
        """The known starts that are drawn."""
        return self.known[self.known_kind]

    @property
    def circle(self) -> int | None:
        """Bases of the record where it is a circle."""
        return len(self.record) if self.record.circular else None

    def wanted(self, bundle: Bundle) -> Wanted:
        """The scan of the region by a model."""
        state = self.state
        told = {"mode": state.mode, "window": state.window, "stride": state.stride}
        return scans.wanted(bundle, self.sequence.path, self.region, strand=STRAND_SIGNS[state.strand], **told)

    @property
    def usual_threshold(self) -> float:
        """The model's own."""
        own = self.bundle.config.threshold
        return round(0.5 if own is None else own, 2)


def read_choice(models: list[Bundle], sequences: list[Sequence]) -> Choice:
    """What the address asks for, as far as it is here.

    Args:
        models: those that can scan, one at least, the usual one first.
        sequences: those that can be scanned, one at least.

    Raises:
        DnalmError: the sequence's file cannot be read.
    """
    state, problems = read_state(st.query_params)
    bundle = _chosen(models, state.model, "model", lambda item: item.name, problems)
    by_name = {one.name: one for one in models}
    also = [by_name[name] for name in state.also if name in by_name and name != bundle.name]
    problems += [
        f"The address asks for the model {name}, which is not here." for name in state.also if name not in by_name
    ]
    sequence = _chosen(sequences, state.sequence, "sequence", lambda item: item.key, problems)
    records = resources.records(sequence.path)
    genes, known = features.genes(sequence), features.known_starts(sequence)
    kind = state.known if state.known and state.known in known else features.default_known(bundle, known)
    region, found = _place(state, records, genes, known[kind], problems)
    return Choice(
        state=state,
        models=models,
        bundle=bundle,
        also=also,
        sequence=sequence,
        records=records,
        record=records[region.record],
        region=region,
        found=found,
        genes=[gene for gene in genes if gene.record == region.record],
        known=known,
        known_kind=kind,
        trained=trained_on(bundle, records[region.record]),
        problems=problems,
    )


def _chosen(items: list[Any], key: str | None, what: str, name: Callable[[Any], str], problems: list[str]) -> Any:
    """The item that the address names, or the first, saying so."""
    for item in items:
        if name(item) == key:
            return item
    if key is not None:
        problems.append(f"The address asks for the {what} {key}, which is not here; {name(items[0])} is shown.")
    return items[0]


def _place(
    state: ScanState, records: dict[str, Record], genes: list[Gene], kind: Known, problems: list[str]
) -> tuple[Region, list[Named]]:
    """The region that the address names, or the usual one; and what the name fits where it fits several."""
    usual = _usual(records)
    if state.region is None:
        return usual, []
    try:
        found = find_place(state.region, records, usual=usual.record, genes=genes, sites=kind.sites)
    except InputError as error:
        problems.append(str(error))
        return usual, []
    if isinstance(found, Region):
        return found, []
    return found[0].region, found


def _usual(records: dict[str, Record]) -> Region:
    """The 40 kb that no shipped classifier learned labels from, else the beginning of the longest record."""
    demo = features.DEMO_REGION
    if demo.record in records and len(records[demo.record]) >= demo.end:
        return demo
    record = max(records.values(), key=len)
    return Region(record.id, 0, min(DEFAULT_LENGTH, len(record)))
