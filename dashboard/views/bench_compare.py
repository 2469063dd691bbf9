"""Rows that are ticked, held against each other: paired differences, what was set differently, where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from dashboard.charts.bench import label_of
from dashboard.figures import TITLES
from dashboard.links import link
from dashboard.saying import plain
from dnalm.datasets import Dataset
from dnalm.errors import DnalmError, InputError
from dnalm.evaluation.bench import pairs
from dnalm.evaluation.bench.entries import Entry
from dnalm.metrics import Figure
from dnalm.model.bundle import list_bundles, read_bundle

MOST_LISTED = 200


def show(ticked: Sequence[Entry]) -> None:
    """Draw the comparison of the rows that are ticked with the first of them."""
    own = [one for one in ticked if one.row is not None]
    if len(own) < 2:
        return
    reference, others = own[0], own[1:]
    st.header("Is the difference more than chance?")
    apart = {one.id: pairs.comparable(one, reference) for one in others}
    for one in others:
        if apart[one.id]:
            said = f"{label_of(one)} cannot be held against {label_of(reference)}: {apart[one.id]}."
            st.warning(plain(said), icon=":material/warning:")
    found = [one for one in others if not apart[one.id]]
    if not found:
        if len(others) == 1:
            _changed(others[0], reference)
        return
    try:
        with st.spinner("Comparing sequence by sequence"):
            against = compared([reference, *found])
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    names = {one.id: label_of(one) for one in own}
    st.caption(plain(f"{reference.group}."))
    st.write(plain(f"Each against {names[reference.id]}, on the same sequences:"))
    st.dataframe(
        pd.DataFrame([_line(pair, names) for pair in against]),
        hide_index=True,
        key="bench_pairs",
        alt=f"{len(against)} paired comparisons with {names[reference.id]}",
    )
    st.caption(
        "Differences are means over the seeds that both have; intervals are of a paired bootstrap over groups of "
        "near copies (on random folds over sequences). p is McNemar's exact test on the calls of the first seed, "
        f"corrected for {len(against)} comparison{'s' if len(against) > 1 else ''} (Benjamini and Hochberg). It takes "
        "near copies for independent sequences: where the two disagree, believe the interval. Both averaged: the mean "
        "of their log-odds, called positive from 0.5 up; ahead of either alone, it shows that they know different "
        "things."
    )
    if len(found) == 1:
        _changed(found[0], reference)
        _disagreements(found[0], reference)
    else:
        st.caption("Tick just two to see what was set differently and on which sequences they disagree.")


@st.cache_data(max_entries=64, show_spinner=False)
def _of(key: tuple[tuple[str, str], ...], _entries: list[Entry]) -> list[pairs.Pair]:
    del key  # it names what is cached: the rows and their predictions' checksums
    return pairs.compare(_entries)


def compared(entries: list[Entry]) -> list[pairs.Pair]:
    """Each own row held against the first, worked out once while their predictions stay as they are.

    Raises:
        InputError: the predictions cannot be read.
    """
    return _of(tuple((one.id, one.row["predictions_sha256"]) for one in entries if one.row), entries)


def p_text(p: float) -> str:
    """A p-value to four places, and below them as such."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _line(pair: pairs.Pair, names: dict[str, str]) -> dict[str, object]:
    line: dict[str, object] = {"Row": names[pair.first]}
    both = {f"{TITLES[name]}, both averaged": _interval(figure) for name, figure in pair.together.items()}
    for name, figure in pair.differences.items():
        line[f"{TITLES[name]}, difference"] = f"{figure.value:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})"
    return line | {
        "Right where the other errs": pair.test.first_only,
        "The other way round": pair.test.second_only,
        "p, corrected": p_text(pair.adjusted),
        "Seeds": len(pair.seeds),
        **both,
    }


def _interval(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _changed(first: Entry, second: Entry) -> None:
    st.subheader("What was set differently?", anchor=False)
    found = pairs.changes(first, second)
    if found.empty:
        same = first.model == second.model
        st.write("Nothing: only how the data were dealt differs." if same else "Nothing: only the model differs.")
        return
    names = [label_of(first), label_of(second)]
    if names[0] == names[1]:
        names = [f"{name}, {one.split}" for name, one in zip(names, (first, second), strict=True)]
    found.columns = ["What", *names]
    st.dataframe(found, hide_index=True, key="bench_changes", alt=f"{len(found)} settings that differ")


def _disagreements(first: Entry, second: Entry) -> None:
    st.subheader("On which sequences do they disagree?", anchor=False)
    found = pairs.disagreements(first, second)
    if found.empty:
        st.write("On none: they call every sequence alike.")
        return
    right = int((found["right"] == "first").sum())
    st.write(
        plain(
            f"On {len(found):,}: {label_of(first)} is right on {right:,} of them, {label_of(second)} on "
            f"{int((found['right'] == 'second').sum()):,}."
        )
    )
    shown = found.head(MOST_LISTED)
    names = {"first": label_of(first), "second": label_of(second), "neither": "neither"}
    frame = pd.DataFrame(
        {
            **_sequences(first, shown["row"].to_list()),
            **_truth(first, shown, names),
            label_of(first): shown["first"].to_numpy(),
            label_of(second): shown["second"].to_numpy(),
            "Right": [names[one] for one in shown["right"]],
        }
    )
    model = first.data if any(folder.name == first.data for folder in list_bundles()) else ""
    if "Sequence" in frame:
        frame.insert(0, "Why", [_saliency(first.data, one, model) for one in frame["Sequence"]])
    why = f"Opens it in Saliency{f', with the model {model}: those of the folds are not kept' if model else ''}"
    st.dataframe(
        frame,
        hide_index=True,
        key="bench_disagree",
        alt=f"{len(found)} sequences on which two models disagree",
        column_config={"Why": st.column_config.LinkColumn(display_text="see why", help=why)},
    )
    if "Bases" not in frame:
        link("data", "Make the set, to see the sequences", icon=":material/database:", query={"dataset": first.data})
    if len(found) > len(shown):
        st.caption(f"The {len(shown)} widest apart; the file has all.")
    st.download_button(
        "All of them (CSV)",
        lambda: found.to_csv(index=False),
        file_name="disagreements.csv",
        mime="text/csv",
        key="bench_disagree_csv",
        on_click="ignore",
        icon=":material/download:",
    )


def _saliency(data: str, identifier: object, model: str) -> str:
    """Where the page Saliency shows a sequence of a set, with a model if one is named."""
    query = {"source": "set", "set": data, "split": "all", "id": str(identifier)} | ({"model": model} if model else {})
    return f"saliency?{urlencode(query)}"


def _truth(entry: Entry, shown: pd.DataFrame, names: dict[str, str]) -> dict[str, list[object]]:
    """Whether each is positive; of several classes which it is, and which it was called."""
    if shown["truth"].dtype == bool:
        return {"Positive": shown["truth"].to_list()}
    try:
        labels: list[object] = list(Dataset.load(entry.data).labels)
    except DnalmError:
        labels = list(_labels_of_model(entry.data, 1 + int(shown.filter(regex="called|truth").to_numpy().max())))
    heads = {"truth": "It is", **{f"{one}_called": f"{names[one]} says" for one in ("first", "second")}}
    return {words: [labels[number] for number in shown[name]] for name, words in heads.items()}


def _labels_of_model(data: str, classes: int) -> Sequence[str]:
    """The classes' names as the model that ships for a set has them, where the set itself has not been made here."""
    folder = next((folder for folder in list_bundles() if folder.name == data), None)
    labels = read_bundle(folder).config.labels if folder is not None else []
    return labels if len(labels) >= classes else [f"class {number + 1}" for number in range(classes)]


def _sequences(entry: Entry, rows: list[int]) -> dict[str, list[object]]:
    """The sequences themselves where the very set is here; else where they stand in it."""
    try:
        dataset = Dataset.load(entry.data)
        if entry.row is None or dataset.sha256() != entry.row["data"]["sha256"]:
            raise InputError(f"{entry.data} is another set by now")
    except DnalmError:
        return {"Row of the set": [row + 1 for row in rows]}
    table = dataset.table.iloc[rows]
    return {"Sequence": table["id"].to_list(), "Bases": table["sequence"].to_list()}
