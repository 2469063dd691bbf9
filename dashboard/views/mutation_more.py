"""The other ways to change a sequence: the sliding scramble, pairs, deletions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import explaining, resources
from dashboard.addressed import whole
from dashboard.charts.mutation import pairs_figure, scramble_figure, without_figure
from dashboard.charts.positions import name
from dashboard.charts.theme import look
from dashboard.editing import Editing
from dashboard.subject import Subject
from dashboard.views import subject_inputs as inputs
from dnalm.alphabet import decode
from dnalm.errors import InputError
from dnalm.interpret.logo import LETTERS
from dnalm.interpret.mutation import LONGEST_SCRAMBLE, Epistasis, Scramble
from dnalm.model.bundle import Bundle

DRAWS = ("3", "5", "10", "20")
WAYS = {"fresh": "Fresh random bases at each place", "fixed": "The same at all places", "given": "What I give"}
SCALES = {"probability": "Probability", "log_odds": "Log-odds"}
WINDOWS = ("10", "15", "20", "30")
DELETED = ("1", "2", "3", "6", "10")
_MOST_SCRAMBLED = 900_000  # variants times bases


def scramble(bundle: Bundle, editing: Editing, label: str | None) -> None:
    """Replace k bases everywhere: where the call falls, the model was reading."""
    subject = editing.now
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = inputs.chosen("way", list(WAYS), "fresh")
        st.selectbox("Put in", list(WAYS), format_func=WAYS.get, width=290, **inputs.bound("way", way, default="fresh"))
        if way == "given":
            text = st.query_params.get("insert", "TATAAT")
            st.text_input("k-mers", width=240, **inputs.bound("insert", text, default="TATAAT"))
        else:
            ks = [one for one in dict.fromkeys(st.query_params.get("k", "1,3,6,10").split(",")) if _is_k(one)] or ["3"]
            options = [str(k) for k in range(1, LONGEST_SCRAMBLE + 1)]
            st.multiselect("Bases k", options, width=300, **inputs.bound("k", ks, default="1,3,6,10"))
            draws = inputs.chosen("draws", DRAWS, "5")
            st.selectbox("Draws", DRAWS, width=100, **inputs.bound("draws", draws, default="5"))
    if way == "given":
        kmers = list(dict.fromkeys(one.upper().replace("U", "T") for one in re.split(r"[,;\s]+", text.strip()) if one))
        if len(kmers) * len(subject.codes) ** 2 > _MOST_SCRAMBLED:
            raise InputError(
                f"{len(kmers)} k-mers on {len(subject.codes):,} bases take too long for a page: give fewer"
            )
        if not kmers or any(set(one) - set(LETTERS) for one in kmers):
            raise InputError(f"{text!r}: k-mers of A, C, G and T are wanted, with commas between")
        found = explaining.scrambles(bundle, subject.codes, label, (), 1, False, kmers)
    else:
        numbers = sorted(int(one) for one in ks)
        work = len(numbers) * int(draws) * len(subject.codes) ** 2
        if work > _MOST_SCRAMBLED:
            raise InputError(
                f"{len(numbers)} values of k with {draws} draws on {len(subject.codes):,} bases take too long for a"
                " page: choose fewer, or run `dnalm explain scramble`"
            )
        found = explaining.scrambles(bundle, subject.codes, label, numbers, int(draws), way == "fixed", ())
    model = resources.model(bundle)
    wanted = label or bundle.config.positive or model.predict([subject.codes])[0].label
    reference = float(model.probabilities([subject.codes])[0, bundle.config.labels.index(wanted)])
    scale = inputs.chosen("scale", list(SCALES), "probability")
    st.segmented_control(
        "Drawn as",
        list(SCALES),
        format_func=SCALES.get,
        required=True,
        help="Log-odds show what a probability near 1 or 0 hides.",
        **inputs.bound("scale", scale, default="probability"),
    )
    title = _where_it_falls(found, subject, reference)
    sure = min(max(reference, 1e-12), 1 - 1e-12)
    at = reference if scale == "probability" else float(np.log(sure / (1 - sure)))
    told = {"title": title, "label": wanted, "log_odds": scale == "log_odds"}
    figure = scramble_figure(found, subject, at, look(), **told)
    st.plotly_chart(figure, theme=None, key="scramble_chart", config={"displaylogo": False}, alt=title)
    st.caption(
        "A line is the mean where the stretch around that base was replaced; the band holds all draws. "
        f"Dashed: as it is, {reference:.3f}. Seed {explaining.SEED}."
    )
    download(_scramble_table(found, subject), f"scramble.{bundle.name}.tsv")


def _is_k(text: str) -> bool:
    return text in {str(k) for k in range(1, LONGEST_SCRAMBLE + 1)}


def _where_it_falls(found: Sequence[Scramble], subject: Subject, reference: float) -> str:
    one = max(found, key=lambda each: float(np.abs(each.mean - reference).max()))
    at = int(np.argmax(np.abs(one.mean - reference)))
    what = f"{one.inserted[0]} put" if len(one.inserted) == 1 else f"{one.k} bases replaced"
    return (
        f"{what} at {name(subject, int(one.starts[at]))} to {name(subject, int(one.starts[at]) + one.k - 1)} "
        f"changes most: {reference:.3f} → {one.mean[at]:.3f}"
    )


def _scramble_table(found: Sequence[Scramble], subject: Subject) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "k": one.k,
                "inserted": ",".join(one.inserted),
                "start": one.starts + 1,
                "from_site": [name(subject, int(at)).replace("−", "-") for at in one.starts],
                "mean": one.mean,
                "spread": one.spread,
                "low": one.probability.min(0),
                "high": one.probability.max(0),
            }
        )
        for one in found
    ]
    return pd.concat(frames, ignore_index=True)


def pairs(bundle: Bundle, editing: Editing, label: str | None) -> None:
    """Pairs of changes in a window: where two together do more, or less, than their sum."""
    subject = editing.now
    with st.container(horizontal=True, vertical_alignment="bottom"):
        width = inputs.chosen("width", WINDOWS, "15")
        st.selectbox("Window (bases)", WINDOWS, width=140, **inputs.bound("width", width, default="15"))
        window = min(int(width), len(subject.codes))
        usual = max(0, min((subject.anchor or len(subject.codes) // 2) - window, len(subject.codes) - window))
        text = st.query_params.get("window", "")
        start = max(0, min((whole(text) or usual + 1) - 1, len(subject.codes) - window))
        st.number_input(
            f"From base (1 to {len(subject.codes) - window + 1})",
            1,
            len(subject.codes) - window + 1,
            width=220,
            **inputs.bound("window", start + 1),
        )
    found = explaining.epistasis(bundle, subject.codes, label, start, start + window)
    first, last = name(subject, start), name(subject, start + window - 1)
    title = _strongest_pair(found, subject)
    st.plotly_chart(
        pairs_figure(found, subject, look(), title=title),
        theme=None,
        width="content",
        key="pairs_chart",
        config={"displaylogo": False},
        alt=title,
    )
    st.caption(
        f"Bases {first} to {last}, {np.isfinite(found.pairs).sum() // 2:,} pairs of changes. A cell is the pair of "
        "bases with the largest interaction there: the log-odds changed by both together, less those by each. Near 0 "
        "the two bases are read by themselves."
    )
    download(_pairs_table(found, subject), f"pairs.{bundle.name}.tsv")


def _strongest_pair(found: Epistasis, subject: Subject) -> str:
    at = np.unravel_index(np.argmax(np.nan_to_num(np.abs(found.pairs))), found.pairs.shape)
    one, base, two, other = (int(part) for part in at)
    words = [
        f"{name(subject, found.start + there)} {decode(subject.codes[found.start + there : found.start + there + 1])}"
        f"→{LETTERS[to]}"
        for there, to in ((one, base), (two, other))
    ]
    return f"{words[0]} and {words[1]} interact most: {found.pairs[at]:+.2f} log-odds beyond their sum"


def _pairs_table(found: Epistasis, subject: Subject) -> pd.DataFrame:
    one, base, two, other = np.nonzero(np.isfinite(found.pairs))
    kept = one < two
    one, base, two, other = one[kept], base[kept], two[kept], other[kept]
    letters = np.array(list(LETTERS))
    own = np.array(list(decode(subject.codes)))
    return pd.DataFrame(
        {
            "position_1": one + found.start + 1,
            "ref_1": own[one + found.start],
            "alt_1": letters[base],
            "position_2": two + found.start + 1,
            "ref_2": own[two + found.start],
            "alt_2": letters[other],
            "delta_1": found.single[one, base],
            "delta_2": found.single[two, other],
            "interaction": found.pairs[one, base, two, other],
        }
    )


def deletions(bundle: Bundle, editing: Editing, label: str | None) -> None:
    """Take some bases out, everywhere; a model of one length keeps its site in place."""
    subject = editing.now
    asked = dict.fromkeys(st.query_params.get("size", "1,3").split(","))
    sizes = [one for one in asked if one in DELETED] or ["1"]
    st.multiselect("Bases taken out", DELETED, width=300, **inputs.bound("size", sizes, default="1,3"))
    if len(subject.codes) > explaining.LONGEST_MAP:
        raise InputError(f"deletions are tried on {explaining.LONGEST_MAP:,} bases at most here; choose a region")
    curves = [
        (int(one), explaining.without(bundle, subject.codes, subject.anchor, label, int(one)))
        for one in sorted(sizes, key=int)
        if len(subject.codes) - int(one) >= resources.model(bundle).module.least_length
    ]
    if not curves:
        raise InputError(f"the sequence has {len(subject.codes)} bases: fewer are to be taken out")
    size, change = min(curves, key=lambda curve: float(curve[1].min()))
    at = int(np.argmin(change))
    out = decode(subject.codes[at : at + size])
    title = f"Without {out} from {name(subject, at)} the call loses most: {change[at]:+.2f} log-odds"
    figure = without_figure(curves, subject, look(), title=title)
    st.plotly_chart(figure, theme=None, key="without_chart", config={"displaylogo": False}, alt=title)
    if resources.model(bundle).module.fixed_length is not None:
        st.caption(
            "A point is the middle of what is taken out. The start site stays where it is: what is then missing at an "
            "end is unknown bases (N)."
        )
    frames = [
        pd.DataFrame({"size": size, "position": np.arange(1, len(change) + 1), "delta_log_odds": change})
        for size, change in curves
    ]
    download(pd.concat(frames, ignore_index=True), f"deletions.{bundle.name}.tsv")


def download(frame: pd.DataFrame, file: str) -> None:
    """A button for a table."""
    st.download_button(
        "TSV",
        lambda: frame.to_csv(sep="\t", index=False),
        file_name=file,
        mime="text/tab-separated-values",
        on_click="ignore",
        icon=":material/download:",
    )


SHOW: dict[str, Callable[[Bundle, Editing, str | None], None]] = {
    "scramble": scramble,
    "pairs": pairs,
    "deletions": deletions,
}
