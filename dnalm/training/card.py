"""Model cards, written from the run: what the model is, what it was measured on, how to make it again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from dnalm.datasets.dataset import BY_SOURCE, BY_STRETCH
from dnalm.model.config import BundleConfig


def figure_text(figure: dict[str, Any], digits: int = 3) -> str:
    """A figure with its interval, or a dash where it has no value."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def recipe_text(document: dict[str, Any]) -> str:
    """How to run it again: the configuration, and the command that takes it."""
    config = {key: value for key, value in document["config"].items() if value not in (None, [], "", {})}
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).rstrip()
    steps = document.get("plan", {}).get("steps")
    note = ""
    if config.get("minutes") and steps:
        note = f"\nThe budget came to {steps:,} steps; `steps: {steps}` instead of `minutes` repeats it exactly."
    phase = config["phase"]
    command = "train --task track" if phase == "track" else phase
    return f"Save as `{phase}.yaml`, then `dnalm {command} --config {phase}.yaml`:\n\n```yaml\n{text}\n```\n{note}"


def versions_text(document: dict[str, Any]) -> str:
    """Versions of what a run was made with."""
    return ", ".join(f"{name} {value}" for name, value in document.get("versions", {}).items())


def read_text(passes: float) -> str:
    """How much of the text is read; in parts of it where that is less than all."""
    return f"{passes:,.1f} passes over the text" if passes >= 1 else f"{passes:.2%} of the text"


def language_model_card(config: BundleConfig, metrics: dict[str, Any], document: dict[str, Any]) -> str:
    """The card of a language model."""
    encoder = config.encoder
    assert encoder is not None
    lines = [
        f"# {config.name}",
        "",
        f"{config.description}. It reads {encoder.k}-mers, {encoder.stride} bases apart, and predicts"
        + (" the bases that follow." if config.lm_head == "continuation" else " the next k-mer."),
        "",
        "## Measured",
        "",
    ]
    figures = metrics["figures"]
    if "bits_per_base" in figures:
        lines += [
            "| figure | value [95 % interval] | on |",
            "|---|---|---|",
            f"| bits per base | {figure_text(figures['bits_per_base'], 4)} | {metrics['split']}, "
            f"{metrics['held_out_bases']:,} bases, forward strand |",
            f"| perplexity a token | {figure_text(figures['perplexity'], 2)} | the same |",
            *_references(metrics),
            "",
            "The interval is a block bootstrap over the text. No choice was made by looking at the held-out text.",
        ]
    else:
        lines.append("Nothing was held out, so nothing was measured.")
    sources = document.get("data", {}).get("sources", [])
    lines += [
        "",
        "## Trained on",
        "",
        *[f"- {Path(row['name']).name} (SHA-256 {row['sha256'][:16]}…)" for row in sources],
        "",
        f"{metrics['train_bases']:,} bases, {'both strands' if document['config']['both_strands'] else 'one strand'}, "
        f"{read_text(metrics['epochs'])} in {metrics['steps']:,} steps.",
    ]
    lines.append(_held_out(document["config"]))
    if document["config"].get("exclude_matches"):
        lines.append(
            f"Every stretch of 20 bases shared with `{document['config']['exclude_matches']}` was cut out of the text."
        )
    lines += ["", "## Make it again", "", recipe_text(document), "", f"Versions: {versions_text(document)}.", ""]
    return "\n".join(lines)


def _held_out(config: dict[str, Any]) -> str:
    """Which text the model has not seen."""
    if records := config.get("held_out_records"):
        return f"Held out whole: {', '.join(records)}."
    share = config.get("held_out", 0)
    return f"Held out: the last {share:.0%} of each record." if share else "Nothing was held out."


def _references(metrics: dict[str, Any]) -> list[str]:
    rows = []
    for name, figure in metrics.get("references", {}).items():
        rows.append(f"| {name} | {figure_text(figure, 4)} | the same |")
    return rows


def finetuned_card(config: BundleConfig, metrics: dict[str, Any], document: dict[str, Any]) -> str:
    """The card of a fine-tuned language model."""
    figures = metrics["figures"]
    lines = [f"# {config.name}", "", f"{config.description}.", "", "## Measured", ""]
    if figures:
        lines += [
            "| bits per base | value [95 % interval] | on |",
            "|---|---|---|",
            f"| before | {figure_text(figures['bits_per_base_before'], 4)} | {metrics['split']} |",
            f"| after | {figure_text(figures['bits_per_base'], 4)} | the same |",
            "",
            "The weights kept are those of the epoch that did best on these sequences.",
        ]
    else:
        lines.append("The dataset has no validation sequences, so nothing was measured.")
    parents = [f"Parent: {parent}" for parent in config.parents]
    return "\n".join(
        [*lines, "", *parents, "", "## Make it again", "", recipe_text(document), "", versions_text(document), ""]
    )


_GROUPS = {BY_STRETCH: "sequences that share a stretch of 20 bases", BY_SOURCE: "sequences that come from one record"}


def classifier_card(config: BundleConfig, metrics: dict[str, Any], document: dict[str, Any]) -> str:
    """The card of a classifier."""
    data, test = document["data"], metrics["test"]
    lines = [
        f"# {config.name}",
        "",
        f"{config.description}.",
        "",
        f"Labels: {', '.join(config.labels)}"
        + (f"; a probability is that of **{config.positive}**" if config.positive else "")
        + ".",
        "",
        "## Measured",
        "",
        f"On {test['n']} test sequences of {data['dataset']} ({data['split']} split). Intervals are 95 % bootstraps"
        f" over groups of {_GROUPS[data.get('grouped_by', BY_STRETCH)]}.",
        "",
        "| figure | value [95 % interval] |",
        "|---|---|",
        *[f"| {name} | {figure_text(figure)} |" for name, figure in test["figures"].items()],
    ]
    if config.threshold is not None:
        lines += [
            "",
            f"Called {config.positive} from a probability of {config.threshold:.3f} up,"
            f" chosen {metrics['threshold_from']}.",
        ]
    lines += ["", "## Made of", ""]
    for member in config.members:
        encoder, strands = member.encoder, "both strands" if member.both_strands else "one strand"
        lines.append(
            f"- head `{member.head.kind}` on {encoder.k}-mers at stride {encoder.stride},"
            f" hidden {encoder.hidden}, {strands}"
        )
    lines += ["", *[f"Parent: {parent}" for parent in config.parents]]
    lines += [
        "",
        "## Data",
        "",
        f"{data['train']} training and {data['valid']} validation sequences of `{data['dataset']}`,"
        f" table SHA-256 {data['sha256'][:16]}…",
    ]
    lines += [*[f"- {note}" for note in data.get("notes", [])]]
    if text := metrics.get("text"):
        lines.append(f"- {text}")
    lines += ["", "## Make it again", "", recipe_text(document), "", f"Versions: {versions_text(document)}.", ""]
    return "\n".join(lines)
