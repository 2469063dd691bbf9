"""What stands around the logos of the page Saliency: the call, elements, how far to believe it, downloads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import explaining, resources, sets
from dashboard.addressed import whole
from dashboard.charts.positions import axis, numbers
from dashboard.charts.saliency import Element, Row, saliency_figure
from dashboard.charts.theme import look
from dashboard.download_row import Offered, download_row
from dashboard.explaining import MUTATION, TITLES
from dashboard.links import link
from dashboard.saying import plain
from dashboard.subject import Subject
from dashboard.views import subject_inputs as inputs
from dnalm.alphabet import decode
from dnalm.errors import InputError
from dnalm.files import picture_bytes
from dnalm.interpret.attribution import SUMMING
from dnalm.interpret.edits import numbered
from dnalm.interpret.faithfulness_files import faithfulness_of
from dnalm.interpret.faithfulness_result import in_one_line
from dnalm.interpret.logo_picture import Logo, draw_logos
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle
from dnalm.model.predict import Prediction
from dnalm.tracks.boxes import MINUS_10, MINUS_35, find_boxes

CLASS_SEQUENCES = (20, 50, 100, 200)
_SECONDS = {MUTATION: 0.25, "integrated-gradients": 0.15, "gradient-shap": 1.0, "occlusion": 0.3}


def say_call(bundle: Bundle, subject: Subject) -> Prediction:
    """What the model calls the sequence, and what the sequence is."""
    call = resources.model(bundle).predict([subject.codes])[0]
    right = ""
    if subject.label is not None and subject.label not in bundle.config.labels:
        right = f" In its set it is {plain(subject.label)}, a class that this model does not know."
    elif subject.label is not None:
        right = f" It is in truth **{plain(subject.label)}**" + (
            ": right." if subject.label == call.label else ": wrong."
        )
    st.markdown(
        f"{plain(subject.title)}: **{plain(bundle.name)}** calls it **{plain(call.label)}**, probability of "
        f"{plain(bundle.config.positive or call.label)} **{call.probability:.3f}**{threshold_of(bundle)}.{right}"
    )
    if subject.note:
        st.caption(plain(subject.note))
    return call


def threshold_of(bundle: Bundle) -> str:
    """The probability from which a model calls the positive class, in words."""
    threshold = bundle.config.threshold
    return f" (its threshold: {threshold:.2f})" if threshold is not None and bundle.config.positive else ""


def elements(bundle: Bundle, subject: Subject) -> list[Element]:
    """The boxes of a bacterial promoter that fit best before the start site."""
    if subject.anchor is None or not inputs.knows_promoters(bundle):
        return []
    boxes = find_boxes(subject.codes, subject.anchor)
    if boxes is None or (not subject.sited and (boxes.matches_10 < 4 or boxes.matches_35 < 3)):
        return []
    first = int(subject.positions()[0])
    return [
        Element(first + boxes.minus_35, first + boxes.minus_35 + len(MINUS_35), f"−35, {boxes.matches_35} of 6"),
        Element(first + boxes.minus_10, first + boxes.minus_10 + len(MINUS_10), f"−10, {boxes.matches_10} of 6"),
    ]


def title(row: Row, bundle: Bundle, label: str, known: Sequence[Element]) -> str:
    """What to see: where the strongest six bases stand."""
    worth = row.heights.sum(1)
    width = min(6, len(worth))
    sums = np.convolve(worth, np.ones(width), "valid")
    start = int(np.argmax(sums))
    where = f"{numbered(start, row.subject.anchor)} to {numbered(start + width - 1, row.subject.anchor)}".replace(
        "-", "−"
    )
    place = int(row.subject.positions()[start])
    inside = next((one.name.split(",")[0] for one in known if place < one.end and place + width > one.start), "")
    words = f"{decode(row.subject.codes[start : start + width])} at {where}" + (
        f", in the {inside} element," if inside else ""
    )
    tried = mapped(row.subject) if row.title.startswith(TITLES[MUTATION]) else None
    return f"{words} speaks most for {label}" + (f", of bases {tried[0] + 1:,} to {tried[1]:,}" if tried else "")


def mapped(subject: Subject) -> tuple[int, int] | None:
    """The stretch whose every change is computed, of a sequence too long for all of it."""
    size = len(subject.codes)
    if size <= explaining.LONGEST_MAP:
        return None
    centre = subject.anchor if subject.anchor is not None else size // 2
    asked = whole(st.query_params.get("part", ""))
    start = asked - 1 if asked is not None else centre - explaining.LONGEST_MAP // 2
    start = min(max(0, start), size - explaining.LONGEST_MAP)
    return start, start + explaining.LONGEST_MAP


def believe(bundle: Bundle, subject: Subject, methods: Sequence[str], baseline: str, label: str | None) -> None:
    """How faithful such pictures of this model have proved, and whether the scores sum to what they should."""
    measured = faithfulness_of(bundle)
    if measured is None:
        st.caption(
            "How far to believe this model's pictures has not been measured yet: "
            f"`dnalm explain faithfulness {bundle.name} SET` does it."
        )
    else:
        for line in filter(None, (in_one_line(measured, method, baseline) for method in methods)):
            st.caption(plain(line))
    for method in methods:
        if method != MUTATION:
            found = explaining.attribution(bundle, subject.codes, method, baseline, label)  # type: ignore[arg-type]
            if found.warning:
                st.warning(f"{TITLES[method]}: {found.warning}", icon=":material/warning:")
            elif method in SUMMING:
                difference = found.log_odds - found.baseline_log_odds
                st.caption(
                    f"{TITLES[method]}: the scores sum to {difference + found.delta:+.2f}, the log-odds differ by "
                    f"{difference:+.2f} from the baseline's (convergence delta {found.delta:+.3f})."
                )
    if len(subject.codes) > explaining.LONGEST_MAP and MUTATION in methods:
        choose_part(subject)


def choose_part(subject: Subject) -> None:
    """Where the map begins, of a sequence too long for all of it."""
    span = mapped(subject)
    assert span is not None
    st.number_input(
        f"Mutation map from base (of {len(subject.codes):,}; {explaining.LONGEST_MAP:,} at a time)",
        1,
        len(subject.codes) - explaining.LONGEST_MAP + 1,
        step=explaining.LONGEST_MAP // 2,
        width=380,
        **inputs.bound("part", span[0] + 1),
    )


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """The scores of all rows, one line a base; positions from 1 and, with a site, from it."""
    frames = []
    for row in rows:
        subject = row.subject
        frame = pd.DataFrame(
            {
                "picture": row.title,
                "position": np.arange(1, len(subject.codes) + 1),
                "from_site": numbers(subject) if subject.anchor is not None else "",
                "base": list(decode(subject.codes)),
                "score": row.heights.sum(1),
            }
        )
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def downloads(bundle: Bundle, subject: Subject, rows: Sequence[Row]) -> None:
    """Buttons for the picture and its data; each is made when it is asked for."""

    def picture(kind: str) -> bytes:
        told = axis(subject)
        logos = [Logo(row.title, row.heights, int(row.subject.positions()[0])) for row in rows]
        figure = draw_logos(
            logos,
            title=f"{bundle.name}: {subject.title}",
            ticks=list(zip(told["tickvals"], told["ticktext"], strict=True)),
            axis=told["title"]["text"],
            site=0 if subject.anchor is not None else None,
        )
        return picture_bytes(figure, kind)

    stem = f"saliency.{bundle.name}"
    offered = {
        "tsv": Offered("TSV", f"{stem}.tsv", lambda: table(rows).to_csv(sep="\t", index=False)),
        "svg": Offered("SVG", f"{stem}.svg", partial(picture, "svg")),
        "png": Offered("PNG", f"{stem}.png", partial(picture, "png")),
        "fa": Offered("FASTA", f"{stem}.fa", lambda: f">{subject.id}\n{decode(subject.codes)}\n"),
    }
    download_row("saliency", offered)


def onward(bundle: Bundle, subject: Subject) -> None:
    """The next steps, with the sequence carried along."""
    query = {name: st.query_params[name] for name in st.query_params if name not in ("method", "baseline", "view")}
    with st.container(horizontal=True):
        link("mutation", "What would mutations do?", icon=":material/edit:", query=query)
        genome = next((one for one in resources.sequences() if one.key == subject.genome), None)
        if subject.region is not None and genome is not None and bundle.config.window:
            region = subject.region
            middle = (region.start + region.end) // 2
            length = len(resources.records(genome.path)[region.record])
            around = f"{region.record}:{max(1, middle - 1000):,}-{min(length, middle + 1000):,}"
            link(
                "long-sequences",
                "See it in the genome",
                icon=":material/monitoring:",
                query={"region": around, "model": bundle.name, "sequence": genome.key},
            )


def of_class(user: User, bundle: Bundle, method: str, baseline: str) -> None:
    """The average over a class of a labelled set around its start site."""
    here = [one.name for one in sets.known_sets(user) if one.made]
    if not here:
        st.info(
            "An average wants a labelled set, and none has been made on this server yet. The page Data makes one.",
            icon=":material/dataset:",
        )
        link("data", "Data", icon=":material/database:")
        return
    trained_on = str(bundle.config.trained.get("dataset", ""))
    usual = trained_on if trained_on in here else here[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = inputs.chosen("set", here, usual)
        st.selectbox("Labelled set", here, width=260, **inputs.bound("set", name, default=usual, clears=("id",)))
        opened = sets.open_set(user, name)
        assert opened is not None  # it is among those that are here
        dataset = opened.dataset
        labels = dataset.labels
        wanted = inputs.chosen("class", labels, dataset.positive or labels[-1])
        st.selectbox("Class", labels, width=180, **inputs.bound("class", wanted))
        split = inputs.chosen("split", list(inputs.SPLITS), "test")
        st.selectbox(
            "Part", list(inputs.SPLITS), format_func=inputs.SPLITS.get, width=130, **inputs.bound("split", split)
        )
        count = inputs.chosen("most", [str(one) for one in CLASS_SEQUENCES], "50")
        st.selectbox(
            "Sequences", [str(one) for one in CLASS_SEQUENCES], width=120, **inputs.bound("most", count, default="50")
        )
    if dataset.window is None:
        raise InputError(f"{name} has sequences of several lengths: there is no position to average over")
    rows = dataset.table if split == "all" else dataset.part(split)
    rows = rows[rows["label"] == wanted]
    if rows.empty:
        raise InputError(f"{name} has no sequence of class {wanted!r} in this part")
    drawn = rows.sample(min(int(count), len(rows)), random_state=explaining.SEED)
    codes = dataset.codes(drawn)
    label = bundle.config.positive or wanted
    with st.spinner(f"Averaging {len(codes)} sequences by {TITLES[method].lower()}, about {_seconds(codes, method)} s"):
        key = f"{dataset.sha256()}:{split}:{wanted}:{len(codes)}"
        found = explaining.of_class(bundle, codes, method, baseline, label, key)  # type: ignore[arg-type]
    subject = Subject(codes[0], dataset.anchor, f"{found.n} sequences of {name}")
    row = Row(
        f"{TITLES[method]}, mean of {found.n} sequences of class {wanted}",
        subject,
        found.letters,
        "mean log-odds",
        (found.low, found.high),
    )
    words = f"What {found.n} sequences of class {wanted} have in common: mean score, 95 % interval"
    figure = saliency_figure([row], look(), title=words)
    # One sequence's letters say nothing of the others'.
    figure.data[-1].hovertext = [
        f"{number}<br>{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        for number, mean, low, high in zip(numbers(subject), found.mean, found.low, found.high, strict=True)
    ]
    st.plotly_chart(figure, theme=None, key="saliency_class_chart", config={"displaylogo": False}, alt=words)
    st.caption(
        f"Drawn at random (seed {explaining.SEED}) from {len(rows):,}. A letter's height is its mean score over all "
        "sequences, 0 where another base stands; the whiskers are the mean of the position."
    )
    frame = pd.DataFrame(
        {"from_site": numbers(subject), "mean": found.mean, "low": found.low, "high": found.high}
        | {letter: found.letters[:, base] for base, letter in enumerate("ACGT")}
    )
    st.download_button(
        "TSV",
        lambda: frame.to_csv(sep="\t", index=False),
        file_name=f"saliency-class.{bundle.name}.tsv",
        mime="text/tab-separated-values",
        on_click="ignore",
        icon=":material/download:",
    )


def _seconds(codes: Sequence[np.ndarray], method: str) -> int:
    each = _SECONDS.get(method, 0.1) * len(codes[0]) / 81
    return max(1, round(each * len(codes)))
