"""Models side by side: figures measured on the same sequences, and a word on those that were not."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.charts.intervals import interval_figure
from dashboard.charts.theme import look
from dashboard.comparison import Group, best, groups
from dashboard.figures import HEADLINE, TITLES
from dashboard.saying import plain
from dashboard.views.models_parts import bundle_of
from dnalm.errors import DnalmError
from dnalm.lab.indexed import IndexedModel

MOST = 8


def show(models: Sequence[IndexedModel]) -> None:
    """Draw the comparison of the models that are ticked."""
    if not models:
        st.caption("Tick two models or more to see their figures side by side.")
        return
    st.header("Which of them is better?", anchor="compare")
    if len(models) == 1:
        st.info(f"{plain(models[0].name)} is ticked: tick one more.", icon=":material/check_box:")
        return
    if len(models) > MOST:
        st.warning(f"The first {MOST} of {len(models)} are shown; untick some.", icon=":material/warning:")
    bundles = []
    for model in models[:MOST]:
        try:
            bundles.append(bundle_of(model))
        except DnalmError as error:
            st.warning(plain(str(error)), icon=":material/warning:")
    found = groups(bundles)
    _differences(found)
    for number, group in enumerate(found):
        if len(group.bundles) > 1:
            _side_by_side(group, number)


def _differences(found: Sequence[Group]) -> None:
    """Say it where models were measured on other sequences than the rest."""
    if len(found) < 2:
        return
    lines = [
        f"- {plain(', '.join(bundle.folder.name for bundle in group.bundles))}: "
        + (
            plain(group.title + group.hint(found))
            or "their files do not say on which sequences, so nothing can be held against them"
        )
        for group in found
    ]
    pairs = any(len(group.bundles) > 1 for group in found)
    rest = (
        "Only those of one line stand side by side." if pairs else "So no figure of one can be held against another's."
    )
    st.warning(
        "These models were measured on different sequences, and a figure depends on them:\n\n"
        + "\n".join(lines)
        + f"\n\n{rest} `dnalm evaluate MODEL FILE` measures any of them on sequences of your choice.",
        icon=":material/warning:",
    )


def _side_by_side(group: Group, number: int) -> None:
    shared = group.shared()
    names = [bundle.folder.name for bundle in group.bundles]
    st.subheader(plain(f"On {group.title}"), anchor=False)
    if not shared:
        st.info("They have no figure in common.", icon=":material/info:")
        return
    drawn = [name for name in shared if name in HEADLINE] or shared[:1]
    if "bits_per_base" in drawn:
        drawn = ["bits_per_base"]
        st.caption("Bits per base: lower is better; a model that knows nothing needs 2.")
    rows = {bundle.folder.name: [best(bundle)[name] for name in drawn] for bundle in group.bundles}
    st.plotly_chart(
        interval_figure(rows, look()),
        theme=None,
        key=f"models_compare_{number}",
        config={"displaylogo": False},
        alt=f"Figures of {', '.join(names)} with their 95 % intervals; the table below has all of them.",
    )
    table = pd.DataFrame(
        {
            "Figure": [TITLES.get(name, name.replace("_", " ")) for name in shared],
            **{bundle.folder.name: [str(best(bundle)[name]) for name in shared] for bundle in group.bundles},
        }
    )
    st.dataframe(table, hide_index=True, alt=f"Figures of {', '.join(names)} on the same sequences")
    st.caption("Where two intervals overlap widely, the sequences were too few to tell the models apart.")
    st.download_button(
        "Figures (CSV)",
        lambda: table.to_csv(index=False),
        file_name="models.csv",
        mime="text/csv",
        key=f"models_compare_csv_{number}",
        icon=":material/download:",
    )
