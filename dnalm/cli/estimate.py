"""`--estimate` of the training commands: what a run will take, and whether it can run here, without starting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnalm.cli.frame import say
from dnalm.cli.output import print_json, print_table
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.training.config import RunConfig


def print_estimate(config: RunConfig, as_json: bool) -> None:
    """Print parameters, memory, disk and time; a step is timed where it has not been timed here before.

    Raises:
        InputError: it cannot run on this machine; the estimate is printed first.
    """
    from dnalm.training.estimate import estimate

    found = estimate(config)
    if as_json:
        print_json(
            {
                "parameters": found.parameters,
                "memory_bytes": found.memory,
                "disk_bytes": found.disk,
                "seconds": found.seconds,
                "on_gpu": found.on_gpu,
                "phases": [
                    {
                        "phase": part.phase,
                        "parameters": part.parameters,
                        "steps": part.steps,
                        "step_seconds": part.step_seconds,
                        "seconds": part.seconds,
                        "passes": part.passes,
                    }
                    for part in found.parts
                ],
                "refusals": list(found.refusals),
                "notes": list(found.notes),
            }
        )
    else:
        print_table(["what", "estimate"], found.facts())
        for note in found.notes:
            say(note)
    if found.refusals:
        raise InputError(f"this cannot run here: {'; '.join(found.refusals)}")
