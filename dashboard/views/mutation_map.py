"""The map of every change: a click makes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import explaining, resources
from dashboard.charts.mutation import Map, map_figure
from dashboard.charts.positions import name
from dashboard.charts.theme import look
from dashboard.download_row import Offered, download_row
from dashboard.editing import Editing, read_edits
from dashboard.links import link
from dashboard.subject import Subject, read_subject
from dashboard.views import saliency_parts as parts
from dashboard.views import subject_inputs as inputs
from dashboard.views.mutation_editor import add, history
from dnalm.alphabet import decode
from dnalm.files import picture_bytes
from dnalm.interpret.edits import Edit
from dnalm.interpret.logo import LETTERS
from dnalm.interpret.mutation import Saturation, probability_of
from dnalm.interpret.pictures import draw_saturation
from dnalm.interpret.placed import Placed
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle

UNITS = {"log_odds": "Log-odds", "probability": "Probability"}
STRONGEST = 12


def show(user: User, bundle: Bundle, other: Bundle | None, editing: Editing, label: str | None) -> None:
    """The maps, their tables and downloads."""
    now = editing.now
    span = parts.mapped(now)
    found = explaining.saturation(bundle, now.codes, label, span)
    unit = inputs.chosen("unit", list(UNITS), "log_odds")
    maps = [_map(bundle, now, found, unit, clickable=True)]
    logos = [("What each base is worth now" if editing.edits else "What each base is worth", now, found.bases)]
    if editing.edits and len(editing.original.codes) == len(now.codes):
        was = explaining.saturation(bundle, editing.original.codes, label, parts.mapped(editing.original))
        logos.append(("What each was worth before your changes", editing.original, was.bases))
    if other is not None:
        inputs.say_two_kinds(bundle, other)
        maps += _others(user, bundle, other, editing, maps[0], unit, label)
    title = _title(found, now)
    figure = map_figure(maps, look(), title=title, logos=logos)
    key = f"mutation_map_{st.query_params.get('edits', '')}_{bundle.name}"
    st.plotly_chart(
        figure,
        theme=None,
        key=key,
        on_select=partial(_clicked, key, now),
        selection_mode="points",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt=f"{title}. The tables below list the strongest changes; the TSV has all.",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Change in",
            list(UNITS),
            format_func=UNITS.get,
            required=True,
            label_visibility="collapsed",
            **inputs.bound("unit", unit, default="log_odds"),
        )
        _downloads(bundle, now, found)
    if span is not None:
        parts.choose_part(now)
    history(bundle, editing, label)
    _strongest(now, found)
    query = {key: value for key, value in st.query_params.items() if key not in ("view", "unit", "edits")}
    if editing.edits:
        query |= {"source": "paste", "seq": decode(now.codes)}
    link("saliency", "See it as saliency", icon=":material/equalizer:", query=query)


def _map(bundle: Bundle, subject: Subject, found: Saturation, unit: str, *, clickable: bool = False) -> Map:
    change = np.array(found.change if unit == "log_odds" else found.change_in_probability)
    change[: found.span[0]] = change[found.span[1] :] = np.nan  # not tried
    words = "change in log-odds" if unit == "log_odds" else "change in probability"
    return Map(f"{bundle.name}: {words} of {found.label}", subject, change, UNITS[unit].lower(), clickable)


def _others(
    user: User, bundle: Bundle, other: Bundle, editing: Editing, mine: Map, unit: str, label: str | None
) -> list[Map]:
    """The other model's map of the same sequence, and what the two differ by."""
    model = resources.model(other)
    theirs = read_subject(inputs.asked(bundle), user, other, model)
    theirs = read_edits(st.query_params.get("edits", ""), theirs, model).now
    shared_class = label if label in other.config.labels else None
    found = explaining.saturation(other, theirs.codes, shared_class, parts.mapped(theirs))
    yours = _map(other, theirs, found, unit)
    if label is not None and shared_class is None:  # they speak of different classes
        return [yours]
    places = np.intersect1d(mine.subject.positions(), theirs.positions())
    if not len(places):
        return [yours]
    at, there = places - mine.subject.positions()[0], places - theirs.positions()[0]
    if not np.array_equal(mine.subject.codes[at], theirs.codes[there]):
        return [yours]
    anchor = None if mine.subject.anchor is None else mine.subject.anchor - int(at[0])
    shared = replace(mine.subject, codes=mine.subject.codes[at], anchor=anchor, region=None)
    return [yours, Map(f"{bundle.name} less {other.name}", shared, mine.change[at] - yours.change[there], mine.unit)]


def _clicked(key: str, subject: Subject) -> None:
    for point in st.session_state[key]["selection"]["points"]:
        data = point.get("customdata")
        data = data[0] if isinstance(data, list | tuple) and data else data
        if isinstance(data, str) and "," in data:
            at, base = (int(part) for part in data.split(","))
            ref = decode(subject.codes[at : at + 1])
            if ref != LETTERS[base]:
                add([Edit(at, ref, LETTERS[base]).written(subject.anchor)])
            return


def _title(found: Saturation, subject: Subject) -> str:
    strongest = found.strongest(1)
    if not strongest:
        return f"No change of one base takes from the call of {found.label}"
    at, base = strongest[0]
    after = found.probability[at, base]
    change = f"{name(subject, at)} {decode(subject.codes[at : at + 1])}→{LETTERS[base]}"
    before = float(probability_of(np.float64(found.reference)))
    tried = "" if found.span == (0, len(subject.codes)) else f" of bases {found.span[0] + 1:,} to {found.span[1]:,}"
    if f"{before:.3f}" == f"{after:.3f}":
        return f"{change} takes most{tried}: {found.change[at, base]:+.2f} log-odds of {found.label}"
    return f"{change} takes most{tried}: probability of {found.label} {before:.3f} → {after:.3f}"


def table(subject: Subject, found: Saturation) -> pd.DataFrame:
    """Every change: position from 1, and from the site, bases, log-odds and probability after it, and the changes."""
    at, base = np.nonzero(np.arange(4) != subject.codes[:, None])
    inside = (at >= found.span[0]) & (at < found.span[1])
    at, base = at[inside], base[inside]
    letters = np.array(list(decode(subject.codes)))
    columns = {
        "position": at + 1,
        "ref": letters[at],
        "alt": np.array(list(LETTERS))[base],
        "probability": found.probability[at, base],
        "delta": found.change_in_probability[at, base],
        "log_odds": found.log_odds[at, base],
        "delta_log_odds": found.change[at, base],
    }
    if subject.anchor is not None:
        columns = {"from_site": [name(subject, int(one)).replace("−", "-") for one in at], **columns}
    return pd.DataFrame(columns)


def _downloads(bundle: Bundle, subject: Subject, found: Saturation) -> None:
    def picture(kind: str) -> bytes:
        placed = Placed(subject.title, subject.codes, subject.anchor, subject.region)
        return picture_bytes(draw_saturation(placed, found), kind)

    stem = f"mutations.{bundle.name}"
    offered = {
        "tsv": Offered("TSV", f"{stem}.tsv", lambda: table(subject, found).to_csv(sep="\t", index=False)),
        "svg": Offered("SVG", f"{stem}.svg", partial(picture, "svg")),
        "png": Offered("PNG", f"{stem}.png", partial(picture, "png")),
        "fa": Offered("FASTA", f"{stem}.fa", lambda: f">{subject.id}\n{decode(subject.codes)}\n"),
    }
    download_row("mutation", offered)


def _strongest(subject: Subject, found: Saturation) -> None:
    with st.container(horizontal=True, gap="large"):
        for gains, title in ((False, "What takes most"), (True, "What adds most")):
            with st.container(width=480):
                st.subheader(title, anchor=False)
                places = found.strongest(STRONGEST, gains=gains)
                if not places:
                    st.write("No change of one base does.")
                    continue
                letters = decode(subject.codes)
                texts = [Edit(at, letters[at], LETTERS[base]).written(subject.anchor) for at, base in places]
                key = f"mutation_strongest_{gains}_{st.query_params.get('edits', '')}"
                st.dataframe(
                    pd.DataFrame(
                        {
                            "Change": [text.replace("-", "−") for text in texts],
                            "Log-odds": [found.change[place] for place in places],
                            "Probability after": [found.probability[place] for place in places],
                        }
                    ),
                    key=key,
                    hide_index=True,
                    on_select=partial(_chosen, key, texts),
                    selection_mode="single-row",
                    column_config={
                        "Log-odds": st.column_config.NumberColumn(format="%+.3f"),
                        "Probability after": st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1),
                    },
                )
    st.caption("Choose a row to make that change.")


def _chosen(key: str, texts: Sequence[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        add([texts[rows[0]]])
