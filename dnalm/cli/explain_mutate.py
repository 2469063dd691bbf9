"""`dnalm explain mutate`: what changes do to a call, as a table, arrays, a track or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli import explain_input as shared
from dnalm.cli.evaluate import Part
from dnalm.cli.explain_output import explain_to, target_of
from dnalm.cli.frame import Json, say
from dnalm.cli.output import STANDARD
from dnalm.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnalm.interpret.edits import VcfEdit
    from dnalm.interpret.placed import Placed


def mutate(
    model: shared.Model,
    file: shared.File,
    region: shared.RegionOption = None,
    edits: Annotated[
        str | None,
        typer.Option(help="Typed changes, alone and together: -12T>A from the start site, 45T>A from the first base."),
    ] = None,
    vcf: Annotated[
        Path | None, typer.Option(help="Changes of a VCF file, by record; with --region the genome's.", metavar="FILE")
    ] = None,
    pairs: Annotated[
        str | None, typer.Option(help="Two changes at a time in a window: 40-55, or -14:-5.", metavar="FIRST-LAST")
    ] = None,
    indels: Annotated[
        int | None, typer.Option(min=1, help="So many bases out of, and into, each place.", metavar="SIZE")
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
    """Show what mutations do to a call: every base to every other, or those that are given.

    TSV: id position ref alt probability delta log_odds_delta. A run on many sequences that was stopped goes on where
    it was when the command is given again.
    """
    from dnalm.interpret.edits import read_vcf
    from dnalm.interpret.task_mutate import Mode, MutateTask

    given: dict[Mode, Any] = {"edits": edits, "vcf": vcf, "pairs": pairs, "indels": indels}
    modes = [mode for mode, value in given.items() if value is not None]
    if len(modes) > 1:
        raise InputError(f"{' and '.join(f'--{mode}' for mode in modes)}: one at a time")
    target = target_of(output, format)
    classifier = shared.loaded_classifier(model)
    sequences = shared.placed_of(classifier, file, split, region, circular, site)
    changes = tuple(read_vcf(str(vcf))) if vcf is not None else ()
    task = MutateTask(
        modes[0] if modes else "saturation",
        edits=edits or "",
        changes=changes,
        window=pairs or "",
        size=indels or 1,
        label=label,
        tolerance=tolerance if tolerance > 0 else -1.0,
    )
    if vcf is not None:
        _count(str(vcf), changes, sequences)
    explain_to(target, task, classifier, sequences, seed=seed, processes=processes, as_json=as_json, what="mutating")


def _count(vcf: str, changes: Sequence[VcfEdit], sequences: Sequence[Placed]) -> None:
    """Say how many of a file's changes lie on none of the sequences; all of them is an error."""
    ids = {one.id: one for one in sequences}
    if len(sequences) == 1:
        here = [change for change in changes if sequences[0].read_change(change) is not None]
    else:
        here = [change for change in changes if change.record in ids]
    if not here:
        names = ", ".join(list(dict.fromkeys(change.record for change in changes))[:5]) or "no change at all"
        wanted = sequences[0].id + (", ..." if len(sequences) > 1 else "")
        raise InputError(f"{vcf}: has no change of {wanted}; it has {names}")
    if len(here) < len(changes):
        say(f"{vcf}: {len(changes) - len(here):,} of {len(changes):,} changes lie elsewhere and are left out")
