"""`dnalm explain saliency`: what each base adds to a call, as a table, arrays, a track or a picture."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from dnalm.cli import explain_input as shared
from dnalm.cli.evaluate import Part
from dnalm.cli.explain_output import explain_to, target_of
from dnalm.cli.frame import Json, say
from dnalm.cli.output import STANDARD
from dnalm.errors import InputError


class Method(StrEnum):
    """How a call is attributed to bases."""

    INTEGRATED_GRADIENTS = "integrated-gradients"
    SALIENCY = "saliency"
    INPUT_X_GRADIENT = "input-x-gradient"
    GRADIENT_SHAP = "gradient-shap"
    OCCLUSION = "occlusion"
    EMBEDDING_GRADIENTS = "embedding-gradients"


class Baseline(StrEnum):
    """What a sequence is held against."""

    SHUFFLED = "shuffled"
    BACKGROUND = "background"
    UNIFORM = "uniform"


def saliency(
    model: shared.Model,
    file: shared.File,
    region: shared.RegionOption = None,
    method: Annotated[Method, typer.Option(help="How a call is attributed to bases.")] = Method.INTEGRATED_GRADIENTS,
    baseline: Annotated[Baseline, typer.Option(help="What the sequence is held against.")] = Baseline.SHUFFLED,
    label: shared.Label = None,
    steps: Annotated[int, typer.Option(min=1, help="Points of the integral from each baseline.")] = 24,
    shuffles: Annotated[int, typer.Option(min=1, help="Of the baseline shuffled: how many are averaged.")] = 8,
    composition: Annotated[
        str | None,
        typer.Option(help="Of the baseline background: shares of A,C,G,T, as the genome's; else each sequence's own."),
    ] = None,
    site: shared.Site = None,
    circular: shared.Circular = None,
    split: shared.Split = Part.TEST,
    seed: shared.Seed = 0,
    processes: shared.Processes = 1,
    output: shared.Output = STANDARD,
    format: shared.Format = None,
    as_json: Json = False,
) -> None:
    """Show which bases a model reads: what each adds to the log-odds of a class.

    TSV: id position base score. A run on many sequences that was stopped goes on where it was when the command is
    given again.
    """
    from dnalm.interpret.task_saliency import SaliencyTask

    target = target_of(output, format)
    background = None if composition is None else _shares(composition)
    classifier = shared.loaded_classifier(model)
    sequences = shared.placed_of(classifier, file, split, region, circular, site)
    task = SaliencyTask(method.value, baseline.value, label, steps, shuffles, background)
    said = explain_to(
        target, task, classifier, sequences, seed=seed, processes=processes, as_json=as_json, what="attributing"
    )
    _warn(said)


def _shares(text: str) -> list[float]:
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    if len(shares) != 4 or not all(0 <= share < float("inf") for share in shares) or not sum(shares):
        raise InputError(f"--composition {text}: wanted are four shares, of A, C, G and T: 0.246,0.254,0.254,0.246")
    return shares


def _warn(said: list[dict[str, Any]]) -> None:
    """Say where the scores do not sum to what they explain."""
    missed = [one for one in said if one["warning"]]
    if not missed:
        return
    worst = max(missed, key=lambda one: abs(one["delta"]))
    if len(said) == 1:
        say(worst["warning"])
    else:
        say(f"{len(missed):,} of {len(said):,} sequences, most {worst['id']}: {worst['warning']}")
