"""What the page Motifs shows: a sentence, each motif, the distance of the boxes, tables and files."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from dashboard.charts.motifs import motif_chart, spacing_chart
from dashboard.charts.theme import look
from dashboard.download_row import Offered, download_row
from dashboard.motif_reading import METHODS, Given
from dashboard.saying import plain
from dnalm.alphabet import decode
from dnalm.files import picture_bytes
from dnalm.interpret import motif_files as files
from dnalm.interpret.motif import Motif
from dnalm.interpret.motif_picture import draw_motifs
from dnalm.interpret.motif_report import SURE, MotifReport
from dnalm.metrics import Figure

MOST = 6
"""Motifs that are drawn, those that add most; the table has all."""
CONFIG = {"displaylogo": False, "displayModeBar": False}
NAMES = {
    "motif": "Motif",
    "consensus": "Consensus",
    "width": "Bases",
    "places": "Places",
    "sequences": "Sequences",
    "mean_contribution": "Adds (log-odds)",
    "information_bits": "Information (bits)",
    "median_position": "First base (median)",
    "best_match": "Like",
    "match_q_value": "q-value",
}


def show(report: MotifReport, given: Given) -> None:
    """Draw all of it."""
    _summary(report, given)
    for motif in report.motifs.motifs[:MOST]:
        _motif(motif, report)
    if report.reads_a_box:
        _spacing(report)
    if report.motifs.motifs:
        _tables(report)
        downloads(report, given)


def _summary(report: MotifReport, given: Given) -> None:
    seqlets, motifs = report.motifs.seqlets, report.motifs.motifs
    used, read = len(report.used), len(given.sequences)
    words = (
        f"**{used:,}** of {read:,} sequences are called {plain(report.label)} and were looked through. "
        f"**{len(seqlets.found):,}** stretches stand out; of as many, the same scores in shuffled order "
        f"would yield at most {seqlets.fdr:.0%}. "
    )
    if motifs:
        named = ", ".join(f"**{one.consensus}**" for one in motifs[:MOST])
        words += f"Put together they make **{len(motifs)}** motif{'s' if len(motifs) != 1 else ''}: {named}."
    else:
        words += (
            "That is too little for a motif. Take more sequences, another method or another class; a model that "
            "weighs many weak signs has none."
        )
    st.markdown(words)
    if given.total > read:
        st.caption(f"{read:,} of {given.total:,} sequences of the class were drawn, so that the page stays quick.")
    for note in given.notes:
        st.caption(plain(note))


def _motif(motif: Motif, report: MotifReport) -> None:
    best = report.best_match(motif.name)
    like = f", like {best.known}" if best else ""
    st.subheader(plain(f"{motif.name}: {motif.consensus}{like}"), anchor=False)
    sequences = len({site.sequence for site in motif.sites})
    values = pd.Series(motif.positions)
    middle = int(values.mode().iloc[0])
    place = f"{middle:+d}, counted from the start, +1" if motif.anchor is not None else f"{middle}"
    others = [one for one in report.matches if one.motif == motif.name][:3]
    known = "; ".join(f"{one.known} {one.consensus} (q {one.q_value:.2g})" for one in others)
    st.markdown(
        f"{len(motif.sites):,} places in {sequences:,} of {len(report.used):,} sequences; one adds "
        f"{motif.mean_contribution:.2f} to the log-odds on average. Its first base stands most often at {place}. "
        f"Nearest known: {plain(known)}."
    )
    st.plotly_chart(
        motif_chart(motif, look()),
        theme=None,
        key=f"motifs_chart_{motif.name}",
        config=CONFIG,
        alt=f"{motif.name}, {motif.consensus}: its letters, what each adds, and a histogram of its places; the tables "
        "below have the numbers.",
    )


def _spacing(report: MotifReport) -> None:
    spacing, share = report.spacing, report.minus_10
    if spacing is None or share is None or not spacing.pairs:
        return
    st.subheader("Are the -35 and the -10 box read at the right distance?", anchor=False)
    near = spacing.at_optimum
    st.markdown(
        f"In each sequence the -10 hexamer is taken where the model reads it most, and the -35 hexamer where it reads "
        f"that most, 10 to 24 bases before. Most often **{spacing.commonest}** bases lie between them; 16 to 18 do in "
        f"**{near.value:.0%}** ({_interval(near)}) of {len(spacing.pairs):,} sequences, {spacing.by_chance:.0%} "
        f"would by chance. RNA polymerase holds both at once, and 17 suit it best."
    )
    st.plotly_chart(
        spacing_chart(spacing, look()),
        theme=None,
        key="motifs_spacing",
        config=CONFIG,
        alt=f"Sequences by the bases between the -35 and the -10 box, most often {spacing.commonest}.",
    )
    st.markdown(
        f"The six bases that add most overlap -14 to -5, the place of the -10 box, in **{share.value:.0%}** "
        f"({_interval(share)}) of {share.n:,} sequences; six bases put anywhere would in "
        f"{report.minus_10_by_chance:.0%}."
    )


def _interval(figure: Figure) -> str:
    return f"95 % {figure.low:.0%} to {figure.high:.0%}"


def _tables(report: MotifReport) -> None:
    st.subheader("All motifs", anchor=False)
    table = pd.DataFrame(files.summary_rows(report), columns=list(files.SUMMARY)).rename(columns=NAMES)
    number = st.column_config.NumberColumn
    config = {NAMES[name]: number(format="%.2f") for name in ("mean_contribution", "information_bits")}
    config[NAMES["match_q_value"]] = number(format="%.4f")
    st.dataframe(table, hide_index=True, column_config=config)
    st.caption(
        f"Like: the best known motif with a q-value up to {SURE}, the share of such matches that chance would make "
        "(Benjamini and Hochberg, over all pairs), from permuted motifs. "
        f"{METHODS.get(report.method, report.method)} is what was read; the scores' unit is the log-odds of the class."
    )
    with st.expander("Every match, with its source", icon=":material/table:"):
        st.dataframe(pd.DataFrame(files.match_rows(report)), hide_index=True)


def file_name(model: str, ending: str) -> str:
    """What a downloaded file is called."""
    return f"{model}.motifs.{ending}"


def fasta(names: list[str], letters: list[str]) -> str:
    """The sequences that were read, for the command that stands on the page."""
    return "".join(f">{name}\n{bases}\n" for name, bases in zip(names, letters, strict=True))


def downloads(report: MotifReport, given: Given) -> None:
    """Buttons for the motifs, their tables and the picture; each is made when it is asked for."""
    names, letters = [one.id for one in given.sequences], [decode(one.codes) for one in given.sequences]
    made: dict[str, tuple[str, Callable[[], bytes | str]]] = {
        "sequences.fa": ("Sequences (FASTA)", lambda: fasta(names, letters)),
        "meme": ("MEME", lambda: files.meme_text(report.motifs.motifs)),
        "jaspar": ("JASPAR", lambda: files.jaspar_text(report.motifs.motifs)),
        "tsv": ("Motifs (TSV)", lambda: files.tsv_text(files.SUMMARY, files.summary_rows(report))),
        "sites.tsv": ("Places (TSV)", lambda: files.tsv_text(files.SITES, files.site_rows(report, names, letters))),
        "spacing.tsv": ("Distances (TSV)", lambda: files.tsv_text(files.SPACING, files.spacing_rows(report))),
        "svg": ("SVG", lambda: picture_bytes(draw_motifs(report), "svg")),
        "png": ("PNG", lambda: picture_bytes(draw_motifs(report), "png")),
    }
    offered = {ending: Offered(label, file_name(report.model, ending), make) for ending, (label, make) in made.items()}
    download_row("motifs", offered)
