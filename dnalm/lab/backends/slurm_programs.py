"""Slurm's programs: called with argument lists, and what they print made into values.

Read are the columns that `--format` asks for, which are the same in all versions; the fields of `--json` are not.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dnalm.lab.backends import BackendAwayError, StartError

Run = Callable[[Sequence[str], str], "subprocess.CompletedProcess[str]"]

# Slurm's own settings for its programs would change what they print or submit. The others speak of this process alone:
# which part of another job it is, which GPUs are its own, with what password it reaches the lab's database.
_FOREIGN = ("SLURM_", "SLURMD_", "SBATCH_", "SALLOC_", "SRUN_", "SQUEUE_", "SCANCEL_", "SINFO_")
_OWN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "MASTER_", "TORCHELASTIC_", "DNALM_LEADER")
_OWN += ("CUDA_VISIBLE_DEVICES", "DNALM_DATABASE_URL")
_KEPT = ("SLURM_CONF", "SLURM_CLUSTERS")
_TIMEOUT_S = 15.0
_JOBS = "%i|%T|%M|%r|%j|%k"
_NODES = "%P|%N|%c|%G"

# States after which no process of a job is left. A word that is not here, of another version, counts as alive: to
# wait too long is a lesser evil than to run a job twice.
ENDED = (
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REVOKED", "TIMEOUT"),
)
_AWAY = re.compile(
    r"unable to contact|connect failure|connection|timed out|zero bytes|not responding|standby|temporarily|"
    r"try again|munge|credential|authentication|configuration source|communication",
    re.IGNORECASE,
)
_GONE = re.compile(r"invalid job id|already completing or completed|already finished|no job", re.IGNORECASE)


@dataclass(frozen=True)
class SlurmJob:
    """A job as Slurm has it.

    Attributes:
        id: Slurm's number; used again where Slurm lost its records. Of a job of an array, `12_0`: that of the array
            and its place in it.
        state: Slurm's word, such as PENDING.
        seconds: that it has run, by Slurm's clock; None where Slurm does not say.
        reason: why it waits or ended, in Slurm's word.
        name: as it was submitted; `comment` likewise.
    """

    id: str
    state: str
    seconds: float | None
    reason: str
    name: str
    comment: str

    @property
    def over(self) -> bool:
        """Whether nothing of it runs any more, and nothing will."""
        return self.state in ENDED

    @property
    def leads(self) -> bool:
        """Whether it is a job by itself or the first of an array, which stands for the whole."""
        return self.id.partition("_")[2] in ("", "0")


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: its cores, and its GPUs of the kind that was asked for."""

    name: str
    cores: int
    gpus: int


def environment() -> dict[str, str]:
    """What Slurm's programs are told, and through `sbatch` the job: this process's environment without its own part."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN + _OWN) or key in _KEPT}


def run_program(argv: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run one of the programs.

    Raises:
        BackendAwayError: it is not there, or does not come back within seconds.
    """
    try:
        return subprocess.run(
            list(argv), input=text, env=environment(), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise BackendAwayError(f"Slurm's {argv[0]} did not answer within {_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise BackendAwayError(f"Slurm's {argv[0]} cannot be run ({(error.strerror or str(error)).lower()})") from None


def jobs(run: Run, name: str | None = None) -> list[SlurmJob]:
    """This person's jobs that Slurm knows, ended ones too for as long as Slurm keeps them.

    Args:
        run: `run_program`, or what stands for it in a test.
        name: only those with this name.

    Raises:
        BackendAwayError: Slurm does not answer. An empty list is an answer: there is no such job.
    """
    argv = ["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", f"--format={_JOBS}"]
    answer = run([*argv, f"--name={name}"] if name else argv, "")
    if answer.returncode != 0:
        raise BackendAwayError(f"Slurm does not answer: {said(answer)}")
    rows = (line.split("|", 5) for line in answer.stdout.splitlines())
    return [SlurmJob(row[0], row[1], _seconds(row[2]), row[3], row[4], row[5]) for row in rows if len(row) == 6]


def submit(run: Run, options: Sequence[str], script: str) -> str:
    """Hand in a batch script; gives Slurm's number of the job.

    Raises:
        BackendAwayError: Slurm does not answer: whether it has the job is not known.
        StartError: Slurm refuses the job.
    """
    answer = run(["sbatch", "--parsable", *options], script)
    number = answer.stdout.strip().partition(";")[0]
    if answer.returncode == 0 and number.isdigit():
        return number
    if is_away(answer):
        raise BackendAwayError(f"Slurm does not answer: {said(answer)}")
    raise StartError(f"Slurm refuses the job: {said(answer)}")


def cancel(run: Run, job_id: str, name: str, *options: str) -> None:
    """Cancel or signal a job, or all jobs of the array that it leads; nothing where they have ended.

    Raises:
        BackendAwayError: Slurm does not answer.
    """
    # The name goes along so that a number that Slurm gave again never ends another job.
    number = job_id.partition("_")[0]
    answer = run(["scancel", f"--name={name}", f"--user={os.getuid()}", *options, number], "")
    if answer.returncode != 0 and not _GONE.search(answer.stderr):
        raise BackendAwayError(f"Slurm does not answer: {said(answer)}")


def nodes(run: Run, partition: str | None, gres: str) -> list[Node]:
    """The machines of a partition, or of the default one.

    Args:
        run: `run_program`, or what stands for it in a test.
        partition: its name; None is the default one.
        gres: the GPUs that count: `gpu`, or one kind as `gpu:a100`.

    Raises:
        BackendAwayError: Slurm does not answer.
    """
    argv = ["sinfo", "--noheader", "--Node", f"--format={_NODES}"]
    answer = run([*argv, f"--partition={partition}"] if partition else argv, "")
    if answer.returncode != 0:
        raise BackendAwayError(f"Slurm does not answer: {said(answer)}")
    rows = [row for line in answer.stdout.splitlines() if len(row := line.split("|", 3)) == 4]
    wanted = [row for row in rows if partition or row[0].endswith("*")] or rows
    found = {row[1]: Node(row[1], int(row[2].rstrip("+") or 1), _gpus(row[3], gres)) for row in wanted}
    return list(found.values())


def _gpus(text: str, gres: str) -> int:
    """How many GPUs `gpu:a100:4(S:0-1),gpu:2,nic:1` holds."""
    plain = re.sub(r"\([^)]*\)", "", text)
    counts = (entry.split(":") for entry in plain.split(",") if entry)
    wanted = gres.split(":")
    return sum(int(parts[-1]) if parts[-1].isdigit() else 1 for parts in counts if parts[: len(wanted)] == wanted)


def _seconds(text: str) -> float | None:
    """Seconds of `days-hours:minutes:seconds`, of which the first may be left out."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text.strip())
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def is_away(answer: subprocess.CompletedProcess[str]) -> bool:
    """Whether a program failed since Slurm does not answer, and not because of what it was asked."""
    return _AWAY.search(said(answer)) is not None


def said(answer: subprocess.CompletedProcess[str]) -> str:
    """The last line that a program wrote of what went wrong, without its name."""
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    return re.sub(r"^\w+: (error: )?", "", lines[-1]).strip() if lines else f"exit status {answer.returncode}"
