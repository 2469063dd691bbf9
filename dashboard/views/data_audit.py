"""A set's audit as pictures, each with a sentence of what it means."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.audit import Alone, alone_figure, copies_figure, leak_figure, parts_figure, spread_figure
from dashboard.charts.theme import look
from dashboard.sets import Opened
from dashboard.views import data_parts
from dnalm.datasets.dataset import BY_SOURCE
from dnalm.datasets.splits import SPLITS

PART_NAMES = {"train": "training", "valid": "validation", "test": "test"}
# AUROC from which one number alone is called telling, and from which it is called a good part of the answer.
SOME, MUCH = 0.6, 0.75


def show(name: str, opened: Opened) -> None:
    """Draw what a reader of a result on this set must know, then each picture."""
    for warning in opened.audit["warnings"]:
        st.warning(data_parts.plain(warning), icon=":material/warning:")
    if not opened.audit["warnings"]:
        st.success(
            "No leak across the split, and neither GC nor length gives much away.", icon=":material/check_circle:"
        )
    _parts(name, opened)
    _leaks(name, opened)
    _alone(name, opened)
    _gc(name, opened)
    _lengths(name, opened)
    _copies(name, opened)


def _parts(name: str, opened: Opened) -> None:
    counts = opened.audit["counts"]
    totals = {part: sum(row.get(part, 0) for row in counts.values()) for part in SPLITS}
    st.header("How is it split?")
    st.write(
        f"A model learns from the **{totals['train']:,}** training sequences; the **{totals['valid']:,}** validation "
        f"sequences say when to stop and where to put the threshold; the **{totals['test']:,}** test sequences are "
        "looked at once, for the figures."
    )
    rows = [{"label": label, **{part: row.get(part, 0) for part in SPLITS}} for label, row in counts.items()]
    alt = "; ".join(
        f"{row['label']}: " + ", ".join(f"{row[part]} {PART_NAMES[part]}" for part in SPLITS) for row in rows
    )
    data_parts.picture(parts_figure(counts, look()), "split", alt=alt, name=name, table=pd.DataFrame(rows))


def _leaks(name: str, opened: Opened) -> None:
    found, chance = opened.audit["shared_stretches"], opened.profile.random_leak
    near = near_copy(opened.audit)
    st.header("Do near-copies straddle the split?")
    st.write(leak_words(found, chance, near))
    rows = [
        {"split": title, "part": PART_NAMES[part], **leaks[part]}
        for title, leaks in (("this split", found), ("dealt at random", chance))
        for part in ("valid", "test")
    ]
    alt = "; ".join(f"{row['split']}, {row['part']}: {row['shared']} of {row['of']} share a stretch" for row in rows)
    data_parts.picture(leak_figure(found, chance, near, look()), "leaks", alt=alt, name=name, table=pd.DataFrame(rows))


def near_copy(audit: dict[str, Any]) -> str:
    """What makes a near copy of a training sequence here, in words that go on after "sequences that"."""
    if audit.get("grouped_by") == BY_SOURCE:
        return "come from the same gene as a training sequence"
    return f"share {audit.get('stretch', 20)} bases or more with a training sequence, on either strand"


def leak_words(found: dict[str, Any], chance: dict[str, Any], near: str) -> str:
    """What the near copies mean, in a sentence or two; `near` says what makes one (`near_copy`)."""
    shared, of = (sum(found[part][key] for part in ("valid", "test")) for key in ("shared", "of"))
    by_chance = sum(chance[part]["shared"] for part in ("valid", "test"))
    if not of:
        return "Nothing is held out, so nothing can be measured honestly: split the set."
    if shared:
        return (
            f"**{shared:,} of {of:,}** held-out sequences {near}. A model can recognise those instead of judging them, "
            "so figures measured here flatter it. The grouped split keeps such sequences on one side."
        )
    words = f"There are no held-out sequences that {near}: figures measured here speak of new ones."
    if by_chance:
        return f"{words} Dealt at random, **{by_chance:,} of {of:,}** would have had a near-copy to learn from."
    return f"{words} Dealt at random it would be so too: the set holds hardly any near-copies."


def _alone(name: str, opened: Opened) -> None:
    rules = alone_rules(opened.audit)
    st.header("What does one number alone achieve?")
    st.write(
        "Each point is a rule that knows nothing of biology: how well GC content, length or the start codon by itself "
        "tells the labels apart, with its 95 % interval. A model is worth its name by how far it comes beyond these. "
        "AUROC is the chance that a positive sequence gets the higher value than a negative one: 0.5 is guessing."
    )
    if not rules:
        st.write("There is no such figure for this set.")
        return
    alt = "; ".join(f"{rule.name} {rule.value:.3f}" for rule in rules)
    table = pd.DataFrame([vars(rule) for rule in rules])
    title = "AUROC" if all("codon" not in rule.name for rule in rules) else "AUROC (start codon: accuracy)"
    data_parts.picture(alone_figure(rules, look(), title), "alone", alt=alt, name=name, table=table)


def alone_rules(audit: dict[str, Any]) -> list[Alone]:
    """The simple rules of an audit whose figure and interval are known."""
    found = []
    for title, feature in (("GC", "gc_alone"), ("Length", "length_alone")):
        several = len(audit[feature] or {}) > 1
        for label, numbers in (audit[feature] or {}).items():
            words = f"{title} alone" + (f", {label} against the rest" if several else "")
            found.append((words, numbers["auroc"]))
    rule = audit["start_codon_rule"]
    if rule and not rule["codon_hidden"] and "all" in rule:
        found.append(("Start codon at base 100 alone", rule["all"]["accuracy"]))
    return [
        Alone(words, figure["value"], figure["low"], figure["high"])
        for words, figure in found
        if None not in (figure["value"], figure["low"], figure["high"])
    ]


def _gc(name: str, opened: Opened) -> None:
    st.header("Does GC content tell the labels apart?")
    words = _spread_words(opened.audit["gc"], "% G and C", 100, 1)
    st.write(f"{data_parts.plain(words)} {_telling(opened.audit['gc_alone'], 'GC content')}")
    alt = f"Shares of each label's sequences by GC content: {words}"
    figure = spread_figure(opened.profile.gc, look(), "G and C among the known bases", percent=True)
    data_parts.picture(figure, "gc", alt=alt, name=name, table=opened.profile.gc.table("share of G and C"))


def _lengths(name: str, opened: Opened) -> None:
    st.header("Does length tell the labels apart?")
    spread = opened.audit["length"]
    if opened.profile.lengths is None:
        length = next(iter(spread.values()))["mean"] or 0
        st.write(f"All sequences have {length:,.0f} bases, so their length tells nothing.")
        return
    words = _spread_words(spread, "bases", 1, 0)
    st.write(f"{data_parts.plain(words)} {_telling(opened.audit['length_alone'], 'Length')}")
    alt = f"Shares of each label's sequences by length: {words}"
    figure = spread_figure(opened.profile.lengths, look(), "Length (bases)")
    data_parts.picture(figure, "lengths", alt=alt, name=name, table=opened.profile.lengths.table("bases"))


def _spread_words(spread: dict[str, Any], unit: str, scale: float, digits: int) -> str:
    """`promoter: 43.1 % G and C on average (20 to 71)` of the first labels."""
    parts = [
        f"{label}: {scale * numbers['mean']:,.{digits}f} {unit} on average "
        f"({scale * numbers['min']:,.{digits}f} to {scale * numbers['max']:,.{digits}f})"
        for label, numbers in list(spread.items())[:6]
        if numbers["mean"] is not None
    ]
    return "; ".join(parts) + "."


def _telling(alone: dict[str, Any] | None, what: str) -> str:
    """What the AUROC of one feature alone means, in a sentence."""
    figures = [numbers["auroc"]["value"] for numbers in (alone or {}).values() if numbers["auroc"]["value"] is not None]
    if not figures:
        return ""
    best = max(figures)
    if best >= MUCH:
        return (
            f"{what} alone reaches AUROC **{best:.3f}**: a good part of a model's figure may be just that, so compare "
            "with it, and be wary where a genome's own composition differs."
        )
    if best >= SOME:
        return f"{what} alone reaches AUROC **{best:.3f}**: it says something, but far from all."
    return f"{what} alone reaches AUROC **{best:.3f}**: it says next to nothing."


def _copies(name: str, opened: Opened) -> None:
    copies, groups, total = opened.audit["duplicates"], opened.audit["groups"], opened.audit["rows"]
    of_genes = opened.audit.get("grouped_by") == BY_SOURCE
    rows = [
        ("Copies of an earlier one", copies["exact"]),
        ("Copies of its other strand", copies["reverse_complement"]),
        ("Under two labels", copies["sequences_with_two_labels"]),
        ("In two parts of the split", copies["sequences_in_two_splits"]),
        ("Come from one gene with others" if of_genes else "Share 20 bases with another", total - groups["singles"]),
    ]
    st.header("Are there copies?")
    said = []
    if copies["sequences_with_two_labels"]:
        said.append("Sequences under two labels cannot be learned: one of the labels is wrong.")
    if copies["sequences_in_two_splits"]:
        said.append("Copies in two parts of the split are leaks.")
    if copies["exact"] + copies["reverse_complement"]:
        said.append("Copies count more than once, in training and in figures alike.")
    if not any(number for _, number in rows):
        said.append("There is not one copy, and no two sequences share 20 bases.")
    said.append(
        f"Sequences {'of one gene' if of_genes else 'that share a stretch'} form {groups['groups']:,} groups; the "
        f"largest holds {groups['largest']:,} of {total:,} sequences."
    )
    st.write(" ".join(said))
    if not any(number for _, number in rows):
        return  # an empty picture says no more than the sentence
    alt = "; ".join(f"{words}: {number}" for words, number in rows)
    table = pd.DataFrame(rows, columns=["what", "sequences"])
    data_parts.picture(copies_figure(rows, total, look()), "copies", alt=alt, name=name, table=table)
