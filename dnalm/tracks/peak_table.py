"""Peaks as a table: one row a call, with the nearest known site beside it where sites are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from dnalm.tracks.peaks import Peak
from dnalm.tracks.truth import nearest_sites

if TYPE_CHECKING:
    from dnalm.annotation import Site


def peak_table(
    peaks: Sequence[Peak], known: Sequence[Site] | None = None, *, circular_lengths: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Calls as rows.

    Args:
        peaks: in the order of the rows.
        known: sites; their columns are left out when None.
        circular_lengths: bases of the records that are circles.

    Returns:
        Columns record, position (1-based, so that `dnalm.annotation.read_sites` reads the table as sites), strand,
        probability; prominence, q and calibrated where any call has one; and of the nearest known site of the strand
        `site` (its name, else its position) and `offset` (bases from it to the call, positive downstream).
    """
    table = pd.DataFrame(
        {
            "record": [peak.record for peak in peaks],
            "position": [peak.position + 1 for peak in peaks],
            "strand": [peak.strand for peak in peaks],
            "probability": [peak.probability for peak in peaks],
        }
    )
    for name in ("prominence", "q", "calibrated"):
        values = [getattr(peak, name) for peak in peaks]
        if any(value is not None for value in values):
            table[name] = values
    if known is None:
        return table
    sites: dict[int, tuple[str, int]] = {}
    for record in dict.fromkeys(peak.record for peak in peaks):
        places = [place for place, peak in enumerate(peaks) if peak.record == record]
        length = (circular_lengths or {}).get(record)
        for place, one in zip(
            places, nearest_sites([peaks[p] for p in places], known, circular_length=length), strict=True
        ):
            if one.site is not None and one.offset is not None:
                sites[place] = one.site.name or f"{one.site.position + 1}", one.offset
    table["site"] = [sites[place][0] if place in sites else None for place in range(len(peaks))]
    table["offset"] = pd.array([sites[place][1] if place in sites else None for place in range(len(peaks))], "Int64")
    return table
