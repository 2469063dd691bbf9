"""What `dnalm tracks benchmark` kept of models that scan for start sites, as tables of the results page."""

from __future__ import annotations

from typing import Any

from dnalm.tracks.evaluation import Comparison, Evaluation, figure_of

FIGURES = {
    "recall_at_250_calls": "recall at 250 calls",
    "recall_at_500_calls": "at 500",
    "recall_at_1000_calls": "at 1,000",
    "false_per_kb_at_50_recall": "false calls per kb at 50 % recall",
}


def starts(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The models beside the baselines; the first model's ratios to all others; what they do on another genome.

    Args:
        document: see `dnalm.evaluation.scan_bench`.
    """
    found = [_figures(document), _ratios(document)]
    if "elsewhere" in document:
        found.append(_elsewhere(document["elsewhere"]))
    return found


def _figures(document: dict[str, Any]) -> dict[str, Any]:
    settings, rows = document["settings"], []
    wide, narrow = max(settings["tolerances"]), _narrow(settings)
    measured = [(row, Evaluation.from_dict(row["evaluation"])) for row in document["rows"]]
    for row, of in sorted(measured, key=lambda one: -one[1].row(tolerance=wide).figures["auprc"].value):
        figures = of.row(tolerance=wide).figures
        near = of.row(tolerance=narrow).figures["auprc"]
        runs = f" ({len(of.runs)} seeds)" if len(of.runs) > 1 else ""
        name = f"{row['name']}{runs}{', reads the annotation' if row['reads_annotation'] else ''}"
        rows.append([name, figures["auprc"].short(), near.short(), *(figures[key].short() for key in FIGURES)])
    test = ", ".join(settings["regions"]["test"])
    sites = measured[0][1].row(tolerance=wide).sites
    return {
        "title": "Start sites found by scanning a genome",
        "note": f"{test} of E. coli K-12, held out by region from every model and baseline: {sites} known sigma-70 "
        f"start sites, right strand, calls at least {settings['distance']} bases apart. AUPRC counts a call as right "
        f"within {wide} and within {narrow} bases, the other columns within {wide}. Intervals are of 95 %, over "
        f"{settings['resamples']:,} resamples of blocks of 20 kb, the same for all; several seeds are averaged. `dnalm "
        "tracks benchmark` measures it again; [training](training.md) says how each model was trained.",
        "columns": ["model", f"AUPRC, {wide} bases", f"{narrow} bases", *FIGURES.values()],
        "rows": rows,
    }


def _ratios(document: dict[str, Any]) -> dict[str, Any]:
    settings = document["settings"]
    wide, narrow = max(settings["tolerances"]), _narrow(settings)
    models = [row["name"] for row in document["rows"] if row["kind"] == "model"]
    first = models[0] if models else document["rows"][0]["name"]
    pairs = [Comparison.from_dict(one) for one in document["comparisons"] if one["first"] == first]
    rows = [[one.second, *(one.row(tolerance=at).ratios["auprc"].short() for at in (wide, narrow))] for one in pairs]
    return {
        "title": f"{first}: its AUPRC over that of the others",
        "note": "The same figures as ratios, each resample of blocks counted for both.",
        "columns": ["over", f"{wide} bases", f"{narrow} bases"],
        "rows": rows,
    }


def _elsewhere(document: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for row in document["rows"]:
        there, here = row["there"], row["here"]
        cells = (figure_of(place[what]["1000"]) for what in ("calls", "times") for place in (there, here))
        rows.append([row["name"], *(one.short() for one in cells)])
    reach = document["rows"][0]["there"]["reach"]
    return {
        "title": f"The same models on {document['genome']}",
        "note": f"Where no map of start sites is at hand: share of the 1,000 highest calls that lie within {reach} "
        f"bases upstream of a gene on their strand, {document['genes']}, and how many times chance that is; beside it "
        "the same on the test region above. No model was trained on this genome. `dnalm tracks benchmark --elsewhere "
        f"{document['genome']}` measures it again.",
        "columns": ["model", "upstream of a gene", "on the test region", "times chance", "on the test region "],
        "rows": rows,
    }


def _narrow(settings: dict[str, Any]) -> int:
    return 20 if 20 in settings["tolerances"] else min(settings["tolerances"])
