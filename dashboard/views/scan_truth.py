"""How the calls of a picture stand against the known starts, live as the threshold slides."""

from __future__ import annotations

import streamlit as st

from dashboard.charts.precision import precision_recall
from dashboard.charts.theme import look
from dashboard.state import TOLERANCES, USUAL_TOLERANCE
from dashboard.views.scan_choice import Choice
from dashboard.views.scan_controls import bound
from dnalm.tracks.verdicts import Sliding, share_interval


def threshold_and_tolerance(choice: Choice, threshold: float, tolerance: int) -> None:
    """The two inputs that move no scan."""
    st.slider(
        "Threshold (probability)",
        0.0,
        1.0,
        step=0.01,
        width=260,
        help="Sites at or over it are peaks, the highest of each 40 bases. The model's own until you move it.",
        **bound("threshold", round(threshold, 2), default=str(choice.usual_threshold)),
    )
    st.selectbox(
        "Right within",
        list(map(str, TOLERANCES)),
        format_func=lambda text: f"{text} bases",
        width=125,
        help="A peak is right where a known start of its strand lies within so many bases.",
        **bound("tolerance", str(tolerance), default=str(USUAL_TOLERANCE)),
    )


def figures(choice: Choice, sliding: Sliding, threshold: float, tolerance: int, calls: int) -> None:
    """Recall, precision and false calls at the threshold, each with its interval, and the curve behind them."""
    at = sliding.at(threshold)
    found, right, spoken = (int(many[at - 1]) if at else 0 for many in (sliding.found, sliding.right, sliding.spoken))
    called = f"**{calls:,}** {'peak' if calls == 1 else 'peaks'} at or over the threshold."
    if not sliding.known:
        table = "no known start lies in this stretch" if choice.kind.sites else "no table of known starts is chosen"
        st.write(f"{called} Whether they are right is not known: {table}.")
        return
    left, right_side = st.columns([3, 2], vertical_alignment="center")
    with left:
        judged = f"; **{right:,} of {spoken:,}** peaks lie at a known start" if spoken else ""
        st.write(
            f"{called} **{found:,} of {sliding.known:,}** known starts have a peak within {tolerance} bases{judged}."
        )
        with st.container(horizontal=True):
            _share("Recall", found, sliding.known, "Share of the known starts of this stretch that have a peak.")
            _share("Precision", right, spoken, "Share of the peaks that lie at a known start.")
            kilobases = sliding.bases / 1000
            st.metric(
                "Peaks without a known start",
                f"{(spoken - right) / kilobases:.2f} per kb" if kilobases else "–",
                help=f"{spoken - right:,} of them in {kilobases:,.1f} kb, both strands together.",
                width="content",
            )
        outside = calls - spoken
        beyond = f" {outside:,} peaks lie beyond what the table covers: of those nothing is known." if outside else ""
        st.caption(
            f"Table: {choice.kind.title.lower()}.{beyond} A peak that no table lists is not proven wrong: no map of "
            f"starts is complete. Intervals: 95 %, Wilson. {choice.trained.words(choice.region)}"
        )
    with right_side:
        figure = precision_recall(sliding, threshold, look())
        st.plotly_chart(
            figure,
            theme=None,
            key="scan_precision",
            config={"displayModeBar": False},
            alt="Precision over recall at every threshold; the one that is set is marked. The figures stand beside it.",
        )


def _share(name: str, part: int, whole: int, explain: str) -> None:
    if not whole:
        st.metric(name, "–", help=explain, width="content")
        return
    low, high = share_interval(part, whole)
    st.metric(
        name,
        f"{part / whole:.2f}",
        f"{low:.2f} to {high:.2f}",
        delta_color="off",
        delta_arrow="off",
        help=explain,
        width="content",
    )
