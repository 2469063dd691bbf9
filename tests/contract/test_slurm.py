"""The Slurm backend on a real Slurm: two nodes on this machine, each with two GPUs that do not exist."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from toy_lab import Lab
from toy_slurm import DEPLOY, Cluster
from waiting import wait_for

from dnalm.lab import processes
from dnalm.lab.backends import BackendAwayError, StartError
from dnalm.lab.backends.slurm import SlurmBackend
from dnalm.lab.backends.slurm_programs import jobs, run_program, submit
from dnalm.lab.backends.slurm_script import Layout, options, script
from dnalm.lab.job import Job, JobState
from dnalm.lab.worker import Worker
from dnalm.settings import settings

# Says what it was given, then waits; told to stop, it says so and ends.
WORK = """
import json, os, signal, subprocess, sys, time
folder = sys.argv[1]
rank = os.environ.get("RANK", "0")
def say(name, value):
    with open(f"{folder}/{name}-{rank}", "a") as file:
        file.write(value + "\\n")
def stop(number, frame):
    say("stopped", "SIGTERM")
    time.sleep(0.3)  # a second signal would be seen
    sys.exit(130)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv else stop)
if "stubborn" in sys.argv:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
say("told", json.dumps(dict(os.environ)))
while not os.path.exists(f"{folder}/end"):
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = Cluster(nodes=2)
    yield found
    found.stop()


@pytest.fixture
def slurm(cluster: Cluster, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster, with nothing in it before and after."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.environment[name])
    settings.cache_clear()
    yield cluster
    if not cluster.answers():
        cluster.start_controller()
    cluster.run("scancel", "--user=root" if os.getuid() == 0 else f"--user={os.getuid()}")
    wait_for(lambda: cluster.run("squeue", "--noheader") == "", "the cluster is empty")
    wait_for(lambda: cluster.run("sinfo", "--noheader", "--format=%T") == "idle", "all nodes are idle")


def backend(*words: str, run=run_program) -> SlurmBackend:
    return SlurmBackend(lambda job: [sys.executable, "-c", WORK, str(job.run), *words], run=run)


def new_job(accelerator: str = "cpu", devices: int = 1, phase: str = "pretrain") -> Job:
    name = uuid.uuid4().hex[:12]
    run = settings().runs / name
    run.mkdir(parents=True)
    config = {"phase": phase, "compute": {"accelerator": accelerator, "devices": devices, "threads": 0}}
    return Job(
        **{"id": name, "name": name, "owner": "local", "owner_name": "Local", "phase": phase, "run": run},
        **{"state": JobState.RUNNING, "config": config, "devices": devices, "priority": 0, "shared": False},
        **{"backend": "slurm", "worker": "w", "slots": (), "handle": None, "created": datetime.now(UTC)},
        **{"started": None, "ended": None, "reason": "", "cancel_requested": False, "exit_code": None},
        **{"limit_minutes": None, "attempts": 1},
    )


def told(job: Job, rank: int = 0) -> dict[str, str]:
    """The environment of one of a job's processes, once it runs."""
    path = job.run / f"told-{rank}"
    wait_for(lambda: path.exists() and path.read_text().endswith("\n"), f"{job.id} runs: {output(job)}")
    return json.loads(path.read_text())


def output(job: Job) -> str:
    path = job.run / "process.txt"
    return path.read_text() if path.exists() else ""


def wait_until_gone(engine: SlurmBackend, handle: str) -> None:
    wait_for(lambda: not engine.alive(handle), f"{handle} ends: {engine.standing(handle)}")


class TestRunning:
    def test_gpus_are_shared_out_and_what_finds_none_waits(self, slurm):
        engine = backend()
        made = [new_job("cuda") for _ in range(5)]
        handles = [engine.start(job, ()) for job in made]
        devices = [(told(job)["SLURMD_NODENAME"], told(job)["CUDA_VISIBLE_DEVICES"]) for job in made[:4]]
        assert sorted(devices) == [("node1", "0"), ("node1", "1"), ("node2", "0"), ("node2", "1")]
        assert engine.standing(handles[4]).startswith("PENDING")
        assert engine.alive(handles[4])
        assert engine.age(handles[4]) == 0
        (made[2].run / "end").touch()
        assert told(made[4])["CUDA_VISIBLE_DEVICES"] == devices[2][1]
        wait_until_gone(engine, handles[2])
        assert engine.standing(handles[2]) == "COMPLETED"

    def test_what_it_says_is_added_to_process_txt(self, slurm):
        job = new_job()
        (job.run / "process.txt").write_text("the attempt before\n")
        (job.run / "end").touch()
        engine = SlurmBackend(lambda job: ["sh", "-c", 'echo "$1"', "sh", "two  words; $HOME"])
        wait_until_gone(engine, engine.start(job, ()))
        wait_for(lambda: output(job) == "the attempt before\ntwo  words; $HOME\n", f"it says so: {output(job)}")

    def test_several_machines(self, slurm, monkeypatch):
        """One process a GPU; each is told its place, and each gets one signal."""
        job, engine = new_job("cuda", devices=4), backend()
        handle = engine.start(job, ())
        found = [told(job, rank) for rank in range(4)]
        assert [(one["RANK"], one["LOCAL_RANK"], one["WORLD_SIZE"], one["DNALM_NODES"]) for one in found] == [
            *(("0", "0", "4", "2"), ("1", "1", "4", "2"), ("2", "0", "4", "2"), ("3", "1", "4", "2")),
        ]
        assert {one["CUDA_VISIBLE_DEVICES"] for one in found} == {"0,1"}
        assert len({(one["MASTER_ADDR"], one["MASTER_PORT"]) for one in found}) == 1
        engine.terminate(handle)
        wait_until_gone(engine, handle)
        assert [(job.run / f"stopped-{rank}").read_text() for rank in range(4)] == ["SIGTERM\n"] * 4
        assert processes.marked(job.id) == []

    def test_what_slurm_refuses_is_a_sentence(self, slurm, monkeypatch):
        with pytest.raises(StartError, match="wants 5 GPUs; Slurm's machines have 2, 2"):
            backend().start(new_job("cuda", devices=5), ())
        monkeypatch.setenv("DNALM_SLURM_OPTIONS", "--constraint=nope")
        settings.cache_clear()
        with pytest.raises(StartError, match=r"Slurm refuses the job: .*Invalid feature"):
            backend().start(new_job(), ())


class TestStopping:
    def test_a_running_job_gets_one_signal(self, slurm):
        job, engine = new_job(), backend()
        handle = engine.start(job, ())
        told(job)
        engine.terminate(handle)
        wait_until_gone(engine, handle)
        assert (job.run / "stopped-0").read_text() == "SIGTERM\n"

    def test_a_waiting_job_never_begins(self, slurm):
        job, engine = new_job(), backend()
        slurm.run("scontrol", "update", "nodename=node[1-2]", "state=drain", "reason=test")
        handle = engine.start(job, ())
        assert engine.standing(handle).startswith("PENDING")
        engine.terminate(handle)
        assert not engine.alive(handle)
        slurm.run("scontrol", "update", "nodename=node[1-2]", "state=resume")
        assert output(job) == ""

    def test_a_job_that_ignores_the_signal_is_killed_with_all_that_it_left_behind(self, slurm):
        job, engine = new_job(), backend("stubborn")
        handle = engine.start(job, ())
        told(job)
        wait_for(lambda: len(processes.marked(job.id)) == 2, "it has a child in a session of its own")
        engine.terminate(handle)
        assert engine.alive(handle)
        engine.kill(handle)
        wait_until_gone(engine, handle)
        assert processes.marked(job.id) == []
        engine.kill(handle)
        engine.terminate(handle)


class TestArray:
    """A scan of several parts is an array of jobs, which begin as there is room for each."""

    def test_each_part_is_told_its_place_and_stopping_stops_all(self, slurm):
        job, engine = new_job("cuda", devices=3, phase="scan"), backend()
        handle = engine.start(job, ())
        found = [told(job, rank) for rank in range(3)]
        assert [(one["RANK"], one["LOCAL_RANK"], one["WORLD_SIZE"]) for one in found] == [
            *(("0", "0", "3"), ("1", "0", "3"), ("2", "0", "3")),
        ]
        assert len({(one["SLURMD_NODENAME"], one["CUDA_VISIBLE_DEVICES"]) for one in found}) == 3
        assert engine.find(job) == handle
        assert engine.alive(handle)
        assert engine.age(handle) is not None
        engine.terminate(handle)
        wait_until_gone(engine, handle)
        wait_for(lambda: processes.marked(job.id) == [], "all of them end")
        assert [(job.run / f"stopped-{rank}").read_text() for rank in range(3)] == ["SIGTERM\n"] * 3

    def test_with_its_first_it_is_over_and_nothing_of_it_waits_or_runs_on(self, slurm):
        job, engine = new_job("cuda", devices=6, phase="scan"), backend()  # four GPUs: two parts wait
        handle = engine.start(job, ())
        for rank in range(4):
            told(job, rank)
        slurm.run("scancel", handle.partition("/")[0])
        wait_until_gone(engine, handle)
        assert len(processes.marked(job.id)) >= 3
        engine.kill(handle)
        wait_for(lambda: processes.marked(job.id) == [], "the others are ended")
        wait_for(lambda: slurm.run("squeue", "--noheader") == "", "and none waits")
        assert not (job.run / "told-5").exists()  # the fifth may have had the first one's place for a moment

    def test_one_that_waits_never_begins(self, slurm):
        job, engine = new_job(devices=2, phase="scan"), backend()
        slurm.run("scontrol", "update", "nodename=node[1-2]", "state=drain", "reason=test")
        handle = engine.start(job, ())
        assert engine.standing(handle).startswith("PENDING")
        engine.terminate(handle)
        assert not engine.alive(handle)
        slurm.run("scontrol", "update", "nodename=node[1-2]", "state=resume")
        assert slurm.run("squeue", "--noheader") == ""
        assert output(job) == ""


class TestOnce:
    def test_an_answer_that_was_lost(self, slurm):
        """The job was handed in, but the worker never heard of it: it finds it again, and does not hand in another."""

        def deaf(argv: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
            answer = run_program(argv, text)
            if argv[0] == "sbatch":
                assert answer.returncode == 0
                raise BackendAwayError("Slurm's sbatch did not answer within 15 s")
            return answer

        job = new_job()
        with pytest.raises(BackendAwayError):
            backend(run=deaf).start(job, ())
        engine = backend()
        handle = engine.find(job)
        assert handle is not None
        assert engine.start(job, ()) == handle
        told(job)
        assert len(jobs(run_program, f"dnalm-{job.id}")) == 1
        (job.run / "end").touch()
        wait_until_gone(engine, handle)
        assert engine.find(job) == handle
        assert engine.find(replace(job, attempts=2)) is None

    def test_two_that_were_handed_in_never_run_at_once(self, slurm):
        job = new_job()
        layout = Layout(1, 1, "", 1)
        text = script(job, layout, [sys.executable, "-c", WORK, str(job.run)])
        first, second = (submit(run_program, options(job, layout), text) for _ in range(2))
        told(job)
        found = {row.id: row for row in jobs(run_program, f"dnalm-{job.id}")}
        assert (found[first].state, found[second].state, found[second].reason) == ("RUNNING", "PENDING", "Dependency")
        (job.run / "end").touch()
        wait_for(lambda: all(row.over for row in jobs(run_program, f"dnalm-{job.id}")), "both end, one after another")
        assert len((job.run / "told-0").read_text().splitlines()) == 2


class TestController:
    def test_without_it_nothing_is_known_and_the_job_goes_on(self, slurm):
        job, engine = new_job(), backend()
        handle = engine.start(job, ())
        told(job)
        slurm.kill_controller(signal.SIGTERM)
        for ask in (engine.alive, engine.age, engine.terminate, engine.kill):
            with pytest.raises(BackendAwayError, match="Unable to contact slurm controller"):
                ask(handle)
        with pytest.raises(BackendAwayError):
            engine.start(new_job(), ())
        assert processes.marked(job.id)
        slurm.start_controller()
        engine = backend()
        assert engine.alive(handle)
        (job.run / "end").touch()
        wait_until_gone(engine, handle)

    def test_a_number_that_is_given_again_is_another_job(self, slurm):
        """A controller that lost its records counts from one: the job of before is gone, and the new one is let be."""
        old, new, engine = new_job(), new_job(), backend()
        slurm.run("scontrol", "update", "nodename=node[1-2]", "state=drain", "reason=test")
        before = engine.start(old, ())
        forget(slurm)
        assert not engine.alive(before)
        after = engine.start(new, ())
        while int(after.partition("/")[0]) < int(before.partition("/")[0]):
            engine.kill(after)  # else those that only count up to the number fill the nodes
            after = engine.start(new := new_job(), ())
        assert after.partition("/")[0] == before.partition("/")[0]
        told(new)
        engine.kill(before)
        engine.terminate(before)
        assert not engine.alive(before)
        assert engine.alive(after)
        assert not (new.run / "stopped-0").exists()

    def test_a_job_that_it_forgot_is_queued_again(self, slurm, home, tmp_path):
        """What Slurm does not know any more, and left no record of its end, goes back to the queue, and is run once."""
        home.mkdir(parents=True, exist_ok=True)
        lab = Lab(home, {})
        done = 'echo ran >> "$1/ran"; echo "{\\"done\\": true}" > "$1/result.json"'
        worker = Worker(SlurmBackend(lambda job: ["sh", "-c", done, "sh", str(job.run)]), db=lab.db)
        try:
            slurm.run("scontrol", "update", "nodename=node[1-2]", "state=drain", "reason=test")
            job = lab.submit()
            worker.tick()
            assert lab.job(job).handle
            forget(slurm)
            wait_for(lambda: worker.tick() or lab.job(job).state == JobState.SUCCEEDED, f"it ends: {lab.job(job)}")
            assert lab.job(job).attempts == 2
            assert (job.run / "ran").read_text() == "ran\n"
            lab.assert_nothing_left(job)
        finally:
            lab.close()


def forget(cluster: Cluster) -> None:
    """Kill the controller with -9 and take away its records; that the nodes had been drained is forgotten with them."""
    cluster.kill_controller()
    shutil.rmtree(cluster.folder / "state")
    (cluster.folder / "state").mkdir()
    cluster.start_controller()


class TestScripts:
    def test_stopping_leaves_nothing_behind(self, tmp_path, home, monkeypatch):
        own = Cluster()
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, own.environment[name])
        job, engine = new_job(), backend("stubborn")
        engine.start(job, ())
        told(job)
        again = subprocess.run(["bash", str(DEPLOY / "start.sh"), str(own.folder)], capture_output=True, text=True)
        assert again.returncode == 1
        assert "holds one already; stop it first" in again.stderr
        before = running_in(own)
        assert {"slurmctld", "slurmd", "munged"} <= set(before)
        own.stop()
        assert running_in(own) == []
        assert processes.marked(job.id) == []
        own.stop()  # nothing to stop is no error

    def test_a_folder_that_is_not_slurm_s_is_left_alone(self, tmp_path):
        (tmp_path / "mine").touch()
        done = subprocess.run(["bash", str(DEPLOY / "stop.sh"), str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 1
        assert "nothing was stopped or removed" in done.stderr
        assert (tmp_path / "mine").exists()


def running_in(cluster: Cluster) -> list[str]:
    """The names of all processes that have this cluster's configuration in their environment."""
    wanted = f"SLURM_CONF={cluster.folder}/slurm.conf".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int(path.name) != os.getpid() and wanted in (path / "environ").read_bytes().split(b"\0"):
                found.append((path / "comm").read_text().strip())
        except OSError:
            continue
    return found
