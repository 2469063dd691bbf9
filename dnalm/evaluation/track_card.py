"""The card of a track model."""

from __future__ import annotations

from typing import Any

from dnalm.model.config import BundleConfig
from dnalm.training.card import figure_text, recipe_text, versions_text

_SHOWN = {
    "auprc": "AUPRC",
    "recall_at_250_calls": "recall at 250 calls",
    "recall_at_500_calls": "recall at 500 calls",
    "recall_at_1000_calls": "recall at 1,000 calls",
    "false_per_kb_at_50_recall": "false calls per kb at 50 % recall",
    "recall": "recall at the model's threshold",
    "precision": "precision at the model's threshold",
    "distance_median": "median distance to the start, bases",
}


def track_card(config: BundleConfig, metrics: dict[str, Any], document: dict[str, Any]) -> str:
    """Markdown: what the model is, what was measured where, and how to make it again."""
    data, test = document["data"], metrics["test"]
    tolerance = metrics["tolerance"]
    lines = [
        f"# {config.name}",
        "",
        f"{config.description}. It scores every base of both strands, and is made for scanning.",
        "",
        "## Measured",
        "",
    ]
    if test["figures"]:
        shown = sorted({tolerance, 20})
        lines += [
            f"On the {test['n']} known starts of the test regions ({', '.join(metrics['regions']['test'])}), which it "
            "was not trained on. A call is right within so many bases of a known start of its strand; what nobody has "
            "mapped yet counts as wrong. Intervals are 95 % bootstraps over blocks of genome.",
            "",
            f"| figure | {' | '.join(f'within {one} bases' for one in shown)} |",
            f"|---|{'---|' * len(shown)}",
        ]
        for name, title in _SHOWN.items():
            figures = [test["figures"].get(f"{name}_within_{one}") for one in shown]
            if all(figures):
                digits = 1 if name == "distance_median" else 3
                lines.append(f"| {title} | {' | '.join(figure_text(one, digits) for one in figures if one)} |")
    else:
        lines.append("No known start lies in test regions, so nothing was measured.")
    lines += ["", f"Threshold {config.threshold:.3f}, chosen {metrics['threshold_from']}.", "", "## Made of", ""]
    for member in config.tracks:
        encoder = member.encoder
        reads = "no encoder" if encoder is None else f"{encoder.k}-mers at stride {encoder.stride}, both strands"
        lines.append(
            f"- {reads}; {member.motifs} motifs of {member.motif_width} bases; {len(member.dilations)} dilated "
            f"convolutions of {member.channels} channels"
        )
    lines += ["", *[f"Parent: {parent}" for parent in config.parents], "", "## Trained on", ""]
    for role, file in data["files"].items():
        lines.append(f"- {role}: {file['name']} (SHA-256 {file['sha256'][:16]}…)")
    for part, regions in metrics["regions"].items():
        lines.append(f"- {part}: {', '.join(regions) or 'none'}; {data['sites'][part]} known starts")
    lines += ["", "## Make it again", "", recipe_text(document), "", f"Versions: {versions_text(document)}.", ""]
    return "\n".join(lines)
