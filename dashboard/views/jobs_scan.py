"""What came of a scan that was a job: how many peaks, how they agree with what is known, the picture, the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.download_row import Offered, download_row
from dashboard.links import link
from dashboard.saying import plain
from dashboard.views import jobs_words as words
from dnalm.datasets import catalog
from dnalm.datasets.named_files import as_path
from dnalm.errors import DnalmError
from dnalm.lab.jobs import Job

# A file goes through this process's memory when it is taken; larger ones come with the whole run, which is streamed.
LARGEST_FILE = 200_000_000
KINDS = {
    "peaks.bed": "Peaks (BED)",
    "track.plus.bw": "Forward strand (bigWig)",
    "track.minus.bw": "Reverse strand (bigWig)",
    "track.bw": "Track (bigWig)",
    "track.bedgraph": "Track (bedGraph)",
    "track.tsv": "Track (TSV)",
    "track.parquet": "Track (Parquet)",
}
FIGURES = {
    "recall": "Recall",
    "precision": "Precision",
    "false_per_kb": "False calls per kb",
    "auprc": "AUPRC, all thresholds",
}
STRANDS = {"both": "both strands", "+": "the forward strand", "-": "the reverse strand"}
ADDRESS = {"both": "both", "+": "forward", "-": "reverse"}


def show(job: Job, result: dict[str, Any]) -> None:
    """Draw it."""
    step = "every base" if result["stride"] == 1 else f"one base in {result['stride']}"
    read = "in one pass along each strand" if result["mode"] == "stream" else f"in windows of {result['window']} bases"
    st.markdown(
        f"**{result['peaks']:,} peaks** at or over {result['threshold']:.2f} among {result['sites']:,} sites: "
        f"{step} of {STRANDS[result['strand']]}, read {read} by {plain(result['scan'])}."
    )
    if counts := result.get("agreement"):
        st.markdown(_agreement(counts))
    if figures := result.get("figures"):
        _figures(figures, result["measured"])
    if skipped := result.get("skipped"):
        some = "; ".join(f"{name}: {why}" for name, why in list(skipped.items())[:3])
        st.caption(plain(f"{len(skipped):,} records were left out ({some})."))
    _pictures(job, result)
    _files(job, result)
    if len(result["records"]) > 1:
        _records(result["records"])


def _agreement(counts: dict[str, Any]) -> str:
    if not counts["known"]:
        return "No known start site lies there."
    return (
        f"**{counts['found']:,} of {counts['known']:,}** known starts have a peak within {counts['tolerance']} bases; "
        f"**{counts['right']:,} of {counts['calls']:,}** peaks lie at a known start. A peak elsewhere is not proven "
        "wrong: most maps of start sites are incomplete."
    )


def _figures(figures: dict[str, Any], measured: dict[str, Any]) -> None:
    """Figures with intervals, as every page writes them."""
    shown = [(name, figures[name]) for name in FIGURES if figures.get(name, {}).get("value") is not None]
    for column, (name, one) in zip(st.columns(len(FIGURES)), shown, strict=False):
        interval = "" if one["low"] is None else f"95 %: {one['low']:.2f} to {one['high']:.2f}"
        column.metric(FIGURES[name], f"{one['value']:.2f}", interval or None, delta_color="off", delta_arrow="off")
    where = {
        "held-out": "where the model was neither trained nor chosen",
        "trained-on": "where the model was trained or chosen, which flatters it",
    }
    part = where.get(
        measured["part"], "everywhere that was scanned, the model's training regions too if it has any there"
    )
    st.caption(
        f"Of {measured['sites']:,} known starts, {part}; a call counts within {measured['tolerance']} bases. "
        "Intervals: blocks of genome drawn again and again."
    )


def _pictures(job: Job, result: dict[str, Any]) -> None:
    """The way to the page that draws the track: it opens at once where the track was kept."""
    key = _key(job)
    if key is None:
        st.caption("Its sequence is not among those that the page Long sequences offers you; the files have the track.")
        return
    rows = result["records"]
    longest = max(rows, key=lambda row: row["end"] - row["start"])
    query = {"model": str(job.config["model"]), "sequence": key}
    query["region"] = f"{longest['record']}:{longest['start'] + 1:,}-{longest['end']:,}"
    if result["strand"] != "both":
        query["strand"] = ADDRESS[result["strand"]]
    if result["stride"] != 1:
        query["stride"] = str(result["stride"])
    if job.config.get("mode"):
        query["mode"] = str(job.config["mode"])
    if job.config.get("threshold") is not None:
        query["threshold"] = f"{result['threshold']:g}"
    label = "See it along the sequence" if len(rows) == 1 else f"See {longest['record']}, the longest record"
    link("long-sequences", label, icon=":material/monitoring:", query=query)
    if not all(row["kept"] for row in rows):
        st.caption("Tracks of one strand, and of the largest chromosomes, are not kept for that page: use the files.")


def _key(job: Job) -> str | None:
    """By what the page Long sequences knows the scanned sequence; None where this person has no such sequence."""
    name = str(job.config["sequence"])
    known = {sequence.key: sequence.path for sequence in resources.sequences()}
    if name in known:
        return name
    path = as_path(name)
    if not path.exists() and name in _catalogue():
        # It may be another copy of one that ships; nothing is fetched to draw a page.
        same = [key for key, one in known.items() if one.name == Path(catalog.entry(name).path).name]
    else:
        same = [key for key, one in known.items() if one.resolve() == path.resolve()]
    return next(iter(same), None)


def _catalogue() -> dict[str, catalog.Entry]:
    try:
        return catalog.load()
    except DnalmError:  # the page Data says what is wrong with it
        return {}


def _files(job: Job, result: dict[str, Any]) -> None:
    offered, larger = {}, []
    for one in result["files"]:
        path, label = job.run / Path(one["name"]).name, KINDS.get(one["name"], one["name"])
        if not path.is_file():
            continue
        if one["bytes"] > LARGEST_FILE:
            larger.append(f"{label}, {words.bytes_text(one['bytes'])}")
        else:
            stem = f"{job.name}.{path.name}"
            offered[path.name] = Offered(f"{label}, {words.bytes_text(one['bytes'])}", stem, path.read_bytes)
    if offered:
        download_row("job_scan", offered)
    if larger:
        st.caption(plain(f"In **Download the run**, above: {'; '.join(larger)}."))


def _records(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(
        {
            "Record": [row["record"] for row in rows],
            "First base": [row["start"] + 1 for row in rows],
            "Last base": [row["end"] for row in rows],
            "Sites": [row["sites"] for row in rows],
            "Peaks": [row["peaks"] for row in rows],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=min(38 + 35 * len(rows), 390),
        column_config={name: st.column_config.NumberColumn(format="localized") for name in frame.columns[1:]},
        alt=f"{len(rows)} records with their peaks",
    )
