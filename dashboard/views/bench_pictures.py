"""A benchmark as pictures: all rows by one figure; few labels; the curves of the rows that are ticked."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.charts.bench import curves_chart, few_chart, figures_chart, label_of
from dashboard.charts.theme import look
from dashboard.figures import TITLES
from dashboard.saying import plain
from dnalm.errors import DnalmError
from dnalm.evaluation.bench.benches import Bench
from dnalm.evaluation.bench.curves import brier, curves
from dnalm.evaluation.bench.entries import Entry
from dnalm.evaluation.bench.pairs import predictions_of, runs_of
from dnalm.evaluation.results import predictions
from dnalm.metrics import Figure

MOST_CURVES = 8


def show(bench: Bench, rows: Sequence[Entry], figure: str, ticked: Sequence[Entry]) -> None:
    """Draw them."""
    title = TITLES.get(figure, figure)
    few = any(task.kind == "few" for task in bench.tasks)
    shown = [one for one in rows if figure in one.figures]
    if not shown:
        st.info(f"No row gives {plain(title)}.", icon=":material/info:")
    elif few:
        st.header("How much do few labels teach?")
        _picture(
            few_chart(shown, figure, look()),
            f"{bench.name}-{figure}",
            alt=f"{title} against the number of labels; the table above has the numbers",
        )
    else:
        st.header(f"Who is ahead in {title}, and how sure is that?")
        st.caption(
            "Where intervals overlap widely, the sequences are too few to tell. Published figures, diamonds, are of "
            "other splits and come without such intervals."
        )
        _picture(
            figures_chart(shown, figure, look(), ticked=[one.id for one in ticked]),
            f"{bench.name}-{figure}",
            alt=f"{title} of {len(shown)} rows with 95 % intervals; the table above has the numbers",
        )
    _curves(bench, ticked)


def _curves(bench: Bench, ticked: Sequence[Entry]) -> None:
    own = [one for one in ticked if predictions_of(one) is not None]
    if not own:
        return
    if len(own) > MOST_CURVES:
        st.warning(f"The first {MOST_CURVES} of {len(own)} are drawn; untick some.", icon=":material/warning:")
    try:
        found, errors = {}, {}
        for one in own[:MOST_CURVES]:
            runs, table = runs_of(one)
            random = one.row is not None and one.row["split"] == "random"
            found[label_of(one)] = curves(runs[0])
            errors[label_of(one)] = brier(runs, None if random else table[predictions.GROUP].to_numpy())
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    several = any(one.roc is None for one in found.values())
    asked = "" if several else "How do they trade misses for false alarms, and do "
    st.header(f"{asked}{'Do' if several else ''} their probabilities mean what they say?".strip())
    _picture(
        curves_chart(found, look()),
        f"{bench.name}-curves",
        alt=f"{'Calibration' if several else 'ROC, precision-recall and calibration'} curves of {', '.join(found)}",
    )
    lines = [f"{name}: expected calibration error {one.error:.3f}{_brier(errors[name])}" for name, one in found.items()]
    told = "" if several else ", but the Brier score (0 is best), which is the mean over the seeds"
    st.caption(plain(f"Of the first seed, all folds together{told}. {'; '.join(lines)}."))


def _brier(found: Figure | None) -> str:
    return "" if found is None else f", Brier score {found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _picture(figure, name: str, *, alt: str) -> None:  # noqa: ANN001 - a plotly figure
    config = {
        "displaylogo": False,
        "modeBarButtonsToRemove": ["select2d", "lasso2d"],
        "toImageButtonOptions": {"format": "svg", "filename": name},
    }
    st.plotly_chart(figure, theme=None, key=f"bench_chart_{name}", config=config, alt=alt)
