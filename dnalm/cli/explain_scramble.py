"""`dnalm explain scramble`: random or given k-mers slid along a sequence, as a table, arrays or a picture."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from dnalm.cli import explain_input as shared
from dnalm.cli.evaluate import Part
from dnalm.cli.explain_output import explain_to, target_of
from dnalm.cli.frame import Json
from dnalm.cli.output import STANDARD
from dnalm.errors import InputError

KS = (1, 3, 6)


def scramble(
    model: shared.Model,
    file: shared.File,
    region: shared.RegionOption = None,
    k: Annotated[
        str | None, typer.Option("--k", help="Bases replaced at a time, 1 to 15 each; 1,3,6 where nothing is said.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Random k-mers at each place.")] = 16,
    fixed: Annotated[bool, typer.Option("--fixed", help="The same k-mers at every place; else fresh ones.")] = False,
    insert: Annotated[
        str | None, typer.Option(help="Put these in instead, or with --k as well: TATAAT,TTGACA.", metavar="KMERS")
    ] = None,
    tolerance: shared.Tolerance = 1e-6,
    label: shared.Label = None,
    site: shared.Site = None,
    circular: shared.Circular = None,
    split: shared.Split = Part.TEST,
    seed: shared.Seed = 0,
    processes: shared.Processes = 1,
    output: shared.Output = STANDARD,
    format: shared.Format = None,
    as_json: Json = False,
) -> None:
    """Replace a few bases at every place by others, and show where that costs the call.

    TSV: id k position mean spread low high inserted. A run on many sequences that was stopped goes on where it was
    when the command is given again.
    """
    from dnalm.interpret.task_scramble import ScrambleTask

    inserts = tuple(_listed(insert.upper().replace("U", "T"))) if insert is not None else ()
    ks = _numbers(k) if k is not None else (() if inserts else KS)
    task = ScrambleTask(ks, draws, fixed, inserts, label, tolerance if tolerance > 0 else -1.0)
    target = target_of(output, format)
    classifier = shared.loaded_classifier(model)
    sequences = shared.placed_of(classifier, file, split, region, circular, site)
    explain_to(target, task, classifier, sequences, seed=seed, processes=processes, as_json=as_json, what="scrambling")


def _listed(text: str) -> list[str]:
    return [one for one in re.split(r"[,;\s]+", text.strip()) if one]


def _numbers(text: str) -> tuple[int, ...]:
    listed = _listed(text)
    if not listed or not all(one.isdigit() for one in listed):
        raise InputError(f"--k {text}: wanted are numbers from 1 to 15 with commas between, as 1,3,6")
    return tuple(dict.fromkeys(int(one) for one in listed))
