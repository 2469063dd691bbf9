"""What a split lets through, in a sentence: the same on the results page, on the page Benchmarks and in exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnalm.datasets.dataset import BY_SOURCE


def leak_told(leak: Mapping[str, Any]) -> str:
    """How many tested sequences have a near copy that was learnt from (`dnalm.evaluation.results.measure.leak_of`)."""
    share = leak["shared"] / max(leak["of"], 1)
    what = "have a near copy among those that were learnt from"
    if leak.get("by") == BY_SOURCE:
        what = "come from a gene that was learnt from, or are the same letter for letter as a read that was"
    return f"{leak['shared']:,} of {leak['of']:,} tested sequences ({share:.1%}) {what}"


def group_told(found: Mapping[str, Any]) -> str:
    """That one group is a large share of the set (`dnalm.evaluation.results.chains.without_largest`)."""
    return (
        f"{found['largest']:,} of the {found['of']:,} are one group, chained by what they share, and stand in one fold"
    )
