"""What Slurm is given: the options of `sbatch` and the batch script that runs a job, made of checked values alone."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dnalm.errors import InputError
from dnalm.lab import processes
from dnalm.lab.backends import StartError
from dnalm.lab.backends.slurm_programs import Node
from dnalm.lab.job import Job
from dnalm.lab.outcome import OUTPUT
from dnalm.locks import RUN_LOCK
from dnalm.settings import Settings, settings

PREFIX = "dnalm-"
ARRAY = "scan"
"""The phase whose processes share pieces of work and never wait for each other."""
GRACE_S = 120
"""Seconds before its time limit at which Slurm tells a job to write a checkpoint and end."""

_SLACK_S = 120  # Slurm sends the signal up to a minute early, and counts in minutes
_LOCK_WAIT_S = 300
_HELD = 75
_LEFT_S = 60

# What a site may add. Everything else is this backend's own, or would change what its job is.
ALLOWED = (
    *("bb", "bbf", "cluster-constraint", "constraint", "core-spec", "cores-per-socket", "cpus-per-gpu"),
    *("distribution", "exclude", "exclusive", "gpu-freq", "gres-flags", "hint", "licenses", "mail-type", "mail-user"),
    *("mem", "mem-per-cpu", "mem-per-gpu", "mincpus", "network", "nice", "nodelist", "power", "prefer", "priority"),
    *("qos", "reservation", "sockets-per-node", "switches", "thread-spec", "threads-per-core", "tmp", "wckey"),
)

# One process a GPU. A helper that failed waits before it says so, since Slurm then ends the others at once, and the
# first may be writing its checkpoint; when the first fails, nothing is left to wait for.
_TASK = (
    'trap : TERM; RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS "$@"; code=$?; '
    f'[ "$code" -eq 0 ] || [ "$SLURM_PROCID" -eq 0 ] || sleep {_LEFT_S}; exit "$code"'
)


@dataclass(frozen=True)
class Layout:
    """How a job's processes are laid out.

    Attributes:
        nodes: machines.
        each: processes on each.
        gres: the GPUs of each machine, as `gpu:2`; empty for none.
        cpus: cores of each process.
        tasks: jobs of an array that share the work, each laid out so; 0 where it is no array.
    """

    nodes: int
    each: int
    gres: str
    cpus: int
    tasks: int = 0


def lay_out(job: Job, machines: Sequence[Node], gres: str = "gpu", cpus: int = 2) -> Layout:
    """Spread a job over as few machines as hold it, with the same number of processes on each.

    A scan's processes need not run at the same time: it is an array of jobs of one process each.

    Args:
        job: whose `compute` says what it wants.
        machines: what there is.
        gres: the name of a GPU in Slurm.
        cpus: cores of a process that does not say how many threads it takes.

    Raises:
        StartError: the machines do not have what it wants.
    """
    if job.phase == ARRAY and job.devices > 1:
        return replace(lay_out(replace(job, devices=1), machines, gres, cpus), tasks=job.devices)
    compute = job.config.get("compute") or {}
    accelerator, cpus = compute.get("accelerator", "auto"), compute.get("threads") or cpus
    graphics = accelerator == "cuda" or (accelerator == "auto" and any(node.gpus for node in machines))
    room = sorted(((node.gpus if graphics else node.cores // cpus) for node in machines), reverse=True)
    for count in range(1, min(job.devices, len(room)) + 1):
        each = job.devices // count
        if job.devices % count == 0 and room[count - 1] >= each:
            return Layout(count, each, f"{gres}:{each}" if graphics else "", cpus)
    what = "GPUs" if graphics else f"processes of {cpus} cores"
    raise StartError(
        f"the job wants {job.devices} {what}; Slurm's machines have {', '.join(map(str, room[:8])) or 'none'}: take "
        "another number of devices"
    )


def name_of(job: Job) -> str:
    """By what a job is found in Slurm."""
    return PREFIX + job.id


def attempt_of(job: Job) -> str:
    """Tells this attempt's submission from an earlier one's."""
    return f"attempt {job.attempts}"


def options(job: Job, layout: Layout) -> list[str]:
    """The options of `sbatch`.

    Raises:
        InputError: DNALM_SLURM_OPTIONS has one that is not for a site to set.
    """
    own = settings()
    several = layout.nodes > 1
    output = str((job.run / OUTPUT).resolve()).replace("%", "%%")
    chosen = [f"--job-name={name_of(job)}", f"--comment={attempt_of(job)}", f"--output={output}", "--open-mode=append"]
    chosen += ["--no-requeue", "--input=/dev/null", "--export=ALL"]
    # Of two that were handed in for the same job, since an answer was lost, the second waits for the first. The jobs of
    # an array, which have one name too, would wait for each other: there the lock of the run folder alone sees to it.
    chosen += [f"--array=0-{layout.tasks - 1}"] if layout.tasks else ["--dependency=singleton"]
    chosen += [f"--nodes={layout.nodes}", f"--signal={'' if several else 'B:'}TERM@{GRACE_S}"]
    if several:
        chosen += [f"--ntasks-per-node={layout.each}", f"--cpus-per-task={layout.cpus}"]
    else:
        chosen += [f"--cpus-per-task={layout.cpus * layout.each}"]
    chosen += [f"--gres={layout.gres}"] if layout.gres else []
    if job.limit_minutes:
        chosen += [f"--time={math.ceil(job.limit_minutes + (GRACE_S + _SLACK_S) / 60)}"]
    return [*chosen, *site_options(own)]


def site_options(own: Settings) -> list[str]:
    """What the site added: partition, account, and the options of DNALM_SLURM_OPTIONS.

    Raises:
        InputError: one of them is not for a site to set.
    """
    chosen = [f"--partition={own.slurm_partition}"] if own.slurm_partition else []
    chosen += [f"--account={own.slurm_account}"] if own.slurm_account else []
    try:
        extra = shlex.split(own.slurm_options)
    except ValueError as error:
        raise InputError(f"DNALM_SLURM_OPTIONS: {error}: {own.slurm_options!r}") from None
    for option in extra:
        name = option.partition("=")[0]
        if name.removeprefix("--") not in ALLOWED or not name.startswith("--"):
            raise InputError(
                f"DNALM_SLURM_OPTIONS: {option!r} cannot be set there; long options with their value after a `=` can, "
                f"of these: {', '.join(ALLOWED)}"
            )
    return chosen + extra


def script(job: Job, layout: Layout, command: Sequence[str]) -> str:
    """The batch script. What is not fixed text in it is a quoted word of an argument list."""
    known = {
        "DNALM_HOME": str(settings().home.resolve()),
        processes.MARK: job.id,
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(layout.cpus),
        "MKL_NUM_THREADS": str(layout.cpus),
        "OPENBLAS_NUM_THREADS": str(layout.cpus),
    }
    lines = ["#!/bin/sh", *(f"export {shlex.join([f'{name}={value}'])}" for name, value in known.items())]
    # A controller that lost its records may have forgotten a process that is still being ended on another machine.
    wait = ["flock", "--wait", str(_LOCK_WAIT_S), "--conflict-exit-code", str(_HELD), str(job.run / RUN_LOCK), "true"]
    first = ""
    if layout.tasks:
        lines += [f'export RANK="$SLURM_ARRAY_TASK_ID" LOCAL_RANK=0 WORLD_SIZE={layout.tasks}']
        first = '[ "$RANK" -gt 0 ] || '  # the others hold no lock
    lines += [f"{first}{shlex.join(wait)} || [ $? -ne {_HELD} ] || exit {_HELD}"]
    if layout.nodes == 1:
        # The run starts its other processes itself: it should not take Slurm for having done so.
        lines += ["unset SLURM_NTASKS SLURM_NPROCS SLURM_NTASKS_PER_NODE", f"exec {shlex.join(command)}"]
    else:
        lines += ["trap : TERM", f"export DNALM_NODES={layout.nodes}"]
        lines += ['export MASTER_ADDR="$(hostname)" MASTER_PORT="$((15000 + SLURM_JOB_ID % 10000))"']
        step = ["srun", "--kill-on-bad-exit=1", f"--cpus-per-task={layout.cpus}", "sh", "-c", _TASK, "dnalm", *command]
        lines += [shlex.join(step)]
    return "\n".join(lines) + "\n"
