"""The map of every change, and the editor: a click makes a change, which can be taken back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import explaining, resources
from dashboard.charts.mutation import Map, map_figure
from dashboard.charts.positions import name
from dashboard.charts.theme import look
from dashboard.links import link
from dashboard.saying import plain
from dashboard.subject import MOST_EDITS, Subject, read_edits, read_subject
from dashboard.views import saliency_parts as parts
from dashboard.views import subject_inputs as inputs
from dnalm.alphabet import Codes, decode
from dnalm.errors import DnalmError
from dnalm.files import picture_bytes
from dnalm.interpret.edits import Edit
from dnalm.interpret.logo import LETTERS
from dnalm.interpret.mutation import Saturation, probability_of
from dnalm.interpret.pictures import draw_saturation
from dnalm.interpret.placed import Placed
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle
from dnalm.model.predict import Classifier

UNITS = {"log_odds": "Log-odds", "probability": "Probability"}
STRONGEST = 12
_REFUSED = "mutation_refused"


@dataclass(frozen=True, eq=False)
class Editing:
    """A sequence and what a person has changed of it, one change after the other.

    Attributes:
        original: as it was.
        edits: the changes in order.
        sequences: as it was, after the first change, ..., as it is now.
    """

    original: Subject
    edits: list[Edit]
    sequences: list[Codes]

    @property
    def now(self) -> Subject:
        """The sequence with all changes; one that moved its bases lies in no region of the genome any more."""
        if not self.edits:
            return self.original
        region, anchor = self.original.region, self.original.anchor
        if any(len(one.ref) != len(one.alt) for one in self.edits):
            region = None
            if anchor is not None and len(self.sequences[-1]) != len(self.original.codes):
                anchor += sum(len(one.alt) - len(one.ref) for one in self.edits if one.position < anchor)
        return replace(self.original, codes=self.sequences[-1], region=region, anchor=anchor)


def editor(bundle: Bundle, editing: Editing, label: str | None) -> None:
    """The call now and before, the changes so far, and the ways to change more, take back, and pass on."""
    model = resources.model(bundle)
    calls = [model.call(row) for row in model.probabilities([editing.sequences[0], editing.sequences[-1]])]
    wanted = label or bundle.config.positive or calls[0].label
    before, now = (call.probabilities[wanted] for call in calls)
    made = f"{len(editing.edits)} change{'s' if len(editing.edits) != 1 else ''}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.metric(
            f"Probability of {plain(wanted)}",
            f"{now:.3f}",
            f"{now - before:+.3f} by {made}" if editing.edits else "as it was",  # the map stays where it is
            delta_color="normal" if editing.edits else "off",
            delta_arrow="auto" if editing.edits else "off",
            width=200,
        )
        st.text_input(
            "Change bases",
            key="mutation_typed",
            placeholder="-12T>A" if editing.original.anchor is not None else "45T>A",
            width=190,
            on_change=_typed,
            args=(editing.now, resources.model(bundle)),
            help="From the start site: -12T>A; from the first base: 45T>A. Several with commas. -12T>- deletes.",
        )
        asked = len(_edits())  # also those that could not be made
        undo, back = partial(_keep, asked - 1), partial(_keep, 0)
        st.button("Undo", icon=":material/undo:", disabled=not asked, on_click=undo)
        st.button("As it was", icon=":material/restart_alt:", disabled=not asked, on_click=back)
        _copy_link()
    st.markdown(
        f"{plain(editing.original.title)}: **{plain(bundle.name)}** calls it"
        + (", with your changes, " if editing.edits else " ")
        + f"**{plain(calls[-1].label)}**{parts.threshold_of(bundle)}."
        + (f" Before them: {before:.3f}." if editing.edits else "")
    )
    if editing.original.note:
        st.caption(plain(editing.original.note))
    if st.session_state.get(_REFUSED):
        st.error(plain(st.session_state.pop(_REFUSED)), icon=":material/error:")


def history(bundle: Bundle, editing: Editing, label: str | None) -> None:
    """The changes in order with the probability after each; a press goes back to one."""
    if not editing.edits:
        return
    label = label or bundle.config.positive or bundle.config.labels[0]
    said = resources.model(bundle).probabilities(editing.sequences)[:, bundle.config.labels.index(label)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("History:", width="content")
        for number, probability in enumerate(said):
            text = "as it was" if number == 0 else editing.edits[number - 1].written(editing.original.anchor)
            st.button(
                f"{text.replace('-', '−', 1) if number else text} · {probability:.3f}",
                key=f"mutation_history_{number}",
                type="tertiary",
                disabled=number == len(said) - 1,
                help="Go back to here",
                on_click=_keep,
                args=(number,),
            )


def _copy_link() -> None:
    with st.popover("Link", icon=":material/link:"):
        st.caption("Opens this very picture, with your changes:")
        query = "&".join(f"{key}={_quoted(value)}" for key, value in st.query_params.items())
        address = str(st.context.url or "").split("?")[0]
        st.code(f"{address}?{query}" if query else address, language=None, wrap_lines=True)


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _edits() -> list[str]:
    return [one for one in re.split(r"[,;\s]+", st.query_params.get("edits", "")) if one]


def _keep(count: int) -> None:
    kept = _edits()[: max(0, count)]
    if kept:
        st.query_params["edits"] = ",".join(kept)
    else:
        st.query_params.pop("edits", None)


def add(texts: Sequence[str]) -> None:
    """Make changes, after those that were made."""
    st.query_params["edits"] = ",".join([*_edits(), *texts][:MOST_EDITS])


def _typed(now: Subject, model: Classifier) -> None:
    """Make what was typed, or say why it cannot be."""
    try:
        edits, _ = read_edits(st.session_state["mutation_typed"], now, model)
    except DnalmError as error:
        st.session_state[_REFUSED] = str(error)
        return
    st.session_state["mutation_typed"] = ""
    add([one.written(now.anchor) for one in edits])


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
        parts._choose_part(now)
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
    _, sequences = read_edits(st.query_params.get("edits", ""), theirs, model)
    theirs = replace(theirs, codes=sequences[-1])
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

    files = {
        "tsv": ("TSV", "text/tab-separated-values", lambda: table(subject, found).to_csv(sep="\t", index=False)),
        "svg": ("SVG", "image/svg+xml", partial(picture, "svg")),
        "png": ("PNG", "image/png", partial(picture, "png")),
        "fa": ("FASTA", "text/plain", lambda: f">{subject.id}\n{decode(subject.codes)}\n"),
    }
    st.write("Download:")
    for ending, (title, mime, make) in files.items():
        st.download_button(
            title,
            make,
            file_name=f"mutations.{bundle.name}.{ending}",
            mime=mime,
            key=f"mutation_download_{ending}",
            on_click="ignore",
            icon=":material/download:",
        )


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
