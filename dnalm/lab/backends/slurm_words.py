"""What Slurm says of a job, in words that do not take a Slurm manual."""

from __future__ import annotations

_WAITS = {
    "BeginTime": "it was begun a moment ago and failed to start; Slurm tries again after a pause",
    "Dependency": "an earlier attempt of it is still ending",
    "DependencyNeverSatisfied": "what it waits for never comes: cancel it, and launch it anew",
    "JobHeldAdmin": "an administrator of Slurm holds it back",
    "JobHeldUser": "it is held back; `scontrol release` lets it go",
    "None": "Slurm has just taken it in",
    "PartitionDown": "the partition is down",
    "PartitionNodeLimit": "it wants more machines than the partition gives one job",
    "PartitionTimeLimit": "its time limit is longer than the partition allows: clone it with a shorter one",
    "Priority": "other jobs are before it",
    "ReqNodeNotAvail": "the machines that it needs are down or reserved",
    "Reservation": "it waits for its reservation",
    "Resources": "no machine has enough GPUs or cores free",
}
_STATES = {
    "CONFIGURING": "Slurm is starting its machines",
    "COMPLETING": "Slurm is ending its processes",
    "SUSPENDED": "Slurm has suspended it; it goes on when Slurm lets it",
    "STOPPED": "Slurm has stopped it; it goes on when Slurm lets it",
    "PREEMPTED": "Slurm gave its place to another job; it is queued again from its last checkpoint",
    "NODE_FAIL": "its machine failed; it is queued again from its last checkpoint",
}


def in_words(standing: str) -> str:
    """A sentence on what `SlurmBackend.standing` gave.

    Args:
        standing: as `PENDING (Resources)`, or empty.

    Returns:
        Why it waits, or what else hinders it, with Slurm's own word; empty where it just runs, or Slurm says nothing.
    """
    state, _, rest = standing.partition(" ")
    reason = rest.strip("()")
    if state == "PENDING":
        # Of a longer word the first part is the reason: `ReqNodeNotAvail, UnavailableNodes:…`.
        first = (reason or "None").split(",")[0].strip()
        limit = "a limit of your group or account is reached"
        other = limit if first.startswith(("Assoc", "QOS")) else "its turn has not come"
        return f"It waits in Slurm's own queue: {_WAITS.get(first, other)}{f' (Slurm: {reason})' if reason else ''}."
    if state in _STATES:
        return f"{_STATES[state][:1].upper()}{_STATES[state][1:]} (Slurm: {standing})."
    return ""
