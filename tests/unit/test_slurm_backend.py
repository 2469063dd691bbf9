"""The Slurm backend on what Slurm's programs (22.05) were recorded to print, word for word."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dnalm.errors import InputError
from dnalm.lab.backends import Backend, BackendAwayError, StartError
from dnalm.lab.backends.slurm import SlurmBackend
from dnalm.lab.backends.slurm_programs import Node, SlurmJob, environment, jobs, nodes, run_program
from dnalm.lab.backends.slurm_script import Layout, lay_out, options, script
from dnalm.lab.backends.slurm_words import in_words
from dnalm.lab.job import Job, JobState
from dnalm.settings import settings

SQUEUE = """\
5|COMPLETED|0:00|None|dnalm-a5|(null)
2|COMPLETING|0:01|None|dnalm-a2|attempt 1
4|FAILED|0:00|NonZeroExitCode|odd|name|(null)
3|PENDING|0:00|Priority|dnalm-a3|attempt 2
7|PENDING|0:00|Dependency|dnalm-a1|(null)
6|PENDING|0:00|JobHeldUser|dnalm-a6|(null)
1|RUNNING|1-02:03:04|None|dnalm-a1|attempt 1
"""
SINFO = "main*|node1|16|gpu:2\nmain*|node2|16|gpu:2\n"
AWAY = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
SUBMIT_AWAY = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n"
NO_MUNGE = """\
squeue: error: If munged is up, restart with --num-threads=10
squeue: error: Munge encode failed: Failed to connect to "/run/munge/socket": Connection refused
squeue: error: slurm_send_node_msg: auth_g_create: REQUEST_JOB_INFO has authentication error
slurm_load_jobs error: Protocol authentication error
"""
NO_PARTITION = """\
sbatch: error: invalid partition specified: nope
sbatch: error: Batch job submission failed: Invalid partition name specified
"""


class Recorded:
    """Stands for Slurm's programs: answers as they did, and keeps what it was asked."""

    def __init__(self, **answers: str | tuple[int, str]) -> None:
        self.answers = {"squeue": "", "sinfo": SINFO, "sbatch": "12\n", "scancel": "", **answers}
        self.calls: list[list[str]] = []
        self.text = ""

    def __call__(self, argv: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
        self.calls.append(list(argv))
        self.text = text or self.text
        answer = self.answers[argv[0]]
        code, said = (0, "") if isinstance(answer, str) else answer
        return subprocess.CompletedProcess(list(argv), code, answer if isinstance(answer, str) else "", said)

    def called(self, program: str) -> list[list[str]]:
        return [argv[1:] for argv in self.calls if argv[0] == program]


def job(tmp_path: Path, name: str = "a1", *, devices: int = 1, accelerator: str = "cpu", **changes) -> Job:
    run, phase = changes.pop("run", tmp_path / "runs" / name), changes.pop("phase", "pretrain")
    config = {"phase": "pretrain", "compute": {"accelerator": accelerator, "devices": devices, "threads": 0}}
    fields = {"limit_minutes": None, "attempts": 1, **changes}
    return Job(
        **{"id": name, "name": name, "owner": "local", "owner_name": "Local", "phase": phase, "run": run},
        **{"state": JobState.RUNNING, "config": config, "devices": devices, "priority": 0, "shared": False},
        **{"backend": "slurm", "worker": "w", "slots": (), "handle": None, "created": datetime.now(UTC)},
        **{"started": None, "ended": None, "reason": "", "cancel_requested": False, "exit_code": None},
        **fields,
    )


@pytest.fixture
def setting(home, monkeypatch):
    """Sets variables of the environment and has them read."""

    def change(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    change()
    return change


class TestReading:
    def test_the_jobs(self):
        found = {(found.id, found.name): found for found in jobs(Recorded(squeue=SQUEUE))}
        assert len(found) == 7
        seconds = ((24 + 2) * 60 + 3) * 60 + 4
        assert found["1", "dnalm-a1"] == SlurmJob("1", "RUNNING", seconds, "None", "dnalm-a1", "attempt 1")
        assert found["3", "dnalm-a3"].reason == "Priority"
        assert [number for (number, _), job in found.items() if job.over] == ["5", "4"]

    def test_a_word_of_a_later_version_is_not_an_end(self):
        assert not SlurmJob("1", "EXPEDITING", 0, "", "n", "").over

    @pytest.mark.parametrize(
        ("text", "seconds"), [("0:07", 7), ("1:00:00", 3600), ("2-00:00:01", 172801), ("INVALID", None)]
    )
    def test_times(self, text, seconds):
        assert jobs(Recorded(squeue=f"1|RUNNING|{text}|None|n|c\n"))[0].seconds == seconds

    @pytest.mark.parametrize(
        "said", [AWAY, NO_MUNGE, "slurm_load_jobs error: Socket timed out on send/recv operation\n", ""]
    )
    def test_no_answer_is_not_an_empty_queue(self, said):
        with pytest.raises(BackendAwayError, match="Slurm does not answer"):
            jobs(Recorded(squeue=(1, said)))

    def test_the_machines(self):
        assert nodes(Recorded(), None, "gpu") == [Node("node1", 16, 2), Node("node2", 16, 2)]

    def test_the_machines_of_the_default_partition_alone(self):
        both = Recorded(
            sinfo="old|n1|8|(null)\nmain*|n2|64|gpu:a100:4(S:0-1),nic:2\nmain*|n3|64+|gpu:a100:4,gpu:h200:8\n"
        )
        assert nodes(both, None, "gpu") == [Node("n2", 64, 4), Node("n3", 64, 12)]
        assert nodes(both, None, "gpu:h200") == [Node("n2", 64, 0), Node("n3", 64, 8)]

    def test_the_machines_of_a_partition(self):
        recorded = Recorded(sinfo="old|n1|8|(null)\n")
        assert nodes(recorded, "old", "gpu") == [Node("n1", 8, 0)]
        assert "--partition=old" in recorded.calls[0]


class TestLayout:
    NODES = (Node("a", 16, 2), Node("b", 16, 2), Node("c", 64, 0))

    @pytest.mark.parametrize(
        ("devices", "accelerator", "wanted"),
        [
            (1, "auto", Layout(1, 1, "gpu:1", 2)),
            (2, "cuda", Layout(1, 2, "gpu:2", 2)),
            (4, "cuda", Layout(2, 2, "gpu:2", 2)),
            (32, "cpu", Layout(1, 32, "", 2)),
        ],
    )
    def test_as_few_machines_as_hold_it(self, tmp_path, devices, accelerator, wanted):
        assert lay_out(job(tmp_path, devices=devices, accelerator=accelerator), self.NODES) == wanted

    @pytest.mark.parametrize(("devices", "accelerator"), [(3, "cuda"), (6, "cuda"), (33, "cpu")])
    def test_what_no_machines_hold_is_a_sentence(self, tmp_path, devices, accelerator):
        with pytest.raises(StartError, match=f"wants {devices} .*machines have"):
            lay_out(job(tmp_path, devices=devices, accelerator=accelerator), self.NODES)

    def test_without_gpus_auto_is_the_processor(self, tmp_path):
        assert lay_out(job(tmp_path, accelerator="auto"), [Node("a", 4, 0)]) == Layout(1, 1, "", 2)
        with pytest.raises(StartError, match="wants 1 GPUs"):
            lay_out(job(tmp_path, accelerator="cuda"), [Node("a", 4, 0)])


class TestArray:
    """A scan of several parts: jobs of one process each, of which the first stands for the whole."""

    ROWS = (
        "12_0|COMPLETED|0:10|None|dnalm-a1|attempt 1\n"
        "12_1|RUNNING|0:10|None|dnalm-a1|attempt 1\n"
        "12_2|PENDING|0:00|Resources|dnalm-a1|attempt 1\n"
    )

    def test_each_part_is_laid_out_alone(self, tmp_path):
        parts = job(tmp_path, devices=40, phase="scan", accelerator="auto")
        assert lay_out(parts, TestLayout.NODES) == Layout(1, 1, "gpu:1", 2, tasks=40)
        assert lay_out(job(tmp_path, phase="scan"), TestLayout.NODES) == Layout(1, 1, "", 2)

    def test_the_options_and_the_script(self, tmp_path, setting):
        layout = Layout(1, 1, "gpu:1", 2, tasks=3)
        found = options(job(tmp_path, phase="scan", devices=3), layout)
        assert "--array=0-2" in found
        assert "--dependency=singleton" not in found  # they have one name, and would wait for each other
        run = tmp_path / "run"
        run.mkdir()
        text = script(job(tmp_path, run=run, phase="scan", devices=3), layout, ["sh", "-c", "echo $RANK/$WORLD_SIZE"])
        for rank in ("0", "2"):
            known = {**os.environ, "SLURM_ARRAY_TASK_ID": rank}
            done = subprocess.run(["sh"], input=text, env=known, capture_output=True, text=True, check=True)
            assert done.stdout == f"{rank}/3\n"

    def test_it_is_over_when_its_first_is_and_the_others_are_then_ended(self, tmp_path, setting):
        recorded = Recorded(squeue=self.ROWS.replace("COMPLETED", "RUNNING"))
        backend = SlurmBackend(run=recorded)
        assert backend.start(job(tmp_path, phase="scan", devices=3), ()) == "12_0/dnalm-a1"
        assert recorded.called("sbatch") == []  # it was there already
        assert backend.alive("12_0/dnalm-a1")
        recorded.answers["squeue"] = self.ROWS
        later = SlurmBackend(run=recorded)
        assert not later.alive("12_0/dnalm-a1")
        later.kill("12_0/dnalm-a1")
        assert [call[2:] for call in recorded.called("scancel")] == [["12"]]

    def test_it_is_stopped_as_a_whole(self, setting):
        recorded = Recorded(squeue=self.ROWS.replace("COMPLETED", "RUNNING"))
        SlurmBackend(run=recorded).terminate("12_0/dnalm-a1")
        assert [call[2:] for call in recorded.called("scancel")] == [
            ["--batch", "--signal=TERM", "12"],
            ["--signal=TERM", "12"],
        ]

    def test_what_was_submitted_has_the_first_as_its_handle(self, tmp_path, setting):
        assert SlurmBackend(run=Recorded()).start(job(tmp_path, phase="scan", devices=2), ()) == "12_0/dnalm-a1"


class TestSubmitting:
    def test_the_options(self, tmp_path, setting):
        setting(DNALM_SLURM_PARTITION="gpu", DNALM_SLURM_ACCOUNT="lab", DNALM_SLURM_OPTIONS="--qos=high --mem=32G")
        found = options(job(tmp_path, run=tmp_path / "100%j", limit_minutes=90, attempts=3), Layout(1, 2, "gpu:2", 4))
        assert set(found) == {
            *("--job-name=dnalm-a1", "--comment=attempt 3", f"--output={tmp_path}/100%%j/process.txt"),
            *("--open-mode=append", "--no-requeue", "--dependency=singleton", "--input=/dev/null", "--export=ALL"),
            *("--nodes=1", "--cpus-per-task=8", "--gres=gpu:2", "--signal=B:TERM@120", "--time=94"),
            *("--partition=gpu", "--account=lab", "--qos=high", "--mem=32G"),
        }

    def test_the_options_of_several_machines(self, tmp_path, setting):
        found = options(job(tmp_path), Layout(2, 4, "gpu:4", 3))
        assert {"--nodes=2", "--ntasks-per-node=4", "--cpus-per-task=3", "--gres=gpu:4", "--signal=TERM@120"} <= set(
            found
        )

    @pytest.mark.parametrize(
        "text", ["--wrap=id", "--output=/etc/passwd", "-p gpu", "--qos=a;id x", "--time=1", "--prolog=x", '--qos="']
    )
    def test_what_a_site_cannot_set(self, tmp_path, setting, text):
        setting(DNALM_SLURM_OPTIONS=text)
        with pytest.raises(InputError, match="DNALM_SLURM_OPTIONS"):
            SlurmBackend(run=Recorded()).slots()

    def test_the_script_keeps_words_as_they_are(self, tmp_path, setting):
        """The shell that runs it gives the command exactly the words that it was made of."""
        run = tmp_path / "a $(touch oops) `id` 'b'\n#SBATCH --wrap=x"
        run.mkdir(parents=True)
        text = script(job(tmp_path, run=run), Layout(1, 1, "", 2), ["python3", "-c", SAY_ARGUMENTS, str(run), "$HOME"])
        done = subprocess.run(["sh"], input=text, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=True)
        words, variables = json.loads(done.stdout)
        assert words == [str(run), "$HOME"]
        assert variables == {"DNALM_JOB": "a1", "OMP_NUM_THREADS": "2", "DNALM_HOME": str(settings().home.resolve())}
        assert not (tmp_path / "oops").exists()
        assert text.startswith("#!/bin/sh\nexport ")

    def test_the_script_of_several_machines(self, tmp_path, setting):
        text = script(job(tmp_path), Layout(2, 1, "", 2), ["python3", "x"])
        last = shlex.split(text.splitlines()[-1])
        assert last[:5] == ["srun", "--kill-on-bad-exit=1", "--cpus-per-task=2", "sh", "-c"]
        assert last[6:] == ["dnalm", "python3", "x"]
        assert "export DNALM_NODES=2" in text

    def test_the_handle_has_number_and_name(self, tmp_path, setting):
        assert SlurmBackend(run=Recorded(sbatch="12;cluster\n")).start(job(tmp_path), ()) == "12/dnalm-a1"

    @pytest.mark.parametrize(("said", "error"), [(SUBMIT_AWAY, BackendAwayError), (NO_PARTITION, StartError)])
    def test_refused_or_unheard(self, tmp_path, setting, said, error):
        with pytest.raises(error, match=r"Unable to contact|Invalid partition name"):
            SlurmBackend(run=Recorded(sbatch=(1, said))).start(job(tmp_path), ())

    @pytest.mark.parametrize(
        ("row", "found"),
        [
            ("7|PENDING|0:00|Resources|dnalm-a1|attempt 1\n", "7/dnalm-a1"),
            ("7|RUNNING|0:10|None|dnalm-a1|(null)\n", "7/dnalm-a1"),
            ("7|FAILED|0:10|NonZeroExitCode|dnalm-a1|attempt 2\n", "7/dnalm-a1"),
            ("7|FAILED|0:10|NonZeroExitCode|dnalm-a1|attempt 1\n", None),
            ("7|COMPLETING|0:10|None|dnalm-a1|attempt 1\n", None),
        ],
    )
    def test_what_was_submitted_is_not_submitted_again(self, tmp_path, setting, row, found):
        recorded = Recorded(squeue=row)
        backend = SlurmBackend(run=recorded)
        assert backend.find(job(tmp_path, attempts=2)) == found
        assert "--name=dnalm-a1" in recorded.called("squeue")[0]
        assert backend.start(job(tmp_path, attempts=2), ()) == (found or "12/dnalm-a1")
        assert len(recorded.called("sbatch")) == (found is None)

    def test_a_job_is_told_nothing_of_its_worker(self, monkeypatch):
        gone = ("SLURM_JOB_ID", "SBATCH_PARTITION", "SQUEUE_FORMAT", "RANK", "MASTER_PORT", "DNALM_DATABASE_URL")
        for name in (*gone, "SLURM_CONF", "DNALM_HOME"):
            monkeypatch.setenv(name, "x")
        assert {"SLURM_CONF", "DNALM_HOME", "PATH"} <= environment().keys()
        assert not set(gone) & environment().keys()


class TestWatching:
    def test_alive(self):
        backend = SlurmBackend(run=Recorded(squeue=SQUEUE))
        alive = [
            f"{number}/dnalm-a{name}" for number, name in ((1, 1), (2, 2), (3, 3), (5, 5), (6, 6), (1, 3), (99, 9))
        ]
        assert [backend.alive(handle) for handle in alive] == [True, True, True, False, True, False, False]

    def test_age_and_standing(self):
        backend = SlurmBackend(run=Recorded(squeue=SQUEUE))
        assert [backend.age(handle) for handle in ("1/dnalm-a1", "3/dnalm-a3", "9/x")] == [93784, 0, None]
        assert [backend.standing(handle) for handle in ("1/dnalm-a1", "3/dnalm-a3", "9/x")] == [
            "RUNNING",
            "PENDING (Priority)",
            "",
        ]

    def test_one_question_serves_many_jobs_but_a_no_is_never_old(self):
        recorded = Recorded(squeue=SQUEUE)
        backend = SlurmBackend(run=recorded)
        assert all(backend.alive("1/dnalm-a1") for _ in range(20))
        assert len(recorded.calls) == 1
        recorded.answers["squeue"] = SQUEUE + "8|PENDING|0:00|None|dnalm-a8|attempt 1\n"
        assert backend.alive("8/dnalm-a8")
        assert len(recorded.calls) == 2

    def test_a_silent_slurm_is_not_asked_for_each_job(self):
        calls = []

        def silent(argv: Sequence[str], text: str):
            calls.append(argv)
            raise BackendAwayError("Slurm's squeue did not answer within 15 s")

        backend = SlurmBackend(run=silent)
        for number in range(5):
            with pytest.raises(BackendAwayError, match="did not answer"):
                backend.alive(f"{number}/x")
        assert len(calls) == 1

    def test_without_its_programs_slurm_is_away(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(BackendAwayError, match="squeue cannot be run"):
            jobs(run_program)


class TestStopping:
    def test_a_running_job_gets_one_signal_a_process(self):
        recorded = Recorded(squeue=SQUEUE)
        SlurmBackend(run=recorded).terminate("1/dnalm-a1")
        mine = ["--name=dnalm-a1", f"--user={os.getuid()}"]
        assert recorded.called("scancel") == [[*mine, "--batch", "--signal=TERM", "1"], [*mine, "--signal=TERM", "1"]]

    def test_a_waiting_job_is_taken_out_while_it_waits(self):
        recorded = Recorded(squeue=SQUEUE)
        SlurmBackend(run=recorded).terminate("3/dnalm-a3")
        assert all("--state=PENDING" in call and "3" in call for call in recorded.called("scancel"))
        assert recorded.called("scancel")

    @pytest.mark.parametrize("handle", ["2/dnalm-a2", "5/dnalm-a5", "1/dnalm-a9", "99/x"])
    def test_what_ends_has_ended_or_is_another_s_is_left_alone(self, handle):
        recorded = Recorded(squeue=SQUEUE)
        SlurmBackend(run=recorded).terminate(handle)
        assert recorded.called("scancel") == []

    def test_killing(self):
        recorded = Recorded(
            squeue=SQUEUE, scancel=(1, "scancel: error: Kill job error on job id 1: Invalid job id specified\n")
        )
        SlurmBackend(run=recorded).kill("1/dnalm-a1")
        assert [call[2:] for call in recorded.called("scancel")] == [["--full", "--signal=KILL", "1"], ["1"]]

    def test_a_signal_that_did_not_arrive_is_told(self):
        said = "scancel: error: Kill job error on job id 1: Unable to contact slurm controller (connect failure)\n"
        with pytest.raises(BackendAwayError, match="Unable to contact"):
            SlurmBackend(run=Recorded(squeue=SQUEUE, scancel=(1, said))).kill("1/dnalm-a1")


class TestSlots:
    def test_the_gpus_of_the_partition(self, setting):
        assert SlurmBackend(run=Recorded()).slots() == ("slurm0", "slurm1", "slurm2", "slurm3")

    def test_cores_where_there_is_no_gpu(self, setting):
        setting(DNALM_SLURM_CPUS="4")
        assert len(SlurmBackend(run=Recorded(sinfo="main*|n1|8|(null)\nmain*|n2|9|(null)\n")).slots()) == 4

    def test_as_many_as_the_site_says(self, setting):
        setting(DNALM_SLOTS="3")
        recorded = Recorded(sinfo=(1, AWAY))
        assert len(SlurmBackend(run=recorded).slots()) == 3
        assert recorded.calls == []

    def test_without_slurm_s_programs_it_says_what_to_do(self, setting, tmp_path):
        setting(PATH=str(tmp_path))
        with pytest.raises(InputError, match="there is no sbatch on the PATH"):
            SlurmBackend().slots()

    def test_it_is_a_backend(self):
        assert isinstance(SlurmBackend(), Backend)


SAY_ARGUMENTS = """
import json, os, sys
names = ("DNALM_JOB", "OMP_NUM_THREADS", "DNALM_HOME")
print(json.dumps([sys.argv[1:], {name: os.environ[name] for name in names}]))
"""


@pytest.mark.parametrize(
    ("standing", "sentence"),
    [
        ("", ""),
        ("RUNNING", ""),
        ("COMPLETED", ""),
        ("PENDING", "It waits in Slurm's own queue: Slurm has just taken it in."),
        ("PENDING (Priority)", "It waits in Slurm's own queue: other jobs are before it (Slurm: Priority)."),
        (
            "PENDING (ReqNodeNotAvail, UnavailableNodes:n1)",
            "It waits in Slurm's own queue: the machines that it needs are down or reserved "
            "(Slurm: ReqNodeNotAvail, UnavailableNodes:n1).",
        ),
        (
            "PENDING (QOSMaxGRESPerUser)",
            "It waits in Slurm's own queue: a limit of your group or account is reached (Slurm: QOSMaxGRESPerUser).",
        ),
        ("PENDING (SomethingNew)", "It waits in Slurm's own queue: its turn has not come (Slurm: SomethingNew)."),
        ("COMPLETING", "Slurm is ending its processes (Slurm: COMPLETING)."),
    ],
)
def test_what_slurm_says_in_words(standing, sentence):
    assert in_words(standing) == sentence
